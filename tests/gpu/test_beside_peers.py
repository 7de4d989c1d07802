"""The same work timed by us and by others, by turns on one GPU: ours is no longer. Only a GPU runs it.

trtexec tells the GPU's own time, so it is held against work of milliseconds, beside which starting it is nothing. The
others time on the host as we do: of such work all would tell the same, and whose figure is lower were chance. So they
are held against work of about a tenth of a millisecond, where what a timer adds of its own is seen.
"""

from __future__ import annotations

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
COUNT = 16
LONG, SHORT = (4096, 1024), (1024, 256)
"""Sizes of a layer and of a batch: half a TFLOP of fp32, milliseconds on any GPU, and nine GFLOP."""
ROUNDS, ROUNDS_OF_TRTEXEC = 9, 3
OF_TRTEXEC, OF_OTHERS = 1.02, 1.0
"""The most that our median may be of theirs."""


def quickest(ours: Callable[[], float], theirs: Callable[[], float], rounds: int = ROUNDS) -> tuple[float, float]:
    """The better median of each, taken by turns so that clocks and heat are the same."""
    pairs = [(ours(), theirs()) for _ in range(rounds)]
    return min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)


def test_pytorchs_own_timer_takes_no_less(folder: Path) -> None:
    size, batch = SHORT
    with torch_sessions.opened(torch_sessions.layers(folder, COUNT, size)) as session:
        asked = query(batch, size)
        jit: Any = torch.jit
        module = jit.load(torch_sessions.layers(folder, COUNT, size).artifacts["torchscript"], DEVICE).eval()
        x = torch.from_numpy(asked.arrays["x"]).to(DEVICE)
        with torch.inference_mode():
            theirs = partial(peers.torch_timer_ns, partial(module, x), torch.cuda.synchronize)
            mine, others = quickest(partial(median_ns, session, asked), theirs)
    assert mine <= OF_OTHERS * others


def engine(folder: Path, cache: Path, sizes: tuple[int, int]) -> tuple[Any, Path]:
    """A session of TensorRT, and the engine that it built and keeps: the others run that very one."""
    size, batch = sizes
    model: ModelFiles = sessions.layers(folder, COUNT, size)
    session: Any = TensorRtAdapter().open(model, Settings(device=DEVICE, residency="device"))
    session.stage(query(batch, size))
    newest = max(cache.glob("*/*.engine"), key=lambda path: path.stat().st_mtime_ns)
    return session, newest


def test_polygraphy_takes_no_less(folder: Path, cache: Path) -> None:
    size, batch = SHORT
    session, plan = engine(folder, cache, SHORT)
    asked = query(batch, size)
    with session:
        theirs = partial(peers.polygraphy_ns, plan.read_bytes(), asked.arrays)
        mine, others = quickest(partial(median_ns, session, asked), theirs)
    assert mine <= OF_OTHERS * others


def test_trtexec_takes_no_less(folder: Path, cache: Path, tmp_path: Path) -> None:
    """Its figure is the GPU's own time; ours is the host's, which has the launch and the wait in it besides."""
    size, batch = LONG
    program = peers.trtexec()
    session, plan = engine(folder, cache, LONG)
    asked = query(batch, size)
    with session:
        theirs = partial(peers.trtexec_ns, program, plan, {"x": (batch, size)}, tmp_path)
        mine, others = quickest(partial(median_ns, session, asked), theirs, ROUNDS_OF_TRTEXEC)
    assert mine <= OF_TRTEXEC * others
