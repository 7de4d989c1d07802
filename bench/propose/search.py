"""Finding sizes and values that a model accepts, by running it: bounded in tries and in time."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from bench.device.library import resolve_shape
from bench.propose.draft import BATCH, Draft
from bench.propose.order import Order, Variable
from bench.propose.trial import tensor_job
from bench.propose.values import SAFE, is_exact, likely, narrowed, ranged, takes_integers, widened
from bench.results import Failure

MAX_TRIES = 40
MAX_S = 60.0
MAX_SAMPLE_BYTES = 64 << 20
"""A sample larger than this is not tried: an odd number as a size of several dimensions would fill memory."""
MAX_CONTRACTED = 6
_LENGTH = re.compile(r".*(seq|len|token|word).*", re.IGNORECASE)

IMAGE: tuple[int, ...] = (224, 256, 512, 640, 128, 64, 32, 16, 8, 1, 1024)
TOKENS: tuple[int, ...] = (128, 64, 16, 8, 1, 32, 256, 512, 1024)
SIGNAL: tuple[int, ...] = (512, 256, 128, 64, 32, 16, 8, 1, 224, 640, 1024, 4000, 16000)


@dataclass(frozen=True)
class Hints:
    """What the artifact lets guess: sizes that dimensions had when it was exported, and sizes that its weights want."""

    exported: Mapping[str, int] = field(default_factory=dict)
    contracted: tuple[int, ...] = ()


@dataclass(frozen=True)
class Found:
    """How the search ended: the draft that is accepted, or why none is."""

    draft: Draft
    tries: int
    failure: Failure | None = None


def variables_of(draft: Draft, hints: Hints) -> tuple[Variable, ...]:
    """What is not known yet; the most likely candidates first."""
    found = [_dimension(draft, name, hints) for name in draft.free if name not in draft.dims]
    integers = [one for one in draft.fed if draft.samples is None and takes_integers(one)]
    return (*found, *(Variable(one.spec.name, None, likely(one)) for one in integers))


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


def applied(draft: Draft, variables: Sequence[Variable], values: Sequence[int]) -> Draft:
    """The draft with a value for each variable."""
    dims, inputs = dict(draft.dims), {one.spec.name: one for one in draft.inputs}
    for variable, value in zip(variables, values, strict=True):
        if variable.dimension is not None:
            dims[variable.dimension] = value
            continue
        one = inputs[variable.name]
        value = min(value, int(np.iinfo(one.spec.dtype).max))  # a number from a complaint may be too large
        inputs[variable.name] = replace(one, low=value if is_exact(one) else 0, high=value)
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
    until = now() + MAX_S
    trials = _Trials(try_out, max_tries, lambda: now() > until)
    values = tuple(one.candidates[0] for one in variables)
    first = applied(draft, variables, values)
    found: Draft | None = first
    failure = trials(first)
    if failure is not None:
        found = _mended(draft, variables, values, failure, trials)
        if found is not None:
            found = widened(found, try_out, lambda: now() <= until)
    return Found(found or first, trials.count, None if found else failure)


def _mended(
    draft: Draft, variables: tuple[Variable, ...], values: tuple[int, ...], failure: Failure, trials: _Trials
) -> Draft | None:
    """What is accepted after the most likely values failed: the same sizes with small integers, else other sizes."""
    first = applied(draft, variables, values)
    names = {one.spec.name for one in ranged(first)}
    for value in SAFE if names else ():
        if trials.over(failure):
            return None
        candidate = narrowed(first, value)
        if trials(candidate) is None:
            return candidate
    order = Order(tuple(_small_first(one) if one.name in names and not one.dimension else one for one in variables))
    order.tried(values)
    order.suggest(failure.message, values)
    for other in order:
        candidate = applied(draft, variables, other)
        if sample_bytes(candidate) > MAX_SAMPLE_BYTES or (names and candidate == narrowed(first, 0)):
            continue
        if trials.over(failure):
            return None
        refused = trials(candidate)
        if refused is None:
            return candidate
        failure = refused
        order.suggest(refused.message, other)
    return None


def _small_first(variable: Variable) -> Variable:
    return replace(variable, candidates=tuple(sorted(variable.candidates)))


class _Trials:
    """Runs drafts until there were too many, or the time is up."""

    def __init__(self, try_out: Callable[[Draft], Failure | None], most: int, late: Callable[[], bool]) -> None:
        self._try_out, self._most, self._late = try_out, most, late
        self.count = 0

    def __call__(self, draft: Draft) -> Failure | None:
        self.count += 1
        return self._try_out(draft)

    def over(self, failure: Failure) -> bool:
        """Whether no more is to be tried after the last failure."""
        return not mendable(failure) or self.count >= self._most or self._late()


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
