"""A board that is made ready to work: the agent there, the job's files there, each sent once under its SHA-256."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import subprocess
import tempfile
from types import TracebackType
from typing import IO, Any

from bench.device.records import Job
from bench.errors import LaunchError
from bench.remote import complaints
from bench.remote.agent import Agent, agent_for
from bench.remote.answers import NO_PYTHON, OtherBytes, files_of, no_python
from bench.remote.client import Client, Completed
from bench.remote.process import end, write
from bench.remote.ship import Bundles, Cargo, Piece, Stream, cargo_of, mapped

NO_AGENT = 98
ASK_S, INSTALL_S = 300.0, 600.0
SLOWEST_BYTES_PER_S = 20_000
"""A link that is slower than this on the whole is given up."""
READ_BYTES_PER_S = 2_000_000
"""So fast, at least, a board reads what it has to its end, to see whether it is still what it was."""
ANSWER_BYTES = 8 << 20
PREAMBLE = """\
case "${{XDG_CACHE_HOME:-}}" in /*) c=$XDG_CACHE_HOME/benchpact ;; *) c=$HOME/.cache/benchpact ;; esac
p={python}
if [ -z "$p" ]; then p=$c/env/current/bin/python; [ -x "$p" ] || p=python3; fi
command -v "$p" >/dev/null 2>&1 || {{ printf '%s\\n' "$p" >&2; exit {no_python}; }}
umask 077
"""
RUN = '[ -f "$c/agent/{sha256}/__main__.py" ] || exit {no_agent}\n"$p" "$c/agent/{sha256}" {command}\n'
INSTALL = """\
import sys
if sys.version_info < (3, 8): sys.exit("it is Python %d.%d: 3.8 or later is needed" % sys.version_info[:2])
import compileall, hashlib, io, os, shutil, tempfile, zipfile
folder, name, sha256 = sys.argv[1:]
data = sys.stdin.buffer.read()
if hashlib.sha256(data).hexdigest() != sha256: sys.exit("the agent came with other bytes")
os.makedirs(folder, 0o700, True)
part = tempfile.mkdtemp(".part", dir=folder)
try:
    zipfile.ZipFile(io.BytesIO(data)).extractall(part)
    compileall.compile_dir(part, ddir=os.path.join(folder, name), quiet=2)
    os.sync()
    os.rename(part, os.path.join(folder, name))
except OSError as error:
    shutil.rmtree(part, True)
    if not os.path.isdir(os.path.join(folder, name)): sys.exit("%s: %s" % (folder, error.strerror))
"""
"""Unpacked, because an archive's modules would be compiled anew at every start. No quote like ' may stand in it."""


def quoted_path(path: str | None) -> str:
    """The path as one word of ``sh``, whatever is in it; ``~/`` at its begin is the home there."""
    if path is None:
        return "''"
    return f'"$HOME"/{shlex.quote(path[2:])}' if path.startswith("~/") else shlex.quote(path)


class Board:
    """One host and one interpreter on it. As a context manager it holds one login."""

    measures = True
    """Whether what is sent is to be measured with that interpreter: it then needs numpy."""

    def __init__(self, host: str, python: str | None) -> None:
        """HostUnreachable where that can be no host's name."""
        self.host = host
        self._client = Client(host)
        self._head = PREAMBLE.format(python=quoted_path(python), no_python=NO_PYTHON)
        self._bundles = Bundles()
        self._there: dict[Piece, str] = {}
        self._has_agent: set[str] = set()

    def __enter__(self) -> Board:
        """HostUnreachable where no connection can be made."""
        self._client.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.__exit__(kind, error, trace)

    def abort(self) -> None:
        """From another thread: end all that is going on, and let nothing begin."""
        self._client.abort()

    def ready(self, job: Job) -> Job:
        """Send what the job needs and is not there yet; the job with the paths there. Raises LaunchError."""
        cargo = cargo_of(job, self._bundles)
        self._send(agent_for(job.adapter), cargo)
        return mapped(job, cargo, self._there)

    def work(self, job: Job, token: str, wait_s: float, stderr: IO[bytes]) -> tuple[subprocess.Popen[bytes], Job]:
        """As ``ready``, and in the same breath start the agent's worker: it, and the job that is to be written to it.

        It waits up to ``wait_s`` for another worker on the board to be done. Raises LaunchError.
        """
        cargo = cargo_of(job, self._bundles)
        process = self._begin(agent_for(job.adapter), "work", cargo, stderr)
        who = f"{job.case} (process {os.getpid()} of {os.uname().nodename})"
        write(process, json.dumps({"do": "work", "token": token, "who": who, "wait_s": wait_s}).encode() + b"\n")
        return process, mapped(job, cargo, self._there)

    def reason(self, said: str) -> str:
        """Why ``ssh`` itself failed in the middle of work, in one sentence."""
        return complaints.reason(self.host, said, connected=True)

    def _script(self, agent: Agent, command: str) -> str:
        return self._head + RUN.format(sha256=agent.sha256, command=command, no_agent=NO_AGENT)

    def _send(self, agent: Agent, cargo: Cargo) -> None:
        if self._lacks(agent, cargo):
            with tempfile.TemporaryFile(buffering=0) as stderr:
                end(self._begin(agent, "files", cargo, stderr))

    def _lacks(self, agent: Agent, cargo: Cargo) -> bool:
        return agent.sha256 not in self._has_agent or any(piece not in self._there for piece in cargo.pieces)

    def _begin(self, agent: Agent, command: str, cargo: Cargo, stderr: IO[bytes]) -> subprocess.Popen[bytes]:
        """The agent, in a talk, with all of the cargo beside it: what is not there is sent, the agent itself too."""
        installed, trusts = False, True
        while True:
            process = self._client.start(self._script(agent, command), stderr)
            try:
                if self._lacks(agent, cargo):
                    self._bring(process, agent, list(dict.fromkeys(cargo.pieces)), stderr, trusts)
            except BaseException as error:
                end(process)
                if isinstance(error, _NoAgent) and not installed:
                    self._install(agent)
                    installed = True
                elif isinstance(error, OtherBytes) and trusts:
                    trusts = False  # what a link that died had left: from the start, once
                else:
                    raise
            else:
                return process

    def _bring(
        self, process: subprocess.Popen[bytes], agent: Agent, pieces: list[Piece], stderr: IO[bytes], trusts: bool
    ) -> None:
        """Ask which of the pieces are there, and send the others, each from where the board has it if that is so."""
        found = self._ask(process, "have", pieces, {}, stderr)
        self._has_agent.add(agent.sha256)
        pairs = list(zip(pieces, found, strict=True))
        begins = {piece: min(one["bytes"], piece.size) if trusts else 0 for piece, one in pairs if not one["whole"]}
        if begins:
            self._ask(process, "put", list(begins), begins, stderr)
        self._there.update((piece, one["path"]) for piece, one in pairs)

    def _ask(
        self,
        process: subprocess.Popen[bytes],
        command: str,
        pieces: list[Piece],
        begins: dict[Piece, int],
        stderr: IO[bytes],
    ) -> list[dict[str, Any]]:
        """The agent's answer, of ``have`` for each of the pieces."""
        files = [_request(piece, begins.get(piece, 0), piece in self._there) for piece in pieces]
        request = json.dumps({"do": command, "files": files, "measures": self.measures}).encode() + b"\n"
        left = sum(piece.size - begins[piece] for piece in pieces) if command == "put" else 0
        timeout_s = ASK_S + left / SLOWEST_BYTES_PER_S + sum(piece.size for piece in pieces) / READ_BYTES_PER_S
        stream = Stream(request, [(piece, begins[piece]) for piece in pieces] if command == "put" else [])
        done = self._client.ask(process, stream, stderr, timeout_s, ANSWER_BYTES)
        if done.code == NO_AGENT:
            raise _NoAgent(f"`{self.host}` does not keep the agent that it was sent")
        return files_of(self.host, done, len(pieces) if command == "have" else 0)

    def _install(self, agent: Agent) -> None:
        arrives = hashlib.sha256(agent.data).hexdigest()
        script = f'{self._head}"$p" -c \'{INSTALL}\' "$c/agent" {agent.sha256} {arrives}'
        done = self._client.run(script, agent.data, timeout_s=INSTALL_S, most_bytes=ANSWER_BYTES)
        if done.code:
            self._refuse(done)

    def _refuse(self, done: Completed) -> None:
        words = complaints.last_words(done.stderr)
        if done.code == NO_PYTHON:
            raise no_python(self.host, words)
        raise LaunchError(f"`{self.host}` cannot take the agent: {words or f'code {done.code}'}")


class _NoAgent(LaunchError):
    """The agent is not there."""


def _request(piece: Piece, begin: int, known: bool) -> dict[str, Any]:
    place = {"folder": piece.folder, "name": piece.name, "sha256": piece.sha256, "size": piece.size}
    return {**place, "begin": begin, "known": known, "executable": piece.executable}
