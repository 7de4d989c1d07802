"""torch.utils.benchmark.Timer on the same TorchScript module."""

from __future__ import annotations

from tests.speed.peers.by_hand import torch_module
from tests.speed.rounds import Side
from tests.speed.subjects import Subject


def timer(subject: Subject) -> Side:
    """The median of Timer's measurement (each of its timings is the mean of a block), in ns."""
    import torch
    from torch.utils import benchmark

    module = torch_module(subject)
    query = torch.from_numpy(subject.queries()[0])
    timer = benchmark.Timer("module(query)", globals={"module": module, "query": query}, num_threads=1)

    def side(seconds: float) -> float:
        with torch.inference_mode():
            return float(timer.blocked_autorange(min_run_time=seconds).median * 1e9)

    return side
