"""Values of integer inputs, which are often indices into a table whose length nothing tells."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from bench.propose.draft import Draft, InputDraft
from bench.results import Failure

HIGHEST = (255, 127, 100, 10, 1, 0)
"""Highest values tried for integer tensors."""
SAFE = (0, 1)
"""Values that nearly every table has: where a model takes nothing but one of them, its failure was by the values."""
WIDER = (255, 10, 1)
"""Highest values tried, the largest first, of an input after small values alone were accepted."""
MAX_WIDENING = 32
MOST_TOLD = 3
SCALARS = (1, 0, 16, 8, 64, 100, 16000, 8000)
RATES = (16000, 8000, 44100, 48000, 22050, 1)
_NUMBER = re.compile(r"(?<![\w.:-])\d{1,7}(?![\w.])")
_RATE = re.compile(r"sr|rate|.*(sample|sampling)_?rate|fs", re.IGNORECASE)
_MASK = re.compile(r".*mask.*", re.IGNORECASE)
Try = Callable[[Draft], Failure | None]


def takes_integers(one: InputDraft) -> bool:
    """Whether its values have to be found: an index or a number of some kind, and no bool."""
    return one.spec.dtype.startswith(("int", "uint"))


def likely(one: InputDraft) -> tuple[int, ...]:
    """Its highest values, or its only ones (``is_exact``), to be tried in that order."""
    values: tuple[int, ...] = HIGHEST if one.spec.shape else SCALARS
    if _RATE.fullmatch(one.spec.name):
        values = RATES
    elif _MASK.fullmatch(one.spec.name):
        values = (1, 0)
    return tuple(value for value in values if value <= np.iinfo(one.spec.dtype).max)


def is_exact(one: InputDraft) -> bool:
    """Whether it gets one value everywhere: a scalar, or a mask, which would hide what it covers."""
    return not one.spec.shape or bool(_MASK.fullmatch(one.spec.name))


def ranged(draft: Draft) -> list[InputDraft]:
    """The inputs that are drawn from a range of integers which nothing tells."""
    if draft.samples is not None:
        return []
    return [
        one for one in draft.fed if takes_integers(one) and not is_exact(one) and not _RATE.fullmatch(one.spec.name)
    ]


def numbers_in(message: str) -> list[int]:
    """The numbers of a complaint, in its order, each once."""
    return list(dict.fromkeys(int(found) for found in _NUMBER.findall(message)))


def narrowed(draft: Draft, value: int) -> Draft:
    """With that value alone in every input that is drawn from a range."""
    names = {one.spec.name for one in ranged(draft)}
    return replace(
        draft,
        inputs=tuple(replace(one, low=value, high=value) if one.spec.name in names else one for one in draft.inputs),
    )


def widened(draft: Draft, try_out: Try, may_go_on: Callable[[], bool]) -> Draft:
    """An accepted draft with each range, one input after the other, as wide as the model takes of what is tried."""
    tries = 0

    def counted(candidate: Draft) -> Failure | None:
        nonlocal tries
        tries += 1
        return try_out(candidate)

    for one in ranged(draft):
        draft = _widest(draft, one, counted, lambda: tries < MAX_WIDENING and may_go_on())
    return draft


def _widest(draft: Draft, one: InputDraft, try_out: Try, may_go_on: Callable[[], bool]) -> Draft:
    """Numbers in the model's own complaint go before the usual ones; what is accepted already stays."""
    most = int(np.iinfo(one.spec.dtype).max)
    waiting = [high for high in WIDER if one.high < high <= most] or [most]
    while waiting and may_go_on():
        high = waiting.pop(0)
        if high <= one.high:
            continue
        wider = replace(one, high=high)
        candidate = replace(
            draft, inputs=tuple(wider if old.spec.name == one.spec.name else old for old in draft.inputs)
        )
        failure = try_out(candidate)
        if failure is None:
            return candidate
        told = sorted((number for number in numbers_in(failure.message) if one.high < number < high), reverse=True)
        waiting = [*told[:MOST_TOLD], *(other for other in waiting if other < high and other not in told)]
    return draft


def only_accepted(draft: Draft) -> list[str]:
    """A remark on the ranges that are smaller than what is tried first."""
    names = [f"`{one.spec.name}`" for one in ranged(draft) if one.high < likely(one)[0]]
    if not names:
        return []
    told = "is only what the model was seen to accept: set it to values that really occur, or give --samples"
    return [f"`inputs`: the range of {', '.join(names)} {told}"]
