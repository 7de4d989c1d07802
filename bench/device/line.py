"""The line at the door of a server: who has come, who is turned away, and what is issued together next.

Pure bookkeeping over a schedule, in ns of the process's clock; it neither waits nor issues.
"""

from __future__ import annotations

from collections import deque
from typing import Deque, List, NamedTuple, Optional, Tuple

from .arrivals import Schedule

AHEAD = 256
"""Arrivals that are taken from the schedule at a time."""


class Rules(NamedTuple):
    """How a server takes queries from its line.

    Up to ``max_batch`` that wait are issued together; a free worker waits for more of them for at most
    ``max_wait_ns`` from the first one's arrival. A query that comes while ``queue`` others wait is dropped (0:
    none is); those that a free worker takes, or collects, do not wait.
    """

    max_batch: int = 1
    max_wait_ns: int = 0
    queue: int = 0


Query = Tuple[int, int]
"""A query's number in order of arrival, and when it arrived."""


class Line:
    """Queries in order of arrival. ``dropped`` has the numbers of those that were turned away."""

    def __init__(self, coming: Schedule, rules: Rules) -> None:
        self.rules = rules
        self.start_ns = 0
        self.dropped: List[int] = []
        self._coming = coming
        self._ahead: Deque[int] = deque()
        self._waiting: Deque[Query] = deque()
        self._told = 0

    def admit(self, until_ns: int, idle: int) -> None:
        """Let in all that arrive up to ``until_ns``, while ``idle`` workers are free to take a batch each."""
        rules, waiting = self.rules, self._waiting
        room = rules.queue + idle * rules.max_batch if rules.queue else 0
        while self._look(1) and self._ahead[0] <= until_ns:
            due = self._ahead.popleft()
            if room and len(waiting) >= room:
                self.dropped.append(self._told)
            else:
                waiting.append((self._told, due))
            self._told += 1

    def go_ns(self) -> Optional[int]:
        """When the next batch is complete, or has waited long enough; None when nobody is left."""
        rules, waiting = self.rules, self._waiting
        if not waiting and not self._look(1):
            return None
        first_ns = waiting[0][1] if waiting else self._ahead[0]
        if rules.max_batch == 1:
            return first_ns
        if len(waiting) >= rules.max_batch:
            return waiting[rules.max_batch - 1][1]
        missing = rules.max_batch - len(waiting)
        full_ns = self._ahead[missing - 1] if self._look(missing) else first_ns + rules.max_wait_ns
        return min(full_ns, first_ns + rules.max_wait_ns)

    def take(self) -> List[Query]:
        """The next batch of those that wait."""
        return [self._waiting.popleft() for _ in range(min(self.rules.max_batch, len(self._waiting)))]

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def arrived(self, until_ns: int) -> int:
        """How many have come in all by ``until_ns``, let in or not."""
        while self._look(len(self._ahead) + 1) and self._ahead[-1] <= until_ns:
            pass
        return self._told + sum(due <= until_ns for due in self._ahead)

    def _look(self, count: int) -> bool:
        """Whether so many more will come."""
        if len(self._ahead) < count:
            found = self._coming.peek(max(AHEAD, count - len(self._ahead)))
            self._coming.take(len(found))
            self._ahead.extend((found + self.start_ns).tolist())
        return len(self._ahead) >= count
