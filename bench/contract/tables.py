"""Mappings: records with known keys, tables with free names, and words that are short for a record."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from bench.contract.kinds import Kind, Schema, Text, shape_of
from bench.contract.model import Place
from bench.contract.nodes import Node, Pairs, Scalar
from bench.contract.problems import Problems, meant, nearest, quoted

T = TypeVar("T")


@dataclass(frozen=True)
class Field(Generic[T]):
    """One key of a record: its kind, and one line of help for editors and the reference."""

    name: str
    kind: Kind[T]
    help: str
    required: bool = False


class Found:
    """A record as it was read: values by field, each with its place; what is wrong or left out is None."""

    def __init__(
        self, place: Place, values: Mapping[str, Any], places: Mapping[str, Place], strange: bool = False
    ) -> None:
        self.place = place
        self.strange = strange
        """Whether it has a key that is none: what it lacks may stand under that."""
        self._values = values
        self._places = places

    def get(self, field: Field[T]) -> T | None:
        """The field's value, or None."""
        return cast("T | None", self._values.get(field.name))

    def has(self, field: Field[Any]) -> bool:
        """Whether the key was written, right or wrong."""
        return field.name in self._places

    def at(self, field: Field[Any]) -> Place:
        """Where the field's value stands; the record's own place where it was left out."""
        return self._places.get(field.name, self.place)


class Record(Kind[Found]):
    """A mapping whose keys are known. ``ref`` names its schema where several places share it."""

    def __init__(self, what: str, fields: Sequence[Field[Any]], ref: str | None = None) -> None:
        self.what, self.fields, self.ref = what, tuple(fields), ref

    def read(self, node: Node, name: str, problems: Problems) -> Found | None:
        if not isinstance(node, Pairs):
            keys = ", ".join(f"`{field.name}`" for field in self.fields)
            problems.add(node.place, f"{quoted(name)} {_is(node)}: write {self.what}, with the keys {keys}")
            return None
        known = {field.name: field for field in self.fields}
        values, places = {}, {}
        strange = [key.text for key, _ in node.pairs if key.text not in known]
        spoilt = {nearest(word, known) for word in strange}
        for key, value in node.pairs:
            field = known.get(key.text)
            if field is None:
                problems.add(key.place, f"{quoted(key.text)} is no key of {quoted(name)}: {meant(key.text, known)}")
                continue
            places[field.name] = value.place
            values[field.name] = field.kind.read(value, field.name, problems)
        for field in self.fields:
            if field.required and field.name not in places and field.name not in spoilt:
                problems.add(node.place, f"{quoted(name)} lacks `{field.name}`: add {_line(field)}")
        return Found(node.place, values, places, bool(strange))

    def schema(self, defs: dict[str, Schema]) -> Schema:
        properties = {
            field.name: field.kind.schema(defs) | {"description": field.help} for field in self.fields
        }  # fmt: skip
        required = [field.name for field in self.fields if field.required]
        schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
        if required:
            schema["required"] = required
        return shared(schema, self.ref, defs)


def _is(node: Node) -> str:
    return "has no value" if isinstance(node, Scalar) and node.empty else f"is {shape_of(node)}"


def _line(field: Field[Any]) -> str:
    example = field.kind.example
    return f"`{field.name}: {example}` ({field.help})" if example else f"it ({field.help})"


def shared(schema: Schema, ref: str | None, defs: dict[str, Schema]) -> Schema:
    """The schema, or a reference to it in ``defs`` where it has a name."""
    if ref is None:
        return schema
    defs[ref] = schema
    return {"$ref": f"#/$defs/{ref}"}


@dataclass(frozen=True)
class Named(Generic[T]):
    """One entry of a table; ``place`` is the name's."""

    name: str
    place: Place
    value: T


class Table(Kind[tuple[Named[T], ...]]):
    """A mapping whose keys are the user's own names, of the kind ``key``."""

    def __init__(self, key: Kind[str], value: Kind[T], what: str, most: int, least: int = 0) -> None:
        self.key, self.value, self.what, self.most, self.least = key, value, what, most, least

    def read(self, node: Node, name: str, problems: Problems) -> tuple[Named[T], ...] | None:
        if not isinstance(node, Pairs):
            problems.add(node.place, f"{quoted(name)} {_is(node)}: write {self.what}")
            return None
        if not self.least <= len(node.pairs) <= self.most:
            problems.add(
                node.place, f"{quoted(name)} has {len(node.pairs)} entries: write {self.what}, {self._count()}"
            )
            return None
        entries = []
        for key, value in node.pairs:
            word = self.key.read(key, name, problems)
            found = self.value.read(value, key.text, problems)
            if word is not None and found is not None:
                entries.append(Named(word, key.place, found))
        return tuple(entries)

    def _count(self) -> str:
        return f"from {self.least} to {self.most} of them"

    def schema(self, defs: dict[str, Schema]) -> Schema:
        limits = {"minProperties": self.least, "maxProperties": self.most}
        values = self.value.schema(defs)
        names = self.key.schema(defs)
        if "enum" in names:
            properties = dict.fromkeys(names["enum"], values)
            return {"type": "object", "properties": properties, "additionalProperties": False} | limits
        wanted = {key: names[key] for key in ("pattern", "minLength", "maxLength") if key in names}
        usual = {"properties": dict.fromkeys(self.key.usual, values)} if self.key.usual else {}
        return {"type": "object", "propertyNames": wanted, "additionalProperties": values} | usual | limits


class Short(Kind[Found]):
    """A record, or one word that is short for the record with only ``field``; nothing at all where ``empty``."""

    def __init__(self, record: Record, field: Field[str], empty: bool = False) -> None:
        self.record, self.field, self.empty, self.what = record, field, empty, record.what

    def read(self, node: Node, name: str, problems: Problems) -> Found | None:
        if isinstance(node, Pairs):
            return self.record.read(node, name, problems)
        if self.empty and isinstance(node, Scalar) and node.empty:
            return Found(node.place, {}, {})
        if not isinstance(node, Scalar) or node.empty:
            return self.record.read(node, name, problems)
        value = self.field.kind.read(node, name, problems)
        return None if value is None else Found(node.place, {self.field.name: value}, {self.field.name: node.place})

    def schema(self, defs: dict[str, Schema]) -> Schema:
        nothing = [{"type": "null"}] if self.empty else []
        return {"anyOf": [self.record.schema(defs), self.field.kind.schema(defs), *nothing]}


class Dimension(Text):
    """A size, or the name of one that is free; as text, which ``size`` turns into a number."""

    def __init__(self) -> None:
        super().__init__("a size of 1 or more, or the name of a free dimension", "batch", r"[A-Za-z_][^\x00-\x1f\x7f]*")

    def read(self, node: Node, name: str, problems: Problems) -> str | None:
        if isinstance(node, Pairs) and len(node.pairs) == 1 and node.pairs[0][0].empty:
            node = Scalar(node.place, "?", True)  # what YAML makes of [1, ?, 3]
        return super().read(node, name, problems)

    def value(self, node: Scalar) -> str:
        if re.fullmatch(r"[1-9][0-9]{0,9}", node.text) and int(node.text) < 1 << 31:
            return node.text
        if re.fullmatch(r"\?|-1|None|none", node.text):
            raise ValueError(f"{quoted(node.text)} says no size: give a free dimension a name, like `batch`")
        return super().value(node)

    def schema(self, defs: dict[str, Schema]) -> Schema:
        name = {"type": "string", "minLength": 1, "maxLength": self.most}
        name["pattern"] = rf"^(?:[1-9][0-9]{{0,9}}|{self.pattern})$"
        return {"anyOf": [{"type": "integer", "minimum": 1, "maximum": (1 << 31) - 1}, name]}
