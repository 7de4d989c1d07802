"""The same work timed by us and by others, by turns on one GPU: ours is no longer. Only a GPU runs it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from backends.trt import TensorRtAdapter
from bench.device.adapter import ModelFiles, Settings
from tests.gpu import peers, sessions, torch_sessions
from tests.gpu.sessions import DEVICE, median_ns, query

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(900)]
COUNT, SIZE, BATCH = 16, 4096, 1024  # half a TFLOP of fp32: milliseconds on any GPU, beside which a launch is nothing
ROUNDS = 3
NOISE = 1.02
"""What two of our own rounds may differ by."""


def quickest(ours: Callable[[], float], theirs: Callable[[], float]) -> tuple[float, float]:
    """The better median of each, taken by turns so that clocks and heat are the same."""
    pairs = [(ours(), theirs()) for _ in range(ROUNDS)]
    return min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)


def test_pytorchs_own_timer_takes_no_less(folder: Path) -> None:
    with torch_sessions.opened(torch_sessions.layers(folder, COUNT, SIZE)) as session:
        asked = query(BATCH, SIZE)
        jit: Any = torch.jit
        module = jit.load(torch_sessions.layers(folder, COUNT, SIZE).artifacts["torchscript"], DEVICE).eval()
        x = torch.from_numpy(asked.arrays["x"]).to(DEVICE)
        with torch.inference_mode():
            theirs = partial(peers.torch_timer_ns, partial(module, x), torch.cuda.synchronize)
            mine, others = quickest(partial(median_ns, session, asked), theirs)
    assert mine <= NOISE * others


@pytest.fixture
def engine(folder: Path, cache: Path) -> tuple[Any, Path]:
    """A session of TensorRT, and the engine that it built and keeps: the others run that very one."""
    model: ModelFiles = sessions.layers(folder, COUNT, SIZE)
    session: Any = TensorRtAdapter().open(model, Settings(device=DEVICE, residency="device"))
    session.stage(query(BATCH, SIZE))
    newest = max(cache.glob("*/*.engine"), key=lambda path: path.stat().st_mtime_ns)
    return session, newest


def test_polygraphy_takes_no_less(engine: tuple[Any, Path]) -> None:
    session, plan = engine
    asked = query(BATCH, SIZE)
    with session:
        theirs = partial(peers.polygraphy_ns, plan.read_bytes(), asked.arrays)
        mine, others = quickest(partial(median_ns, session, asked), theirs)
    assert mine <= NOISE * others


def test_trtexec_takes_no_less(engine: tuple[Any, Path], tmp_path: Path) -> None:
    """Its figure is the GPU's own time; ours is the host's, which has the launch and the wait in it besides."""
    session, plan = engine
    program = shutil.which("trtexec")
    with session:
        if program is None:
            pytest.skip("no trtexec on PATH: it comes with NVIDIA's containers and archives, not with pip's TensorRT")
        asked = query(BATCH, SIZE)
        theirs = partial(peers.trtexec_ns, program, plan, {"x": (BATCH, SIZE)}, tmp_path)
        mine, others = quickest(partial(median_ns, session, asked), theirs)
    assert mine <= NOISE * others
