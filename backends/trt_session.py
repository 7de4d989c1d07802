"""A TensorRT session: what is copied, what is waited for, and when."""

from __future__ import annotations

from contextlib import ExitStack, nullcontext, suppress
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple
from weakref import WeakSet

import numpy as np

from backends import cuda_driver, staging, trt_run, trt_tell
from backends.cuda_driver import Context, CudaError, Stream, driver
from backends.trt_api import Log
from backends.trt_engines import Engines
from backends.trt_slot import Slot, Staged
from backends.trt_tell import DeviceClock
from bench.device.adapter import AdapterError, Arrays, DeviceUnavailable, ModelFiles, Query
from bench.device.operators import Profiled

FILLER = 77
CLOSE_RTOL, CLOSE_ATOL = 1e-2, 1e-3
"""A replayed graph that read other addresses is further off than this."""


class TrtSession:
    """One model on one GPU, on a stream of its own; each run waits for that stream once.

    ``residency`` host: each run copies the inputs to the device and the outputs back, through page-locked memory.
    Residency device: ``stage`` copied the inputs, and the outputs stay where they are.
    """

    run: staging.Run

    def __init__(
        self, cuda: Context, engines: Engines, model: ModelFiles, facts: Dict[str, object], log: Log, graphs: bool
    ) -> None:
        self._cuda = cuda
        self._engines = engines
        self._model = model
        self._facts = facts
        self._log = log
        self._graphs = graphs
        self._stream = Stream()
        self._clock = DeviceClock(self._stream)
        self._slots: Dict[Tuple[Tuple[str, int], ...], Slot] = {}
        self._staged: "WeakSet[Staged]" = WeakSet()
        self._at_home = facts["residency"] == "host"
        self._enqueue = trt_run.from_host(self._stream) if self._at_home else trt_run.on_device(self._stream)
        self.run = trt_run.runner(trt_run.captured(self._stream) if graphs else self._enqueue, self._stream)
        moved = "inputs copied to the device from page-locked memory, the run, outputs copied back"
        where = moved if self._at_home else "the run; inputs and outputs are on the device"
        facts["in the clock"] = "%s, until the stream is done" % where

    def stage(self, query: Query) -> Staged:
        sizes = staging.sizes_of(self._model, query)
        self._cuda.use()
        staged = Staged(self._slot_for(sizes))
        self._staged.add(staged)
        staged.take(query, self._at_home, self._stream)
        if self._graphs:
            self._capture(staged)
        return staged

    def read(self, outputs: Staged) -> Arrays:
        """It waits for the stream, too: were a run to return early, whoever reads would see the missing time."""
        slot = outputs.slot
        self._stream.wait()
        if self._at_home:
            return {name: pinned.array.copy() for name, pinned in slot.results.items()}
        arrays = {spec.name: np.empty(slot.shapes[spec.name], spec.dtype) for spec in self._model.outputs}
        for name, array in arrays.items():
            self._stream.copy_out(array.ctypes.data, slot.outputs[name].address, array.nbytes)
        self._stream.wait()
        return arrays

    def device_times(self, staged: Staged) -> Mapping[str, int]:
        """The parts of one query by the device's clock, in ns; none of it is timed by anybody else."""
        return self._clock.captured_times(staged) if self._graphs else self._clock.times(staged)

    def profile(self, staged: Sequence[Staged]) -> Profiled:
        """What each layer took of these queries; a captured graph is left aside, for it tells of no layers."""
        return trt_tell.profile(staged, self._enqueue, self._stream)

    def facts(self) -> Mapping[str, object]:
        notes = self._engines.notes()
        told = {**self._facts, **self._engines.facts()}
        own = told.get("notes", [])
        return dict(told, notes=[*(own if isinstance(own, list) else []), *notes]) if notes or own else told

    def __enter__(self) -> "TrtSession":
        return self

    def __exit__(self, kind: Optional[Any], error: Optional[BaseException], trace: Optional[Any]) -> None:
        """The library's own objects go first: they hold memory of the context.

        After an error of the GPU's work nothing can be freed any more: then that error is the one to tell.
        """
        self.run = self._enqueue = staging.closed
        with suppress(CudaError) if error is not None else nullcontext(), ExitStack() as last_first:
            for close in (self._cuda.close, self._stream.close, self._engines.close, self._clock.close):
                last_first.callback(close)
            for staged in self._staged:
                last_first.callback(staged.close)
            for slot in self._slots.values():
                last_first.callback(slot.close)
        self._slots.clear()

    def _slot_for(self, sizes: Mapping[str, int]) -> Slot:
        key = tuple(sorted(sizes.items()))
        if key not in self._slots:
            own = [spec for spec in self._model.inputs if self._at_home or spec.name in self._model.state]
            engine = self._engines.engine_for(sizes)
            self._slots[key] = Slot(engine, self._model, sizes, own, self._at_home, self._stream, self._log)
            self._stream.wait()
        return self._slots[key]

    def _capture(self, staged: Staged) -> None:
        """Capture this query's work, and hold its replay against a plain run, the outputs overwritten before."""
        self._enqueue(staged)  # the first run of a context may do what cannot be captured
        self._stream.wait()
        right = self.read(staged)
        cuda_driver.begin_capture(self._stream)
        try:
            self._enqueue(staged)
        finally:
            staged.graph = cuda_driver.end_capture(self._stream)
        for name, size in [(name, one.size) for name, one in staged.slot.outputs.items()]:
            check = driver.cuMemsetD8Async(staged.slot.outputs[name].address, FILLER, size, self._stream.handle)
            cuda_driver.check("overwriting outputs", check)
        for name, array in self.read(self.run(staged)).items():
            if not _same(array, right[name]):
                raise DeviceUnavailable("`cuda graph`: output `%s` of the replay is not that of a plain run" % name)


class TrtStateSession(TrtSession):
    """A session whose model has state, which stays on the device; each size of query has its own, zeros at first."""

    def advance(self, outputs: Staged) -> None:
        """Copy the state outputs into the inputs that they feed."""
        slot = outputs.slot
        for fed, source in self._model.state.items():
            target, place = slot.inputs[fed], slot.outputs[source]
            if target.size != place.size:
                raise AdapterError("output `%s` and the state `%s` that it feeds differ in shape" % (source, fed))
            self._stream.copy_within(target.address, place.address, target.size)
        self._stream.wait()

    def reset(self) -> None:
        """Start a sequence: zeros."""
        for slot in self._slots.values():
            for fed in self._model.state:
                self._stream.zero(slot.inputs[fed].address, slot.inputs[fed].size)
        self._stream.wait()


def _same(array: Any, right: Any) -> bool:
    if array.dtype.kind != "f":
        return bool(np.array_equal(array, right))
    return bool(np.allclose(array, right, CLOSE_RTOL, CLOSE_ATOL, equal_nan=True))
