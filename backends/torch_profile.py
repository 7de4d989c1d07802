"""PyTorch's own profiler: what each operator took, of queries that nobody times."""

from __future__ import annotations

import importlib
from typing import Any, List, Sequence

from backends import staging
from bench.device.operators import Operator, Profiled, gathered

ON_CPU = "torch.profiler, each operator's own time on the CPU"
ON_GPU = "torch.profiler, the time of each operator's kernels on the GPU"


def profile(torch: Any, run: staging.Run, staged: Sequence[Any], on_gpu: bool) -> Profiled:
    """Run each query once; the operators by kind and shapes of what goes in."""
    profiler: Any = importlib.import_module("torch.profiler")
    kinds = profiler.ProfilerActivity
    activities = [kinds.CPU, kinds.CUDA] if on_gpu else [kinds.CPU]
    with profiler.profile(activities=activities, record_shapes=True) as told:
        for one in staged:
            run(one)
        if on_gpu:
            torch.cuda.synchronize()
    return Profiled(operators(told.key_averages(group_by_input_shape=True), on_gpu), ON_GPU if on_gpu else ON_CPU)


def operators(averages: Any, on_gpu: bool) -> List[Operator]:
    """The profiler's rows that took time of their own where the model computes, as ours."""
    attribute = "self_device_time_total" if on_gpu else "self_cpu_time_total"
    rows = (
        Operator(_shapes(one.input_shapes), str(one.key), round(getattr(one, attribute) * 1000), int(one.count))
        for one in averages
        if not on_gpu or str(one.device_type).endswith("CPU")
    )
    return gathered(row for row in rows if row.total_ns > 0)


def _shapes(shapes: Any) -> str:
    """``[1, 8] [8, 16]``: of the tensors that go in, which tells a layer from another of its kind."""
    return " ".join(str(list(shape)) for shape in shapes or () if shape) or "-"
