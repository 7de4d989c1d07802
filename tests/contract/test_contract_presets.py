"""``preset: mlperf`` stands for MLPerf's own rules; what the contract says beside it goes before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.contract.load import load
from bench.contract.model import ScenarioSettings
from bench.contract.presets import LONG_NS, SAMPLES, departures, rules, with_preset
from bench.errors import ContractError
from bench.plan import plan
from tests.contract.test_contract_soak import TEXT

S = 1_000_000_000


def settings(folder: Path, common: str, own: str = "") -> ScenarioSettings:
    path = folder / "contract.yaml"
    text = TEXT.replace("soak: {SOAK}", common)
    path.write_text(text.replace('{a: "null"}', f'{{a: {{backend: "null", limits: {{{own}}}}}}}') if own else text)
    (case,) = plan(load(path, None)).cases
    return case.scenario


def test_the_numbers_are_those_of_the_rules() -> None:
    assert SAMPLES == {"single-stream": 64, "multi-stream": 8 * 662, "server": 459, "offline": 24_576}
    assert LONG_NS == 600 * S


@pytest.mark.parametrize(
    ("scenario", "words", "samples"),
    [
        ("single-stream", "latency p90: 1 ms", 64),
        ("multi-stream", "latency p99: 1 ms", 5296),
        ("offline", "throughput: 1/s", 24_576),
        ("server", "rate: 20/s, latency p99: 1 ms", 0),
    ],
)
def test_it_sets_duration_processes_and_counts(tmp_path: Path, scenario: str, words: str, samples: int) -> None:
    found = settings(tmp_path, f"{scenario}: {{preset: mlperf, {words}}}")
    assert (found.min_ns, found.max_ns, found.processes) == (LONG_NS, LONG_NS, 1)
    assert (found.preset, found.must_samples) == ("mlperf", samples)
    assert found.calls_per_timing == 1, "MLPerf times each query"
    assert found.batch == (8 if scenario == "multi-stream" else 1)
    assert departures(found) == ""
    assert "at least 600 s" in rules(scenario) and "not LoadGen" in rules(scenario)


def test_without_it_the_short_defaults_stay(tmp_path: Path) -> None:
    found = settings(tmp_path, "single-stream: {latency p90: 1 ms}")
    assert (found.min_ns, found.max_ns, found.preset, found.must_samples) == (S // 10, 2 * S, None, 0)
    assert found.adaptive


def test_words_beside_it_go_before_it_and_are_told(tmp_path: Path) -> None:
    found = settings(tmp_path, "multi-stream: {preset: mlperf, latency p99: 1 s, time: 10 s, processes: 2, samples: 4}")
    assert (found.min_ns, found.max_ns, found.processes, found.batch) == (10 * S, 10 * S, 2, 4)
    assert departures(found) == "at least 10 s, not 600 s, 2 processes, not 1, 4 samples a query, not 8"


def test_a_targets_preset_goes_before_common_words(tmp_path: Path) -> None:
    found = settings(
        tmp_path, "single-stream: {latency p90: 1 ms, time: 1 s, processes: 5}", "single-stream: {preset: mlperf}"
    )
    assert (found.max_ns, found.processes) == (LONG_NS, 1)


def test_a_targets_words_go_before_a_common_preset(tmp_path: Path) -> None:
    found = settings(tmp_path, "single-stream: {latency p90: 1 ms, preset: mlperf}", "single-stream: {time: 1 s}")
    assert (found.max_ns, found.preset) == (S, "mlperf")


def test_a_slow_server_goes_on_until_early_stopping_can_tell() -> None:
    found = with_preset(ScenarioSettings("server"), "mlperf", 0.1)
    assert found.max_ns == 4590 * S and found.min_ns == LONG_NS


@pytest.mark.parametrize("word", ["loadgen", "mlperfs"])
def test_another_word_is_told_what_is_meant(tmp_path: Path, word: str) -> None:
    with pytest.raises(ContractError) as raised:
        settings(tmp_path, f"single-stream: {{preset: {word}, latency p90: 1 ms}}")
    assert "did you mean `mlperf`?" in str(raised.value)


def test_it_is_no_word_of_what_mlperf_does_not_have(tmp_path: Path) -> None:
    with pytest.raises(ContractError):
        settings(tmp_path, "cold-start: {preset: mlperf, cold start: 1 s}")
