"""A running program and the two pipes to it: a line out, arrays as plain bytes after it, and a line back."""

from __future__ import annotations

import errno
import os
import platform
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any, Optional, Sequence, Set, Tuple

import numpy as np

from backends import staging
from bench.device.adapter import AdapterError
from bench.device.signals import signal_name

LINE_BYTES = 4096
OK = b"ok\n"
LAST_WORDS_S = 5.0
"""How long a program may take to end when it is asked to, before it is killed."""


class Pipe:
    """The program. Whatever it says that is not in the protocol is an AdapterError with its words."""

    def __init__(self, words: Sequence[str], folder: Optional[Path], running: Set[int]) -> None:
        self.name = Path(words[0]).name
        try:
            self._process = subprocess.Popen(
                list(words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder, bufsize=0
            )
        except OSError as error:
            why = staging.one_line(error)
            if error.errno == errno.ENOEXEC:
                why += "; it must be made for this machine (%s), or begin with #!" % platform.machine()
            raise AdapterError("%s does not start: %s" % (self.name, why))
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.to, self.back = self._process.stdin.fileno(), self._process.stdout.fileno()
        self._left = b""
        self._asked = "its start"
        self._running = running
        running.add(self._process.pid)

    def greet(self, line: str) -> Tuple[str, str]:
        """The first answer, or the program's refusal."""
        self._say(line)
        answer = self._line()
        return ("", answer[6:].strip() or "error") if answer.startswith("error") else (answer, "")

    def ask(self, line: str, arrays: Sequence[Tuple[str, Any]] = ()) -> None:
        """One line, with arrays after it, that is answered by ``ok``."""
        self._say(line)
        for name, array in arrays:
            self._write(_head(name, array))
            self._write(array.reshape(-1).view(np.uint8) if array.size else b"")
        self.expect(line, b"")

    def expect(self, asked: str, begun: bytes) -> None:
        """``ok``, of which ``begun`` has been read."""
        self._asked = asked
        self._left += begun
        answer = self._line()
        if answer != "ok":
            raise self._unexpected(answer, "ok")
        if self._left:
            raise AdapterError("%s says more than it was asked: %r" % (self.name, self._left[:80]))

    def ended(self, doing: str = "") -> AdapterError:
        """What became of a program that is heard no more."""
        try:
            code = self._process.wait(LAST_WORDS_S)
            how = "ended with exit code %d" % code if code >= 0 else "was killed by %s" % signal_name(-code)
        except subprocess.TimeoutExpired:
            how = "closed its output"
        return AdapterError("%s %s when asked for `%s`" % (self.name, how, doing or self._asked))

    def close(self) -> None:
        """Ask the program to end, wait a little, and end it."""
        process = self._process
        with suppress(OSError):
            os.write(self.to, b"end\n")
        for stream in (process.stdin, process.stdout):
            with suppress(OSError):
                if stream is not None:
                    stream.close()
        try:
            process.wait(LAST_WORDS_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._running.discard(process.pid)

    def _say(self, line: str) -> None:
        self._asked = line
        self._write(line.encode() + b"\n")

    def _write(self, data: Any) -> None:
        left = memoryview(data)
        try:
            while len(left):
                left = left[os.write(self.to, left) :]
        except OSError:
            raise self.ended()

    def _line(self) -> str:
        while b"\n" not in self._left:
            if len(self._left) > LINE_BYTES:
                raise AdapterError("%s says a line without an end: %r" % (self.name, self._left[:80]))
            self._left += self._some(LINE_BYTES)
        line, _, self._left = self._left.partition(b"\n")
        return line.decode("utf-8", "replace").strip()

    def _some(self, most: int) -> bytes:
        try:
            data = os.read(self.back, most)
        except OSError:
            data = b""
        if not data:
            raise self.ended()
        return data

    def _unexpected(self, answer: str, wanted: str) -> AdapterError:
        if answer.startswith("error"):
            return AdapterError("%s: %s" % (self.name, answer[6:].strip()[:600] or "error"))
        return AdapterError("%s answered `%s` by %r, not `%s`" % (self.name, self._asked, answer[:80], wanted))


def _head(name: str, array: Any) -> bytes:
    sizes = "".join(" %d" % size for size in array.shape)
    return ("tensor %s %d %d%s %s\n" % (array.dtype.name, array.nbytes, array.ndim, sizes, name)).encode()
