"""What is said to a script on a host and heard from it, both at the same time, and neither without end."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from dataclasses import dataclass, field
from typing import IO, Protocol

from bench.errors import ProtocolError

CHUNK_BYTES = 1 << 16
STDERR_MOST_BYTES = 64 << 20


class Source(Protocol):
    """Whatever bytes are read from, as from a file."""

    def read(self, size: int, /) -> bytes:
        """Up to ``size`` bytes or a few more; none at the end."""


@dataclass
class Talk:
    """What is still to be written, and what was heard."""

    source: Source
    stderr: IO[bytes]
    most_bytes: int
    one_line: bool = False
    """Whether the answer is one line, after which the other end is talked to again: its input stays open."""
    heard: bytearray = field(default_factory=bytearray)
    _left: bytes = b""

    @property
    def answered(self) -> bool:
        """Whether the one line came."""
        return self.one_line and self.heard.endswith(b"\n")

    def go_on(self, process: subprocess.Popen[bytes], host: str, deadline: float) -> None:
        """Write and read, whichever goes, until the script closes its output, or its one line is there."""
        assert process.stdin is not None
        assert process.stdout is not None
        os.set_blocking(process.stdin.fileno(), False)
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            selector.register(process.stdin, selectors.EVENT_WRITE)
            while True:
                ready = selector.select(min(0.5, max(0.0, deadline - time.monotonic())))
                self._bound(host)
                if time.monotonic() > deadline:
                    raise subprocess.TimeoutExpired("ssh", 0)
                for key, _ in ready:
                    if key.fileobj is process.stdin:
                        if not self._write(process.stdin):
                            selector.unregister(process.stdin)
                            if not self.one_line:
                                process.stdin.close()
                    elif not self._read(process.stdout, host) or self.answered:
                        if not process.stdin.closed:
                            os.set_blocking(process.stdin.fileno(), True)
                        return

    def _bound(self, host: str) -> None:
        if os.fstat(self.stderr.fileno()).st_size > STDERR_MOST_BYTES:
            raise ProtocolError(f"`{host}` complains with more than {STDERR_MOST_BYTES >> 20} MiB")

    def _write(self, pipe: IO[bytes]) -> bool:
        """Whether there is, or may be, more to write."""
        self._left = self._left or self.source.read(CHUNK_BYTES)
        if not self._left:
            return False
        try:
            self._left = self._left[os.write(pipe.fileno(), self._left) :]
        except BlockingIOError:
            return True
        except BrokenPipeError:  # the script wants no more of it
            return False
        return True

    def _read(self, pipe: IO[bytes], host: str) -> bool:
        data = os.read(pipe.fileno(), CHUNK_BYTES)
        self.heard += data
        if len(self.heard) > self.most_bytes:
            raise ProtocolError(f"`{host}` answers with more than {self.most_bytes} bytes")
        if self.one_line and 0 <= self.heard.find(b"\n") < len(self.heard) - 1:
            raise ProtocolError(f"`{host}` says more than it was asked")
        return bool(data)
