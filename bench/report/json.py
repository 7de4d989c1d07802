"""A stored run as JSON for other programs.

The document, version 1::

    {"format": "benchpact-report", "version": 1,
     "exit_code": 0|1|2|3, "summary": "2 targets keep the contract",
     "run":     RunInfo without contract_text,
     "targets": [{"target", "outcome", "counts": {outcome: n}}],
     "rows":    [{"target", "case", + the fields of Verdict; its figure holds the value and interval}],
     "cases":   [CaseResult: settings, process runs with phases, memory, audit …; no raw timings],
     "missing": [case id]}

Times are ns, sizes bytes, rates per second, ratios from 0 to 1. A number that is not finite is null.
A later version only adds keys; one that changes a key's meaning has a higher ``version``.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

from bench.report.rows import rows, sentence, summary, verdicts
from bench.results import Outcome, StoredRun

VERSION = 1


def render(run: StoredRun) -> str:
    """The document above, two spaces deep, ASCII only (other characters as ``\\uXXXX``)."""
    return json.dumps(document(run), indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def document(run: StoredRun) -> dict[str, Any]:
    """The report as plain dictionaries, lists, strings and finite numbers."""
    from bench.judge.verdict import exit_code

    summaries, info = summary(run), asdict(run.info)
    del info["contract_text"]
    written: dict[str, Any] = _plain(
        {
            "format": "benchpact-report",
            "version": VERSION,
            "exit_code": exit_code(verdicts(run)),
            "summary": sentence(run),
            "run": info,
            "targets": [{"target": one.target, "outcome": one.outcome, "counts": one.counts} for one in summaries],
            "rows": [
                {"target": row.target, "case": row.case.case if row.case else None, **asdict(row.verdict)}
                for row in rows(run)
            ],
            "cases": [asdict(case) for case in run.cases],
            "missing": run.missing,
        }
    )
    return written


def _plain(value: Any) -> Any:
    if isinstance(value, Outcome):
        return value.value
    if isinstance(value, dict):
        return {_plain(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
