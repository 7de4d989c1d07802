"""How long the command line takes to start, beside an empty program that can read arguments."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from time import perf_counter_ns

from tests.speed.rounds import Side

OURS, THEIRS = "benchpact --help", "python -c 'import argparse'"
TIMES, PLUS_NS = 3, 60_000_000
"""The target: so many times theirs, plus so much."""


def sides() -> dict[str, Side]:
    """Wall time of one whole process each, in ns."""
    script = Path(sys.executable).parent / "benchpact"
    return {OURS: _process([str(script), "--help"]), THEIRS: _process([sys.executable, "-c", "import argparse"])}


def _process(command: list[str]) -> Side:
    def side(_: float) -> float:
        begin = perf_counter_ns()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return perf_counter_ns() - begin

    return side
