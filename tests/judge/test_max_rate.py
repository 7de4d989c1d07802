"""The figure of a highest rate, from what the processes' searches saw."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.judge.max_rate import highest, max_rate_figures
from bench.metrics import find, max_rate_of
from bench.results import Failure, ProcessRun, RateTrial, Searched

NAME = "max rate under p99 10 ms"
MS = 1_000_000
AIM = (0.99, 10_000_000)


def run(index: int, at: float, *, queries: int = 1000, trials: int = 9, aim: tuple[float, int] = AIM) -> ProcessRun:
    """A search whose replayed curve meets 1 % at the rate ``at``, and whose trials agree with it."""
    curve = ((at / 2, 0.0001), (at, 0.01), (at * 1.2, 0.1), (at * 1.25, 1.0))
    seen = tuple(RateTrial(at, queries, (10 + one % 2,), (10,)) for one in range(trials))
    return ProcessRun(index, searched=Searched((aim,), seen, (curve,), ()))


def test_the_value_is_the_middle_process_and_the_interval_holds_all_of_them() -> None:
    (figure,) = max_rate_figures([run(0, 700.0), run(1, 790.0), run(2, 750.0)], [NAME, "latency p99"])
    assert (figure.metric, figure.unit) == (NAME, "per_s")
    assert figure.value == pytest.approx(750.0, rel=0.01)
    assert figure.processes == pytest.approx((700.0, 790.0, 750.0), rel=0.01)
    assert figure.low is not None and figure.high is not None
    assert figure.low < min(one or 0 for one in figure.processes)
    assert figure.high > max(one or 0 for one in figure.processes)
    assert figure.count == 27_000


def test_a_single_process_has_the_interval_of_its_own_error() -> None:
    (figure,) = max_rate_figures([run(0, 700.0)], [NAME])
    assert figure.value is not None and figure.low is not None and figure.high is not None
    assert figure.low < figure.value < figure.high < 800


def test_a_single_process_with_few_trials_tells_nothing() -> None:
    (figure,) = max_rate_figures([run(0, 700.0, trials=2)], [NAME])
    assert figure.value is None
    assert "more `processes`" in figure.why_not


def test_too_few_queries_for_the_percentile_are_not_a_measurement() -> None:
    one = run(0, 700.0, queries=36)
    assert highest(one, NAME) is None
    (figure,) = max_rate_figures([one], [NAME])
    assert figure.value is None
    assert "search longer (`search time`)" in figure.why_not


def test_another_aims_search_is_no_answer() -> None:
    assert highest(run(0, 700.0, aim=(0.99, 9_000_000)), NAME) is None


def test_where_no_timing_can_be_believed_no_rate_is_told() -> None:
    (figure,) = max_rate_figures([run(0, 700.0), run(1, 700.0)], [NAME], "the clock stopped early")
    assert (figure.value, figure.why_not) == (None, "the clock stopped early")


def test_without_a_finished_process_nothing_is_measured() -> None:
    (figure,) = max_rate_figures([], [NAME])
    assert figure.value is None
    assert highest(ProcessRun(0, failure=Failure("WorkerCrashed", "gone")), NAME) is None


@pytest.mark.parametrize(
    ("name", "aim"),
    [
        ("max rate under p99 10 ms", (0.99, 10_000_000)),
        ("max rate under p99.9 1.5s", (0.999, 1_500_000_000)),
        ("max rate under p50 250 µs", (0.5, 250_000)),
        ("max rate under p00 1 ms", None),
        ("max rate under p99 0 ms", None),
        ("max rate under p99", None),
        ("max rate", None),
    ],
)
def test_the_name_says_the_percentile_and_its_limit(name: str, aim: tuple[float, int] | None) -> None:
    assert max_rate_of(name) == aim
    metric = find("server", name)
    assert (metric is not None) == (aim is not None)
    assert find("single-stream", name) is None
    if metric is not None:
        assert (metric.unit, metric.direction) == ("per_s", "at least")


def test_a_rate_that_the_harness_could_not_keep_is_no_figure() -> None:
    runs = [run(0, 700.0), run(1, 700.0)]
    late = [replace(one, searched=replace(one.searched, late_p50_ns=MS)) for one in runs if one.searched]
    (figure,) = max_rate_figures(late, [NAME])
    assert figure.value is None
    assert "the harness itself cannot keep 697/s here" in figure.why_not
    little = [replace(one, searched=replace(one.searched, late_p50_ns=MS // 2)) for one in runs if one.searched]
    assert max_rate_figures(little, [NAME])[0].value is not None


def test_a_lateness_that_no_trial_told_does_not_count_as_none() -> None:
    """Of two processes the one that tells is believed; where none does the rate stands, and no lateness is made up."""
    silent, late = run(0, 700.0), run(1, 700.0)
    assert late.searched is not None
    late = replace(late, searched=replace(late.searched, late_p50_ns=MS))
    assert "the harness itself cannot keep" in max_rate_figures([silent, late], [NAME])[0].why_not
    assert max_rate_figures([silent, silent], [NAME])[0].value == pytest.approx(700.0, rel=0.01)
