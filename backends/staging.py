"""What every adapter does outside the clock: check a query, find the sizes it fixes, keep state."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Protocol, Tuple

import numpy as np

from bench.device.adapter import AdapterError, Arrays, ModelFiles, Query, TensorSpec

Shape = Tuple[int, ...]
Array = Any  # np.ndarray[Any, np.dtype[Any]]; spelled out it cannot be subscripted on Python 3.8


class Run(Protocol):
    """``run`` of a session, where it is bound when the session is opened."""

    def __call__(self, staged: Any) -> Any: ...


def fed_inputs(model: ModelFiles) -> List[TensorSpec]:
    """The inputs that a query brings: all but those that the session feeds from its state."""
    return [spec for spec in model.inputs if spec.name not in model.state]


def sizes_of(model: ModelFiles, query: Query) -> Dict[str, int]:
    """The value of every symbolic dimension that the query fixes.

    Raises AdapterError where names, dtypes or shapes are not the model's.
    """
    wanted = fed_inputs(model)
    names = [spec.name for spec in wanted]
    if sorted(query.arrays) != sorted(names):
        raise AdapterError("the query has %s; the model takes %s" % (_list(query.arrays), _list(names)))
    sizes = dict(model.dims)
    for spec in wanted:
        _fit(spec, query.arrays[spec.name], sizes)
    for spec in model.inputs:
        for size in spec.shape:
            if isinstance(size, str):
                sizes.setdefault(size, query.samples)  # only a state input has it: nothing but the batch is left
    return sizes


def copies_of(query: Query) -> Arrays:
    """The query's arrays as contiguous copies that nobody else can change."""
    return {name: np.array(array, order="C", copy=True) for name, array in query.arrays.items()}


def resolve(spec: TensorSpec, sizes: Mapping[str, int]) -> Optional[Shape]:
    """The tensor's shape, or None where a symbolic dimension has no known size."""
    shape = tuple(size if isinstance(size, int) else sizes.get(size, -1) for size in spec.shape)
    return None if any(size < 0 for size in shape) else shape


def zeros(spec: TensorSpec, sizes: Mapping[str, int]) -> Array:
    """Zeros of a state input's shape; AdapterError where a symbolic dimension has no known size."""
    shape = resolve(spec, sizes)
    if shape is None:
        raise AdapterError(
            "the shape %s of state `%s` is not known: give its dimensions values" % (spec.shape, spec.name)
        )
    return np.zeros(shape, np.dtype(spec.dtype))


def move_on(state: Array, fed: str, output: Array, source: str) -> None:
    """Copy an output into the state input that it feeds; AdapterError where the shapes differ."""
    if output.shape != state.shape:
        raise AdapterError(
            "output `%s` has shape %s, but the state `%s` that it feeds has %s"
            % (source, output.shape, fed, state.shape)
        )
    np.copyto(state, output)


def closed(staged: Any) -> Any:
    """``run`` of a session that is closed."""
    raise AdapterError("the session is closed")


def one_line(error: BaseException) -> str:
    """A framework's reason in one line, never longer than is read: the middle of a longer one is left out."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 600 else text[:296] + " ... " + text[-299:]


def _fit(spec: TensorSpec, array: Array, sizes: Dict[str, int]) -> None:
    """Check one array, and learn the symbolic dimensions' sizes from it."""
    if not isinstance(array, (np.ndarray, np.generic)) or array.dtype != np.dtype(spec.dtype):
        found = getattr(array, "dtype", type(array).__name__)
        raise AdapterError("input `%s` is %s; the model takes %s" % (spec.name, found, spec.dtype))
    fits = array.ndim == len(spec.shape) and all(
        found == (size if isinstance(size, int) else sizes.setdefault(size, found))
        for size, found in zip(spec.shape, array.shape)
    )
    if not fits:
        wanted = tuple(sizes.get(size, size) if isinstance(size, str) else size for size in spec.shape)
        raise AdapterError("input `%s` has shape %s; the model takes %s" % (spec.name, array.shape, wanted))


def _list(names: Any) -> str:
    return ", ".join("`%s`" % name for name in sorted(names)) or "no input"
