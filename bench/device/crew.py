"""The server scenario with several workers, batches made of what waits, or a bounded queue.

Each worker is a thread. No thread hands queries to another: the free workers take turns to stand at the head of
the line (leader and followers: Schmidt et al., *Pattern-Oriented Software Architecture* 2, 2000). The one whose turn
it is waits for the next query, takes it, gives the turn on, and runs it. So queries are begun in order of arrival by
whichever worker is free first, and whoever waits for an arrival has no query to run.
"""

from __future__ import annotations

import sys
from collections import deque
from threading import Lock, Thread
from time import perf_counter_ns, sleep
from typing import Any, Callable, ContextManager, Deque, Dict, List, NamedTuple, Optional, Sequence, Set

import numpy as np

from .lead import Lead
from .line import Line, Query
from .loop import IDLE_NS, Span, wait_until
from .records import NEVER_NS
from .scenarios import BLOCK_NS, Block
from .serving import LOOK_BY_NS, Lateness, ServedBlock

REST_S = 0.001
"""How often a worker looks whether there is another line, where there may be one."""
SWITCH_S = 10e-6
"""How long a worker that is back from the model asks for the interpreter before it gets it; Python's own is 5 ms."""


class Station(NamedTuple):
    """Where a worker runs queries: staged ones by their number of samples, and what runs them."""

    run: Callable[[Any], Any]
    advance: Optional[Callable[[Any], None]]
    staged: Dict[int, Sequence[Any]]
    batch: int
    """Samples of one query."""


class _Issue(NamedTuple):
    """A batch that was run: its queries, and when; ``free_ns`` is since when its worker was free."""

    queries: List[Query]
    free_ns: int
    go_ns: int
    issued_ns: int
    ended_ns: int

    @property
    def waited(self) -> bool:
        """Whether it waited for the worker, not the worker for it."""
        return self.go_ns <= self.free_ns


class Crew:
    """Serves a line with the station of this thread and those that ``others`` open, each in a thread of its own.

    Opened, used as ``OpenLoop`` is, and closed when done. ``window_ns`` is waited for at the end, where it is given.
    ``timeout_ns`` only counts what is answered later than that; a query that is dropped is ``NEVER_NS`` late. With
    ``stays`` the workers stay at their stations when a line ends, and may ``follow`` another one until it is closed.
    ``may_poll`` as long as sleeps end late (see ``lead``). ``between_ns`` is as in ``OpenLoop``; also None of several
    workers, which wait there for each other's models to let go of the interpreter.
    """

    def __init__(
        self,
        line: Line,
        station: Station,
        others: Sequence[Callable[[], ContextManager[Station]]] = (),
        window_ns: Optional[int] = None,
        timeout_ns: int = 0,
        stays: bool = False,
        may_poll: bool = True,
    ) -> None:
        self.lead = Lead(may_poll)
        self._station, self._timeout_ns, self._stays = station, timeout_ns, stays
        self._turn = Lock()
        self._idle = [True] * (1 + len(others))
        self._ready: List[int] = []
        self._resting: Set[int] = set()
        self._errors: List[BaseException] = []
        self._begin(line, window_ns)
        self._threads = [Thread(target=self._man, args=pair, daemon=True) for pair in enumerate(others, 1)]
        self._switch_s = sys.getswitchinterval()

    def _begin(self, line: Line, window_ns: Optional[int]) -> None:
        """Nothing of this line is told yet."""
        self.lateness = Lateness()
        self.answered = self.timed_out = self.issues = self.batch_max = 0
        self.between_ns: Optional[int] = None if len(self._idle) > 1 or self._station.advance else 0
        self._issues: Deque[_Issue] = deque()
        self._running, self._done = [0] * len(self._idle), [0] * len(self._idle)
        self._depths: Deque[int] = deque()
        self._late: Dict[int, int] = {}
        self._told = self._drops_told = self._busy_ns = self._queue_max = 0
        self._stopping, self._window_ns = bool(self._errors), window_ns
        self._start_ns = self._before_ns = self._last_ns = line.start_ns = perf_counter_ns()
        self._free_ns = [self._start_ns] * len(self._idle)
        self._line = line

    @property
    def dropped(self) -> int:
        """Queries that were turned away."""
        return len(self._line.dropped)

    def block(self) -> Optional[ServedBlock]:
        """Serve until it is time for a look, and tell what was answered meanwhile; None when all is done."""
        while True:
            begin = now = perf_counter_ns()
            taken: Optional[List[Query]] = []
            while now < begin + LOOK_BY_NS:
                taken = self._serve(0, self._station, begin + BLOCK_NS)
                if not taken:
                    break
                now = perf_counter_ns()
            if taken is None:
                self._end()
            self.complain()
            found = self._collect(ended=taken is None)
            if found is not None or taken is None:
                return found

    def stop(self) -> None:
        """Issue nothing more: what is being answered is one last block."""
        self._stopping = True
        self._window_ns = None

    def unanswered(self) -> int:
        """Queries that have arrived by now, were let in, and are not answered; nothing is issued after this."""
        self.close()
        self._hear()
        return self._line.arrived(perf_counter_ns()) - self.answered - self.dropped

    def follow(self, line: Line, window_ns: Optional[int] = None) -> None:
        """Serve another line with the same stations; its zero is now. What the last one left is forgotten."""
        self._end()
        with self._turn:
            self._resting.clear()
            self._begin(line, window_ns)

    def _end(self) -> None:
        """The line is over: the others go home, or rest until there is another."""
        self._stopping = True
        if not self._stays:
            self.close()
        while self._stays and len(self._resting) < len(self._threads) and not self._errors:
            sleep(REST_S)

    def close(self) -> None:
        """End the other workers when the query they run is done."""
        self._stopping, self._stays = True, False
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()
        sys.setswitchinterval(self._switch_s)

    def open(self) -> None:
        """Man every station; the first turn is given out when all are ready, and that is the schedule's zero."""
        sys.setswitchinterval(SWITCH_S)
        with self._turn:
            for thread in self._threads:
                thread.start()
            while len(self._ready) < len(self._threads) and not self._errors:
                sleep(0.001)
            self._begin(self._line, self._window_ns)

    def complain(self) -> None:
        """Raise what a further worker raised, also when it left its station."""
        if self._errors:
            raise self._errors[0]

    def _man(self, at: int, opened: Callable[[], ContextManager[Station]]) -> None:
        """A worker's thread: whatever it raises is raised where the blocks are asked for."""
        try:
            with opened() as station:
                self._ready.append(at)
                while True:
                    line = self._line
                    while self._serve(at, station, None):
                        pass
                    self._resting.add(at)
                    while self._stays and self._line is line:
                        sleep(REST_S)
                    if not self._stays:
                        return
        except BaseException as error:  # noqa: BLE001 - a thread has nobody else to tell
            self._errors.append(error)
            self._stopping = True

    def _serve(self, at: int, station: Station, look_ns: Optional[int]) -> Optional[List[Query]]:
        """One turn and the batch that it gave: none where it is time for a look, None where nobody is left."""
        with self._turn:
            issue = self._lead(at, look_ns)
        if not issue:
            return None if issue is None else []
        queries: List[Query]
        queries, go_ns = issue
        pool = station.staged[len(queries)]
        staged = pool[queries[0][0] % len(pool)]
        issued_ns = perf_counter_ns()
        outputs = station.run(staged)
        ended_ns = perf_counter_ns()
        self._issues.append(_Issue(queries, self._free_ns[at], go_ns, issued_ns, ended_ns))
        if station.advance is not None:
            station.advance(outputs)
        self._free_ns[at] = ended_ns
        self._done[at], self._running[at] = len(queries), 0
        self._idle[at] = True
        return queries

    def _lead(self, at: int, look_ns: Optional[int]) -> Any:
        """At the head of the line: (queries, when they were to go), once they go.

        Those that came while this worker was busy found it so; from then on it is free to take some. The system is
        fullest right before a batch is done, or right before one is begun.
        """
        line, free_ns = self._line, self._free_ns[at]
        line.admit(free_ns, sum(self._idle) - 1)
        if self._done[at]:
            self._depths.append(len(line) + sum(self._running) + self._done[at])
            self._done[at] = 0
        while not self._stopping:
            go_ns = line.go_ns()
            if go_ns is None:
                return None
            now = perf_counter_ns()
            if look_ns is not None and now >= look_ns and go_ns - now > IDLE_NS:
                return ()
            if go_ns - now > self.lead.ns:
                wake_ns = min(go_ns - self.lead.ns, now + LOOK_BY_NS)
                sleep((wake_ns - now) / 1e9)
                self.lead.learn(perf_counter_ns() - wake_ns)
                continue
            while now < go_ns:
                if self._threads:
                    sleep(0)  # lets go of the interpreter, which a worker that is back from the model waits for
                now = perf_counter_ns()
            line.admit(now, sum(self._idle))
            self._depths.append(len(line) + sum(self._running))
            self._idle[at] = False
            queries = line.take()
            self._running[at] = len(queries)
            return queries, go_ns
        return None

    def _hear(self) -> None:
        """Take in what was issued and dropped since the last time."""
        late = []
        while self._issues:
            one = self._issues.popleft()
            self.answered += len(one.queries)
            self.issues += 1
            self.batch_max = max(self.batch_max, len(one.queries))
            for number, due_ns in one.queries:
                self._late[number] = one.ended_ns - due_ns
                self.timed_out += 0 < self._timeout_ns < one.ended_ns - due_ns
            self._busy_ns += one.ended_ns - (one.free_ns if one.waited else one.issued_ns)
            self._last_ns = max(self._last_ns, one.ended_ns)
            if not one.waited:
                late.append(one.issued_ns - one.go_ns)
            elif self.between_ns is not None:
                self.between_ns += one.issued_ns - one.free_ns
        while self._depths:
            self._queue_max = max(self._queue_max, self._depths.popleft())
        self.lateness.add(np.array(late, np.int64))
        drops = self._line.dropped[self._drops_told :]
        self._drops_told += len(drops)
        self._late.update(dict.fromkeys(drops, NEVER_NS))

    def _collect(self, ended: bool) -> Optional[ServedBlock]:
        """What is known without a hole, in order of arrival, as a block from the last one's end."""
        self._hear()
        latencies = []
        while self._told in self._late:
            latencies.append(self._late.pop(self._told))
            self._told += 1
        if not latencies:
            return None
        if ended and self._window_ns is not None:
            wait_until(self._start_ns + self._window_ns)
        end_ns = max(self._before_ns, perf_counter_ns())
        span, self._before_ns = Span(self._before_ns, end_ns - self._before_ns), end_ns
        answered = len(latencies) - latencies.count(NEVER_NS)
        found = ServedBlock(Block(latencies, answered * self._station.batch, span), self._busy_ns, self._queue_max)
        self._busy_ns = self._queue_max = 0
        return found
