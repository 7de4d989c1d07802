"""Scripts run on another host by the user's own `ssh`, with their config, keys and agent as they are.

The command line of the other end is one fixed word: its login shell, whichever it is, parses nothing of ours. The
script goes to the ``sh`` that the word starts, and only once that has answered with a random line is anything else
written: what follows is the script's own standard input, and what came before is somebody's banner, and is dropped.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import selectors
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from io import BytesIO
from types import TracebackType
from typing import IO

from bench.contract.host_words import fault_of
from bench.errors import HostUnreachable, WorkerTimeout
from bench.remote import complaints, master
from bench.remote.command import SSH_FAILED, command
from bench.remote.process import end, kill, open_ssh, tail, write
from bench.remote.talk import Source, Talk

SHELL = "exec sh"
CONNECT_S = 30.0
"""How long a login may take, from ``ssh``'s start to the script's first line, where only one host is talked to …"""
CROWD_S = 3.0
"""… and so much longer for each further one: they may share a jump host, a radio, or a machine that plays them all."""
LOGIN_TRIES = 2
LOGINS_AT_ONCE = 8
"""A jump host's `sshd` refuses some of those that come while ten others are not let in yet (``MaxStartups``)."""
BANNER_BYTES = 64 << 10
_logins = threading.BoundedSemaphore(LOGINS_AT_ONCE)
_crowd: set[Client] = set()
"""The clients that hold a login, or wait for one."""


def patience_s() -> float:
    """How long a login may take now: ``CONNECT_S``, and ``CROWD_S`` for each host but one that is talked to."""
    return CONNECT_S + CROWD_S * max(0, len(_crowd) - 1)


@dataclass(frozen=True)
class Completed:
    """A script that came to its end: its exit code, all that it wrote, and the end of what it complained of."""

    code: int
    stdout: bytes
    stderr: str


class Client:
    """One host. As a context manager, its connections share one login (unless the user's config sees to that)."""

    def __init__(self, host: str) -> None:
        """HostUnreachable where that can be no host's name."""
        fault = fault_of(host)
        if fault is not None:
            raise HostUnreachable(f"cannot reach `{host:.80}`: {fault}")
        self.host = host
        self._master: master.Master | None = None
        self._lock = threading.Lock()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._aborted = False

    def __enter__(self) -> Client:
        """HostUnreachable where no connection can be made. Waits while many others are logging in."""
        _crowd.add(self)
        try:
            with _logins:
                self._master = self._logged_in(patience_s())
        except BaseException:
            _crowd.discard(self)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _crowd.discard(self)
        if self._master is not None:
            self._master.close()
            self._master = None

    def _logged_in(self, patience_s: float, tries: int = LOGIN_TRIES) -> master.Master:
        """A host that takes the connection and is too slow for a login is given twice the time again."""
        try:
            return master.Master(self.host, patience_s, self._begun)
        except master.TooSlow as error:
            if tries == 1 or self._aborted:
                raise HostUnreachable(str(error)) from error
        return self._logged_in(2 * patience_s, tries - 1)

    def abort(self) -> None:
        """From another thread: end all that is going on, and let nothing begin."""
        with self._lock:
            self._aborted = True
            for process in self._processes:
                kill(process)

    def _begun(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._processes = [one for one in self._processes if one.returncode is None] + [process]
            if self._aborted:
                kill(process)

    def run(self, script: str, stdin: bytes | Source = b"", *, timeout_s: float, most_bytes: int) -> Completed:
        """Run an ``sh`` script there, ``stdin`` as its standard input, and hear it out.

        Raises HostUnreachable where the host is, or gets, out of reach; WorkerTimeout where the script is not done
        ``timeout_s`` after it began; ProtocolError where it writes more than ``most_bytes``.
        """
        with tempfile.TemporaryFile(buffering=0) as stderr:
            process = self.start(script, stderr)
            try:
                talk = Talk(BytesIO(stdin) if isinstance(stdin, bytes) else stdin, stderr, most_bytes)
                return self._heard(talk, process, timeout_s)
            finally:
                end(process)

    def ask(
        self, process: subprocess.Popen[bytes], question: Source, stderr: IO[bytes], timeout_s: float, most_bytes: int
    ) -> Completed:
        """Say something to a script that ``start`` began, and hear its answer, which is one line.

        Where it ends instead, ``code`` says how. Raises as ``run`` does; the process is left to the caller.
        """
        return self._heard(Talk(question, stderr, most_bytes, one_line=True), process, timeout_s)

    def _heard(self, talk: Talk, process: subprocess.Popen[bytes], timeout_s: float) -> Completed:
        deadline = time.monotonic() + timeout_s
        try:
            talk.go_on(process, self.host, deadline)
            code = 0 if talk.answered else process.wait(max(0.0, deadline - time.monotonic()) + 1.0)
        except subprocess.TimeoutExpired as error:
            raise WorkerTimeout(f"`{self.host}` did not finish within {timeout_s:g} s") from error
        said = tail(talk.stderr)
        if code == SSH_FAILED:
            raise HostUnreachable(complaints.reason(self.host, said, connected=True))
        return Completed(code, bytes(talk.heard), said)

    def start(self, script: str, stderr: IO[bytes] | None = None) -> subprocess.Popen[bytes]:
        """Start an ``sh`` script there; its pipes are unbuffered, and stand where the script's own input and output do.

        The process leads a group of its own: end it with ``end``. Raises HostUnreachable where it cannot be started.
        """
        mark = f"benchpact-{secrets.token_hex(12)}"
        with contextlib.ExitStack() as stack:
            told = stderr if stderr is not None else stack.enter_context(tempfile.TemporaryFile(buffering=0))
            socket = None if self._master is None else self._master.socket
            process = open_ssh([*command(self.host, socket, patience_s()), "--", self.host, SHELL], told)
            try:
                self._begun(process)
                write(process, f"{{\nprintf '\\n%s\\n' {mark}\n{script}\nexit $?\n}}\n".encode())
                self._await(process, mark.encode(), told, time.monotonic() + patience_s())
            except BaseException:
                end(process)
                raise
            return process

    def _await(self, process: subprocess.Popen[bytes], mark: bytes, stderr: IO[bytes], deadline: float) -> None:
        """Read up to the script's first line and no further; HostUnreachable where it does not come."""
        assert process.stdout is not None
        wanted, seen, count = b"\n" + mark + b"\n", b"", 0
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while not seen.endswith(wanted):
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise HostUnreachable(complaints.reason(self.host, tail(stderr) or "timed out", connected=False))
                one = os.read(process.stdout.fileno(), 1)
                count += 1
                seen = (seen + one)[-1024:]
                if not one:
                    raise self._not_begun(process, seen, tail(stderr))
                if count > BANNER_BYTES:
                    many = f"more than {BANNER_BYTES >> 10} KiB before anything was asked of it"
                    raise HostUnreachable(f"`{self.host}` says {many}: keep its login shell's files silent")

    def _not_begun(self, process: subprocess.Popen[bytes], seen: bytes, said: str) -> HostUnreachable:
        try:
            code = process.wait(5.0)
        except subprocess.TimeoutExpired:
            code = SSH_FAILED
        if code == SSH_FAILED:
            return HostUnreachable(complaints.reason(self.host, said, connected=False))
        words = complaints.last_words(said) or complaints.last_words(seen.decode(errors="replace"))
        shell = f"`{self.host}` lets one in, but its login shell starts no `sh`{f' ({words})' if words else ''}"
        return HostUnreachable(f"{shell}: see what `ssh {self.host} 'exec sh -c true'` says")
