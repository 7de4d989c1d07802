"""The time budget of a run: how long each process that is still to come may measure."""

from __future__ import annotations

import time
from collections.abc import Callable

LEAST_NS = 200_000_000
"""A process is not started for less measuring than this."""
GRACE_NS = 5_000_000_000
"""A process that is still there this long after the budget is spent is killed: it hangs, or is far too slow for it."""


class Budget:
    """Shares what is left of ``total_ns`` evenly among the processes that are still to come.

    Starting up costs time too: what the processes so far took beyond their measuring is taken off
    each share, so that the whole run, not only its loops, keeps the budget. None: no budget.
    """

    def __init__(self, total_ns: int | None, processes: int, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock = clock
        self._start = clock()
        self._total_ns = total_ns
        self._left = processes
        self._started = 0
        self._granted_ns = 0

    def next_process_ns(self, wanted_ns: int) -> int | None:
        """The longest the next process may measure, at most ``wanted_ns``; None if the budget is spent."""
        left_processes, self._left = max(1, self._left), self._left - 1
        if self._total_ns is None:
            return wanted_ns
        elapsed = self._clock() - self._start
        left_ns = self._total_ns - elapsed
        if left_ns <= 0:
            return None
        start_up = max(0, elapsed - self._granted_ns) // self._started if self._started else 0
        granted = min(wanted_ns, max(LEAST_NS, left_ns // left_processes - start_up))
        self._started += 1
        self._granted_ns += granted
        return granted

    def expect(self, processes: int) -> None:
        """Processes that will come after all."""
        self._left += processes

    def left_ns(self) -> int | None:
        """What is left of the budget now, 0 at least; None without a budget."""
        return None if self._total_ns is None else max(0, self._total_ns - (self._clock() - self._start))

    def skip(self, processes: int) -> None:
        """Processes that will not come after all."""
        self._left -= processes
