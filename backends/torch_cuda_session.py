"""One PyTorch module on a GPU: what is copied, what is waited for, and when; what ran on the CPU is told by name."""

from __future__ import annotations

from collections import Counter
from time import perf_counter_ns
from typing import Any, Callable, Dict, Mapping, Optional, Set, Tuple

from backends import staging, torch_cuda, torch_graph, torch_places
from backends.torch_session import TorchSession, TorchStateSession, callable_of
from bench.device.adapter import Arrays, DeviceUnavailable, Query


class TorchCudaSession(TorchSession):
    """One module on a GPU, synchronised once a query.

    ``residency`` host: each run copies the inputs to the GPU and the outputs back. Residency device: ``stage`` copied
    the inputs, and the outputs stay there.
    """

    _kind = "cuda"
    _graph: Optional[torch_graph.Captures] = None
    _plain: Any = None

    def __init__(self, *given: Any) -> None:
        self._looked: Set[Tuple[Tuple[str, Tuple[int, ...], str], ...]] = set()
        self._on_cpu: "Counter[str]" = Counter()
        super().__init__(*given)

    def stage(self, query: Query) -> Any:
        staged = super().stage(query)
        shapes = tuple((name, array.shape, str(array.dtype)) for name, array in sorted(query.arrays.items()))
        if shapes not in self._looked:
            self._look(staged)
            self._looked.add(shapes)
        if self._facts[torch_cuda.GRAPH] is not True:
            return staged
        if self._graph is None:
            self._graph = torch_graph.Captures(self._torch, self._device)
        return self._graph.of(self._call, staged, self._named)

    def read(self, outputs: Any) -> Arrays:
        if not self._at_home:
            for name, tensor in self._named(outputs).items():
                if tensor.device.type != self._place.type:
                    raise DeviceUnavailable("output `%s` is on %s, not on %s" % (name, tensor.device, self._device))
        return super().read(outputs)

    def facts(self) -> Mapping[str, object]:
        return dict(super().facts(), **torch_cuda.memory(self._torch, self._device))

    def device_times(self, staged: Any) -> Dict[str, int]:
        """One query by the GPU's own clock, ns: ``gpu compute`` by events around the model, ``enqueue`` on the host.

        With residency host also ``host to device`` and ``device to host``, the copies. Where operators ran on the CPU,
        what they take lies between the events of the model: then it is the copies' alone.
        """
        marks = [self._torch.cuda.Event(enable_timing=True) for _ in range(4)]
        marks[0].record()
        moved = self._to_device(staged) if self._at_home else staged
        marks[1].record()
        begin = perf_counter_ns()
        outputs = self._call(moved)
        enqueue = perf_counter_ns() - begin
        marks[2].record()
        if self._at_home:
            self._to_host(outputs)
        marks[3].record()
        marks[3].synchronize()
        copied, computed, back = _ns(*marks[:2]), _ns(*marks[1:3]), _ns(*marks[2:])
        copies = {"host to device": copied, "device to host": back} if self._at_home else {}
        return copies if self._on_cpu else {"gpu compute": computed, "enqueue": enqueue, **copies}

    def __exit__(self, *error: Optional[object]) -> None:
        self._graph = None
        super().__exit__(*error)

    @property
    def _device(self) -> str:
        return str(self._facts["device"])

    @property
    def _at_home(self) -> bool:
        return self._facts["residency"] == "host"

    def _bind(self, module: Any) -> staging.Run:
        """``run`` that returns when the work is done: the stream's, or that of the copies, which wait by themselves."""
        self._place = self._torch.device(self._device)
        call = callable_of(self._torch, module)
        self._plain = self._plain or call  # the first is not compiled yet

        def call_staged(staged: Any) -> Any:
            return staged.replay() if isinstance(staged, torch_graph.Captured) else call(*staged)

        self._call: Callable[[Any], Any] = call_staged
        inner, to_device, to_host = self._call, self._to_device, self._to_host
        wait = self._torch.cuda.current_stream(self._place).synchronize

        def run_with_copies(staged: Any) -> Any:
            return to_host(call(*to_device(staged)))

        def run(staged: Any) -> Any:
            outputs = inner(staged)
            wait()
            return outputs

        return run_with_copies if self._at_home else run

    def _tensor(self, array: Any) -> Any:
        tensor = super()._tensor(array)
        return tensor if self._at_home else tensor.to(self._place)

    def _for_state(self, array: Any) -> Any:
        return super()._for_state(array).to(self._place)

    def _to_device(self, staged: Tuple[Any, ...]) -> Tuple[Any, ...]:
        place = self._place
        return tuple(one.to(place) if hasattr(one, "to") else one for one in staged)

    def _to_host(self, outputs: Any) -> Any:
        if isinstance(outputs, dict):
            return {name: self._to_host(one) for name, one in outputs.items()}
        if isinstance(outputs, (tuple, list)):
            return [self._to_host(one) for one in outputs]
        return outputs.cpu()

    def _look(self, staged: Any) -> None:
        """Run one query, untimed, and see where each operator of it runs. The facts tell of every shape's."""
        moved = self._to_device(staged)
        seen = torch_places.look(self._torch, lambda: self._plain(*moved))
        found = torch_places.listed(seen.on_cpu)
        if found and not seen.on_device:
            raise DeviceUnavailable(torch_places.whole_refusal(found, self._device))
        if found and self._facts[torch_places.FALLBACK] != "allowed":
            raise DeviceUnavailable(torch_places.refusal(found, self._device))
        self._on_cpu |= seen.on_cpu
        found = self._facts[torch_places.FOUND] = torch_places.listed(self._on_cpu)
        if found:
            self._facts["notes"] = [torch_places.note(found, self._device)]


class TorchCudaStateSession(TorchCudaSession, TorchStateSession):
    """A session whose model has state, which lives on the GPU."""


def _ns(begin: Any, end: Any) -> int:
    """From one event to the other: torch tells milliseconds, of a clock that ticks in about half a microsecond."""
    return max(0, round(float(begin.elapsed_time(end)) * 1e6))
