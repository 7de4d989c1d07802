"""What others measure of the same work on ``cuda:0``: PyTorch's own timer, Polygraphy, trtexec; medians, in ns."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest

WARM_UP, TIMES = 20, 100
LIKE_OURS = ("--noDataTransfers", "--useSpinWait")
"""What trtexec does by default changed from version to version; a newer one may not know these words any more."""


WITHOUT_TRTEXEC = "BENCHPACT_WITHOUT_TRTEXEC"
"""Set to 1, it leaves the comparison with trtexec out, on purpose: nothing else does."""
DEBIAN = "/usr/src/tensorrt/bin"
"""Where NVIDIA's Debian packages, its containers and JetPack put it."""
NO_TRTEXEC = (
    "no trtexec on PATH or in %s: it comes with NVIDIA's container nvcr.io/nvidia/tensorrt, its tar archive and its "
    "Debian packages (https://developer.nvidia.com/tensorrt), not with pip's TensorRT; take the version that pip "
    "installed, or leave it out on purpose: make test-gpu %s=1"
)


def trtexec() -> str:
    """The program; the test fails without it, and is skipped only where it was left out on purpose."""
    if os.environ.get(WITHOUT_TRTEXEC) == "1":
        pytest.skip(f"trtexec is left out on purpose: {WITHOUT_TRTEXEC}=1")
    found = shutil.which("trtexec", path=os.pathsep.join([os.environ.get("PATH", ""), DEBIAN]))
    if found is None:
        pytest.fail(NO_TRTEXEC % (DEBIAN, WITHOUT_TRTEXEC), pytrace=False)
    return found


def torch_timer_ns(call: Callable[[], object], wait: Callable[[], object]) -> float:
    """``torch.utils.benchmark.Timer`` of one call that is waited for."""
    benchmark: Any = importlib.import_module("torch.utils.benchmark")
    timer = benchmark.Timer("call(); wait()", globals={"call": call, "wait": wait})
    timer.timeit(WARM_UP)
    return 1e9 * float(median(timer.timeit(1).median for _ in range(TIMES)))


def polygraphy_ns(plan: bytes, arrays: Mapping[str, np.ndarray[Any, Any]]) -> float:
    """Polygraphy's ``TrtRunner`` on that engine, by its own word; inputs and outputs stay on the GPU."""
    cuda: Any = importlib.import_module("polygraphy.cuda")
    trt: Any = importlib.import_module("polygraphy.backend.trt")
    fed = {name: cuda.DeviceArray(array.shape, array.dtype).copy_from(array) for name, array in arrays.items()}
    found = []
    with trt.TrtRunner(trt.EngineFromBytes(plan)) as runner:
        for _ in range(WARM_UP + TIMES):
            runner.infer(fed, check_inputs=False, copy_outputs_to_host=False)
            found.append(1e9 * float(runner.last_inference_time()))
    for array in fed.values():
        array.free()
    return median(found[WARM_UP:])


def trtexec_ns(program: str, plan: Path, shapes: Mapping[str, tuple[int, ...]], folder: Path) -> float:
    """trtexec on that engine: what it calls latency, which without transfers is the GPU's time by its own clock."""
    sizes = ",".join(f"{name}:{'x'.join(map(str, shape))}" for name, shape in shapes.items())
    times = folder / "times.json"
    command = [program, f"--loadEngine={plan}", f"--shapes={sizes}", f"--exportTimes={times}"]
    command += ["--warmUp=500", "--duration=3"]
    for words in (LIKE_OURS, LIKE_OURS[:1], ()):
        done = subprocess.run([*command, *words], capture_output=True, text=True, timeout=300, check=False)
        if done.returncode == 0:
            return latency_ns(times)
    raise RuntimeError(f"trtexec: {done.stdout[-2000:]}{done.stderr[-2000:]}")


def latency_ns(times: Path) -> float:
    """The median latency of a file that trtexec wrote with ``--exportTimes``."""
    return 1e6 * float(median(one["latencyMs"] for one in json.loads(times.read_text())))
