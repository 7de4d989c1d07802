"""An ONNX Runtime session on a device with memory of its own: what is copied, what is waited for, and when."""

from __future__ import annotations

from threading import get_ident
from typing import Any, Callable, Dict, Optional

import numpy as np

from backends import staging
from backends.ort_clock import OrtClock
from backends.ort_providers import Provider
from bench.device.adapter import AdapterError, Arrays, DeviceUnavailable, ModelFiles, Query

CAPTURING_RUNS = 4
"""The provider captures its kernels in one of a graph's first runs; all of them are before the clock."""
GRAPH_ID, NO_GRAPH, FILLER = "gpu_graph_id", "-1", 77
CLOSE_RTOL, CLOSE_ATOL = 1e-2, 1e-3
"""A replayed graph that read another query's addresses is further off than this."""
GRAPHS_TEXT = "`cuda graph`: a graph belongs to the thread that captured it; say one worker"
CLOCK_TEXT = "`gpu clock`: queries of several threads would take turns on its one stream; say one worker"


class _Bound:
    """A query bound once. ``values`` view the host's arrays; binding one copies it to the device."""

    __slots__ = ("arrays", "binding", "key", "moving", "native", "options", "results", "values")

    def __init__(self, binding: Any, arrays: Arrays, values: Dict[str, Any], key: Any) -> None:
        self.binding = binding
        self.native = binding._iobinding
        self.arrays = arrays
        self.values = values
        self.moving = [(name, value._ortvalue) for name, value in values.items()]
        self.results: Arrays = {}
        self.options: Any = None
        self.key = key


class OrtDeviceSession:
    """One inference session on a device.

    ``residency`` host: each run copies the inputs to the device, and its outputs are arrays on the host
    when it returns. Residency device: ``stage`` copied the inputs, and the outputs stay on the device. Only one with
    a ``clock`` has ``device_times``, which is called by the thread that staged.
    """

    run: staging.Run
    device_times: Callable[[Any], Dict[str, int]]

    def __init__(
        self,
        ort: Any,
        native: Any,
        model: ModelFiles,
        facts: Dict[str, object],
        provider: Provider,
        clock: Optional[OrtClock] = None,
    ) -> None:
        self._ort = ort
        self._native = native
        self._model = model
        self._facts = facts
        self._number = int(str(facts["device"]).partition(":")[2] or 0)
        self._provider = provider
        self._graphs = 0 if facts.get("cuda graph") is True else None
        self._clock = clock
        self._thread: Optional[int] = None
        self._state: Dict[Any, Dict[str, Any]] = {}
        self._at_home = facts["residency"] == "host"
        if clock is not None:
            clock.start(ort, native, facts)
            self.device_times = clock.times
        waits = provider.waits or self._at_home
        self.run = _host_runner(native) if self._at_home else _device_runner(native, waits)
        facts["in the clock"] = (
            "inputs copied to the device, the run, outputs copied back; host memory is pageable"
            if self._at_home
            else "the run until %s; inputs and outputs are on the device"
            % ("its stream is done, as the provider waits for it" if waits else "its outputs are synchronised")
        )

    def stage(self, query: Query) -> _Bound:
        self._keep_to_one_thread()
        sizes = staging.sizes_of(self._model, query)
        arrays = staging.copies_of(query)
        values = {name: self._ort.OrtValue.ortvalue_from_numpy(array) for name, array in arrays.items()}
        key = (get_ident(), tuple(sorted(sizes.items())))
        staged = _Bound(self._native.io_binding(), arrays, values, key)
        for name, value in {**values, **self._state_for(key, sizes)}.items():
            staged.binding.bind_ortvalue_input(name, value)
        self._bind_outputs(staged, sizes)
        if self._graphs is not None:
            self._capture(staged, sizes)
        return staged

    def read(self, outputs: _Bound) -> Arrays:
        if outputs.results:
            return {name: array.copy() for name, array in outputs.results.items()}
        arrays = zip(self._model.outputs, outputs.binding.copy_outputs_to_cpu())
        return {spec.name: np.array(array, copy=True) for spec, array in arrays}

    def facts(self) -> Dict[str, object]:
        return dict(self._facts)

    def __enter__(self) -> "OrtDeviceSession":
        return self

    def __exit__(self, *_: Optional[object]) -> None:
        self.run = staging.closed
        self._state.clear()
        self.__dict__.pop("device_times", None)
        self._native = None
        if self._clock is not None:
            self._clock.close()

    def _bind_outputs(self, staged: _Bound, sizes: Dict[str, int]) -> None:
        """On the host into arrays of ours where their shapes are known; on the device where the framework allocates."""
        shapes = {spec.name: staging.resolve(spec, sizes) for spec in self._model.outputs}
        if not self._at_home:
            for name in shapes:
                staged.binding.bind_output(name, self._provider.memory, self._number)
            return
        whole = None not in shapes.values()
        for spec in self._model.outputs:
            if whole:
                array = np.zeros(shapes[spec.name] or (), spec.dtype)
                staged.results[spec.name] = array
                staged.binding.bind_ortvalue_output(spec.name, self._ort.OrtValue.ortvalue_from_numpy(array))
            else:
                staged.binding.bind_output(spec.name)

    def _state_for(self, key: Any, sizes: Dict[str, int]) -> Dict[str, Any]:
        """The state inputs of this thread and these sizes, on the device, shared by all queries."""
        if key not in self._state:
            fed = [spec for spec in self._model.inputs if spec.name in self._model.state]
            self._state[key] = {spec.name: self._on_device(staging.zeros(spec, sizes)) for spec in fed}
        return self._state[key]

    def _on_device(self, array: Any) -> Any:
        return self._ort.OrtValue.ortvalue_from_numpy(array, self._provider.memory, self._number)

    def _keep_to_one_thread(self) -> None:
        """AdapterError where a second thread stages a query, and what the session has is one thread's."""
        mine = GRAPHS_TEXT if self._graphs is not None else CLOCK_TEXT if self._clock is not None else ""
        if mine and self._thread not in (None, get_ident()):
            raise AdapterError(mine)
        self._thread = get_ident()

    def _capture(self, staged: _Bound, sizes: Dict[str, int]) -> None:
        """Capture this query's own graph, and hold its replay against a plain run, its outputs overwritten before."""
        plain = _Bound(self._native.io_binding(), {}, {}, staged.key)
        for name, value in staged.values.items():
            plain.binding.bind_ortvalue_input(name, value)
        self._bind_outputs(plain, sizes)
        plain.options, staged.options = (self._run_options(graph) for graph in (NO_GRAPH, str(self._graphs)))
        self._graphs = (self._graphs or 0) + 1
        right = self.read(self.run(plain))
        for _ in range(CAPTURING_RUNS):
            self.run(staged)
        for value, array in zip(staged.binding.get_outputs(), right.values()):
            value.update_inplace(np.full_like(array, FILLER))
        for name, array in self.read(self.run(staged)).items():
            if not np.allclose(array, right[name], CLOSE_RTOL, CLOSE_ATOL, equal_nan=True):
                raise DeviceUnavailable("`cuda graph`: output `%s` of the replay is not that of a plain run" % name)

    def _run_options(self, graph: str) -> Any:
        options = self._ort.RunOptions()
        options.add_run_config_entry(GRAPH_ID, graph)
        return options


class OrtDeviceStateSession(OrtDeviceSession):
    """A session whose model has state: it goes by the host between queries, outside the clock."""

    def advance(self, outputs: _Bound) -> None:
        """Copy the state outputs into the inputs that they feed."""
        arrays, state = self.read(outputs), self._state[outputs.key]
        for fed, source in self._model.state.items():
            array = np.zeros(state[fed].shape(), arrays[source].dtype)
            staging.move_on(array, fed, arrays[source], source)
            state[fed].update_inplace(array)

    def reset(self) -> None:
        """Start a sequence: zeros."""
        dtypes = {spec.name: spec.dtype for spec in self._model.inputs}
        for state in self._state.values():
            for name, value in state.items():
                value.update_inplace(np.zeros(value.shape(), dtypes[name]))


def _host_runner(native: Any) -> staging.Run:
    """``run`` that copies the inputs again: binding a value of the host copies it to the device."""
    inner = native._sess.run_with_iobinding

    def run(staged: Any) -> Any:
        bind = staged.native.bind_ortvalue_input
        for name, value in staged.moving:
            bind(name, value)
        inner(staged.native, None)
        return staged

    return run


def _device_runner(native: Any, waits: bool) -> staging.Run:
    """``run`` that moves nothing, and waits for its outputs where the provider's own run does not."""
    inner = native._sess.run_with_iobinding

    def run(staged: Any) -> Any:
        inner(staged.native, staged.options)
        return staged

    def run_and_wait(staged: Any) -> Any:
        inner(staged.native, staged.options)
        staged.native.synchronize_outputs()
        return staged

    return run if waits else run_and_wait
