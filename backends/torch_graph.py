"""CUDA graphs of a PyTorch module: each staged query captured once, its replay held against a plain run."""

from __future__ import annotations

from typing import Any, Callable, Dict, Tuple

from bench.device.adapter import AdapterError, DeviceUnavailable

RUNS_BEFORE = 3
"""Plain runs on a stream of their own before a capture, as torch asks for: libraries set themselves up in them."""
FILLER = 77
CLOSE_RTOL, CLOSE_ATOL = 1e-2, 1e-3


class Captured:
    """A query whose kernels were captured, with the addresses of its inputs and outputs."""

    __slots__ = ("_graph", "inputs", "outputs")

    def __init__(self, graph: Any, inputs: Tuple[Any, ...], outputs: Any) -> None:
        self._graph = graph
        self.inputs = inputs
        self.outputs = outputs

    def replay(self) -> Any:
        self._graph.replay()
        return self.outputs


class Captures:
    """The graphs of one session. They share a pool of memory; each keeps its own outputs."""

    def __init__(self, torch: Any, device: str) -> None:
        self._torch = torch
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()

    def of(
        self, call: Callable[[Any], Any], staged: Tuple[Any, ...], named: Callable[[Any], Dict[str, Any]]
    ) -> Captured:
        """Capture one query. AdapterError in torch's words where it cannot be; DeviceUnavailable where it is wrong."""
        cuda = self._torch.cuda
        side = cuda.Stream(self._device)
        side.wait_stream(cuda.current_stream(self._device))
        with cuda.stream(side):
            for _ in range(RUNS_BEFORE):
                right = call(staged)
        cuda.current_stream(self._device).wait_stream(side)
        right = {name: tensor.clone() for name, tensor in named(right).items()}
        graph = cuda.CUDAGraph()
        try:
            with cuda.graph(graph, pool=self._pool):
                outputs = call(staged)
        except RuntimeError as error:
            if isinstance(error, cuda.OutOfMemoryError):
                raise
            raise AdapterError("`cuda graph`: torch cannot capture this model: %s" % " ".join(str(error).split())[:600])
        captured = Captured(graph, staged, outputs)
        self._check(captured, right, named)
        return captured

    def _check(self, captured: Captured, right: Dict[str, Any], named: Callable[[Any], Dict[str, Any]]) -> None:
        """Overwrite the outputs and replay: what comes must be what a plain run gave."""
        for tensor in named(captured.outputs).values():
            tensor.fill_(FILLER)
        for name, tensor in named(captured.replay()).items():
            if not self._torch.allclose(tensor, right[name], CLOSE_RTOL, CLOSE_ATOL, equal_nan=True):
                raise DeviceUnavailable("`cuda graph`: output `%s` of the replay is not that of a plain run" % name)
