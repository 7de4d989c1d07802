"""``torch.compile``: outside the clock, once a query shape, and never without saying so."""

from __future__ import annotations

import importlib
from contextlib import ExitStack
from time import perf_counter
from typing import Any, Dict, List, Mapping

import numpy as np

from backends import staging, torch_load
from bench.device.adapter import AdapterError, ModelFiles, Query

MODES = ("default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")
RECOMPILES = 64
"""Shapes that may be compiled; past torch's own limit of 8 it would go on uncompiled, unsaid."""


class Compiled:
    """A module that the compiler has taken. It compiles at the first call of each shape, which must not be timed."""

    def __init__(self, torch: Any, module: Any, mode: str, until_closed: ExitStack) -> None:
        dynamo, inductor = (importlib.import_module("torch.%s.config" % name) for name in ("_dynamo", "_inductor"))
        limit = "recompile_limit" if hasattr(dynamo, "recompile_limit") else "cache_size_limit"
        until_closed.callback(importlib.import_module("torch._dynamo").reset)
        until_closed.enter_context(dynamo.patch(**{limit: RECOMPILES}))
        until_closed.enter_context(inductor.patch(compile_threads=1))  # else a pool of processes stays behind
        self.module = torch.compile(module, mode=mode, dynamic=False)
        self._ready: List[Dict[str, int]] = []
        self._facts: Dict[str, object] = {}
        self._seconds = 0.0

    def facts(self) -> Mapping[str, object]:
        return dict(self._facts, compile_s=self._seconds)

    def be_ready_for(self, sizes: Dict[str, int], run: staging.Run, staged: Any) -> None:
        """Have the compiler done its work for these sizes: run once, untimed, where they are new."""
        if sizes not in self._ready:
            self._compile_by(run, staged)
            self._ready.append(sizes)

    def _compile_by(self, run: staging.Run, staged: Any) -> None:
        start = perf_counter()
        counters = importlib.import_module("torch._dynamo.utils").counters
        before = counters["stats"]["unique_graphs"]
        try:
            with torch_load.without_deprecations():
                run(staged)
        except Exception as error:  # noqa: BLE001 - the compiler's errors share no base class
            raise AdapterError("torch.compile failed: %s" % _compiler_reason(error))
        if counters["stats"]["unique_graphs"] == before:
            raise AdapterError("torch.compile compiled nothing for these shapes: leave the option out")
        self._seconds = round(self._seconds + perf_counter() - start, 3)
        self._facts["graph breaks"] = sum(counters["graph_break"].values())


def example(model: ModelFiles) -> Query:
    """One sample of zeros, to compile for."""
    arrays = {
        spec.name: np.zeros(
            [size if isinstance(size, int) else model.dims.get(size, 1) for size in spec.shape], spec.dtype
        )
        for spec in staging.fed_inputs(model)
    }
    return Query(arrays, 1)


def _compiler_reason(error: BaseException) -> str:
    reason = staging.one_line(error)
    if "InvalidCxxCompiler" in reason or "No working C++ compiler" in reason:
        return "it needs a C++ compiler, and none works here: apt install g++, or set CXX (%s)" % reason
    return reason
