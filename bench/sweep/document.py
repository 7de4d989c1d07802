"""A stored sweep for other programs: JSON, and CSV with one row a configuration.

The JSON document, version 1::

    {"format": "benchpact-sweep", "version": 1,
     "exit_code": 0|1|3, "summary": "The cheapest configuration …",
     "run", "started", "model", "model_version", "contract": as in run.json,
     "notices": [text], "over": ["threads=1,2"], "cheapest": name or null,
     "configurations": [{"name", "target", "values": {axis: number}, "threads", "devices": [word], "outcome" or null,
                         "on_front", "notes": [text],
                         "cases": [case id], "latency_of", "throughput_of": scenario, "saturated": text,
                         "figures": {metric: {"unit", "value", "low", "high", "count"}},
                         "verdicts": [{"requirement", "outcome", "limit", "value", "reason"}]}],
     "load": [{"name", "saturation",
               "points": [{"rate", "p50_ns", "p90_ns", "p99_ns", "achieved_per_s", "saturated"}]}]}

Times are ns, sizes bytes, rates per second. A number that is not finite is null.
"""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import asdict
from typing import Any

from bench.metrics import THROUGHPUT
from bench.report.csv import cell
from bench.report.rows import is_narrowed
from bench.results import StoredRun
from bench.sweep.axes import KINDS
from bench.sweep.cheapest import cheapest, exit_code, sentence
from bench.sweep.configurations import over
from bench.sweep.load import curves, saturation
from bench.sweep.rows import P50, P90, P99, PEAK, Row, rows

VERSION = 1
COLUMNS = {"latency_p50_ns": P50, "latency_p90_ns": P90, "latency_p99_ns": P99}
COLUMNS |= {"throughput_per_s": THROUGHPUT.name, "peak_memory_bytes": PEAK}


def as_json(run: StoredRun) -> str:
    """The document above, two spaces deep, ASCII only."""
    found, info = rows(run), run.info
    best = cheapest(found)
    document = {
        "format": "benchpact-sweep",
        "version": VERSION,
        "exit_code": exit_code(found),
        "summary": sentence(found, narrowed=is_narrowed(run)),
        "run": info.run,
        "started": info.started,
        "model": info.model,
        "model_version": info.model_version,
        "contract": info.contract_path,
        "notices": list(info.notices),
        "over": list(over(info)),
        "cheapest": best.name if best else None,
        "configurations": [_configuration(row) for row in found],
        "load": [
            {"name": one.name, "saturation": saturation(one), "points": [asdict(point) for point in one.points]}
            for one in curves(found)
        ],
    }
    return json.dumps(_finite(document), indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def _configuration(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "target": row.configuration.target,
        "values": dict(row.configuration.values),
        "threads": row.threads,
        "devices": list(row.devices),
        "outcome": row.outcome.value if row.outcome else None,
        "on_front": row.on_front,
        "notes": list(row.notes),
        "cases": [case.case for case in row.cases],
        "latency_of": row.latency_of,
        "throughput_of": row.throughput_of,
        "saturated": row.saturated,
        "figures": {
            name: {"unit": one.unit, "value": one.value, "low": one.low, "high": one.high, "count": one.count}
            for name, one in row.figures.items()
        },
        "verdicts": [
            {
                "requirement": one.requirement,
                "outcome": one.outcome.value,
                "limit": one.limit,
                "value": one.figure.value,
                "reason": one.reason,
            }
            for one in row.verdicts
        ],
    }


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def as_csv(run: StoredRun) -> str:
    """A heading and a row a configuration; what was not measured is an empty cell, rates are queries a second."""
    found, out = rows(run), io.StringIO()
    best = cheapest(found)
    table = csv.writer(out, lineterminator="\n")
    ends = ("latency_of", "throughput_of", "outcome", "on_front", "cheapest", "saturated", "device", "notes")
    table.writerow(["run", "configuration", "target", *KINDS, *COLUMNS, *ends])
    for row in found:
        own = {"threads": row.threads, **row.configuration.values}
        numbers = [row.value(metric) for metric in COLUMNS.values()]
        table.writerow(
            [
                *map(cell, (run.info.run, row.name, row.configuration.target)),
                *(own.get(name, "") for name in KINDS),
                *("" if number is None or not math.isfinite(number) else number for number in numbers),
                row.latency_of,
                row.throughput_of,
                row.outcome.value if row.outcome else "",
                row.on_front,
                best is not None and row.name == best.name,
                cell(row.saturated),
                cell(" ".join(row.devices)),
                cell("; ".join(row.notes)),
            ]
        )
    return out.getvalue()
