"""Finding sizes and values that a model accepts, by running it: bounded in tries and in time."""

from __future__ import annotations

import itertools
import math
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from bench.device.library import resolve_shape
from bench.propose.draft import BATCH, Draft, InputDraft
from bench.propose.trial import tensor_job
from bench.results import Failure

MAX_TRIES = 40
MAX_S = 60.0
MAX_SAMPLE_BYTES = 64 << 20
"""A sample larger than this is not tried: an odd number as a size of several dimensions would fill memory."""
MAX_CONTRACTED = 6
LARGEST_SUGGESTED = 1 << 20
_NUMBER = re.compile(r"(?<![\w.:-])\d{1,7}(?![\w.])")
_LENGTH = re.compile(r".*(seq|len|token|word).*", re.IGNORECASE)
_RATE = re.compile(r"sr|rate|.*(sample|sampling)_?rate|fs", re.IGNORECASE)
_MASK = re.compile(r".*mask.*", re.IGNORECASE)

IMAGE: tuple[int, ...] = (224, 256, 512, 640, 128, 64, 32, 16, 8, 1, 1024)
TOKENS: tuple[int, ...] = (128, 64, 16, 8, 1, 32, 256, 512, 1024)
SIGNAL: tuple[int, ...] = (512, 256, 128, 64, 32, 16, 8, 1, 224, 640, 1024, 4000, 16000)
HIGHEST = (255, 127, 100, 10, 1, 0)
"""Highest values tried for integer tensors, whose values are often indices into a table."""
SCALARS = (1, 0, 16, 8, 64, 100, 16000, 8000)
RATES = (16000, 8000, 44100, 48000, 22050, 1)


@dataclass(frozen=True)
class Hints:
    """What the artifact lets guess: sizes that dimensions had when it was exported, and sizes that its weights want."""

    exported: Mapping[str, int] = field(default_factory=dict)
    contracted: tuple[int, ...] = ()


@dataclass(frozen=True)
class Variable:
    """Something to be found: a dimension's size, or the values of an integer input (``dimension`` is then None)."""

    name: str
    dimension: str | None
    candidates: tuple[int, ...]


@dataclass(frozen=True)
class Found:
    """How the search ended: the draft that is accepted, or why none is."""

    draft: Draft
    tries: int
    failure: Failure | None = None


def variables_of(draft: Draft, hints: Hints) -> tuple[Variable, ...]:
    """What is not known yet; the most likely candidates first."""
    found = [_dimension(draft, name, hints) for name in draft.free if name not in draft.dims]
    return (*found, *(_values(one) for one in draft.fed if draft.samples is None and _is_open(one)))


def _dimension(draft: Draft, name: str, hints: Hints) -> Variable:
    tensor, axis = next(
        (one.spec, axis) for one in draft.inputs for axis, size in enumerate(one.spec.shape) if size == name
    )
    if BATCH.fullmatch(name) or (axis == 0 and not _LENGTH.fullmatch(name)):
        likely = (1, *SIGNAL)
    elif len(tensor.shape) >= 4 and axis > 0:
        likely = IMAGE
    elif tensor.dtype.startswith(("int", "uint")) or (_LENGTH.fullmatch(name) and len(tensor.shape) > 2):
        likely = TOKENS
    else:
        likely = SIGNAL
    exported = [hints.exported[name]] if name in hints.exported else []
    wanted = hints.contracted[:MAX_CONTRACTED] if axis == len(tensor.shape) - 1 and axis > 0 else ()
    first, *rest = (*exported, *likely)
    return Variable(name, name, tuple(dict.fromkeys((first, *wanted, *rest))))


def _is_open(one: InputDraft) -> bool:
    return one.spec.dtype.startswith("int") or one.spec.dtype in ("uint16", "uint32", "uint64")


def _values(one: InputDraft) -> Variable:
    name = one.spec.name
    likely: tuple[int, ...] = HIGHEST if one.spec.shape else SCALARS
    if _RATE.fullmatch(name):
        likely = RATES
    elif _MASK.fullmatch(name):
        likely = (1, 0)
    return Variable(name, None, tuple(value for value in likely if value <= np.iinfo(one.spec.dtype).max))


def applied(draft: Draft, variables: Sequence[Variable], values: Sequence[int]) -> Draft:
    """The draft with a value for each variable."""
    dims, inputs = dict(draft.dims), {one.spec.name: one for one in draft.inputs}
    for variable, value in zip(variables, values, strict=True):
        if variable.dimension is not None:
            dims[variable.dimension] = value
            continue
        one = inputs[variable.name]
        value = min(value, int(np.iinfo(one.spec.dtype).max))  # a number from a complaint may be too large
        exact = not one.spec.shape or bool(_MASK.fullmatch(variable.name))
        inputs[variable.name] = replace(one, low=value if exact else 0, high=value)
    return replace(draft, dims=dims, inputs=tuple(inputs.values()))


def search(
    draft: Draft,
    hints: Hints,
    try_out: Callable[[Draft], Failure | None],
    max_tries: int = MAX_TRIES,
    now: Callable[[], float] = time.monotonic,
) -> Found:
    """The first draft that ``try_out`` accepts, or the first one with its failure.

    ``try_out`` runs a draft and gives its failure; a failure that no other size would mend ends the search.
    """
    variables = variables_of(draft, hints)
    first = applied(draft, variables, [one.candidates[0] for one in variables])
    order = _Order(variables)
    until, tries = now() + MAX_S, 0
    said: Failure | None = None
    for values in order:
        candidate = applied(draft, variables, values)
        if tries and sample_bytes(candidate) > MAX_SAMPLE_BYTES:
            continue
        tries += 1
        failure = try_out(candidate)
        if failure is None:
            return Found(candidate, tries)
        said = said or failure
        if not mendable(failure) or tries >= max_tries or now() > until:
            break
        order.suggest(failure.message, values)
    return Found(first, tries, said)


def sample_bytes(draft: Draft) -> int:
    """Bytes of the inputs of one sample."""
    return sum(
        math.prod(resolve_shape(tensor_job(one), draft.dims, draft.batch)) * np.dtype(one.spec.dtype).itemsize
        for one in draft.fed
    )


def mendable(failure: Failure) -> bool:
    """Whether other sizes or values could help: not where the model or its backend is refused as a whole."""
    return failure.error not in (
        "ModelRejected",
        "DeviceUnavailable",
        "SamplesRejected",
        "WorkerTimeout",
        "LaunchError",
    )


class _Order:
    """Which combinations to try, in order; numbers in the model's own complaints go first."""

    def __init__(self, variables: tuple[Variable, ...]) -> None:
        self._variables = variables
        self._suggested: list[tuple[int, ...]] = []
        self._seen: set[tuple[int, ...]] = set()
        self._numbers: set[int] = set()

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        """What is planned and what is suggested in turn, so that misleading numbers cannot take all tries."""
        for values in self._planned():
            yield from self._fresh(values)
            if self._suggested:
                yield from self._fresh(self._suggested.pop(0))
        while self._suggested:
            yield from self._fresh(self._suggested.pop(0))

    def suggest(self, message: str, values: tuple[int, ...]) -> None:
        """Take numbers in a complaint (``{1,8} by {640,10}``) for sizes that may be wanted."""
        for number in dict.fromkeys(int(found) for found in _NUMBER.findall(message)):
            if number in self._numbers or number in values or not 1 < number <= LARGEST_SUGGESTED:
                continue
            self._numbers.add(number)
            self._suggested += [_with(values, [index], number) for index in range(len(values))]

    def _fresh(self, values: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        if values not in self._seen:
            self._seen.add(values)
            yield values

    def _planned(self) -> Iterator[tuple[int, ...]]:
        """All first choices; all dimensions alike; one variable changed, in turn; every combination."""
        first = tuple(one.candidates[0] for one in self._variables)
        yield first
        dimensions = [index for index, one in enumerate(self._variables) if one.dimension is not None]
        alike = dict.fromkeys(size for index in dimensions for size in self._variables[index].candidates)
        if len(dimensions) > 1:
            yield from (_with(first, dimensions, size) for size in alike)
        for rank in range(max(map(len, (one.candidates for one in self._variables)), default=0)):
            for index, one in enumerate(self._variables):
                if rank < len(one.candidates):
                    yield _with(first, [index], one.candidates[rank])
        yield from itertools.product(*(one.candidates for one in self._variables))


def _with(values: tuple[int, ...], at: Sequence[int], number: int) -> tuple[int, ...]:
    return tuple(number if index in at else value for index, value in enumerate(values))
