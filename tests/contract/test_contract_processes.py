"""How many processes a scenario takes where the contract does not say: as many as decide, but for what has its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.contract.model import ScenarioSettings
from bench.contract.scenario_words import PROCESSES
from bench.jobs import job_for
from bench.plan import plan
from bench.stats.sequential import fewest
from tests.contract.contracts import changed, loaded, problem, scenario

SCENARIOS = {
    "single-stream": "latency p99: 5 ms",
    "multi-stream": "latency p99: 5 ms",
    "server": "rate: 9/s, latency p99: 5 ms",
    "offline": "throughput: 9/s",
    "cold-start": "cold start: 2 s",
}


def asking(words: str, own: str = "cold-start: {load time: 200 ms}") -> str:
    """The contract with these words as its only common scenario, and ``own`` as a target's."""
    text = changed("  offline: {batch: 64, throughput: 1200/s}\n", "")
    text = changed("  cold-start: {processes: 5, cold start: 2 s, load time: 200 ms}\n", "", text)
    common = text.partition("  single-stream: {")[2].partition("}\n")[0]
    text = changed("  single-stream: {" + common + "}\n", f"  {words}\n", text)
    return changed("single-stream: {latency p99: 3 ms, queries: 1000}", own, text)


def settings(folder: Path, words: str, own: str = "artifact size: 1 MiB") -> ScenarioSettings:
    return scenario(loaded(folder, asking(words, own)).targets[0], words.partition(":")[0])


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_goes_on_until_it_is_decided_unless_the_contract_says_otherwise(tmp_path: Path, name: str) -> None:
    found = settings(tmp_path, f"{name}: {{{SCENARIOS[name]}}}")
    assert (found.least_processes, found.processes, found.error_rate) == (1, 40, 0.01)
    assert found.expected_processes == fewest()
    assert found.by_default
    assert found.min_ns == 100_000_000


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_number_alone_is_taken_as_it_is(tmp_path: Path, name: str) -> None:
    found = settings(tmp_path, f"{name}: {{{SCENARIOS[name]}, processes: 3}}")
    assert (found.adaptive, found.processes, found.by_default, found.min_ns) == (False, 3, False, 200_000_000)


@pytest.mark.parametrize(
    "words", ["soak: {rate: 50/s, latency p99: 5 ms}", "offline: {preset: mlperf, throughput: 9/s}"]
)
def test_a_soak_and_a_preset_keep_their_one_process(tmp_path: Path, words: str) -> None:
    found = settings(tmp_path, words)
    assert (found.adaptive, found.processes, found.by_default) == (False, 1, False)


@pytest.mark.parametrize(
    ("words", "least"),
    [
        ("single-stream: {latency p99: 5 ms}", 16),
        ("single-stream: {latency p99: 5 ms, promise: independent calls}", 8),
        ("single-stream: {latency p99: 5 ms, queries: 5}", 5),
        ("single-stream: {latency p99: 5 ms, processes: 3}", 64),
        ("server: {rate: 9/s, latency p99: 5 ms}", 64),
        ("soak: {rate: 50/s, latency p99: 5 ms}", 1),
    ],
)
def test_a_process_that_only_votes_may_end_after_few_queries(tmp_path: Path, words: str, least: int) -> None:
    """Of a model of 10 ms a call, 64 take longer than many a verdict."""
    contract = loaded(tmp_path, asking(words, "artifact size: 1 MiB"))
    case = next(one for one in plan(contract).cases if one.scenario.scenario == words.partition(":")[0])
    assert job_for(contract, case, 0, case.scenario.process_ns, False).min_queries == least


def test_a_common_preset_holds_for_a_target_that_says_other_words(tmp_path: Path) -> None:
    found = settings(tmp_path, "offline: {preset: mlperf, throughput: 9/s}", "offline: {time: 1 s}")
    assert (found.adaptive, found.processes) == (False, 1)


@pytest.mark.parametrize(
    ("words", "by_default"),
    [
        ("error rate: 0.1 %", False),
        ("promise: typical process", False),
        ("processes: adaptive", False),
        ("indifference: 2 %", True),
        ("time: 1 s", True),
    ],
)
def test_who_asks_for_an_error_rate_or_a_promise_has_chosen(tmp_path: Path, words: str, by_default: bool) -> None:
    found = settings(tmp_path, f"single-stream: {{latency p50: 5 ms, {words}}}")
    assert (found.adaptive, found.by_default) == (True, by_default)


def test_an_error_rate_needs_no_number_of_processes(tmp_path: Path) -> None:
    found = settings(tmp_path, "single-stream: {latency p50: 5 ms, error rate: 0.1 %}")
    assert (found.error_rate, found.expected_processes) == (0.001, fewest(0.001))


@pytest.mark.parametrize("word", ["error rate: 1 %", "promise: pool of calls"])
def test_beside_a_preset_an_error_rate_or_a_promise_needs_a_range(tmp_path: Path, word: str) -> None:
    said = problem(tmp_path, asking(f"single-stream: {{preset: mlperf, latency p90: 5 ms, {word}}}"))
    assert "here their number is fixed: write `processes: adaptive`" in said


def test_a_pool_that_the_default_could_not_show_kept_is_refused_at_its_promise(tmp_path: Path) -> None:
    said = problem(tmp_path, asking("single-stream: {latency p99: 5 ms, promise: pool of calls}"))
    assert "takes at least 587 processes without one call over the limit, and `processes` ends at 40 by default" in said
    assert said.startswith("28:47:"), "where the promise stands"


def test_the_words_help_names_the_number_that_decides() -> None:
    assert f"decides after {fewest()} that agree" in PROCESSES.help
