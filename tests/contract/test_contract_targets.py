"""Targets: described in the contract, by the site, or by both; what the user left out is filled in and named."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.contract.check import read_whole
from bench.contract.load import load, load_targets
from bench.contract.problems import ContractProblems
from bench.errors import ContractError
from bench.plan import plan
from tests.contract.contracts import WHOLE, changed, loaded, problem, requirement, write

SITE = (
    "targets:\n  pi4: {backend: onnxruntime, threads: 4, options: {spinning: false, a: 1}}\n  other: {backend: nope}\n"
)
NAMED = changed("  torch-ts: pytorch\n", "  pi4:\n")


def test_a_target_has_what_was_written_and_nothing_is_a_default(tmp_path: Path) -> None:
    target = loaded(tmp_path).targets[0]
    assert (target.backend, target.device, target.threads) == ("onnxruntime", "cpu", 2)
    assert (target.precision, target.residency, target.defaults) == ("fp32", "host", ())
    assert target.options == {
        "graph optimization": "all",
        "spinning": False,
        "inter-op threads": 2,
        "ratio": 0.5,
        "word": "2",
    }


def test_one_word_is_short_for_its_backend_and_the_rest_is_named_as_default(tmp_path: Path) -> None:
    target = loaded(tmp_path).targets[1]
    assert (target.backend, target.device, target.threads) == ("pytorch", "cpu", 1)
    assert (target.precision, target.residency) == ("fp32", "host")
    assert target.defaults == ("device", "threads", "precision", "residency")


@pytest.mark.parametrize("place", ["configs/targets.yaml", "targets.yaml"])
def test_a_target_that_is_only_named_is_described_beside_the_contract(tmp_path: Path, place: str) -> None:
    write(tmp_path, SITE, place)
    target = loaded(tmp_path, NAMED).targets[1]
    assert (target.name, target.backend, target.threads) == ("pi4", "onnxruntime", 4)
    assert target.defaults == ("device", "precision", "residency")
    assert requirement(target, "single-stream latency p99").limit == 5e6
    assert target.option_places["a"].file == str(tmp_path / place)


def test_a_target_of_the_site_that_is_asked_for_owes_what_the_contract_asks_of_all(tmp_path: Path) -> None:
    write(tmp_path, SITE, "targets.yaml")
    path = write(tmp_path, WHOLE)
    assert "pi4" not in {target.name for target in load(path).targets}
    own = [target.name for target in load(path).targets]
    found = read_whole(path, None, ["pi4", own[0], "pi4"])
    assert [target.name for target in found.targets] == [*own, "pi4"]
    assert (found.targets[-1].backend, found.targets[-1].threads) == ("onnxruntime", 4)
    assert requirement(found.targets[-1], "single-stream latency p99").limit == 5e6
    assert [case.target.name for case in plan(found, ["pi4"]).cases][:1] == ["pi4"]
    with pytest.raises(ContractError, match="--on pi5: the contract has no such target, nor has the site"):
        plan(read_whole(path, None, ["pi5"]), ["pi5"])


def test_a_target_is_found_in_the_current_directory_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "here", SITE, "configs/targets.yaml")
    monkeypatch.chdir(tmp_path / "here")
    path = write(tmp_path / "there", NAMED)
    assert load(path).targets[1].threads == 4
    write(tmp_path / "there", SITE.replace("threads: 4", "threads: 8"), "targets.yaml")
    assert load(path).targets[1].threads == 8


def test_a_targets_file_that_is_named_is_the_only_one(tmp_path: Path) -> None:
    write(tmp_path, SITE.replace("threads: 4", "threads: 8"), "targets.yaml")
    named = write(tmp_path, SITE, "lab.yaml")
    assert load(write(tmp_path, NAMED), named).targets[1].threads == 4


def test_the_contract_s_words_go_before_the_site_s(tmp_path: Path) -> None:
    site = "targets:\n  pi4:\n    backend: onnxruntime\n    threads: 4\n    device: cpu\n"
    site += (
        "    options: {spinning: false, a: 1}\n    limits: {single-stream: {latency p99: 9 ms, latency p50: 8 ms}}\n"
    )
    write(tmp_path, site, "targets.yaml")
    own = "  pi4: {threads: 2, options: {a: 2}, limits: {single-stream: {latency p99: 7 ms}}}\n"
    target = loaded(tmp_path, changed("  torch-ts: pytorch\n", own)).targets[1]
    assert (target.threads, target.device, target.options) == (2, "cpu", {"spinning": False, "a": 2})
    assert requirement(target, "single-stream latency p99").limit == 7e6
    assert requirement(target, "single-stream latency p50").limit == 8e6
    assert target.defaults == ("precision", "residency")


def test_a_target_that_nobody_describes_says_where_was_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = problem(tmp_path, NAMED)
    assert "target `pi4` has no `backend` here, and there is no targets file; looked for" in told
    assert f"{tmp_path / 'configs/targets.yaml'}, {tmp_path / 'targets.yaml'}, configs/targets.yaml" in told
    write(tmp_path, SITE.replace("pi4", "pi5"), "targets.yaml")
    assert f"{tmp_path / 'targets.yaml'} has no such target: did you mean `pi5`?" in problem(tmp_path, NAMED)


def test_problems_of_the_targets_file_have_its_own_places(tmp_path: Path) -> None:
    site = write(tmp_path, "targets:\n  pi4: {backend: onxruntime, threads: 0, precison: fp32}\n", "targets.yaml")
    path = write(tmp_path, changed("name: digits-cnn", "nam: x", NAMED))
    with pytest.raises(ContractProblems) as caught:
        load(path)
    lines = str(caught.value).split("\n")
    assert lines[0].startswith(f"{path}:3:3: ")
    assert f"{site}:2:18: `backend`: `onxruntime` is not a backend: did you mean `onnxruntime`?" in lines
    assert f"{site}:2:39: `threads`: 0 is not a number of threads: it is from 1 to 4096" in lines
    assert f"{site}:2:42: `precison` is no key of `pi4`: did you mean `precision`?" in lines


def test_a_backend_that_is_unknown_matters_only_for_a_target_that_is_used(tmp_path: Path) -> None:
    write(tmp_path, SITE, "targets.yaml")
    assert loaded(tmp_path, NAMED).targets[1].name == "pi4"
    with pytest.raises(ContractProblems, match="`nope` is not a backend"):
        load_targets(tmp_path / "targets.yaml")


def test_a_targets_file_is_only_read_where_a_target_needs_it(tmp_path: Path) -> None:
    write(tmp_path, "targets: [broken", "targets.yaml")
    assert len(loaded(tmp_path).targets) == 2
    with pytest.raises(ContractProblems, match=r"targets\.yaml:1:\d+: this is not YAML"):
        loaded(tmp_path, NAMED)


def test_a_missing_targets_file_that_was_named_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(ContractProblems, match=r"nowhere\.yaml:1:1: there is no such file"):
        load(write(tmp_path, NAMED), tmp_path / "nowhere.yaml")


def test_the_site_s_targets_are_listed_without_a_contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_targets(None) == ()
    write(tmp_path, SITE.replace("  other: {backend: nope}\n", ""), "configs/targets.yaml")
    assert [target.name for target in load_targets(None)] == ["pi4"]


@pytest.mark.parametrize("targets", ["targets: {}\n", "targets: [a]\n", "targets:\n", "targets: x\n"])
def test_a_contract_without_targets_is_refused(tmp_path: Path, targets: str) -> None:
    head = changed("  torch-ts: pytorch\n", "").split("targets:\n")[0]
    assert "targets by name, like `ort-1: {backend: onnxruntime}`" in problem(tmp_path, head + targets)
