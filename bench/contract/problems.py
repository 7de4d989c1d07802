"""What is wrong with a contract: collected, so that all of it is said at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from bench.contract.model import Place, Problem
from bench.errors import ContractError

MOST = 100
"""Most problems that are told; a file with more is wrong as a whole."""


class ContractProblems(ContractError):
    """A contract or targets file with problems; as text, one line a problem."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class Problems:
    """A list of problems that is being filled."""

    def __init__(self) -> None:
        self._found: dict[Problem, None] = {}

    def __bool__(self) -> bool:
        return bool(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def add(self, place: Place, message: str) -> None:
        """Note one problem, once, however often it is found (a file may be walked for each target)."""
        self._found[Problem(place, _printable(" ".join(message.split())))] = None

    def extend(self, found: Iterable[Problem]) -> None:
        """Note problems that were found elsewhere."""
        self._found.update(dict.fromkeys(found))

    def all(self) -> tuple[Problem, ...]:
        """As they were found, however many."""
        return tuple(self._found)

    def sorted(self) -> tuple[Problem, ...]:
        """In the order of the file, the first ``MOST``; those of another file after those of the first."""
        files = list(dict.fromkeys(problem.place.file for problem in self._found))
        found = sorted(self._found, key=lambda one: (files.index(one.place.file), one.place.line, one.place.column))
        if len(found) > MOST:
            found[MOST:] = [Problem(found[MOST].place, f"and {len(found) - MOST} more problems")]
        return tuple(found)

    def raise_if_any(self) -> None:
        """ContractProblems with all of them, if there is one."""
        if self._found:
            raise ContractProblems(self.sorted())


def quoted(text: str, most: int = 60) -> str:
    """The text in backticks, on one line, printable, cut where it is long."""
    shown = _printable(text)
    return f"`{shown if len(shown) <= most else shown[: most - 1] + '…'}`"


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def meant(word: str, known: Iterable[str], synonyms: dict[str, str] | None = None) -> str:
    """What would be right in the place of ``word``: ``did you mean `x`?`` or ``there are a, b and c``."""
    names = list(known)
    close = (synonyms or {}).get(word.lower()) or nearest(word, names)
    if close is not None:
        return f"did you mean {quoted(close)}?"
    return f"known are {', '.join(names[:12])}{' …' if len(names) > 12 else ''}" if names else "there is none"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The one of these names that ``word`` was probably meant to be."""
    names = list(known)
    same = [name for name in names if _bare(name) == _bare(word)]
    return next(iter(same or difflib.get_close_matches(word[:80], names, n=1, cutoff=0.6)), None)


def _bare(word: str) -> str:
    return "".join(letter for letter in word.lower() if letter.isalnum())
