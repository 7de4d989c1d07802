"""A stored run as CSV, one row a requirement; what a spreadsheet would take for a formula is made text."""

from __future__ import annotations

from bench.report.frame import frame
from bench.report.text import clean
from bench.results import StoredRun

_FORMULA = ("=", "+", "-", "@", "|", "%")


def render(run: StoredRun) -> str:
    """The table of ``frame`` with its heading; unknown numbers are empty cells."""
    table = frame(run)
    for column in table.columns:
        if table[column].dtype.kind not in "if":
            table[column] = [cell(text) for text in table[column]]
    text: str = table.to_csv(index=False, lineterminator="\n")
    return text


def cell(text: object) -> str:
    """The text, cleaned; with a leading ``'`` where a spreadsheet would run it as a formula."""
    line = clean(text)
    return "'" + line if line.lstrip().startswith(_FORMULA) else line
