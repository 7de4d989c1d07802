"""A pseudo-terminal, and a screen that shows what was written to it as a terminal would."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
import tty

_TOKEN = re.compile(r"\x1b\[(?P<arguments>[0-9;?]*)(?P<command>[A-Za-z])|\x1b(?P<odd>.)|(?P<character>.)", re.DOTALL)


class Screen:
    """Characters at places: as much of a VT100 as a progress display uses; anything else is an error."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.lines: list[str] = [""]
        self.cursor_hidden = False
        self._row = self._column = 0

    def feed(self, text: str) -> None:
        for token in _TOKEN.finditer(text):
            if token["command"]:
                self._control(token["command"], token["arguments"])
            elif token["odd"]:
                raise AssertionError(f"an escape that no progress display needs: {token.group()!r}")
            else:
                self._put(token["character"])

    def shown(self) -> list[str]:
        """The lines that are not empty."""
        return [line.rstrip() for line in self.lines if line.strip()]

    def _control(self, command: str, arguments: str) -> None:
        if command == "A":
            self._row = max(0, self._row - int(arguments or 1))
        elif command == "K" and arguments == "2":
            self.lines[self._row] = ""
        elif command in "hl" and arguments == "?25":
            self.cursor_hidden = command == "l"
        elif command != "m":
            raise AssertionError(f"a control sequence that no progress display needs: {arguments}{command}")

    def _put(self, character: str) -> None:
        if character == "\r":
            self._column = 0
        elif character == "\n":
            self._row, self._column = self._row + 1, 0
        elif character < " " or character == "\x7f":
            raise AssertionError(f"a control character: {character!r}")
        else:
            if self._column == self.width:
                self._row, self._column = self._row + 1, 0
            self._grow()
            line = self.lines[self._row].ljust(self._column)
            self.lines[self._row] = line[: self._column] + character + line[self._column + 1 :]
            self._column += 1
        self._grow()

    def _grow(self) -> None:
        while len(self.lines) <= self._row:
            self.lines.append("")


def run_in_terminal(code: str, width: int = 80, timeout_s: float = 60.0) -> tuple[int, str]:
    """Run Python code whose standard error is a terminal; its exit code and all that the terminal got."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    tty.setraw(slave)
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    environment.update(TERM="xterm-256color", PYTHONIOENCODING="utf-8")
    process = subprocess.Popen(
        (sys.executable, "-c", code), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=slave, env=environment
    )
    os.close(slave)
    try:
        data, until = bytearray(), time.monotonic() + timeout_s
        while select.select((master,), (), (), max(0.0, until - time.monotonic()))[0]:
            try:
                chunk = os.read(master, 1 << 16)
            except OSError:  # EIO: nobody has the terminal open any more
                break
            if not chunk:
                break
            data += chunk
        return process.wait(max(0.1, until - time.monotonic())), data.decode()
    finally:
        process.kill()
        process.wait()
        os.close(master)
