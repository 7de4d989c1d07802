"""``make bench``: benchpact beside its peers, in turns; prints the ratios and writes docs/benchmarks.md."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence

from bench.units import show
from tests.speed import contest, fresh, outside, page, plot, soon, start, ten_million, verdicts, whole_runs
from tests.speed.lines import Line, Section, bounded, bounded_ns, compared, lines_of
from tests.speed.rounds import pin, take_turns
from tests.speed.subjects import ROOT
from tests.speed.under_load import arriving, drawing, four_scenarios, peak_rate, queue_of_one
from tests.speed.under_load.runs import SERVICE_NS

PAGE, PLOT = ROOT / "docs" / "benchmarks.md", ROOT / "docs" / "wrong-by-limit.svg"
DRAWN: dict[str, str] = {}
"""Plots that go beside the page: name -> SVG."""
PROCESSES, ROUNDS, TURN_S = 4, 9, 0.1
RACES, RACE_ROUNDS = 6, 6
"""Processes of a race, and rounds in each: processes differ by more than rounds do."""
BY_HAND_TARGET, PEER_TARGET = 1.02, 1.0


def null() -> list[Line]:
    """The loop's own cost, in several fresh processes."""
    figures: dict[str, list[float]] = {}
    for _ in range(PROCESSES):
        for side, values in fresh.measured("null_loop", str(ROUNDS), str(TURN_S)).items():
            figures.setdefault(side, []).extend(values)
    ours, hand = figures["iteration"], figures["by hand"]
    return [
        bounded_ns("an iteration of the loop on `null`", ours, 200),
        compared("the same beside a hand-written Python loop", ours, hand, 1.25),
        bounded_ns("latency recorded for the empty call", figures["recorded"], 100),
        compared("the hand-written loop beside itself", hand, figures["by hand, again"], None),
    ]


def race(backend: str) -> list[Line]:
    """One backend on both models, in several fresh processes each."""
    targets: dict[str, float | None] = {contest.HAND: BY_HAND_TARGET, contest.SHORTEST: BY_HAND_TARGET}
    like = contest.LIKE.get(backend, ())
    targets.update(dict.fromkeys(contest.PEERS[backend], PEER_TARGET))
    for own, theirs in like:  # held to a target is like beside like; our latency beside their clock only informs
        targets[theirs] = None
        del targets[own]
    lines = []
    for name in ("tiny", "digits"):
        figures = raced(backend, name)
        quiet = {side: quietest(values) for side, values in figures.items()}
        for side, most in targets.items():
            held = quiet if side in contest.MEANS else figures
            lines.append(compared(f"{name}: {side}", held[contest.OURS], held[side], most))
        lines += [
            compared(f"{name}: {own}, beside {them}", figures[own], figures[them], PEER_TARGET) for own, them in like
        ]
        lines.append(
            compared(f"{name}: {contest.HAND} beside itself", figures[contest.HAND], figures[contest.AGAIN], None)
        )
    return lines


def raced(backend: str, name: str) -> dict[str, list[float]]:
    """Every side's figures over all processes; every second one opens the sides in the opposite order."""
    figures: dict[str, list[float]] = {}
    said = [backend, name, "--rounds", str(RACE_ROUNDS), "--seconds", str(TURN_S)]
    for index in range(RACES):
        for side, values in fresh.measured("contest", *said, *["--mirrored"] * (index % 2)).items():
            figures.setdefault(side, []).extend(values)
    return figures


def quietest(values: Sequence[float]) -> list[float]:
    """Each process's quietest round: how a mean is compared, which other programs on the machine raise."""
    return [min(values[at : at + RACE_ROUNDS]) for at in range(0, len(values), RACE_ROUNDS)]


def whole() -> list[Line]:
    """Whole runs by the command line beside whole processes by hand."""
    lines = []
    for name in ("tiny", "digits"):
        figures = whole_runs.in_turns(name, 7)
        ours, hand = figures[whole_runs.OURS], figures[whole_runs.HAND]
        lines.append(
            compared(f"{name}: stored by `benchpact run`, beside a process by hand", ours, hand, BY_HAND_TARGET)
        )
    return lines


def around() -> list[Line]:
    """Starting, and everything about a run that is not measuring."""
    started = take_turns(start.sides(), 15, 0)
    ours, theirs = started[start.OURS], started[start.THEIRS]
    lines = [compared(f"`{start.OURS}` beside `{start.THEIRS}`", ours, theirs, start.TIMES, start.PLUS_NS)]
    spent = outside.in_turns(9)
    for what, side, most in (
        ("outside measuring (the timed loop, warm-up and closure audit count as measuring)", outside.OURS, 1.5),
        ("outside the timed loop (warm-up and closure audit count as well)", outside.OUTSIDE_LOOP, None),
    ):
        said = f"a three-case run, {what}, beside the three frameworks' own import and load"
        lines.append(compared(said, spent[side], spent[outside.THEIRS], most))
    return lines


def large() -> list[Line]:
    """Ten million timings."""
    found = ten_million.measure()
    total_s = found.summary_s + found.report_s
    peak = max(found.run_bytes, found.judge_bytes)
    return [
        bounded(
            "memory of the host while it measures, judges and reports", show(peak, "bytes"), "≤ 400 MB", peak <= 400e6
        ),
        bounded(
            "summary and report",
            f"{total_s:.2f} s ({found.summary_s:.2f} s and {found.report_s:.2f} s)",
            "≤ 2 s",
            total_s <= 2,
        ),
    ]


def waiting() -> list[Line]:
    """Four loads on a device of known service time, and a plot of them."""
    waited, points = queue_of_one.measure()
    DRAWN[drawing.FILE] = drawing.render(points, SERVICE_NS)
    return queue_of_one.lines(waited)


SECTIONS: dict[str, Callable[[], Section]] = {
    "The loop alone": null,
    "ONNX Runtime: median latency": lambda: race("onnxruntime"),
    "PyTorch: median latency": lambda: race("pytorch"),
    "OpenVINO: median latency": lambda: race("openvino"),
    "Whole runs": whole,
    "Around the measurement": around,
    "A case with 10 million timings": large,
    "Wrong verdicts": verdicts.measure,
    "Time to a verdict": lambda: soon.lines(soon.measure()),
    "Under load: waiting beside the theory": waiting,
    "Under load: lateness and stalls": lambda: arriving.lines(arriving.measure()),
    "Under load: the highest rate that keeps a p99": lambda: peak_rate.lines(peak_rate.measure()),
    "Under load: beside LoadGen in its four scenarios": lambda: four_scenarios.lines(four_scenarios.measure()),
}


def main() -> None:
    """Measure every section, print it, write the page. What was not kept is said; it is no error."""
    parser = argparse.ArgumentParser(prog="python -m tests.speed", description=__doc__)
    some = parser.add_mutually_exclusive_group()
    some.add_argument("--only", metavar="WORD", help="only sections with this word; the page is not written")
    some.add_argument("--again", metavar="WORD", help="sections with this word anew, into the page that there is")
    said = parser.parse_args()
    word = said.only or said.again or ""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else every start would compile our modules anew, not the peers'
    cores, core, begin = len(os.sched_getaffinity(0)), pin(), time.monotonic()
    sections: dict[str, Section] = {}
    for title, measure in SECTIONS.items():
        if word.lower() in title.lower():
            print(f"\n{title}", flush=True)
            sections[title] = measure()
            for line in lines_of(sections[title]):
                tell(line)
    took_s = time.monotonic() - begin
    if said.only is None:
        measured = page.render(sections, cores, core, took_s) if said.again is None else None
        text = measured or page.renewed(PAGE.read_text(encoding="utf-8"), sections)
        PAGE.write_text(text, encoding="utf-8")
        PLOT.write_text(plot.draw(text), encoding="utf-8")
        for name, svg in DRAWN.items():
            (PAGE.parent / name).write_text(svg, encoding="utf-8")
        print(f"\nwritten: {PAGE.relative_to(ROOT)} and {PLOT.relative_to(ROOT)}, after {took_s:.0f} s")
    print(f"\n{page.count(sections)}")


def tell(line: Line) -> None:
    """One line on the terminal."""
    spread = f"{line.ratio.value:7.3f} × ({line.ratio.low:.3f}–{line.ratio.high:.3f})" if line.ratio else ""
    kept = {True: "kept", False: "NOT KEPT", None: ""}[line.kept]
    print(f"  {line.what:<75} {line.ours:>12} {line.theirs:>12} {spread:<28} {line.target:<14} {kept}", flush=True)


if __name__ == "__main__":
    main()
