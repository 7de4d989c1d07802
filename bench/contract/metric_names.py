"""What a user meant by a name that is no metric of its block."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from bench.contract.problems import meant, quoted
from bench.metrics import ARTIFACT_SIZE, BLOCKS, BY_BLOCK, TIMED, find

_SYNONYMS = {
    "mean": "latency mean", "latency": "latency p50", "latency median": "latency p50", "median": "latency p50",
    "average latency": "latency mean", "mean latency": "latency mean", "latency average": "latency mean",
    "memory": "peak memory", "rss": "peak memory", "max memory": "peak memory", "qps": "throughput",
    "fps": "throughput", "rate": "throughput", "samples per second": "throughput", "startup": "cold start",
    "start-up": "cold start", "start up": "cold start", "accuracy": "top-1", "top1": "top-1", "top5": "top-5",
    "f1 score": "f1", "roc auc": "auc", "auroc": "auc", "mse": "rmse", "loading time": "load time",
    "max difference": "max abs difference", "tolerance": "max abs difference", "atol": "max abs difference",
    "rtol": "max rel difference", "cosine similarity": "cosine", "runs": "processes", "repeats": "processes",
    "batch size": "batch", "batch": "samples", "streams": "samples", "samples": "batch", "load": "rate",
    "drops": "dropped", "lost": "dropped", "timeouts": "timed out", "late": "timed out",
    "max batch size": "max batch", "batching": "max batch", "max delay": "max wait", "max queue": "queue",
    "queue size": "queue", "deadline": "timeout", "threads": "workers", "instances": "workers",
    "memory leak": "memory growth", "leak": "memory growth", "drift": "latency drift", "slowdown": "latency drift",
    "throttling": "frequency drop", "concurrency": "workers",
    "calls": "calls per timing", "group": "calls per timing", "inner loops": "calls per timing",
    "energy": "energy per query", "joules": "energy per query", "power": "energy per query",
    "gpu_memory": "gpu memory", "vram": "gpu memory", "video memory": "gpu memory", "peak gpu memory": "gpu memory",
    "duration": "time", "max time": "time", "iterations": "queries",
}  # fmt: skip
"""Words of the field for what is called otherwise here."""
_PERCENTILE = re.compile(r"(?:latency[ _-]*)?(?:p|percentile )(\d{1,6})(?:\.(\d*))?(?:[ _-]*latency)?", re.IGNORECASE)


def right_metric(block: str, name: str, words: Iterable[str]) -> str:
    """One sentence: the name is no metric of this block, and what would be; ``words`` are its other words."""
    if block == "server" and name.startswith("max ") and {"rate", "qps", "under"} & set(name.split()):
        return f"{quoted(name)} names no highest rate of a percentile: write it like `max rate under p99 10 ms: 500/s`"
    percentile = _percentile_in(name.strip())
    if percentile and block in TIMED:
        right = _percentile(percentile[1], percentile[2] or "")
        return f"{quoted(name)} is not a latency percentile: did you mean `{right}`?"
    homes = [other for other in BLOCKS if other != block and find(other, name)]
    if homes:
        return (
            f"{quoted(name)} is not measured in `{block}`: it belongs into {' or '.join(f'`{one}`' for one in homes)}"
        )
    if name == ARTIFACT_SIZE.name:
        return f"{quoted(name)} stands in no block: write it directly under `limits`"
    if name == "top-k":
        return "`top-k` needs its k: did you mean `top-5`?"
    known = [metric.name for metric in BY_BLOCK[block] if metric.name != "top-k"]
    known += ["latency p50", "latency p99"] if block in TIMED else []
    known += ["top-5", "module:function"] if block == "accuracy" else []
    synonyms = {word: right for word, right in _SYNONYMS.items() if right in (*known, *words)}
    return f"{quoted(name)} is no metric of `{block}`: {meant(name, [*known, *words], synonyms)}"


def _percentile_in(name: str) -> re.Match[str] | None:
    """The match of a name that means a percentile, also where `latency` is misspelt."""
    word, gap, rest = name.rpartition(" ")
    if gap and difflib.get_close_matches(word.lower(), ["latency"], cutoff=0.6):
        name = f"latency {rest}"
    return _PERCENTILE.fullmatch(name)


def _percentile(whole: str, digits: str) -> str:
    """``9`` -> p90, ``999`` -> p99.9, ``100`` -> p99.9, ``5.5`` -> p05.5: the nearest name that is one."""
    if whole.startswith("100"):
        return "latency p99.9"
    if len(whole) == 1:
        whole = f"0{whole}" if digits else f"{whole}0"
    number = whole + digits
    if not number.strip("0"):
        return "latency p50"
    fraction = number[2:5].rstrip("0")
    return f"latency p{number[:2]}{'.' + fraction if fraction else ''}"
