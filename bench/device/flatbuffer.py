"""FlatBuffers from files that nobody vouches for: every offset and length is looked at before it is followed.

The layout is that of https://flatbuffers.dev/internals: a table begins with the distance back to its vtable, which
holds the place of each field; vectors and strings begin with their length. The file is read in pieces and never
mapped: what is looked at of a large model is a small part of it, and no memory is taken for the rest.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import IO, List, Optional

PIECE_BYTES = 1 << 16
PIECES = 64
"""How much is kept of what was read: 4 MiB."""
MAX_STRING_BYTES = 4096


class Broken(ValueError):
    """The bytes are no FlatBuffer; the message says what does not fit."""


class Bytes:
    """A file's bytes by their place; Broken for what lies outside."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self.size = size

        @lru_cache(maxsize=PIECES)
        def piece(index: int) -> bytes:
            file.seek(index * PIECE_BYTES)
            return file.read(PIECE_BYTES)

        self._piece = piece

    def at(self, place: int, count: int) -> bytes:
        """``count`` bytes from ``place`` on."""
        if place < 0 or count < 0 or place + count > self.size:
            raise Broken("something lies outside of the file")
        first, last = place // PIECE_BYTES, (place + max(0, count - 1)) // PIECE_BYTES
        data = b"".join(self._piece(index) for index in range(first, last + 1))
        found = data[place - first * PIECE_BYTES :][:count]
        if len(found) != count:
            raise Broken("the file is cut off")
        return found

    def number(self, form: str, place: int) -> int:
        """One little-endian number, by its ``struct`` letter."""
        found: int = struct.unpack("<" + form, self.at(place, struct.calcsize("<" + form)))[0]
        return found

    def root(self) -> "Table":
        return Table(self, self.number("I", 0))


class Table:
    """A table; fields are given by their number in the schema, counted from 0."""

    def __init__(self, data: Bytes, place: int) -> None:
        self._data = data
        self._place = place
        self._vtable = place - data.number("i", place)
        self._length = data.number("H", self._vtable)
        if self._length < 4 or self._length % 2:
            raise Broken("a table's list of fields is none")

    def has(self, field: int) -> bool:
        return self._field(field) is not None

    def number(self, field: int, form: str, default: int = 0) -> int:
        """A field that is a number; ``default`` where it was left out, as the format does with the usual value."""
        place = self._field(field)
        return default if place is None else self._data.number(form, place)

    def table(self, field: int) -> "Optional[Table]":
        place = self._follow(field)
        return None if place is None else Table(self._data, place)

    def length(self, field: int) -> int:
        """How many elements a vector has; 0 where it is left out."""
        place = self._follow(field)
        return 0 if place is None else self._data.number("I", place)

    def numbers(self, field: int, form: str, most: int) -> List[int]:
        """A vector of numbers; Broken for more than ``most``."""
        count, size = self._counted(field, most), struct.calcsize("<" + form)
        place = self._follow(field) or 0
        return list(struct.unpack("<%d%s" % (count, form), self._data.at(place + 4, count * size))) if count else []

    def tables(self, field: int, most: int) -> "List[Table]":
        """A vector of tables; Broken for more than ``most``."""
        place = (self._follow(field) or 0) + 4
        offsets = self.numbers(field, "I", most)
        return [Table(self._data, place + 4 * index + offset) for index, offset in enumerate(offsets)]

    def text(self, field: int) -> str:
        """A string; what is no UTF-8 of it is replaced. Broken for one that nobody would write."""
        return self.data(field, MAX_STRING_BYTES).decode("utf-8", "replace")

    def data(self, field: int, most: int) -> bytes:
        """A vector of bytes; Broken for more than ``most``."""
        place, count = self._follow(field), self._counted(field, most)
        return self._data.at(place + 4, count) if place is not None else b""

    def data_place(self, field: int) -> int:
        """Where the bytes of a vector begin in the file; Broken where they do not all lie in it."""
        place, count = self._follow(field) or 0, self.length(field)
        if place + 4 + count > self._data.size:
            raise Broken("stored data lie outside of the file")
        return place + 4

    def _counted(self, field: int, most: int) -> int:
        count = self.length(field)
        if count > most:
            raise Broken("%d elements where at most %d are read" % (count, most))
        return count

    def _field(self, field: int) -> Optional[int]:
        entry = 4 + 2 * field
        if entry + 2 > self._length:
            return None
        offset = self._data.number("H", self._vtable + entry)
        return self._place + offset if offset else None

    def _follow(self, field: int) -> Optional[int]:
        place = self._field(field)
        return None if place is None else place + self._data.number("I", place)
