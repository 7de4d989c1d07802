"""The catalogue of metrics: what a contract line may ask for, in which block, in which unit.

A direction follows from the metric. Every figure is an integer or a float in its base unit; units are
put on at the edge (``units``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Direction = Literal["at most", "at least"]
Unit = Literal["ns", "bytes", "bytes_per_h", "per_s", "uj", "ratio", "number"]

SCENARIOS = ("single-stream", "multi-stream", "server", "offline", "cold-start", "soak")
QUALITY = ("accuracy", "agreement")
BLOCKS = (*SCENARIOS, *QUALITY)


@dataclass(frozen=True)
class Metric:
    """One measurable quantity: its contract name, unit and direction, and what it means."""

    name: str
    unit: Unit
    direction: Direction
    meaning: str


MEMORY = (
    Metric("peak memory", "bytes", "at most", "the worker process's highest resident memory (the kernel's mark)"),
    Metric(
        "added memory", "bytes", "at most", "peak memory less what the process held once its framework was imported"
    ),
)
GPU_MEMORY = Metric(
    "gpu memory", "bytes", "at most", "the most that the worker held on its GPU, looked at ten times a second"
)
ENERGY = Metric(
    "energy per query", "uj", "at most", "energy of the whole GPU (or processor) in the timed part, by its queries"
)
METERED = (GPU_MEMORY, ENERGY)
"""What is looked at while queries are timed."""
LATENCY_MEAN = Metric("latency mean", "ns", "at most", "mean time of a query, from issue to usable result")
SERVER_MEAN = Metric(
    LATENCY_MEAN.name, "ns", "at most", "mean time of a query, from its scheduled arrival to usable result"
)
THROUGHPUT = Metric("throughput", "per_s", "at least", "samples a second of wall time")
ACHIEVED = Metric(THROUGHPUT.name, "per_s", "at least", "samples a second of wall time: the rate that was achieved")
LOST = (
    Metric("dropped", "ratio", "at most", "share of the queries that came to a full `queue` and were never answered"),
    Metric("timed out", "ratio", "at most", "share of the queries that were answered later than `timeout`, or never"),
)
SOAK = (
    Metric("memory growth", "bytes_per_h", "at most", "how fast the worker's resident memory grows"),
    Metric("latency drift", "ratio", "at most", "how much longer the median query takes at the end than at the start"),
    Metric("frequency drop", "ratio", "at most", "how much lower the processor's frequency is at the end"),
)
"""What only shows in hours; the first tenth is left out of each."""
START_PHASES = (
    Metric("cold start", "ns", "at most", "process start to the first answer"),
    Metric("start time", "ns", "at most", "process start to a worker that is ready to import the framework"),
    Metric("import time", "ns", "at most", "importing the framework"),
    Metric("load time", "ns", "at most", "opening the model"),
    Metric("first query time", "ns", "at most", "the first query, issue to usable result"),
)
ACCURACY = (
    Metric("top-1", "ratio", "at least", "share of samples whose highest output is the label"),
    Metric("top-k", "ratio", "at least", "share of samples whose label is among the k highest outputs (write top-5)"),
    Metric("f1", "ratio", "at least", "F1 score, macro-averaged over the classes"),
    Metric("precision", "ratio", "at least", "precision, macro-averaged over the classes"),
    Metric("recall", "ratio", "at least", "recall, macro-averaged over the classes"),
    Metric("auc", "ratio", "at least", "area under the ROC curve (one against the rest, macro-averaged)"),
    Metric("r2", "number", "at least", "coefficient of determination"),
    Metric("mae", "number", "at most", "mean absolute error"),
    Metric("rmse", "number", "at most", "root of the mean squared error"),
)
AGREEMENT = (
    Metric("label agreement", "ratio", "at least", "share of samples with the reference's highest class"),
    Metric("max abs difference", "number", "at most", "largest absolute difference to the reference"),
    Metric("max rel difference", "number", "at most", "largest relative difference to the reference"),
    Metric("cosine", "ratio", "at least", "lowest cosine similarity of a sample's output to the reference's"),
)
ARTIFACT_SIZE = Metric("artifact size", "bytes", "at most", "size of the artifact files this target uses")

BY_BLOCK: dict[str, tuple[Metric, ...]] = {
    "single-stream": (LATENCY_MEAN, THROUGHPUT, *MEMORY, *METERED),
    "multi-stream": (LATENCY_MEAN, THROUGHPUT, *MEMORY, *METERED),
    "server": (SERVER_MEAN, ACHIEVED, *LOST, *MEMORY, *METERED),
    "offline": (LATENCY_MEAN, THROUGHPUT, *MEMORY, *METERED),
    "cold-start": (*START_PHASES, *MEMORY),
    "soak": (*SOAK, SERVER_MEAN, ACHIEVED, *MEMORY, *METERED),
    "accuracy": ACCURACY,
    "agreement": AGREEMENT,
}
TIMED = ("single-stream", "multi-stream", "server", "offline", "soak")
"""Scenarios whose queries have latency percentiles."""

_PERCENTILE = re.compile(r"latency p(\d{2}(?:\.\d{1,3})?)")
MAX_RATE = r"max rate under p([0-9]{2}(?:\.[0-9]{1,3})?) ([0-9]{1,9}(?:\.[0-9]{1,6})?) ?(ns|us|µs|ms|s)"
"""How a contract writes the highest rate at which a percentile is kept."""
_NS = {"ns": 1, "us": 1_000, "µs": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
_TOP_K = re.compile(r"top-([1-9]\d{0,4})")
_USER = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def percentile_of(name: str) -> float | None:
    """The fraction that ``latency p99.9`` asks for (0.999), or None for any other name."""
    match = _PERCENTILE.fullmatch(name)
    return round(float(match[1]) / 100, 7) if match and float(match[1]) > 0 else None


def max_rate_of(name: str) -> tuple[float, int] | None:
    """Percentile and latency (ns) of ``max rate under p99 10 ms``: (0.99, 10_000_000); None for another name."""
    match = re.fullmatch(MAX_RATE, name)
    if match is None or not float(match[1]) > 0 or not float(match[2]) > 0:
        return None
    return round(float(match[1]) / 100, 7), max(1, round(float(match[2]) * _NS[match[3]]))


def is_user_metric(name: str) -> bool:
    """Whether the name is ``module:function``, the user's own accuracy metric."""
    return _USER.fullmatch(name) is not None


def find(block: str, name: str) -> Metric | None:
    """The metric of that name in that block, or None."""
    for metric in BY_BLOCK[block]:
        if metric.name == name and name != "top-k":
            return metric
    if block in TIMED and percentile_of(name) is not None:
        return Metric(name, "ns", "at most", f"{name[8:]} of query latency, by nearest rank")
    if block == "server" and max_rate_of(name) is not None:
        return Metric(name, "per_s", "at least", f"highest rate of arrivals at which {name[15:]} is kept")
    if block == "accuracy" and _TOP_K.fullmatch(name):
        return Metric(
            name, "ratio", "at least", f"share of samples whose label is among the {name[4:]} highest outputs"
        )
    if block == "accuracy" and is_user_metric(name):
        return Metric(
            name, "number", "at most", "the user's own metric; write 'at most' or 'at least' before the limit"
        )
    return None
