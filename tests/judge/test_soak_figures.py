"""Growth, drift and frequency of hours that were written by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.judge import throttled
from bench.judge.case import judge_case
from bench.judge.soak import DRIFT, DROP, GRAIN_BYTES, GROWTH, cut_short, growth, soak_figures
from bench.judge.verdict import verdict
from bench.report import sparkline
from bench.results import Block, Failure, Figure, Outcome, ProcessRun, Seen
from tests.judge.cases import CRASH, case, contract, requirement

S, MIB = 1_000_000_000, 1 << 20
BLOCKS, EACH = 720, 20
LEVELS = np.random.default_rng(3)


def soaked(rss: NDArray[np.float64] | None, khz: NDArray[np.float64] | None = None, s: float = 10.0) -> ProcessRun:
    """Two hours (unless ``s``, seconds a block, says otherwise), with what each block saw."""
    seen = [
        Seen(
            rss_bytes=None if rss is None else int(rss[at]),
            frequency_khz=None if khz is None else int(khz[at]),
            throttled=3 if at in (600, 700) else 0,
        )
        for at in range(BLOCKS)
    ]
    wall = int(s * S)
    blocks = tuple(Block(EACH, EACH, at * wall, wall, 0, wall // 2, 1, seen[at]) for at in range(BLOCKS))
    return ProcessRun(0, blocks=blocks, timings="t.npy", timings_count=BLOCKS * EACH)


def latencies(slower: float = 0.0, seed: int = 0) -> NDArray[np.uint64]:
    """About 5 ms, ``slower`` (a share) longer at the end than at the beginning."""
    count = BLOCKS * EACH
    values = np.random.default_rng(seed).lognormal(np.log(5e6), 0.2, count) * np.linspace(1, 1 + slower, count)
    return values.astype(np.uint64)


def figures(run: ProcessRun, timings: NDArray[np.uint64] | None = None) -> dict[str, Figure]:
    return {one.metric: one for one in soak_figures([run], lambda _: latencies() if timings is None else timings)}


def leak(mib_an_hour: float, noise: float = MIB, seed: int = 1) -> NDArray[np.float64]:
    hours = np.arange(BLOCKS) * 10 / 3600
    rng = np.random.default_rng(seed)
    warm = 50 * MIB * np.minimum(hours / 0.1, 1.0)  # the first six minutes fill caches
    return np.asarray(300 * MIB + warm + mib_an_hour * MIB * hours + noise * rng.normal(size=BLOCKS))


@pytest.mark.parametrize(
    ("mib_an_hour", "outcome"), [(0.0, Outcome.MET), (30.0, Outcome.MISSED), (10.0, Outcome.UNDECIDED)]
)
def test_a_leak_is_told_from_none_though_memory_goes_up_and_down_and_caches_fill(
    mib_an_hour: float, outcome: Outcome
) -> None:
    found = figures(soaked(leak(mib_an_hour)))[GROWTH]
    assert found.unit == "bytes_per_h" and found.low is not None and found.high is not None
    assert found.low <= mib_an_hour * MIB <= found.high
    assert verdict(requirement("soak", GROWTH, 10.0 * MIB), found).outcome is outcome


def test_constant_memory_may_still_grow_by_what_cannot_be_seen() -> None:
    found = figures(soaked(np.full(BLOCKS, 100.0 * MIB)))[GROWTH]
    hidden = GRAIN_BYTES / 1.764  # hours between the middles of the first stretch and the last
    assert (found.value, found.low, found.high) == pytest.approx((0.0, -hidden, hidden), rel=0.01)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1000), st.floats(0, 100))
def test_the_interval_nearly_always_holds_the_leak(seed: int, mib_an_hour: float) -> None:
    found = growth(soaked(leak(mib_an_hour, noise=0.3 * MIB, seed=seed)))
    assert not isinstance(found, str)
    slack = 0.3 * MIB
    assert found.low - slack <= mib_an_hour * MIB <= found.high + slack
    assert found.low <= found.value <= found.high


def test_one_collection_late_and_one_spike_are_no_leak() -> None:
    memory = np.full(BLOCKS, 200.0 * MIB)
    memory[300:310] += 500 * MIB
    memory[500] += 900 * MIB
    found = figures(soaked(memory))[GROWTH]
    assert found.value == 0.0 and found.high is not None and found.high < 0.1 * MIB


def test_a_model_that_gets_slower_drifts_and_one_that_does_not_does_not() -> None:
    run = soaked(None)
    limit = requirement("soak", DRIFT, 0.05)
    slower, steady = figures(run, latencies(0.5))[DRIFT], figures(run)[DRIFT]
    assert slower.value == pytest.approx(1.475 / 1.075 - 1, abs=0.05)
    assert verdict(limit, slower).outcome is Outcome.MISSED
    assert verdict(limit, steady).outcome is Outcome.MET


def test_the_drift_of_a_steady_model_is_none_in_nearly_all_soaks() -> None:
    found = [figures(soaked(None), latencies(seed=seed))[DRIFT] for seed in range(200)]
    assert sum((one.low or 0.0) > 0 for one in found) <= 10
    assert sum((one.high or 0.0) < 0 for one in found) <= 10


def test_a_processor_that_slows_down_drops() -> None:
    khz = np.where(np.arange(BLOCKS) < 400, 3_000_000.0, 2_400_000.0)
    found = figures(soaked(None, khz))
    assert found[DROP].value == pytest.approx(0.2)
    assert verdict(requirement("soak", DROP, 0.05), found[DROP]).outcome is Outcome.MISSED
    assert "heat or power in 2 of 720 blocks, first after 6 000 s" in throttled.note([soaked(None)])


def test_what_the_machine_does_not_tell_is_not_measured_and_says_why() -> None:
    found = figures(soaked(None))
    assert found[GROWTH].value is None and "does not tell how much memory" in found[GROWTH].why_not
    assert found[DROP].value is None and "frequency" in found[DROP].why_not
    short = replace(soaked(np.full(BLOCKS, 1.0)), blocks=soaked(np.full(BLOCKS, 1.0)).blocks[:4])
    assert "measure longer" in figures(short, latencies()[: 4 * EACH])[GROWTH].why_not
    assert "measure longer" in figures(short, latencies()[: 4 * EACH])[DRIFT].why_not


def test_a_process_that_died_after_hours_still_tells_that_it_leaked(tmp_path: Path) -> None:
    wanted = [requirement("soak", GROWTH, MIB), requirement("soak", "latency p50", 1e12)]
    one = case(*wanted, scenario="soak", processes=1)
    run = replace(soaked(leak(30.0)), failure=CRASH)
    _, verdicts = judge_case(one, contract(tmp_path), [run], lambda _: latencies(), None)
    assert [found.outcome for found in verdicts] == [Outcome.MISSED, Outcome.UNDECIDED]
    assert "SIGSEGV" in verdicts[1].reason


def test_a_soak_that_was_cut_short_is_not_met_and_says_how_long_it_was() -> None:
    run = soaked(None)
    assert cut_short([run], 7200 * S) == ""
    assert cut_short([run], 14_400 * S) == "only 7 200 s of 14 400 s were measured"
    assert cut_short([ProcessRun(0, failure=Failure("X", "y"))], 7200 * S) == ""


def test_every_reason_of_a_soak_that_was_cut_short_says_so(tmp_path: Path) -> None:
    wanted = [requirement("soak", GROWTH, limit) for limit in (20 * MIB, 30 * MIB, 100 * MIB)]
    wanted += [requirement("soak", DROP, 0.1)]
    one = case(*wanted, scenario="soak", processes=1)

    def reasons(asked_ns: int) -> list[tuple[Outcome, str]]:
        asked = replace(one, scenario=replace(one.scenario, max_ns=asked_ns))
        verdicts = judge_case(asked, contract(tmp_path), [soaked(leak(30.0))], lambda _: latencies(), None)[1]
        return [(found.outcome, found.reason) for found in verdicts]

    assert [outcome for outcome, _ in reasons(7200 * S)][::2] == [Outcome.MISSED, Outcome.MET]
    assert not any("were measured" in reason for _, reason in reasons(7200 * S))
    short = reasons(14_400 * S)
    assert [outcome for outcome, _ in short] == [
        Outcome.MISSED,
        Outcome.UNDECIDED,
        Outcome.UNDECIDED,
        Outcome.NOT_MEASURED,
    ]
    assert "above the limit (only 7 200 s of 14 400 s were measured)" in short[0][1]
    assert all("only 7 200 s of 14 400 s were measured: let it measure to its end" in why for _, why in short[1:3])
    assert short[3][1].endswith("(only 7 200 s of 14 400 s were measured)"), "a longer one would not tell it either"


def test_a_sparkline_is_as_high_as_the_memory() -> None:
    assert sparkline.line([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert sparkline.line([5, 5, 5]) == "▁▁▁"
    assert sparkline.line([]) == ""
    assert len(sparkline.line(list(range(1000)))) == sparkline.WIDTH
    told = sparkline.memory(soaked(leak(30.0, noise=0)))
    assert told.startswith("▁") and told.endswith("in 7 200 s") and "300 MiB at first" in told
    assert sparkline.memory(soaked(None)) == ""
