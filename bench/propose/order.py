"""In which order sizes and values are tried: planned ones, and numbers in the model's own complaints."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.propose.values import numbers_in

LARGEST_SUGGESTED = 1 << 20


@dataclass(frozen=True)
class Variable:
    """Something to be found: a dimension's size, or the values of an integer input (``dimension`` is then None)."""

    name: str
    dimension: str | None
    candidates: tuple[int, ...]


class Order:
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
        for number in numbers_in(message):
            if number in self._numbers or number in values or not 1 < number <= LARGEST_SUGGESTED:
                continue
            self._numbers.add(number)
            self._suggested += [_with(values, [index], number) for index in range(len(values))]

    def tried(self, values: tuple[int, ...]) -> None:
        """These are not to be tried again."""
        self._seen.add(values)

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
