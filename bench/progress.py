"""What a person sees while a run measures: an interface, and its three implementations.

A run calls it from one thread, and only between blocks: nothing here is ever inside the timed loop.
"""

from __future__ import annotations

import atexit
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol, TextIO, cast

from bench.report.text import clean, plural
from bench.results import CaseResult, Outcome

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

NS_PER_S = 1_000_000_000


TOLD_NS, LONG_NS = 30 * NS_PER_S, 600 * NS_PER_S
"""Measurements of a process from which on the time that is left is shown, and a log is told of each tenth."""
SILENT_NS = 10 * NS_PER_S
"""Longest that a log is told nothing while processes come and go."""


def time_left(left_ns: int) -> str:
    """`` · 1 h 12 min left``, ``… 3 min left``, ``… 40 s left``; "" where it is over."""
    if left_ns <= 0:
        return ""
    seconds = -(-left_ns // NS_PER_S)
    hours, minutes = divmod(seconds // 60, 60)
    words = [f"{hours} h"] * (hours > 0) + [f"{minutes} min"] * (minutes > 0)
    return f" · {' '.join(words) or f'{seconds} s'} left"


def which(process_index: int, processes: int, least: int | None) -> str:
    """``process 2/3``; where it is not known how many there will be ``process 2, at least 8``."""
    if least is None:
        return f"process {process_index + 1}/{processes}"
    return f"process {process_index + 1}, " + (f"at least {least}" if process_index < least else f"at most {processes}")


class Progress(Protocol):
    """Told what a run does. All times are ns; no method raises or blocks."""

    def run_started(self, run_id: str, cases: Sequence[str]) -> None:
        """The run has a name; ``cases`` are the ids it will measure, in order."""

    def case_started(
        self, case_id: str, index: int, count: int, processes: int, budget_ns: int, least: int | None = None
    ) -> None:
        """Case ``index`` (from 0) of ``count``, in so many ``processes``; ``budget_ns``: the longest that one measures.

        ``least``: where what is seen decides how many there are, as many as are sure to come; ``processes`` is then
        the most.
        """

    def phase(self, process_index: int, phase: str) -> None:
        """Process ``process_index`` (from 0) of the case enters ``phase`` (a name of records.PHASES)."""

    def measured(self, queries: int, elapsed_ns: int) -> None:
        """What the process has measured so far; called between blocks, at most about 10 times a second."""

    def case_done(self, result: CaseResult) -> None:
        """The case is stored."""

    def note(self, text: str) -> None:
        """Something the person should read now."""

    def run_done(self) -> None:
        """Nothing more comes. May be called twice: the command line calls it also after an exception."""


def outcome_line(result: CaseResult) -> str:
    """What became of a case in a few words: ``3 met, 1 missed`` or why it failed."""
    if result.failure is not None:
        where = f" in {result.failure.phase}" if result.failure.phase else ""
        return clean(f"failed{where}: {result.failure.error}: {result.failure.message}")
    counts = Counter(verdict.outcome for verdict in result.verdicts)
    failed = sum(process.failure is not None for process in result.process_runs)
    words = [f"{counts[outcome]} {outcome.value}" for outcome in Outcome if counts[outcome]]
    if failed:
        words.append(f"{plural(failed, 'process', 'processes')} failed")
    return ", ".join(words) or "measured"


class Quiet:
    """Says nothing (``-q``)."""

    def run_started(self, run_id: str, cases: Sequence[str]) -> None:
        pass

    def case_started(
        self, case_id: str, index: int, count: int, processes: int, budget_ns: int, least: int | None = None
    ) -> None:
        pass

    def phase(self, process_index: int, phase: str) -> None:
        pass

    def measured(self, queries: int, elapsed_ns: int) -> None:
        pass

    def case_done(self, result: CaseResult) -> None:
        pass

    def note(self, text: str) -> None:
        pass

    def run_done(self) -> None:
        pass


class _Lasting:
    """A stream that a run outlives: what cannot be written (a closed pipe, a gone terminal) is left unsaid."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        encoding = self._stream.encoding or "utf-8"
        with suppress(OSError, ValueError):
            self._stream.write(text.encode(encoding, "replace").decode(encoding))
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Lines(Quiet):
    """Plain lines, one a case, where nobody watches: a log file, a nightly job. ``-v`` adds the phases.

    Where a case takes long, also a line for the process that it has come to; ``clock`` gives ns.
    """

    def __init__(self, stream: TextIO, verbose: bool = False, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._stream, self._verbose, self._clock = _Lasting(stream), verbose, clock
        self._label, self._budget_ns, self._tenths = "", 1, 0
        self._processes: tuple[int, int | None] = (1, None)
        self._process, self._said_ns = 0, clock()

    def _say(self, line: str) -> None:
        self._said_ns = self._clock()
        self._stream.write(line + "\n")
        self._stream.flush()

    def run_started(self, run_id: str, cases: Sequence[str]) -> None:
        self._say(f"run {clean(run_id)}: {plural(len(cases), 'case')}")

    def case_started(
        self, case_id: str, index: int, count: int, processes: int, budget_ns: int, least: int | None = None
    ) -> None:
        self._label = f"[{index + 1}/{count}] {clean(case_id)}"
        self._budget_ns, self._tenths = max(budget_ns, 1), 0
        self._processes, self._process, self._said_ns = (processes, least), 0, self._clock()

    def phase(self, process_index: int, phase: str) -> None:
        self._tenths = 0
        if self._verbose:
            self._say(f"{self._label}: process {process_index + 1}: {clean(phase)}")
        elif process_index != self._process and self._clock() - self._said_ns >= SILENT_NS:
            self._say(f"{self._label}: {which(process_index, *self._processes)}")
        self._process = process_index

    def measured(self, queries: int, elapsed_ns: int) -> None:
        """A line each tenth of what takes long, so that a log tells that it goes on."""
        done = 10 * elapsed_ns // self._budget_ns
        if self._budget_ns >= LONG_NS and done != self._tenths and done < 10:
            self._tenths = done
            left = time_left(self._budget_ns - elapsed_ns)
            self._say(f"{self._label}: {10 * done} % measured{left}")

    def case_done(self, result: CaseResult) -> None:
        self._say(f"{self._label}: {outcome_line(result)} ({result.duration_ns / NS_PER_S:.1f} s)")

    def note(self, text: str) -> None:
        self._say(f"note: {clean(text)}")


class Live(Quiet):
    """A moving display on a terminal: one bar for the run, one line for what is being done now.

    What stays is what ``Lines`` says; the moving lines are gone after ``run_done``, and the cursor is back.
    """

    def __init__(self, stream: TextIO, verbose: bool = False) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        # Drawn four times a second: the drawing thread shares the cores with what is measured.
        self._bars: Bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=16),
            TextColumn("{task.fields[detail]}", markup=False),
            TimeElapsedColumn(),
            console=Console(file=cast(TextIO, _Lasting(stream))),
            refresh_per_second=4,
            transient=True,
        )
        self._verbose = verbose
        self._run: TaskID | None = None
        self._case: TaskID | None = None
        self._processes: tuple[int, int | None] = (1, None)
        self._budget_ns, self._process, self._phase, self._label = 1, 0, "", ""

    def run_started(self, run_id: str, cases: Sequence[str]) -> None:
        self._run = self._bars.add_task("run", total=len(cases), detail=clean(run_id))
        self._bars.start()
        atexit.register(self.run_done)  # the cursor is hidden until then

    def case_started(
        self, case_id: str, index: int, count: int, processes: int, budget_ns: int, least: int | None = None
    ) -> None:
        self._processes, self._budget_ns, self._process, self._phase = (processes, least), max(budget_ns, 1), 0, ""
        self._label = f"[{index + 1}/{count}] {clean(case_id)}"
        if self._case is not None:
            self._bars.remove_task(self._case)
        self._case = self._bars.add_task(clean(case_id), total=processes if least is None else least, detail="")

    def phase(self, process_index: int, phase: str) -> None:
        self._process, self._phase = process_index, phase
        self._show(0.0, "")
        if self._verbose:
            self._print(f"{self._label}: process {process_index + 1}: {clean(phase)}")

    def measured(self, queries: int, elapsed_ns: int) -> None:
        left = time_left(self._budget_ns - elapsed_ns) if self._budget_ns >= TOLD_NS else ""
        self._show(min(elapsed_ns / self._budget_ns, 1.0), f" · {queries:,} queries".replace(",", "\u202f") + left)

    def _show(self, share: float, more: str) -> None:
        if self._case is not None:
            detail = f"{which(self._process, *self._processes)} · {clean(self._phase)}{more}"
            self._bars.update(self._case, completed=self._process + share, detail=detail)

    def case_done(self, result: CaseResult) -> None:
        if self._run is not None:
            self._bars.advance(self._run)
        self._print(f"{self._label}: {outcome_line(result)} ({result.duration_ns / NS_PER_S:.1f} s)")

    def note(self, text: str) -> None:
        self._print(f"note: {clean(text)}")

    def _print(self, line: str) -> None:
        """A line that stays, above the moving ones."""
        self._bars.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def run_done(self) -> None:
        atexit.unregister(self.run_done)
        if self._run is not None:
            self._bars.stop()


def choose(stream: TextIO, *, quiet: bool = False, verbose: bool = False) -> Progress:
    """The display that suits ``stream``: moving on a terminal that can, plain lines elsewhere, nothing if quiet."""
    if quiet:
        return Quiet()
    moves = stream.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")
    return Live(stream, verbose) if moves else Lines(stream, verbose)
