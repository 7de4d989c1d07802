"""From a stream of bytes to records; shared by every launcher."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bench.device import records
from bench.device.records import RecordError


class RecordReader:
    """Cuts bytes into records as they come; holds at most one unfinished record."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._head: tuple[str, dict[str, Any], int] | None = None

    def feed(self, data: bytes) -> Iterator[tuple[str, dict[str, Any], bytes]]:
        """The records completed by these bytes; RecordError where they are none."""
        self._buffer += data
        while True:
            if self._head is None:
                end = self._buffer.find(b"\n")
                if end > records.MAX_LINE_BYTES or (end < 0 and len(self._buffer) > records.MAX_LINE_BYTES):
                    raise RecordError(f"a line of more than {records.MAX_LINE_BYTES} bytes")
                if end < 0:
                    return
                self._head = records.decode(bytes(self._buffer[:end]))
                del self._buffer[: end + 1]
            kind, fields, size = self._head
            if len(self._buffer) < size:
                return
            payload = bytes(self._buffer[:size])
            del self._buffer[:size]
            self._head = None
            yield kind, fields, payload
