"""A stored run as a pandas table, one row a requirement: for notebooks, and what the CSV is written from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from bench.report.rows import Row, rows
from bench.results import StoredRun

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "run", "started", "model", "model_version", "target", "backend", "device", "scenario", "case", "requirement",
    "block", "metric", "unit", "direction", "limit", "value", "low", "high", "process_low", "process_high",
    "processes", "count", "outcome", "reason",
)  # fmt: skip


def frame(run: StoredRun) -> pd.DataFrame:
    """One row a requirement, columns ``COLUMNS``; ns, bytes, per second, ratios from 0 to 1; NaN where unknown."""
    import pandas as pd

    return pd.DataFrame([_record(run, row) for row in rows(run)], columns=list(COLUMNS))


def _record(run: StoredRun, row: Row) -> dict[str, Any]:
    verdict, figure, case = row.verdict, row.verdict.figure, row.case
    told = [value for value in figure.processes if value is not None]
    return {
        "run": run.info.run,
        "started": run.info.started,
        "model": run.info.model,
        "model_version": run.info.model_version,
        "target": row.target,
        "backend": case.backend if case else "",
        "device": case.device if case else "",
        "scenario": case.scenario if case else "",
        "case": case.case if case else "",
        "requirement": verdict.requirement,
        "block": verdict.block,
        "metric": verdict.metric,
        "unit": verdict.unit,
        "direction": verdict.direction,
        "limit": float(verdict.limit),
        "value": _number(figure.value),
        "low": _number(figure.low),
        "high": _number(figure.high),
        "process_low": min(told, default=math.nan),
        "process_high": max(told, default=math.nan),
        "processes": len(told),
        "count": figure.count,
        "outcome": verdict.outcome.value,
        "reason": verdict.reason or figure.why_not,
    }


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
