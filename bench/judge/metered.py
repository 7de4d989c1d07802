"""Energy a query and memory of the GPU, from what was looked at while queries were timed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from bench import units
from bench.metrics import ENERGY, GPU_MEMORY, METERED
from bench.results import Figure, ProcessRun

EARLIER = "the version that measured this did not look at it"
NOTHING_TIMED = "no query was timed, only a rate was searched for: give a `rate`"


def metered(metric: str, run: ProcessRun) -> float | None:
    """The process's own value in the metric's base unit; None where it is not known."""
    found = run.metered
    if found is None or metric == GPU_MEMORY.name:
        return None if found is None or found.gpu_bytes is None else float(found.gpu_bytes)
    samples = sum(one.samples for one in run.blocks)
    return None if found.energy_uj is None or not samples else found.energy_uj * run.batch / samples


def is_untold(metric: str, run: ProcessRun) -> bool:
    """Whether a process that is whole does not tell it: no further one would change that it is not measured."""
    return metric in (one.name for one in METERED) and run.is_whole and metered(metric, run) is None


def metered_figures(finished: Sequence[ProcessRun], wanted: Iterable[str]) -> list[Figure]:
    """What is known, and what is asked for and is not, with the reason.

    Memory is the worst process's, energy the middle one's; the interval is lowest to highest. Where some processes
    tell and some do not, nothing is concluded of the others.
    """
    asked, found = set(wanted), []
    for metric in METERED:
        own = tuple(metered(metric.name, run) for run in finished)
        told = [one for one in own if one is not None]
        if told and len(told) == len(own):
            value = max(told) if metric is GPU_MEMORY else median(told)
            found.append(Figure(metric.name, metric.unit, float(value), min(told), max(told), own, len(told)))
        elif metric.name in asked and finished:
            why = next(_why(metric.name, run) for run, one in zip(finished, own, strict=True) if one is None)
            found.append(Figure(metric.name, metric.unit, None, processes=own if told else (), why_not=why))
    return found


def _why(metric: str, run: ProcessRun) -> str:
    found = run.metered
    if found is None:
        return EARLIER if run.blocks else NOTHING_TIMED
    if metric == ENERGY.name:
        return found.energy_by if found.energy_uj is None else "no query was answered while energy was counted"
    own = (
        "" if found.own_bytes is None else f" (its framework says that it took {units.show(found.own_bytes, 'bytes')})"
    )
    return found.gpu_by + own
