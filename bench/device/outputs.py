"""Whether a model's outputs are what the contract says they are, before any number about them is believed."""

from __future__ import annotations

from typing import Any, Dict, FrozenSet, Iterable, List, Mapping, Optional, Sequence, Union

import numpy as np

from .adapter import UNTOLD, AdapterError, Arrays
from .records import TensorJob

Size = Union[int, str]


class OutputsRejected(AdapterError):
    """The model's outputs are not those that the contract declares."""


def check(
    arrays: Arrays, declared: Sequence[TensorJob], dims: Mapping[str, int], batch_dim: Optional[str], samples: int
) -> None:
    """OutputsRejected where a declared output is missing or has another dtype or shape.

    ``samples`` is the size of the batch dimension in this query. A symbolic dimension that neither it
    nor ``dims`` gives a value may have any.
    """
    for tensor in declared:
        if tensor.name not in arrays:
            raise OutputsRejected(
                "the model gives no output `%s`; it gives %s" % (tensor.name, ", ".join(sorted(arrays)) or "none")
            )
        array = arrays[tensor.name]
        sizes = [samples if size == batch_dim and batch_dim else dims.get(size, size) for size in tensor.shape]
        if array.dtype != np.dtype(tensor.dtype) or not _fits(array.shape, sizes):
            raise OutputsRejected(
                "output `%s` is %s; the contract says %s"
                % (tensor.name, _show(array.dtype, array.shape), _show(tensor.dtype, sizes))
            )


def samples_with_nan(array: Any, samples: int) -> int:
    """How many of a query's samples have a NaN in this output; all of them where it has no axis of samples."""
    if array.dtype.kind not in "fc":
        return 0
    nan = np.isnan(array)
    if array.ndim and len(array) == samples:
        return int(nan.reshape(samples, -1).any(axis=1).sum())
    return samples if nan.any() else 0


def carried(outputs: Iterable[str], state: Mapping[str, str]) -> FrozenSet[str]:
    """Of a model's outputs those that only carry its state on, and are no answer.

    They feed an input (``state``: input -> output). None is of that kind where all of them do: a recurrent cell that
    gives nothing but its new state answers with it.
    """
    fed = frozenset(state.values())
    return fed if any(name not in fed for name in outputs) else frozenset()


class NanCount:
    """Samples whose outputs hold NaN, by output, over many queries."""

    def __init__(self) -> None:
        self._samples = 0
        self._with_nan: Dict[str, int] = {}

    def add(self, arrays: Arrays, samples: int) -> None:
        """Take one query's outputs in."""
        self._samples += samples
        for name, array in arrays.items():
            self._with_nan[name] = self._with_nan.get(name, 0) + samples_with_nan(array, samples)

    def whole(self) -> List[str]:
        """The outputs that have a NaN in every sample."""
        return [name for name, count in self._with_nan.items() if self._samples and count == self._samples]

    def notes(self, what: str) -> List[str]:
        """One sentence an output that has any; ``what`` says which samples these were."""
        return [
            "output `%s` is not a number (NaN) in %d of %d %s" % (name, count, self._samples, what)
            for name, count in self._with_nan.items()
            if count
        ]


def _fits(shape: Sequence[int], sizes: Sequence[Size]) -> bool:
    if tuple(sizes) == UNTOLD:
        return True
    if len(shape) != len(sizes):
        return False
    return all(isinstance(want, str) or want == got for got, want in zip(shape, sizes))  # noqa: B905 - Python 3.8


def _show(dtype: object, sizes: Sequence[Size]) -> str:
    return "%s (%s)" % (dtype, ", ".join(str(size) for size in sizes))
