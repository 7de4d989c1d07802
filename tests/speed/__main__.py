"""``make bench``: benchpact beside its peers, in turns; prints the ratios and writes docs/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.units import show
from tests.speed import contest, null_loop, outside, page, start, ten_million, whole_runs
from tests.speed.lines import Line, against_all, bounded, bounded_ns, compared
from tests.speed.rounds import pin, take_turns
from tests.speed.subjects import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"
PROCESSES, ROUNDS, TURN_S = 4, 9, 0.1
BY_HAND_TARGET, PEER_TARGET = 1.02, 1.0


def null() -> list[Line]:
    """The loop's own cost."""
    figures = take_turns(null_loop.sides(), 25, 0.05)
    ours, hand = figures["iteration"], figures["by hand"]
    return [
        bounded_ns("an iteration of the loop on `null`", ours, 200),
        compared("the same beside a hand-written Python loop", ours, hand, 1.25),
        bounded_ns("latency recorded for the empty call", figures["recorded"], 100),
        compared("the hand-written loop beside itself", hand, figures["by hand, again"], None),
    ]


def race(backend: str) -> list[Line]:
    """One backend on both models, in several fresh processes each."""
    targets: dict[str, float | None] = {contest.HAND: BY_HAND_TARGET}
    targets.update(dict.fromkeys(contest.PEERS[backend], PEER_TARGET))
    lines = []
    for name in ("tiny", "digits"):
        figures = raced(backend, name)
        lines += against_all(name, figures, contest.OURS, targets)
        lines.append(
            compared(f"{name}: {contest.HAND} beside itself", figures[contest.HAND], figures[contest.AGAIN], None)
        )
    return lines


def raced(backend: str, name: str) -> dict[str, list[float]]:
    """Every side's figures over all processes; every second one opens the sides in the opposite order.

    Of a peer that reports means, each process's quietest round stands for all: in its favour.
    """
    figures: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        into = Path(folder) / "figures.json"
        for index in range(PROCESSES):
            command = [sys.executable, "-m", "tests.speed.contest", backend, name, str(into)]
            command += ["--rounds", str(ROUNDS), "--seconds", str(TURN_S)] + ["--mirrored"] * (index % 2)
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            for side, values in json.loads(into.read_text(encoding="utf-8")).items():
                kept = [min(values)] * len(values) if side in contest.MEANS else values
                figures.setdefault(side, []).extend(kept)
    return figures


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
    spent = outside.in_turns(5)
    what = "outside measuring in a three-case run, beside the three frameworks' own import and load"
    lines.append(compared(what, spent[outside.OURS], spent[outside.THEIRS], 1.5))
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


SECTIONS: dict[str, Callable[[], Sequence[Line]]] = {
    "The loop alone": null,
    "ONNX Runtime: median latency": lambda: race("onnxruntime"),
    "PyTorch: median latency": lambda: race("pytorch"),
    "OpenVINO: median latency": lambda: race("openvino"),
    "Whole runs": whole,
    "Around the measurement": around,
    "A case with 10 million timings": large,
}


def main() -> None:
    """Measure every section, print it, write the page. What was not kept is said; it is no error."""
    parser = argparse.ArgumentParser(prog="python -m tests.speed", description=__doc__)
    parser.add_argument("--only", metavar="WORD", help="only sections with this word; the page is not written")
    only = parser.parse_args().only
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else every start would compile our modules anew, not the peers'
    cores, core, begin = len(os.sched_getaffinity(0)), pin(), time.monotonic()
    sections: dict[str, Sequence[Line]] = {}
    for title, measure in SECTIONS.items():
        if only is None or only.lower() in title.lower():
            print(f"\n{title}", flush=True)
            sections[title] = measure()
            for line in sections[title]:
                tell(line)
    took_s = time.monotonic() - begin
    if only is None:
        PAGE.write_text(page.render(sections, cores, core, took_s), encoding="utf-8")
        print(f"\nwritten: {PAGE.relative_to(ROOT)}, after {took_s:.0f} s")
    print(f"\n{page.count(sections)}")


def tell(line: Line) -> None:
    """One line on the terminal."""
    spread = f"{line.ratio.value:7.3f} × ({line.ratio.low:.3f}–{line.ratio.high:.3f})" if line.ratio else ""
    kept = {True: "kept", False: "NOT KEPT", None: ""}[line.kept]
    print(f"  {line.what:<75} {line.ours:>12} {line.theirs:>12} {spread:<28} {line.target:<14} {kept}", flush=True)


if __name__ == "__main__":
    main()
