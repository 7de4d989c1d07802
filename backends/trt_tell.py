"""What the device and TensorRT tell of a query beside the harness's clock: its parts' times, and its layers'."""

from __future__ import annotations

import json
from time import perf_counter_ns
from typing import Any, Dict, List, Sequence, Tuple

from backends.cuda_driver import Event, Stream
from backends.trt_api import trt
from backends.trt_slot import Staged
from bench.device.adapter import AdapterError
from bench.device.operators import Operator, Profiled, gathered

SOURCE = "TensorRT's profiler, each layer's time on the GPU; a layer holds what was fused into it"
NS_PER_MS = 1_000_000
LAYER = "layer"
"""The kind of a layer whose engine does not tell one."""


class DeviceClock:
    """Events around the parts of one query. They are made at the first look: a run without one pays nothing."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._events: List[Event] = []

    def times(self, staged: Staged) -> Dict[str, int]:
        """Run the query once, and give the ns of its parts; ``enqueue`` is the host's, in handing over the kernels."""
        self._events = self._events or [Event() for _ in range(4)]
        begun, arrived, computed, left = self._events
        stream, slot = self._stream, staged.slot
        slot.turn_to(staged)
        begun.record(stream)
        for move in staged.moves_in:
            stream.copy_in(*move)
        arrived.record(stream)
        before = perf_counter_ns()
        started = slot.execute(stream.number)
        enqueue_ns = perf_counter_ns() - before
        computed.record(stream)
        for move in slot.moves_out:
            stream.copy_out(*move)
        left.record(stream)
        stream.wait()
        if not started:
            raise AdapterError("TensorRT did not start the query: %s" % slot.why())
        told = {"gpu compute": computed.ns_since(arrived), "enqueue": enqueue_ns}
        if slot.moves_out:
            told.update({"host to device": arrived.ns_since(begun), "device to host": left.ns_since(computed)})
        return told

    def captured_times(self, staged: Staged) -> Dict[str, int]:
        """As ``times``, of a query whose work was captured, copies and all: it takes its time as a whole."""
        self._events = self._events or [Event() for _ in range(4)]
        begun, left = self._events[:2]
        if staged.graph is None:
            raise AdapterError("the query's work was not captured")
        begun.record(self._stream)
        before = perf_counter_ns()
        staged.graph.launch(self._stream)
        enqueue_ns = perf_counter_ns() - before
        left.record(self._stream)
        self._stream.wait()
        what = "captured graph, with its copies" if staged.slot.moves_out else "gpu compute"
        return {what: left.ns_since(begun), "enqueue": enqueue_ns}

    def close(self) -> None:
        for event in self._events:
            event.close()


def profile(staged: Sequence[Staged], enqueue: Any, stream: Stream) -> Profiled:
    """What each layer took of these queries, each run once; TensorRT reports a layer's time when its query is done."""
    rows: List[Tuple[str, int]] = []
    kinds: Dict[str, str] = {}
    profiler = _profiler(rows)
    for slot in {id(one.slot): one.slot for one in staged}.values():
        slot.context.profiler = profiler
        kinds.update(_kinds(slot.context.engine))
    for one in staged:
        enqueue(one)
        stream.wait()
    return Profiled(gathered(Operator(name, kinds.get(name, LAYER), ns, 1) for name, ns in rows), SOURCE)


def _profiler(rows: List[Tuple[str, int]]) -> "trt.IProfiler":
    class Profiler(trt.IProfiler):  # type: ignore[misc, unused-ignore]
        """The library calls it once a layer and query."""

        def __init__(self) -> None:
            trt.IProfiler.__init__(self)

        def report_layer_time(self, layer_name: str, ms: Any) -> None:
            rows.append((layer_name, round(float(ms) * NS_PER_MS)))

    profiler: "trt.IProfiler" = Profiler()
    return profiler


def _kinds(engine: "trt.ICudaEngine") -> Dict[str, str]:
    """The kind of each layer by its name, of an engine that was built to tell; empty of others."""
    told = engine.create_engine_inspector().get_engine_information(trt.LayerInformationFormat.JSON)
    try:
        layers: Any = json.loads(told)["Layers"]
        return {str(one["Name"]): str(one["LayerType"]) for one in layers if isinstance(one, dict)}
    except (ValueError, KeyError, TypeError):
        return {}
