"""``--over threads=1,2,4 batch=1..64`` -> axes: what is varied, and over which values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench import units
from bench.contract.grammar import THREADS
from bench.contract.kinds import Kind, Whole
from bench.contract.model import Place
from bench.contract.nodes import Scalar
from bench.contract.problems import Problems, meant, quoted
from bench.contract.scenario_words import BATCH, RATE
from bench.errors import ContractError

Number = int | float
MOST_VALUES = 64
"""Of one axis: a list that is longer is a slip of the finger."""

KINDS: Mapping[str, Kind[int] | Kind[float]] = {
    "threads": THREADS.kind,
    "streams": Whole("a number of streams", 1, 4096, 2),
    "batch": BATCH.kind,
    "rate": RATE.kind,
}
"""What can be varied, in the order in which a configuration's name tells it."""
EXAMPLES: Mapping[str, str] = {
    "threads": "threads=1,2,4",
    "streams": "streams=1,2",
    "batch": "batch=1..64",
    "rate": "rate=100..1600",
}
SCENARIO_OF: Mapping[str, str] = {"batch": "offline", "rate": "server"}
"""The one scenario that an axis is about; the others are about all."""
_WORD = re.compile(r"[A-Za-z_-]+=.*", re.DOTALL)
_BARE = re.compile(r"[0-9._]+")


@dataclass(frozen=True)
class Axis:
    """What is varied, and its values, the lowest first and each once. Rates are queries a second."""

    name: str
    values: tuple[Number, ...]

    @property
    def text(self) -> str:
        """As it is written after ``--over``."""
        return f"{self.name}={','.join(spelled(value) for value in self.values)}"


def spelled(value: Number) -> str:
    """The value as it is written: ``4``, ``0.5``; no digit that nobody wrote."""
    return str(value) if isinstance(value, int) else f"{value:.12g}"


def is_axis(word: str) -> bool:
    """Whether a word of the command line is meant as an axis, right or wrong."""
    return _WORD.fullmatch(word) is not None


def parse(words: Sequence[str]) -> tuple[Axis, ...]:
    """The axes, in the order of ``KINDS``; ContractError, one line, with what would be right."""
    if not words:
        raise ContractError(f"nothing is varied: say over what, such as --over {EXAMPLES['threads']}")
    found: dict[str, Axis] = {}
    for word in words:
        axis = _axis(word)
        if axis.name in found:
            raise _wrong(word, f"{quoted(axis.name)} stands twice: write its values in one, such as `threads=1,2,4`")
        found[axis.name] = axis
    return tuple(found[name] for name in KINDS if name in found)


def _axis(word: str) -> Axis:
    name, equals, text = word.partition("=")
    name = name.strip()
    if not equals:
        example = EXAMPLES.get(name, EXAMPLES["batch"])
        raise _wrong(word, f"it has no values: write them after `=`, such as `{example}`")
    if name not in KINDS:
        near = {"batch_size": "batch", "batches": "batch", "qps": "rate", "rates": "rate", "thread": "threads"}
        raise _wrong(word, f"{quoted(name)} cannot be varied: {meant(name, KINDS, near)}")
    values: dict[Number, None] = {}
    for part in text.split(","):
        values.update(dict.fromkeys(_values(word, name, part.strip())))
    if len(values) > MOST_VALUES:
        raise _wrong(word, f"it has {len(values)} values, and {MOST_VALUES} are the most")
    return Axis(name, tuple(sorted(values)))


def _values(word: str, name: str, part: str) -> list[Number]:
    """One value, or those of ``a..b``: from a, doubled as often as it stays within b."""
    first, dots, last = part.partition("..")
    low = _value(word, name, first)
    if not dots:
        return [low]
    high = _value(word, name, last)
    if high < low:
        raise _wrong(word, f"{quoted(part)} goes down: write the lower end first")
    values = [low]
    while values[-1] * 2 <= high:
        values.append(values[-1] * 2)
    return values


def _value(word: str, name: str, text: str) -> Number:
    """One value, read as the contract reads it; a rate needs no unit here."""
    if name == "rate" and _BARE.fullmatch(text.strip()):
        text += "/s"
    problems = Problems()
    value = KINDS[name].read(Scalar(Place("--over", 1, 1), text.strip(), True), name, problems)
    if value is None:
        raise _wrong(word, problems.sorted()[0].message)
    return value


def _wrong(word: str, why: str) -> ContractError:
    return ContractError(f"--over {quoted(word, 40)[1:-1]}: {why}")


def shown(name: str, value: Number) -> str:
    """A value in a table: rates with their unit."""
    return units.show(value, "per_s") if name == "rate" else spelled(value)
