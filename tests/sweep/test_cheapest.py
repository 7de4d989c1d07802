"""Which configuration is named, and why."""

from __future__ import annotations

import math
import random

import pytest

from bench.results import Outcome, StoredRun
from bench.sweep.cheapest import cheapest, exit_code, gap, nearest, sentence
from bench.sweep.rows import rows
from tests.sweep.sweeps import MIB, MS, batches, judged, measured, rates, sweep

P99 = "latency p99"


def threads(*given: tuple[int, float, float, Outcome | None]) -> StoredRun:
    """(threads, p99 in ms, MiB, outcome); a limit of 5 ms where the outcome is left to it."""
    cases = []
    for count, p99, memory, outcome in given:
        values = {"latency p50": p99 * MS, P99: p99 * MS, "throughput": 1e3 / p99, "peak memory": memory * MIB}
        asked = [judged("single-stream", P99, p99 * MS, 5 * MS, outcome)]
        cases.append(measured(f"ort-1 threads={count}", "single-stream", values, asked, count))
    return sweep(["threads=" + ",".join(str(one[0]) for one in given)], *cases)


def named(run: StoredRun) -> str | None:
    best = cheapest(rows(run))
    return best.name if best else None


def test_fewest_threads_come_first_however_much_faster_more_would_be() -> None:
    assert named(threads((1, 4.9, 90, None), (2, 1, 60, None))) == "ort-1 threads=1"
    assert named(threads((1, 5.1, 60, None), (2, 4, 90, None), (4, 1, 60, None))) == "ort-1 threads=2"


def test_then_least_memory_then_lowest_latency_and_noise_decides_nothing() -> None:
    def two(first: tuple[float, float], second: tuple[float, float]) -> str | None:
        cases = []
        for batch, (p99, memory) in ((1, first), (2, second)):
            values = {"latency p50": p99 * MS, P99: p99 * MS, "throughput": 100.0, "peak memory": memory * MIB}
            asked = [judged("offline", P99, p99 * MS, 5 * MS)]
            cases.append(measured(f"ort-1 batch={batch}", "offline", values, asked, 1))
        return named(sweep(["batch=1,2"], *cases))

    assert two((1.0, 200), (4.0, 100)) == "ort-1 batch=2"
    assert two((1.0, 100.01), (4.0, 100)) == "ort-1 batch=1"


def test_the_sentence_says_what_cheapest_means() -> None:
    told = sentence(rows(batches()))
    assert told == (
        "The cheapest configuration that keeps the contract: ort-1 threads=1 batch=1 "
        "(fewest threads, then least peak memory, then lowest latency)"
    )
    assert "keeps what was asked of it" in sentence(rows(batches()), narrowed=True)
    assert exit_code(rows(batches())) == 0


def test_a_load_is_no_price() -> None:
    told = sentence(rows(rates()))
    assert "keeps the contract at 400/s, the highest of these rates at which one does: ort-1 rate=400" in told


def test_where_none_keeps_it_the_nearest_is_named_with_its_worst_requirement() -> None:
    found = rows(threads((1, 20, 60, None), (2, 6, 60, None), (4, 7, 60, None)))
    assert exit_code(found) == 1 and cheapest(found) is None
    assert sentence(found) == (
        "No configuration keeps the contract; ort-1 threads=2 comes nearest: its single-stream latency p99 is 6 ms "
        "(≤ 5000000.0, 20 % beyond)"
    )
    several = measured(
        "ort-1 threads=1", "single-stream", {}, [judged("single-stream", P99, 6 * MS, 5 * MS),
        judged("single-stream", "throughput", 10, 100)], 1,
    )  # fmt: skip
    worst = nearest(rows(sweep(["threads=1"], several)))
    assert worst is not None and worst.verdict.metric == "throughput" and worst.gap == pytest.approx(0.9)


def test_what_is_open_is_neither_kept_nor_missed() -> None:
    found = rows(threads((1, 6, 60, None), (2, 4.9, 60, Outcome.UNDECIDED)))
    assert exit_code(found) == 3 and cheapest(found) is None
    told = sentence(found)
    assert "No configuration is shown to keep the contract: 1 missed, 1 undecided; ort-1 threads=2 is nearest" in told
    assert "because undecided" in told


def test_one_that_keeps_it_is_enough_whatever_became_of_the_others() -> None:
    found = rows(threads((1, 6, 60, None), (2, 4.9, 60, Outcome.UNDECIDED), (4, 3, 60, None)))
    assert exit_code(found) == 0
    assert "ort-1 threads=4" in sentence(found)
    assert "keeps the contract as far as is known (1 undecided): " in sentence(found), "two threads may be enough"


def test_nothing_required_is_nothing_judged() -> None:
    found = rows(sweep(["threads=1"], measured("ort-1 threads=1", "single-stream", {"latency p50": MS}, [], 1)))
    assert exit_code(found) == 3
    assert "Nothing was required" in sentence(found)


def test_a_configuration_that_was_never_measured_keeps_nothing() -> None:
    whole = batches()
    cut = StoredRun(whole.info, whole.cases[:3], tuple(one.case for one in whole.cases[3:]))
    outcomes = [row.outcome for row in rows(cut)]
    assert outcomes[3:] == [Outcome.NOT_MEASURED] * 3
    assert "as far as is known (3 not measured): " in sentence(rows(cut))


def test_a_gap_is_a_share_of_the_limit_in_the_direction_that_hurts() -> None:
    assert gap(judged("offline", P99, 7.5, 5)) == pytest.approx(0.5)
    assert gap(judged("offline", "throughput", 25, 100)) == pytest.approx(0.75)
    assert gap(judged("offline", P99, 4, 5)) == 0
    assert gap(judged("offline", P99, None, 5)) == gap(judged("offline", P99, 4, 0)) == math.inf


def test_the_cheapest_is_what_sorting_everything_would_put_first() -> None:
    for seed in range(200):
        draw = random.Random(seed)
        given = [(n, draw.choice([2.0, 4.0, 8.0]), draw.choice([50.0, 100.0]), None) for n in (1, 2, 3, 4)]
        kept = [f"ort-1 threads={one[0]}" for one in sorted(given) if one[1] <= 5]
        assert named(threads(*given)) == (kept[0] if kept else None)
