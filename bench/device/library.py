"""The sample library: every sample in memory before the clock starts, and queries made of them.

Samples come from the contract's ``.npz`` or are generated from the declared ranges, seeded. Which of
the two it was is recorded: generated samples say nothing of accuracy.
"""

from __future__ import annotations

from math import ceil, floor
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from .adapter import AdapterError, Query
from .draws import Draws
from .records import TensorJob

MAX_SAMPLES_BYTES = 4 << 30
GENERATED_BYTES = 64 << 20
GENERATED_COUNT = 64

Array = Any  # np.ndarray[Any, np.dtype[Any]]; spelled out it cannot be subscripted on Python 3.8


class SamplesRejected(AdapterError):
    """The samples do not fit the model's declared inputs."""


class SampleLibrary:
    """All samples of one model.

    ``group`` is how many samples the smallest possible query holds: 1, or the fixed leading dimension
    of a model whose batch size is fixed.
    """

    def __init__(self, count: int, group: int, rows: Mapping[str, Array], constants: Mapping[str, Array], source: str):
        self.count = count
        self.group = group
        self.source = source
        self._rows = rows
        self._constants = constants

    def query(self, first: int, samples: int) -> Query:
        """A query of ``samples`` samples from index ``first`` on, wrapping round at the end."""
        if self.group > 1 and samples % self.group:
            raise SamplesRejected("the model takes %d samples a query, not %d" % (self.group, samples))
        index = np.arange(first, first + samples) % self.count
        arrays = {name: np.ascontiguousarray(rows[index]) for name, rows in self._rows.items()}
        arrays.update(self._constants)
        return Query(arrays, samples)

    def query_bytes(self) -> int:
        """Bytes of a one-sample query's arrays."""
        rows = sum(rows.nbytes // max(1, len(rows)) for rows in self._rows.values())
        return int(rows + sum(constant.nbytes for constant in self._constants.values()))


def open_library(
    inputs: Sequence[TensorJob],
    state: Mapping[str, str],
    dims: Mapping[str, int],
    batch_dim: Optional[str],
    samples: Optional[str],
    seed: int,
) -> SampleLibrary:
    """The library for a model's inputs (those fed by state left out).

    Raises SamplesRejected where the file's arrays do not fit the declared inputs.
    """
    wanted = [tensor for tensor in inputs if tensor.name not in state]
    if samples is None:
        return _generate(wanted, dims, batch_dim, seed)
    from .safe_arrays import read_npz  # only where there are samples: what reads archives takes a start 4 ms

    try:
        arrays = read_npz(Path(samples), MAX_SAMPLES_BYTES)
    except (OSError, ValueError) as error:
        raise SamplesRejected("%s: %s" % (samples, error))
    missing = [tensor.name for tensor in wanted if tensor.name not in arrays]
    if missing:
        raise SamplesRejected("%s has no array `%s`; it has %s" % (samples, missing[0], ", ".join(sorted(arrays))))
    return arrange({tensor.name: arrays[tensor.name] for tensor in wanted}, wanted, dims, batch_dim, "file")


def resolve_shape(tensor: TensorJob, dims: Mapping[str, int], batch_dim: Optional[str]) -> Tuple[int, ...]:
    """The tensor's shape for one sample, every symbolic dimension replaced by its value.

    Raises SamplesRejected for a dimension that has none.
    """
    unknown = [size for size in tensor.shape if isinstance(size, str) and size != batch_dim and size not in dims]
    if unknown:
        raise SamplesRejected("`%s` has a dimension `%s`: give its value under `dims`" % (tensor.name, unknown[0]))
    return tuple(
        1 if size == batch_dim and batch_dim is not None else size if isinstance(size, int) else dims[size]
        for size in tensor.shape
    )


def _is_batched(tensor: TensorJob, batch_dim: Optional[str]) -> bool:
    return batch_dim is not None and bool(tensor.shape) and tensor.shape[0] == batch_dim


def arrange(
    arrays: Dict[str, Array], inputs: List[TensorJob], dims: Mapping[str, int], batch_dim: Optional[str], source: str
) -> SampleLibrary:
    """Sort arrays into rows (indexed by sample) and constants (the same for every query)."""
    rows: Dict[str, Array] = {}
    constants: Dict[str, Array] = {}
    groups: Dict[str, int] = {}
    for tensor in inputs:
        array, shape = arrays[tensor.name], resolve_shape(tensor, dims, batch_dim)
        if array.dtype != np.dtype(tensor.dtype):
            raise SamplesRejected("samples of `%s` are %s, not %s" % (tensor.name, array.dtype, tensor.dtype))
        if _is_batched(tensor, batch_dim) and array.shape[1:] == shape[1:]:
            rows[tensor.name], groups[tensor.name] = array, 1
        elif not _is_batched(tensor, batch_dim) and array.shape == shape:
            constants[tensor.name] = array
        elif not _is_batched(tensor, batch_dim) and array.shape[1:] == shape:
            rows[tensor.name], groups[tensor.name] = array, 0
        elif (
            shape
            and shape[0]
            and array.ndim == len(shape)
            and array.shape[1:] == shape[1:]
            and len(array) % shape[0] == 0
        ):
            rows[tensor.name], groups[tensor.name] = array, shape[0]
        else:
            raise SamplesRejected(
                "samples of `%s` have shape %s, which is not samples of %s: %s"
                % (tensor.name, array.shape, shape, _right_shape(shape, _is_batched(tensor, batch_dim)))
            )
    return _library(rows, constants, groups, source)


def _right_shape(shape: Tuple[int, ...], batched: bool) -> str:
    """What samples of that shape, for one sample or of a fixed batch, would look like."""
    rest = "".join(", %d" % size for size in shape[1:])
    if batched:
        return "write them as [n%s], the first axis counts samples" % rest
    whole = ", ".join(str(size) for size in shape)
    if not shape or shape[0] == 1:
        return "write one of them, [%s], or n on an axis before it, [n, %s]" % (whole, whole)
    return "the batch size is fixed at %d, so write them as [n%s] with n a multiple of %d, or as [n, %s]" % (
        shape[0],
        rest,
        shape[0],
        whole,
    )


def _library(rows: Dict[str, Array], constants: Dict[str, Array], groups: Dict[str, int], source: str) -> SampleLibrary:
    sizes = {len(array) for array in rows.values()}
    if len(sizes) > 1:
        raise SamplesRejected("the inputs have unequal numbers of samples: %s" % _unequal(rows, groups))
    if len(set(groups.values())) > 1:
        alone = min(groups, key=lambda name: groups[name])
        raise SamplesRejected("`%s` does not vary with the batch as the other inputs do: give one value of it" % alone)
    count = next(iter(sizes), 1)
    if count == 0:
        raise SamplesRejected("there is no sample: the arrays have length 0")
    group = next(iter(groups.values()), 1)
    if group == 0:  # samples stacked on an axis of their own: a query is one row without that axis
        return _StackedLibrary(count, 1, rows, constants, source)
    return SampleLibrary(count, group, rows, constants, source)


def _unequal(rows: Mapping[str, Array], groups: Mapping[str, int]) -> str:
    """How many each input has, and what is meant where one of them has one element for all."""
    told = ", ".join("`%s` has %d" % (name, len(array)) for name, array in rows.items())
    alone = [name for name, array in rows.items() if len(array) == 1 and groups[name] == 0]
    if not alone:
        return told + ": write one row a sample for each"
    how = "as a scalar" if rows[alone[0]].ndim == 1 else "without its first axis"
    return "%s: if that one is for all samples, write `%s` %s" % (told, alone[0], how)


class _StackedLibrary(SampleLibrary):
    """Samples on an axis that the model does not have: a query is exactly one of them."""

    def query(self, first: int, samples: int) -> Query:
        if samples != 1:
            raise SamplesRejected("the model has no batch dimension: a query is one sample, not %d" % samples)
        query = super().query(first, 1)
        return Query({name: array[0] if name in self._rows else array for name, array in query.arrays.items()}, 1)


def _generate(inputs: List[TensorJob], dims: Mapping[str, int], batch_dim: Optional[str], seed: int) -> SampleLibrary:
    draws = Draws(seed)
    shapes = {tensor.name: resolve_shape(tensor, dims, batch_dim) for tensor in inputs}
    one = sum(int(np.prod(shapes[tensor.name])) * np.dtype(tensor.dtype).itemsize for tensor in inputs)
    count = max(1, min(GENERATED_COUNT, GENERATED_BYTES // max(1, one)))
    rows, groups, constants = {}, {}, {}
    for tensor in inputs:
        shape = shapes[tensor.name]
        if not shape:
            constants[tensor.name] = draw(draws, tensor, shape)
        elif _is_batched(tensor, batch_dim):
            rows[tensor.name], groups[tensor.name] = draw(draws, tensor, (count, *shape[1:])), 1
        else:
            rows[tensor.name], groups[tensor.name] = draw(draws, tensor, (count, *shape)), 0
    if 1 in groups.values() and 0 in groups.values():  # what has no batch axis cannot vary within a batch
        for name in [name for name, group in groups.items() if group == 0]:
            constants[name] = rows.pop(name)[0]
            del groups[name]
    return _library(rows, constants, groups, "generated")


def draw(draws: Draws, tensor: TensorJob, shape: Tuple[int, ...]) -> Array:
    """Values of the tensor's dtype from its range: uniform, both ends included for integers.

    Raises SamplesRejected for a range that holds no value of the dtype, or more than it can hold.
    """
    dtype = np.dtype(tensor.dtype)
    if dtype.kind == "b":
        return draws.integers(dtype, 0, 1, shape)
    if dtype.kind in "iu":
        low, high, limits = ceil(tensor.low), floor(tensor.high), np.iinfo(dtype)
        _check_range(tensor, low <= high and limits.min <= low and high <= limits.max)
        return draws.integers(dtype, low, high, shape)
    limit = float(np.finfo(dtype).max)
    _check_range(tensor, -limit <= tensor.low <= tensor.high <= limit)
    return draws.uniform(dtype, tensor.low, tensor.high, shape)


def _check_range(tensor: TensorJob, holds: bool) -> None:
    if not holds:
        raise SamplesRejected(
            "no %s can be drawn for `%s` between %g and %g: give it a range that fits"
            % (tensor.dtype, tensor.name, tensor.low, tensor.high)
        )
