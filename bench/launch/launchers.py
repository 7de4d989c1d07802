"""Where a target's workers are started: here, or on its host. The one place that chooses."""

from __future__ import annotations

from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING

from bench.contract.model import Target
from bench.device.records import Job
from bench.errors import HostUnreachable
from bench.launch import local
from bench.launch.conversation import Conversation
from bench.results import Failure

if TYPE_CHECKING:
    from bench.remote.board import Board


class Launchers:
    """All that a run's cases are launched by; a context manager, which holds one login a host while it lasts."""

    def __init__(self) -> None:
        self._boards: dict[tuple[str, str | None], Board] = {}
        self._aborted = False

    def __enter__(self) -> Launchers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for key in list(self._boards):
            self._drop(key)

    def run_worker(
        self, target: Target, job: Job, conversation: Conversation, deadline_s: float, stop_s: float | None = None
    ) -> Failure | None:
        """As ``local.run_worker``, where the target is."""
        if target.host is None:
            return local.run_worker(job, conversation, deadline_s, stop_s)
        from bench.launch import ssh  # and all of bench.remote: a run without a host does not wait for it

        key = (target.host, target.python)
        try:
            if key not in self._boards:
                self._open(key)
            failure = ssh.run_worker(self._boards[key], job, conversation, deadline_s, stop_s)
        except HostUnreachable:
            self._drop(key)
            raise
        if failure is not None and failure.error == HostUnreachable.__name__:
            self._drop(key)  # the next process makes a login of its own
        return failure

    def abort(self) -> None:
        """From another thread: end every talk with a host, and let none begin."""
        self._aborted = True
        for board in list(self._boards.values()):
            board.abort()

    def _open(self, key: tuple[str, str | None]) -> None:
        from bench.remote.board import Board

        board = self._boards[key] = Board(*key)
        if self._aborted:
            board.abort()
        board.__enter__()

    def _drop(self, key: tuple[str, str | None]) -> None:
        board = self._boards.pop(key, None)
        if board is not None:
            with suppress(OSError):
                board.__exit__(None, None, None)
