"""The kinds of value a contract holds, each with its one description: how it is read, and its JSON Schema.

``load`` reads by these and ``schema`` prints them, so the two cannot drift apart. A kind that is read
turns what is wrong into a problem and gives None.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from bench import units
from bench.contract.nodes import Items, Node, Pairs, Scalar
from bench.contract.problems import Problems, meant, quoted
from bench.metrics import Unit

T = TypeVar("T")
Schema = dict[str, Any]
"""A piece of JSON Schema (draft 2020-12)."""


class Kind(Generic[T]):
    """One kind of value. ``what`` and ``example`` stand in messages: ``a whole number``, ``12874``."""

    what = "a value"
    example = ""
    usual: tuple[str, ...] = ()
    """Words that an editor may offer where any word is possible."""

    def read(self, node: Node, name: str, problems: Problems) -> T | None:
        """The value; None, with a problem noted, where the node holds none of this kind."""
        raise NotImplementedError

    def schema(self, defs: dict[str, Schema]) -> Schema:
        """Its schema; what several places share is put into ``defs`` once."""
        raise NotImplementedError

    @property
    def wanted(self) -> str:
        """``a whole number, like `12874```."""
        return f"{self.what}, like `{self.example}`" if self.example else self.what


class ScalarKind(Kind[T]):
    """A kind that is written as one word or number."""

    def read(self, node: Node, name: str, problems: Problems) -> T | None:
        if not isinstance(node, Scalar):
            problems.add(node.place, f"{quoted(name)} is {shape_of(node)}: write {self.wanted}")
            return None
        if node.empty or not node.text.strip():
            word = f'; the word {node.text} stands in quotes: `"{node.text}"`' if node.text.strip() else ""
            problems.add(node.place, f"{quoted(name)} has no value: write {self.wanted}{word}")
            return None
        try:
            return self.value(node)
        except ValueError as error:
            problems.add(node.place, f"{quoted(name)}: {error}")
            return None

    def value(self, node: Scalar) -> T:
        """The value of the node, which is not empty; ValueError says what is wrong and what would be right."""
        raise NotImplementedError


def shape_of(node: Node) -> str:
    """What a node is, in a sentence: ``a list``."""
    return {Scalar: "one value", Items: "a list", Pairs: "a mapping"}[type(node)]


class Text(ScalarKind[str]):
    """A word or a short line, of a pattern (Python and ECMA 262) where one is given."""

    def __init__(self, what: str, example: str, pattern: str = r"[^\x00-\x1f\x7f]*", most: int = 200) -> None:
        self.what, self.example, self.pattern, self.most = what, example, pattern, most

    def value(self, node: Scalar) -> str:
        if not re.fullmatch(self.pattern, node.text) or node.text != node.text.strip():
            raise ValueError(f"{quoted(node.text)} is not {self.wanted}")
        if len(node.text) > self.most:
            raise ValueError(f"{quoted(node.text)} is too long: {self.what} has at most {self.most} characters")
        return node.text

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {
            "type": ["string", "number", "boolean"],  # `version: 1.10` is a number to an editor, not to us
            "minLength": 1,
            "maxLength": self.most,
            "pattern": f"^(?:{self.pattern})$",
            "examples": [self.example],
        }


class Choice(ScalarKind[str]):
    """One of a few words; ``synonyms`` are wrong words whose meaning is plain."""

    def __init__(self, what: str, words: Iterable[str] | Callable[[], Iterable[str]], **synonyms: str) -> None:
        self.what, self._words, self._synonyms = what, words, synonyms

    @property
    def words(self) -> list[str]:
        """The words, looked up only now where they come from what is installed."""
        return list(self._words() if callable(self._words) else self._words)

    @property
    def example(self) -> str:  # type: ignore[override]
        return next(iter(self.words), "")

    def value(self, node: Scalar) -> str:
        if node.text not in self.words:
            hint = meant(node.text, self.words, self._synonyms)
            raise ValueError(f"{quoted(node.text)} is not {self.what}: {hint}")
        return node.text

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"enum": self.words}


class Whole(ScalarKind[int]):
    """A whole number from ``low`` to ``high``, or one of ``words`` that stand for a number."""

    def __init__(self, what: str, low: int, high: int, example: int, words: Mapping[str, int] | None = None) -> None:
        self.what, self.low, self.high, self.example = what, low, high, str(example)
        self.words = dict(words or {})

    def value(self, node: Scalar) -> int:
        if node.text in self.words:
            return self.words[node.text]
        if not re.fullmatch(r"-?[0-9]+(?:_[0-9]+)*", node.text) or len(node.text) > 24:
            other = "".join(f", or `{word}`" for word in self.words)
            raise ValueError(f"{quoted(node.text)} is not {self.wanted}{other}")
        number = int(node.text)
        if not self.low <= number <= self.high:
            raise ValueError(f"{number} is not {self.what}: it is from {self.low} to {self.high}")
        return number

    def schema(self, defs: dict[str, Schema]) -> Schema:
        number = {"type": "integer", "minimum": self.low, "maximum": self.high}
        text = {"type": "string", "pattern": r"^[0-9]+(?:_[0-9]+)*$"}
        return {"anyOf": [number, text, *({"const": word} for word in self.words)], "examples": [int(self.example)]}


@dataclass(frozen=True)
class Range:
    """From ``low`` to ``high``; a number alone is a range of one."""

    low: int
    high: int


class WholeRange(ScalarKind[int | Range]):
    """A whole number, or a range like ``8..24``, or one of ``words`` that stand for a range."""

    def __init__(self, number: Whole, words: Mapping[str, Range]) -> None:
        self.number, self.words = number, dict(words)
        self.what, self.example = number.what, number.example

    @property
    def wanted(self) -> str:
        words = "".join(f", or `{word}`" for word in self.words)
        return f"{self.number.wanted}, a range like `8..24`{words}"

    def value(self, node: Scalar) -> int | Range:
        if node.text in self.words:
            return self.words[node.text]
        ends = re.fullmatch(r"([0-9]{1,9})\.\.([0-9]{1,9})", node.text)
        if not ends:
            if not re.fullmatch(r"-?[0-9_]+", node.text):
                raise ValueError(f"{quoted(node.text)} is not {self.wanted}")
            return self.number.value(node)
        low, high = int(ends[1]), int(ends[2])
        if not self.number.low <= low <= high <= self.number.high:
            bounds = f"from {self.number.low} to {self.number.high}"
            raise ValueError(f"{quoted(node.text)}: both ends are {bounds}, the lower one first")
        return Range(low, high)

    def schema(self, defs: dict[str, Schema]) -> Schema:
        number = self.number.schema(defs)
        others = [{"type": "string", "pattern": r"^[0-9]+\.\.[0-9]+$"}, *({"const": word} for word in self.words)]
        return number | {"anyOf": [*number["anyOf"], *others]}


class Number(ScalarKind[float]):
    """Any finite number, negative ones too."""

    _PATTERN = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?"

    def __init__(self, what: str, example: str) -> None:
        self.what, self.example = what, example

    def value(self, node: Scalar) -> float:
        if not re.fullmatch(self._PATTERN, node.text) or len(node.text) > 40 or abs(float(node.text)) > 1e308:
            raise ValueError(f"{quoted(node.text)} is not a finite number: write {self.wanted}")
        return float(node.text)

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"anyOf": [{"type": "number"}, {"type": "string", "pattern": f"^{self._PATTERN}$"}]}


class Quantity(ScalarKind[float]):
    """A quantity with its unit, in the base unit; ``units`` reads it."""

    def __init__(self, unit: Unit, low: float, high: float, example: str) -> None:
        self.unit, self.low, self.high, self.example = unit, low, high, example
        self.what = units.what(unit)

    def value(self, node: Scalar) -> float:
        value = units.parse(node.text, self.unit)
        if not self.low <= value <= self.high:
            least, most = units.show(self.low, self.unit), units.show(self.high, self.unit)
            raise ValueError(f"{quoted(node.text)} is out of bounds: it is from {least} to {most}")
        return value

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": "string", "pattern": f"^{units.pattern(self.unit)}$", "examples": [self.example]}


class ListOf(Kind[tuple[T, ...]]):
    """A list of one kind; an item that is wrong makes the whole list None."""

    def __init__(self, item: Kind[T], what: str, example: str, most: int, exactly: int | None = None) -> None:
        self.item, self.what, self.example, self.most, self.exactly = item, what, example, most, exactly

    def read(self, node: Node, name: str, problems: Problems) -> tuple[T, ...] | None:
        if not isinstance(node, Items):
            problems.add(node.place, f"{quoted(name)} is {shape_of(node)}: write {self.wanted}")
            return None
        if len(node.items) > self.most or (self.exactly is not None and len(node.items) != self.exactly):
            problems.add(node.place, f"{quoted(name)} has {len(node.items)} items: write {self.wanted}")
            return None
        values = [self.item.read(item, name, problems) for item in node.items]
        good = [value for value in values if value is not None]
        return tuple(good) if len(good) == len(values) else None

    def schema(self, defs: dict[str, Schema]) -> Schema:
        least = {"minItems": self.exactly} if self.exactly is not None else {}
        most = self.most if self.exactly is None else self.exactly
        return {"type": "array", "items": self.item.schema(defs), "maxItems": most} | least


class AnyScalar(ScalarKind[str | int | float | bool]):
    """A backend's option: true, false, a number, or a word. What is written in quotes is a word."""

    what, example = "a word, a number, true or false", "all"

    def value(self, node: Scalar) -> str | int | float | bool:
        text = node.text
        if len(text) > 200:
            raise ValueError(f"{quoted(text)} is too long: an option has at most 200 characters")
        if not node.plain:
            return text
        if text in ("true", "false"):
            return text == "true"
        if re.fullmatch(r"-?[0-9]{1,18}", text):
            return int(text)
        if re.fullmatch(r"-?[0-9]{1,18}(?:\.[0-9]{0,18})?(?:[eE][-+]?[0-9]{1,2})?", text):
            return float(text)
        return text

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": ["string", "number", "boolean"], "maxLength": 200, "examples": [self.example]}
