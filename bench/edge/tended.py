"""A board that is looked after: its agent asked for facts, for an environment, for a backend's probe, to clear away."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from bench import typed_json
from bench.edge.facts import BoardFacts
from bench.edge.wheels import Wheel
from bench.errors import HostUnreachable, LaunchError, ProtocolError
from bench.remote import complaints
from bench.remote.agent import agent_for
from bench.remote.answers import NO_PYTHON
from bench.remote.board import NO_AGENT, Board
from bench.remote.client import Completed
from bench.remote.ship import Cargo, Piece

ANY = "bench"
"""No adapter: the agent that all share."""
PYTHON = "python3"
ASK_S, INSTALL_S = 300.0, 1800.0
"""Longest for an answer: a small board that has other work takes its time. A link that dies is noticed at once."""
ANSWER_BYTES = 1 << 20


class Tended(Board):
    """One host. ``python`` None: the environment that was prepared, else ``python3``."""

    measures = False

    def __enter__(self) -> Tended:
        """HostUnreachable where no connection can be made."""
        super().__enter__()
        return self

    def look(self, packages: Sequence[str]) -> BoardFacts:
        """What it is, and which of the packages it has; LaunchError where that cannot be known."""
        answer = self._told(self._do("look", {"packages": list(packages)}))
        try:
            return typed_json.read(BoardFacts, answer)
        except ValueError as error:
            raise ProtocolError(f"`{self.host}` answers with what is no board: {error}") from error

    def ship(self, wheels: Sequence[Wheel]) -> None:
        """Send the wheels that are not there yet, each under its SHA-256."""
        pieces = tuple(Piece(one.path, one.sha256, one.path.name, one.sha256, one.bytes) for one in wheels)
        self._send(agent_for(ANY), Cargo({"wheels": pieces}, (), (), ()))

    def install(self, wheels: Sequence[Wheel], key: str, manifest: dict[str, Any]) -> None:
        """Make the environment there of the wheels that were shipped."""
        request = {"wheels": [[one.sha256, one.path.name] for one in wheels], "key": key, "manifest": manifest}
        self._told(self._do("install", request, INSTALL_S))

    def probe(self, adapter: str) -> tuple[bool, str]:
        """Whether the adapter works there, and if not why."""
        done = self._do("probe", {"adapter": adapter}, adapter=adapter)
        lines = done.stdout.splitlines()
        try:
            found = json.loads(lines[1])
            return found["usable"] is True, " ".join(f"{found['reason']} {found['remedy']}".split())
        except (ValueError, KeyError, IndexError, TypeError, RecursionError):
            words = complaints.last_words(done.stderr) or "it says nothing"
            return False, f"its probe ended with code {done.code}: {words}"

    def clean(self) -> int:
        """Remove all that is ours there; how many bytes that were."""
        freed = self._told(self._do("clean", {})).get("freed_bytes")
        return freed if isinstance(freed, int) else 0

    def _do(self, command: str, request: dict[str, Any], timeout_s: float = ASK_S, adapter: str = ANY) -> Completed:
        """The agent's answer; the agent is sent first where it is not there."""
        agent = agent_for(adapter)
        line = json.dumps(request).encode() + b"\n"
        script = self._script(agent, command)
        done = self._client.run(script, line, timeout_s=timeout_s, most_bytes=ANSWER_BYTES)
        if done.code == NO_AGENT:
            self._install(agent)
            done = self._client.run(script, line, timeout_s=timeout_s, most_bytes=ANSWER_BYTES)
        if done.code == NO_PYTHON:
            words = complaints.last_words(done.stderr)
            remedy = "install it there (Debian: `sudo apt install python3`), or name it with --python"
            raise HostUnreachable(f"there is no Python on `{self.host}` ({words}): {remedy}")
        return done

    def _told(self, done: Completed) -> dict[str, Any]:
        try:
            answer = json.loads(done.stdout)
            refused = answer.get("error")
        except (ValueError, AttributeError, RecursionError) as error:
            words = complaints.last_words(done.stderr) or str(error)
            raise ProtocolError(f"`{self.host}` answers with what is no answer: {words}") from error
        if refused is not None:
            raise LaunchError(f"`{self.host}`: {refused!s:.500}")
        return dict(answer)
