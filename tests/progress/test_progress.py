"""What a person sees while a run measures: nothing, plain lines, or a display that leaves no trace."""

from __future__ import annotations

import io
import os
import re
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings

from bench import progress
from bench.progress import Lines, Live, Progress, Quiet
from bench.report.text import clean
from bench.results import Failure
from tests.progress.terminal import Screen, run_in_terminal
from tests.report.example import every_outcome
from tests.report.hostile import hostile_text

RESULTS = every_outcome().cases
SCRIPT = """
    import sys, time
    from bench.progress import choose
    from tests.report.example import every_outcome
    display = choose(sys.stderr)
    display.run_started("20251124-060000-a1b2c3", ["ort-1.single-stream", "torch-ts.single-stream"])
    for index, result in enumerate((every_outcome().cases[0], every_outcome().cases[2])):
        display.case_started(result.case, index, 2, 3, 2_000_000_000)
        for process in range(2):
            for phase in ("start", "import", "load", "measure"):
                display.phase(process, phase)
                display.measured(1234 * process, 10**9)
                time.sleep(0.05)
        display.note("the load is high")
        display.case_done(result)
"""
KEPT = [
    "note: the load is high",
    "[1/2] ort-1.single-stream: 5 met (8.4 s)",
    "note: the load is high",
    "[2/2] torch-ts.single-stream: 1 missed, 1 undecided, 2 not measured, 1 process failed (8.4 s)",
]


def script(end: str) -> str:
    root = str(Path(__file__).parents[2])
    return f"import sys; sys.path.insert(0, {root!r})\n" + textwrap.dedent(SCRIPT) + textwrap.dedent(end)


def tell_all(display: Progress, text: str = "") -> None:
    """A whole run told to the display, every name in it with ``text``."""
    display.run_started(f"run{text}", [f"case{text}"] * 3)
    display.case_started(f"case{text}", 0, 3, 2, 0)
    display.phase(0, f"measure{text}")
    display.measured(1_234_567, 5_000_000_000)
    display.note(f"note{text}")
    failure = Failure("Error" + text, "message" + text, "load" + text)
    for result in (*RESULTS, replace(RESULTS[0], failure=failure)):
        display.case_done(result)
    display.run_done()
    display.run_done()


def test_quiet_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    tell_all(Quiet())
    assert capfd.readouterr() == ("", "")


def test_lines_say_one_line_a_case_and_each_note() -> None:
    stream = io.StringIO()
    tell_all(Lines(stream))
    assert stream.getvalue().splitlines() == [
        "run run: 3 cases",
        "note: note",
        "[1/3] case: 5 met (8.4 s)",
        "[1/3] case: 1 met (8.4 s)",
        "[1/3] case: 1 missed, 1 undecided, 2 not measured, 1 process failed (8.4 s)",
        "[1/3] case: failed in load: ModelRejected: opset 99 is not supported (8.4 s)",
        "[1/3] case: failed in load: Error: message (8.4 s)",
    ]


def test_verbose_lines_name_each_phase_of_each_process() -> None:
    stream = io.StringIO()
    tell_all(Lines(stream, verbose=True))
    assert "[1/3] case: process 1: measure\n" in stream.getvalue()


@settings(deadline=None, max_examples=80)
@given(hostile_text)
def test_no_text_becomes_anything_but_text_in_lines(text: str) -> None:
    stream = io.StringIO()
    tell_all(Lines(stream, verbose=True), text)
    lines = stream.getvalue().split("\n")
    assert len(lines) == 9
    assert [clean(line) for line in lines] == lines


def test_a_stream_that_can_no_longer_be_written_ends_no_run() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w", buffering=1) as stream:
        tell_all(Lines(stream))
        # What is still in the stream's buffer can no longer be flushed: its own close must not be the test's error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), write)
    assert stream.closed
    tell_all(Lines(stream))


def test_a_stream_that_cannot_write_a_character_writes_the_others() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    Lines(stream).note("3 µs")
    assert raw.getvalue() == b"note: 3 ?s\n"


def test_what_moves_is_gone_after_the_run_and_the_cursor_is_back() -> None:
    code, written = run_in_terminal(script("display.run_done(); display.run_done()"), width=120)
    screen = Screen(120)
    screen.feed(written)
    assert code == 0
    assert "process 2/3 · measure · 1\u202f234 queries" in written, "it did move"
    assert "\x1b[?25l" in written, "it did hide the cursor"
    assert screen.shown() == KEPT
    assert not screen.cursor_hidden


@pytest.mark.parametrize("width", [20, 60, 200])
def test_no_line_is_left_over_whatever_the_terminal_s_width(width: int) -> None:
    code, written = run_in_terminal(script("display.run_done()"), width)
    screen = Screen(width)
    screen.feed(written)
    assert code == 0
    assert "".join(screen.shown()).replace(" ", "") == "".join(KEPT).replace(" ", "")
    assert not screen.cursor_hidden


def test_after_an_exception_the_display_is_ended_and_the_traceback_can_be_read() -> None:
    end = """
        try:
            raise RuntimeError("the disk is full")
        finally:
            display.run_done()
    """
    code, written = run_in_terminal(script(end))
    screen = Screen(80)
    screen.feed(written)
    assert code == 1
    assert not screen.cursor_hidden
    assert screen.shown()[-1] == "RuntimeError: the disk is full"
    assert not [line for line in screen.shown() if "process 2/3" in line]


@pytest.mark.parametrize(
    "end", ["raise RuntimeError('nobody called run_done')", "raise KeyboardInterrupt", "sys.exit(3)"]
)
def test_the_cursor_comes_back_even_where_nobody_ends_the_display(end: str) -> None:
    _, written = run_in_terminal(script(end))
    screen = Screen(80)
    screen.feed(written)
    assert "\x1b[?25l" in written
    assert not screen.cursor_hidden
    assert not [line for line in screen.shown() if "process 2/3" in line]


def test_a_verbose_display_keeps_a_line_for_each_phase() -> None:
    verbose = script("display.run_done()").replace("choose(sys.stderr)", "choose(sys.stderr, verbose=True)")
    code, written = run_in_terminal(verbose)
    screen = Screen(80)
    screen.feed(written)
    assert code == 0
    assert "[1/2] ort-1.single-stream: process 2: measure" in screen.shown()


def test_a_library_s_print_does_not_tear_the_display() -> None:
    end = "print('from a library', file=sys.stderr); time.sleep(0.4); display.run_done()"
    _, written = run_in_terminal(script(end))
    screen = Screen(80)
    screen.feed(written)
    assert screen.shown()[-1] == "from a library"


@settings(deadline=None, max_examples=15)
@given(hostile_text)
def test_no_text_becomes_anything_but_text_on_a_terminal(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TERM", "xterm-256color")
        patch.setenv("COLUMNS", "100")
        stream = Terminal()
        tell_all(Live(stream, verbose=True), text)
    screen = Screen(100)
    screen.feed(stream.getvalue().replace("\n", "\r\n"))  # raises on any control sequence but a display's own
    assert not screen.cursor_hidden
    assert [clean(line) for line in screen.lines] == screen.lines
    links = re.findall(r"\x1b\][^\x1b\x07]*", stream.getvalue())
    assert not links


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_the_display_suits_its_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert type(progress.choose(Terminal())) is Live
    assert type(progress.choose(io.StringIO())) is Lines
    assert type(progress.choose(Terminal(), quiet=True)) is Quiet
    monkeypatch.setenv("TERM", "dumb")
    assert type(progress.choose(Terminal())) is Lines, "a terminal that cannot move its cursor gets lines"


def test_a_display_that_was_never_started_leaves_nothing() -> None:
    stream = Terminal()
    Live(stream).run_done()
    assert stream.getvalue() == ""


def test_a_log_is_told_of_each_tenth_of_what_takes_long_and_of_the_time_left() -> None:
    stream = io.StringIO()
    display = Lines(stream)
    hour = 3600 * progress.NS_PER_S
    display.case_started("a.soak", 0, 1, 1, 2 * hour)
    display.phase(0, "measure")
    for minute in range(121):
        display.measured(minute, minute * hour // 60)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 9
    assert lines[0] == "[1/1] a.soak: 10 % measured · 1 h 48 min left"
    assert lines[-1] == "[1/1] a.soak: 90 % measured · 12 min left"


def test_a_log_is_told_which_process_a_case_has_come_to_where_it_was_told_nothing_for_long() -> None:
    stream, now = io.StringIO(), [0]
    display = Lines(stream, clock=lambda: now[0])
    display.case_started("a.cold-start", 0, 2, 40, 10**9, 8)
    for index in (0, 1, 2, 7, 8):
        for phase in ("start", "load", "measure"):
            display.phase(index, phase)
            now[0] += 2 * progress.NS_PER_S
    display.case_started("a.offline", 1, 2, 3, 10**9)
    for index in range(3):
        display.phase(index, "start")
        now[0] += 5 * progress.NS_PER_S
    assert stream.getvalue().splitlines() == [
        "[1/2] a.cold-start: process 3, at least 8",
        "[1/2] a.cold-start: process 9, at most 40",
        "[2/2] a.offline: process 3/3",
    ]


def test_a_terminal_shows_how_many_processes_are_sure_to_come_and_then_how_many_at_most() -> None:
    end = """
        display.case_started("a.single-stream", 0, 1, 40, 10**9, 8)
        for process in (2, 8):
            display.phase(process, "measure")
            display.measured(10, 10**8)
            time.sleep(0.6)
        display.run_done()
    """
    code, written = run_in_terminal(script(end), width=120)
    assert code == 0
    assert "process 3, at least 8 · measure" in written
    assert "process 9, at most 40 · measure" in written


def test_a_terminal_shows_the_time_left_of_what_takes_long() -> None:
    end = """
        display.case_started("a.soak", 0, 1, 1, 7200 * 10**9)
        display.phase(0, "measure")
        display.measured(10, 10**9)
        time.sleep(1.5)
        display.run_done()
    """
    _, written = run_in_terminal(script(end), width=120)
    assert "10 queries · 1 h 59 min left" in written


def test_time_left_is_told_in_the_units_that_matter() -> None:
    told = [progress.time_left(int(s * progress.NS_PER_S)) for s in (0, 0.2, 59, 60, 3600, 7320)]
    assert told == ["", " · 1 s left", " · 59 s left", " · 1 min left", " · 1 h left", " · 2 h 2 min left"]
