"""What each format looks like, held word for word.

After a wanted change: ``UPDATE_GOLDEN=1 pytest tests/report/test_report_golden.py``, then read the difference.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.report import FORMATS, console
from tests.report.example import every_outcome, kept

GOLDEN = Path(__file__).parent / "golden"
WHERE = "results/20251124-060000-a1b2c3"
LATENCIES = [800_000 + 1_000 * (index % 40) for index in range(2000)] + [1_200_000, 4_800_000]
VIEWS: dict[str, Callable[[], str]] = {
    "console-60.txt": lambda: console.render(every_outcome(), width=60, where=WHERE),
    "console-80.txt": lambda: console.render(every_outcome(), width=80, where=WHERE),
    "console-100.txt": lambda: console.render(every_outcome(), width=100, where=WHERE),
    "console-200.txt": lambda: console.render(every_outcome(), width=200, where=WHERE),
    "console-100-colour.txt": lambda: console.render(every_outcome(), width=100, where=WHERE, colour=True),
    "console-100-verbose.txt": lambda: console.render(
        every_outcome(), width=100, where=WHERE, verbose=True, timings=lambda _: LATENCIES
    ),
    "console-80-one-target.txt": lambda: console.render(kept(), width=80, where=WHERE),
    "report.md": lambda: FORMATS["markdown"](every_outcome()),
    "report.json": lambda: FORMATS["json"](every_outcome()),
    "report.xml": lambda: FORMATS["junit"](every_outcome()),
    "report.csv": lambda: FORMATS["csv"](every_outcome()),
}


@pytest.mark.parametrize("name", VIEWS)
def test_each_format_looks_as_it_did(name: str) -> None:
    file, text = GOLDEN / name, VIEWS[name]()
    if os.environ.get("UPDATE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")
    assert text == file.read_text(encoding="utf-8")


def test_every_format_has_a_golden_file_and_every_golden_file_is_held() -> None:
    suffixes = {"console": ".txt", "markdown": ".md", "json": ".json", "junit": ".xml", "csv": ".csv"}
    assert set(suffixes) == set(FORMATS)
    assert {Path(name).suffix for name in VIEWS} == set(suffixes.values())
    assert {file.name for file in GOLDEN.iterdir()} == set(VIEWS)
