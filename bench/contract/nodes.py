"""YAML text -> nodes that know where they stand and what was really written.

Values are never resolved by YAML's own rules (which read ``1.10`` as 1.1, ``on`` as true, ``12:30`` as
750 and ``1e-4`` as a string): a scalar keeps its text, and the contract's grammar decides what it is.
Whatever a contract needs none of is refused: anchors and aliases (and with them every bomb), tags,
several documents, duplicate keys, deep nesting, huge files.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from bench.contract.model import Place, Problem
from bench.contract.problems import ContractProblems, Problems, meant, quoted

MAX_BYTES = 1 << 20
MAX_DEPTH = 16
MAX_NODES = 20_000


@dataclass(frozen=True)
class Scalar:
    """One value as text. ``plain`` is False where it was written in quotes or as a block."""

    place: Place
    text: str
    plain: bool

    @property
    def empty(self) -> bool:
        """Whether nothing was written, or YAML's words for nothing."""
        return self.plain and self.text in ("", "~", "null")


@dataclass(frozen=True)
class Items:
    """A list."""

    place: Place
    items: tuple[Node, ...]


@dataclass(frozen=True)
class Pairs:
    """A mapping; its keys are unique: of one that stands ``twice`` in the file the first value is here."""

    place: Place
    pairs: tuple[tuple[Scalar, Node], ...]
    twice: tuple[Scalar, ...] = ()


Node = Scalar | Items | Pairs


def read_file(path: Path) -> bytes:
    """What the file holds. At most one byte more than is allowed. Raises ContractProblems where there is no file."""
    start = Place(str(path), 1, 1)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ContractProblems([Problem(start, "this is not a file")])
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        others = _neighbours(path)
        near = f": {meant(path.name, others)}" if others else ", nor any other `.yaml` or `.yml` beside it"
        raise ContractProblems([Problem(start, f"there is no such file{near}")]) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ContractProblems([Problem(start, f"the file cannot be read: {reason}")]) from None


def decode(data: bytes, file: str) -> str:
    """The text of a file. Raises ContractProblems where it is too much, or not UTF-8."""
    if len(data) > MAX_BYTES:
        message = f"the file is larger than {MAX_BYTES >> 20} MiB: this is no contract"
        raise ContractProblems([Problem(Place(file, 1, 1), message)])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        place = Place(file, line, error.start - data.rfind(b"\n", 0, error.start))
        raise ContractProblems([Problem(place, "the file is not UTF-8 from here on: save it as UTF-8")]) from None


def _neighbours(path: Path) -> list[str]:
    try:
        return sorted(one.name for one in path.parent.iterdir() if one.suffix in (".yaml", ".yml"))
    except OSError:
        return []


def compose(data: bytes, file: str, noted: Problems | None = None) -> Node:
    """The document's root. Raises ContractProblems for what is no YAML, and for all that is refused.

    What is refused and leaves the rest to be read (a key that stands twice, an anchor, a tag, a second document) goes
    into ``noted`` where that is given.
    """
    text = decode(data, file)
    problems = Problems()
    try:
        events = yaml.parse(text, Loader=yaml.SafeLoader)
        root = _Composer(events, file, problems, problems if noted is None else noted).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file, 1, 1)
        problems.add(place, _yaml_error(error, text, mark.index if mark else 0))
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        place = Place(file, before.count("\n") + 1, error.position - before.rfind("\n"))
        problems.add(place, f"the character U+{ord(text[error.position]):04X} cannot stand in YAML: leave it out")
    if problems and noted is not None:
        problems.extend(noted.all())
    problems.raise_if_any()
    return root


def _yaml_error(error: yaml.MarkedYAMLError, text: str, index: int) -> str:
    found = text[index : index + 1]
    before = text[text.rfind("\n", 0, index) + 1 : index]
    if found == "\t" or (not before.strip() and "\t" in before):
        return "there is a tab here: indent with spaces"
    if found == ">" or before.rstrip().endswith(">"):
        return 'a value that begins with > must stand in quotes: write ">= 1200/s", or `at least 1200/s`'
    if found and found in "%@`" and before.strip():
        return f"a value cannot begin with {found} : put it in quotes"
    reason = ", ".join(part for part in (error.problem, error.context) if part)
    return f"this is not YAML: {reason or 'it cannot be read'}{_hint(error.problem or '')}"


def _hint(problem: str) -> str:
    if "mapping values are not allowed" in problem:
        return ": a value that holds `: ` must stand in quotes, and lines of one block begin in one column"
    if "could not find expected ':'" in problem or "but found '<scalar>'" in problem:
        return ": is a `:` or a `,` missing just before?"
    if "<block mapping start>" in problem or "<block end>" in problem:
        return ": lines of one block must begin in one column"
    return ""


class _Refused(Exception):
    """Reading cannot go on; the problem has been noted."""


class _Composer:
    """Nodes from the parser's events; each node is counted and no call is deeper than ``MAX_DEPTH``.

    ``problems`` end the reading, what is ``noted`` does not.
    """

    def __init__(self, events: Iterator[yaml.Event], file: str, problems: Problems, noted: Problems) -> None:
        self._events = events
        self._file = file
        self._problems = problems
        self._noted = noted
        self._nodes = 0

    def document(self) -> Node:
        """The one document's root; an empty file is an empty scalar."""
        root: Node = Scalar(Place(self._file, 1, 1), "", True)
        documents = 0
        try:
            for event in self._events:
                if isinstance(event, yaml.DocumentStartEvent):
                    documents += 1
                    if documents > 1:
                        self._noted.add(self._place(event), "a second document begins here: one file is one contract")
                        break
                    root = self._node(next(self._events), 0)
        except _Refused:
            pass
        return root

    def _place(self, event: yaml.Event) -> Place:
        mark = event.start_mark
        assert mark is not None
        return Place(self._file, mark.line + 1, mark.column + 1)

    def _refuse(self, event: yaml.Event, message: str) -> _Refused:
        self._problems.add(self._place(event), message)
        return _Refused()

    def _node(self, event: yaml.Event, depth: int) -> Node:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise self._refuse(event, f"the file holds more than {MAX_NODES} values: this is no contract")
        if depth > MAX_DEPTH:
            raise self._refuse(event, f"this is nested more than {MAX_DEPTH} deep: a contract is not")
        if isinstance(event, yaml.AliasEvent):
            raise self._refuse(event, f"`*{event.anchor}`: aliases are not read here: write the value out")
        assert isinstance(event, yaml.NodeEvent)
        if event.anchor is not None:
            self._noted.add(self._place(event), f"`&{event.anchor}`: anchors are not read here: leave it out")
        if event.tag is not None:  # type: ignore[attr-defined]
            self._noted.add(self._place(event), f"{quoted(event.tag)}: tags are not read here: leave it out")  # type: ignore[attr-defined]
        if isinstance(event, yaml.ScalarEvent):
            return Scalar(self._place(event), self._whole(event), event.style is None)
        if isinstance(event, yaml.SequenceStartEvent):
            return Items(self._place(event), tuple(self._list(depth)))
        return self._mapping(self._place(event), depth)

    def _whole(self, event: yaml.ScalarEvent) -> str:
        """Its text; two escapes of a pair, as JSON writes them, are one character, and half a pair is none."""
        text: str = event.value
        if not any("\ud800" <= letter <= "\udfff" for letter in text):
            return text
        try:
            return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        except UnicodeDecodeError:
            what = f"{quoted(text)} holds half of a surrogate pair, which is no character: write the character itself"
            self._problems.add(self._place(event), what)
            return ""

    def _list(self, depth: int) -> Iterator[Node]:
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            yield self._node(event, depth + 1)

    def _mapping(self, place: Place, depth: int) -> Pairs:
        seen: dict[str, tuple[Scalar, Node]] = {}
        twice: list[Scalar] = []
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event, depth + 1)
            value = self._node(next(self._events), depth + 1)
            if not isinstance(key, Scalar):
                self._problems.add(key.place, "a key must be a word, not a list or a mapping")
            elif key.text in seen:
                first = seen[key.text][0].place
                message = f"{quoted(key.text)} stands here twice, first in line {first.line}: leave one out"
                self._noted.add(key.place, message)
                twice.append(key)
            else:
                seen[key.text] = key, value
        return Pairs(place, tuple(seen.values()), tuple(twice))
