"""The page on numbers says what the code does: its constants and its table are compared with it."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from bench.budget import GRACE_NS
from bench.contract import presets
from bench.contract.model import ScenarioSettings
from bench.contract.scenario_words import ADAPTIVE, ADAPTIVE_MIN_NS, MIN_SEARCH_NS, SEARCH_NS, SOAK_NS, STREAMS
from bench.device import audit_closure as closure
from bench.device import audit_reading as reading
from bench.device import (
    batches,
    gpu_account,
    gpu_meter,
    grouping,
    lead,
    loop,
    rapl,
    rate_trials,
    scenarios,
    serving,
    warmup,
)
from bench.device.disturbance import SLOW_NS
from bench.device.memory import EVERY_NS
from bench.device.records import PHASES, Job
from bench.jobs import LEAST_OF_A_VOTE, LEAST_QUERIES
from bench.judge import disturbed, settling, soak
from bench.judge.independent import LEAST_CALLS
from bench.judge.noise import HELP, NOISY
from bench.judge.serving import FULL, LATE, LATE_TAIL_NS, MEDIAN, P90, P99, TOLD_BY
from bench.judge.stop import CONFIDENCE as STOP_CONFIDENCE
from bench.judge.stop import MARGIN
from bench.launch.blocks import MOST_BLOCKS
from bench.stats import CONFIDENCE
from bench.stats.dependence import COARSE, FINE
from bench.stats.distributions import student_t
from bench.stats.pool import factor, log_half_width, needed
from bench.stats.sequential import fewest
from bench.stats.trend import PIECES
from tests.device.queues import wait_ns
from tests.speed.under_load import arriving

PAGE = " ".join((Path(__file__).resolve().parents[2] / "docs" / "numbers.md").read_text(encoding="utf-8").split())
NS_PER_US, NS_PER_MS, NS_PER_S = 1_000, 1_000_000, 1_000_000_000
JOB = {one.name: one.default for one in fields(Job)}
SCENARIO = ScenarioSettings("single-stream")


def test_the_table_of_timings_needed_is_the_codes_own() -> None:
    rows = re.findall(r"\| p([\d.]+) \| ([\d ]+) \|", PAGE)
    assert len(rows) == 5
    for percentile, count in rows:
        assert needed(float(percentile) / 100) == int(count.replace(" ", "")), percentile


@pytest.mark.parametrize(
    "sentence",
    [
        f"**blocks** of about {scenarios.BLOCK_NS // NS_PER_MS} ms",
        f"in blocks of {scenarios.WARM_UP_BLOCK_NS / NS_PER_MS} ms until",
        f"steady for {warmup.STEADY_NS // NS_PER_MS} ms and {warmup.LEAST} blocks",
        f"{warmup.LEVEL * 100:.0f} % of its medians lie within {warmup.TOLERANCE * 100:.0f} % of their middle one",
        f"or for {int(str(JOB['warm_up_max_ns'])) // NS_PER_S} s",
        f"changed by more than {settling.CHANGE * 100:.0f} %, more than noise explains",
        f"both levels lasted at least {settling.LEAST_NS // NS_PER_MS} ms",
        f"must be at least {closure.CLOSED} of the wall time",
        f"More than {closure.IMPOSSIBLE} cannot be",
        f"more than {reading.READS} times a second read of the same outputs or {reading.COPIES} times a copy",
        f"more than {reading.READ_SLACK_NS // NS_PER_US} µs (or {reading.READ_SLACK_ITERATIONS} empty iterations",
        f"asked again for up to {reading.AUDIT_MOST_NS / NS_PER_S} s",
        f"`time` ({SCENARIO.max_ns // NS_PER_S} s unless the contract says otherwise)",
        f"`min time` ({SCENARIO.min_ns // NS_PER_MS} ms) and {LEAST_QUERIES} queries",
        f"`min time` ({ADAPTIVE_MIN_NS // NS_PER_MS} ms) and {LEAST_OF_A_VOTE} queries ({LEAST_CALLS} where calls",
        f"at a stated error rate, {fewest()} at least, {ADAPTIVE.high} at most, unless the contract says otherwise",
        f"clear of a {STOP_CONFIDENCE:.1%} interval".replace("%", " %"),
        f"with a margin of {MARGIN * 100:.0f} % of the value",
        f"comes with a {CONFIDENCE * 100:.0f} % interval",
        f"{COARSE} and {FINE} of them",
        f"if it is still there {GRACE_NS // NS_PER_S} s later",
        f"up to {batches.BEST_BATCH_MAX} samples a query, {batches.TRY_NS // NS_PER_MS} ms each",
        f"until {batches.IN_A_ROW} sizes in a row",
        f"less than {batches.FALLEN * 100:.0f} % of the best throughput so far",
        f"in up to {batches.ROUNDS} rounds and {batches.SEARCH_NS // NS_PER_S} s in all",
        f"the smallest size with {batches.ABOUT_BEST * 100:.0f} % of the best throughput",
        f"(`samples`, {STREAMS} by default)",
        f"each trial to have {rate_trials.OVER:.0f} queries over the limit",
        f"{MIN_SEARCH_NS // NS_PER_S} s at least and {SEARCH_NS // NS_PER_S} s at most",
        f"between {lead.LEAST_NS // NS_PER_US} µs and {lead.MOST_NS // NS_PER_MS} ms",
        f"in gaps of at least {loop.IDLE_NS // NS_PER_MS} ms between arrivals",
        f"where for {serving.LOOK_BY_NS // NS_PER_MS} ms there is none",
        f"to {(2 ** (1 / serving.STEPS) - 1) * 100:.1f} %",
        f"`arrivals: {SCENARIO.arrivals}`, the default",
        f"At {FULL:.0f} and above the queue grows",
        f"*median* lateness of {TOLD_BY[MEDIAN]} or more such queries is more than {LATE} of the mean time",
        f"the p99 of {TOLD_BY[P99]} or more (the p90 of {TOLD_BY[P90]} or more)",
        f"is above {LATE_TAIL_NS // NS_PER_MS} ms and above that time",
        f"the median from {TOLD_BY[MEDIAN]} queries of a process on, p90 from {TOLD_BY[P90]}, p99 from {TOLD_BY[P99]}",
        f"that takes more than {SLOW_NS // NS_PER_US} µs to read",
        f"no processor for more than {disturbed.WAITED * 100:.0f} % of the time",
        f"and more than {disturbed.SWITCHES_PER_S} a second",
        f"in more than {disturbed.PRESSURE * 100:.0f} % of the time",
        f"below {disturbed.SLOWER * 100:.0f} % of the process's own median frequency",
        f"took more than {disturbed.STEAL * 100:.0f} % of the time of one processor",
        f"used more than {disturbed.OTHER * 100:.0f} % of the processors",
        f"as many blocks as last {disturbed.STRETCH_NS // NS_PER_MS} ms",
        f"| `single-stream` | {presets.LONG_NS // NS_PER_S} s | {presets.SAMPLES['single-stream']} queries |",
        f"| {presets.SAMPLES['multi-stream'] // presets.STREAMS} queries of {presets.STREAMS} samples |",
        f"| {presets.SAMPLES['server']} queries, Poisson |",
        f"| {presets.SAMPLES['offline']:,} samples | throughput |".replace(",", " "),
        presets.SOURCE,
        f"{grouping.FLOOR} times `loop_recorded_ns`",
        f"for `time` ({SOAK_NS // 60 // NS_PER_S} min by default)",
        f"at most once a {'second' if EVERY_NS == NS_PER_S else '?'}",
        f"The first {soak.LEFT_OUT * 100:.0f} % of the time is left out",
        f"the last {soak.LEFT_OUT * 100:.0f} % of the time over that of the second {soak.LEFT_OUT * 100:.0f} %",
        f"is cut into {soak.STRETCHES} stretches",
        f"how much it rose in each of {PIECES} pieces",
        f"takes memory in pieces of {soak.GRAIN_BYTES >> 10} KiB",
        f"of less than {soak.ENOUGH * 100:.0f} % of the time that was asked for",
        f"A process run keeps {MOST_BLOCKS:,} blocks at most".replace(",", " "),
        f"NVML, by the package `nvidia-ml-py`) each {gpu_meter.EVERY_NS // NS_PER_MS} ms",
        f"does not answer within {gpu_meter.ANSWER_S:g} s",
        f"{gpu_account.MOST_GAPS} times the time between two looks "
        f"({gpu_account.MOST_GAPS * gpu_meter.EVERY_NS / NS_PER_S:g} s)",
        f"not the processor | {gpu_account.COUNTER_NS // NS_PER_S} s |",
        f"all that runs on it | {rapl.LEAST_NS // NS_PER_MS} ms |",
        f"until `{rapl.READABLE}`",
        f"If more than {NOISY * 100:.0f} % of a case's measured time",
    ],
)
def test_every_constant_on_the_page_is_the_codes_own(sentence: str) -> None:
    assert sentence in PAGE


def test_what_a_stall_and_a_high_load_do_is_what_theory_says() -> None:
    stalled, slow = arriving.expected_ns(), [wait_ns(950.0, NS_PER_MS, q) for q in (0.5, 0.99)]
    assert f"have, by theory, a p99 of {stalled / NS_PER_MS:.0f} ms" in PAGE
    median, rare = (f"{one / NS_PER_MS:.0f} ms" for one in slow)
    assert f"waits for {median} in the median, and one in a hundred for {rare}" in PAGE
    assert f"{arriving.STALLED_RATE_PER_S} callers a second" in PAGE


def test_every_reason_for_a_mark_is_on_the_page() -> None:
    told = re.findall(r"\| `([a-z ]+)` \| [^|]+ \| a (?:block|stretch) \|", PAGE)
    assert sorted(told) == sorted(HELP)


def test_what_few_processes_cost_is_students_own() -> None:
    factors = [student_t(n - 1, CONFIDENCE) / n**0.5 for n in (2, 3, 4, 5)]
    sentence = "by {:.0f} times their standard deviation with 2 processes, {:.1f} times with 3, {:.1f} times with 4, "
    assert (sentence + "{:.1f} times with 5").format(*factors) in PAGE
    by_tenth, by_half = (factor(log_half_width([1.0, ratio])) for ratio in (1.1, 2.0))
    assert f"Of 2 processes that differ by 10 %, that makes a factor of {by_tenth:.1f}; " in PAGE
    assert f"of 2 where one takes twice as long as the other, a factor of {by_half:.0f}." in PAGE


def test_every_phase_is_explained_in_order() -> None:
    named = [name for name in re.findall(r"\| `([\w-]+)` \|", PAGE) if name in PHASES]
    assert tuple(named) == PHASES
