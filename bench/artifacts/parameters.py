"""How many parameters a model has, as far as its artifact tells: exactly, or from at least to at most.

A parameter is what the framework counts as one: ``sum(p.numel() for p in model.parameters())``, trained or
frozen, a shared one once, no buffers. Only some formats keep parameters apart from buffers and constants.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

WEIGHT_DTYPES = frozenset(
    ("float64", "float32", "float16", "bfloat16", "int8", "uint8", "int4", "uint4", "complex64", "complex128")
)
_WEIGHT_NAME = re.compile(r"weight(_(ih|hh)\w*)?|\w+_weight")
"""The last part of a name under which a module keeps a matrix that it learns."""
_FIXED_SHARE = 2
"""One in so many of a graph's factors is believed to be fixed (a filter bank, a copy): a graph does not tell."""
_FOLDED = 2
"""A batch norm folded into the layer before it leaves a bias of its size, and takes a scale and a shift away."""
_FOLDED_WHOLE = 3
"""Behind a convolution that bias may go as well, where all of it is zero."""


@dataclass(frozen=True)
class Count:
    """Parameters: ``least`` to ``most`` can be there, ``likely`` are; all three are one where the format tells."""

    least: int
    likely: int
    most: int

    @classmethod
    def exactly(cls, number: int) -> Count:
        """What a format tells that keeps parameters apart from all else."""
        return cls(number, number, number)

    @property
    def exact(self) -> bool:
        """Whether the artifact tells the number."""
        return self.least == self.most

    def __contains__(self, number: int) -> bool:
        return self.least <= number <= self.most

    def __str__(self) -> str:
        return str(self.likely) if self.exact else f"{self.least} to {self.most}"


@dataclass(frozen=True)
class Stored:
    """One stored tensor of a graph.

    ``copies`` is how many equal parameters it may stand for, where a converter merges equal ones, and 0
    where it surely is none. ``factor`` says that a layer multiplies by it. Equal contents have an equal
    ``content``.
    """

    dtype: str
    shape: tuple[int, ...]
    content: Hashable
    copies: int = 1
    factor: bool = False


@dataclass(frozen=True)
class Saved:
    """One tensor of a module's state, by its name there. Equal contents have an equal ``content``."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    content: Hashable


def in_state(tensors: Iterable[Saved]) -> Count:
    """What a module's state tells: parameters and buffers stand side by side, shared ones perhaps twice.

    At least the matrices that are named as weights, each content once. At most all but running figures.
    """
    most, weights = 0, {}
    for one in tensors:
        if is_running_figure(one.name):
            continue
        most += elements(one.dtype, one.shape)
        if is_matrix(one.shape) and is_weight_name(one.name):
            weights[one.content] = elements(one.dtype, one.shape)
    return Count(min(most, sum(weights.values())), most, most)


def in_graph(tensors: Iterable[Stored]) -> Count:
    """What a converted graph tells: its tensors are parameters, buffers, constants, or several made one.

    At least half of what its layers multiply by, each content once, are parameters. At most all that is
    stored, and what was folded into every bias.
    """
    likely, most, factors = 0, 0, {}
    for one in tensors:
        size = elements(one.dtype, one.shape)
        most += one.copies * (size + _folded(one))
        likely += size if one.shape and one.copies else 0
        if one.factor and one.copies and is_matrix(one.shape):
            factors[one.content] = size
    return Count(min(likely, sum(factors.values()) // _FIXED_SHARE), likely, most)


def _folded(one: Stored) -> int:
    """How many parameters of a batch norm may have been folded into this tensor or into what it is used with."""
    longest = max(one.shape, default=0)
    if not is_matrix(one.shape):
        return _FOLDED * elements(one.dtype, one.shape) if one.shape else 0
    return _FOLDED_WHOLE * longest if one.factor and len(one.shape) > 2 else 0


def is_weight_name(name: str) -> bool:
    """Whether a module's own name for a tensor says that it is learned."""
    return _WEIGHT_NAME.fullmatch(name.rpartition(".")[2]) is not None


def is_running_figure(name: str) -> bool:
    """Whether a tensor of a PyTorch module's state is what its normalisation layers keep, by name, and not learn."""
    return name.rpartition(".")[2] in ("running_mean", "running_var", "num_batches_tracked")


def is_matrix(shape: Sequence[int]) -> bool:
    """Whether it spreads over two dimensions or more: a bias is none, though it may be written ``[1, 8, 1, 1]``."""
    return sum(size > 1 for size in shape) >= 2


def elements(dtype: str, shape: Sequence[int]) -> int:
    """Elements of a tensor that can be learned: floating-point, or an integer of 8 bits or fewer (quantized).

    Wider integers are counters, axes, shapes and indices: nothing that is learned.
    """
    return math.prod(shape) if dtype in WEIGHT_DTYPES or dtype.startswith("float8") else 0
