"""Queries of one size on one engine: an execution context whose shapes and addresses are set before the clock runs."""

from __future__ import annotations

from typing import Callable, Dict, List, Mapping, Optional, Tuple

import numpy as np

from backends import staging, trt_api, trt_engines
from backends.cuda_driver import Buffer, Graph, Pinned, Stream
from backends.trt_api import Log, trt
from bench.device.adapter import AdapterError, Arrays, ModelFiles, Query, TensorSpec

Moves = List[Tuple[int, int, int]]
"""Copies: where to, where from, how many bytes."""


class Slot:
    """What all queries of one size share; outputs hold until the next run of any of them.

    ``own`` are the inputs that have their place here: those that every run copies in, and the state. Each query on
    the device brings places of its own for the others. ``at_home`` says whether outputs are copied to the host.
    """

    def __init__(
        self,
        engine: "trt.ICudaEngine",
        model: ModelFiles,
        sizes: Mapping[str, int],
        own: List[TensorSpec],
        at_home: bool,
        stream: Stream,
        log: Log,
    ) -> None:
        self._log = log
        self.context: "trt.IExecutionContext" = trt_engines.context_of(engine, log)
        self.execute: Callable[[int], bool] = self.context.execute_async_v3
        self.bound: Optional["Staged"] = None
        for spec in model.inputs:
            shape = staging.resolve(spec, sizes) or ()
            if not self.context.set_input_shape(spec.name, shape):
                raise AdapterError(
                    "input `%s` has shape %s, which the engine does not take: %s" % (spec.name, shape, self.why())
                )
        self.shapes = self._output_shapes(engine)
        self.inputs = {spec.name: Buffer(_bytes(staging.resolve(spec, sizes) or (), spec.dtype)) for spec in own}
        dtypes = {name: trt_api.dtype_of(engine.get_tensor_dtype(name)) for name in self.shapes}
        self.outputs = {name: Buffer(_bytes(shape, dtypes[name])) for name, shape in self.shapes.items()}
        self.results: Dict[str, Pinned] = {}
        if at_home:
            self.results = {spec.name: Pinned(self.shapes[spec.name], spec.dtype) for spec in model.outputs}
        self.moves_out: Moves = [
            (one.address, self.outputs[name].address, one.size) for name, one in self.results.items()
        ]
        self.point({name: one.address for name, one in {**self.inputs, **self.outputs}.items()})
        for spec in own:
            stream.zero(self.inputs[spec.name].address, self.inputs[spec.name].size)

    def why(self) -> str:
        return self._log.since("it does not say why")

    def point(self, addresses: Mapping[str, int]) -> None:
        """Say where tensors lie on the device."""
        for name, address in addresses.items():
            if not self.context.set_tensor_address(name, address):
                raise AdapterError("%s does not take `%s` there: %s" % (trt_api.name_of(), name, self.why()))

    def turn_to(self, staged: "Staged") -> None:
        """Let the next run read this query's own places, where another's was before."""
        if self.bound is staged:
            return
        self.point({name: one.address for name, one in staged.places.items()})
        self.bound = staged

    def close(self) -> None:
        self.execute = staging.closed
        self.bound = None
        self.context = None  # type: ignore[assignment, unused-ignore]
        for place in (*self.inputs.values(), *self.outputs.values()):
            place.close()
        for pinned in self.results.values():
            pinned.close()

    def _output_shapes(self, engine: "trt.ICudaEngine") -> Dict[str, Tuple[int, ...]]:
        missing = self.context.infer_shapes()
        if missing:
            raise AdapterError("the shapes are not known yet: `%s` is missing" % missing[0])
        found = {}
        for name in trt_engines.names_of(engine):
            if trt_engines.is_input(engine, name):
                continue
            shape = trt_api.loose(self.context.get_tensor_shape(name))
            found[name] = tuple(size for size in shape if size is not None)
            if None in shape:
                raise AdapterError(
                    "the size of output `%s` depends on the data: this backend takes only outputs whose shape follows "
                    "from the inputs'" % name
                )
        return found


class Staged:
    """A query ready to run: its arrays on the host (``arrays``) or on the device (``places``)."""

    __slots__ = ("__weakref__", "arrays", "graph", "moves_in", "places", "slot")

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self.arrays: Dict[str, Pinned] = {}
        self.places: Dict[str, Buffer] = {}
        self.moves_in: Moves = []
        self.graph: Optional[Graph] = None

    def take(self, query: Query, at_home: bool, stream: Stream) -> None:
        """Copy the arrays: for the host into page-locked memory, else to the device, where they stay."""
        arrays: Arrays = {name: np.asarray(array, order="C") for name, array in query.arrays.items()}
        for name, array in arrays.items():
            pinned = Pinned(array.shape, array.dtype.name)
            np.copyto(pinned.array, array)
            if at_home:
                self.arrays[name] = pinned
                self.moves_in.append((self.slot.inputs[name].address, pinned.address, pinned.size))
                continue
            self.places[name] = place = Buffer(pinned.size)
            stream.copy_in(place.address, pinned.address, pinned.size)
            stream.wait()
            pinned.close()

    def close(self) -> None:
        if self.graph is not None:
            self.graph.close()
        for pinned in self.arrays.values():
            pinned.close()
        for place in self.places.values():
            place.close()


def _bytes(shape: Tuple[int, ...], dtype: str) -> int:
    """The size of a tensor of plain rows; numpy has no bfloat16."""
    width = 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize
    return int(np.prod(shape, dtype=np.int64)) * width
