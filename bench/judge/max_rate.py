"""The highest rate at which a percentile of latency keeps its limit, of a case's finished process runs."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from bench.device import rate_search
from bench.device.rate_search import Aim, Found, Trial
from bench.judge.serving import late_search
from bench.metrics import max_rate_of
from bench.results import Figure, ProcessRun, Searched
from bench.stats import CONFIDENCE
from bench.stats.distributions import student_t
from bench.stats.pool import factor, log_half_width, needed

TOO_SHORT = "too few queries could be tried: search longer (`search time`)"


ONE_SEARCH = "a single short search does not tell how far its rate can be trusted: give it more `processes`"


def max_rate_figures(finished: Sequence[ProcessRun], wanted: Sequence[str], invalid: str = "") -> list[Figure]:
    """One figure a metric of ``wanted`` that asks for a highest rate.

    The value is the middle process's; the interval is Student's over the processes' logarithms (of a single one: by
    its own error), widened to hold each process's own. ``invalid`` says why no timing can be believed.
    """
    names = [name for name in wanted if max_rate_of(name)]
    if invalid:
        return [Figure(name, "per_s", None, why_not=invalid) for name in names]
    return [_figure(name, finished) for name in names]


def highest(run: ProcessRun, metric: str) -> Found | None:
    """What one process found; None where it saw too few queries near the answer to support the percentile."""
    aim = max_rate_of(metric)
    if run.searched is None or aim is None or aim not in run.searched.aims:
        return None
    return _found(run.searched, run.searched.aims.index(aim))


def _found(searched: Searched, which: int) -> Found | None:
    aim = Aim(*searched.aims[which])
    trials = [Trial(one.rate_per_s, one.queries, one.over, one.replayed) for one in searched.trials]
    if sum(trial.queries for trial in trials) < needed(aim.q):
        return None
    return rate_search.estimate(trials, searched.curves[which], aim, which)


def _figure(name: str, finished: Sequence[ProcessRun]) -> Figure:
    found = [highest(run, name) for run in finished]
    own = tuple(None if one is None else one.rate_per_s for one in found)
    told = [one for one in found if one is not None]
    queries = sum(trial.queries for run in finished if run.searched for trial in run.searched.trials)
    if not told:
        return Figure(name, "per_s", None, why_not=TOO_SHORT if finished else "no process run finished")
    half = _half_width(told)
    if half is None:
        return Figure(name, "per_s", None, count=queries, why_not=ONE_SEARCH)
    rates = [one.rate_per_s for one in told]
    if late := late_search(finished, median(rates)):
        return Figure(name, "per_s", None, count=queries, why_not=late)
    middle, reach = median(rates), factor(half)
    low, high = min(middle / reach, *rates), max(middle * reach, *rates)
    return Figure(name, "per_s", middle, low, high, own, queries)


def _half_width(found: Sequence[Found]) -> float | None:
    """Half of the interval of the rates' logarithm (see ``stats.pool``); None where a single process cannot tell."""
    if len(found) > 1:
        return log_half_width([one.rate_per_s for one in found])
    rate, error = found[0].rate_per_s, found[0].error_per_s
    return None if error is None or rate <= 0 else student_t(rate_search.TRIALS - 2, CONFIDENCE) * error / rate
