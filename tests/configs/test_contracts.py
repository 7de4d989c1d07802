"""The committed contracts name the files that are there, load, and have nothing wrong."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.contract.check import check
from bench.contract.load import load
from bench.metrics import SCENARIOS
from bench.plan import plan

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
CONTRACTS = sorted(path for path in CONFIGS.glob("*.yaml") if path.name != "targets.yaml")
each_contract = pytest.mark.parametrize("path", CONTRACTS, ids=[path.stem for path in CONTRACTS])


def read(path: Path) -> dict[str, Any]:
    """The file as plain YAML, so that these tests do not lean on the loader they check."""
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def test_all_the_contracts_are_there() -> None:
    assert [path.name for path in CONTRACTS] == [
        "board.yaml",
        "demo.yaml",
        "digits-all.yaml",
        "soak.yaml",
        "streaming.yaml",
    ]


@each_contract
def test_every_artifact_is_the_file_whose_hash_the_contract_gives(path: Path) -> None:
    for artifact in read(path)["artifacts"].values():
        for one in (artifact, *artifact.get("files", [])):
            found = hashlib.sha256((path.parent / one["path"]).read_bytes()).hexdigest()
            assert found == one["sha256"], one["path"]


@each_contract
def test_a_contract_loads_and_has_nothing_wrong(path: Path) -> None:
    checked = check(load(path))
    assert checked.problems == ()


@each_contract
def test_a_contract_leaves_no_setting_of_a_target_to_a_default(path: Path) -> None:
    assert {target.name: target.defaults for target in load(path).targets if target.defaults} == {}


def test_the_contracts_together_cover_every_scenario() -> None:
    assert {case.scenario.scenario for path in CONTRACTS for case in plan(load(path)).cases} == set(SCENARIOS)


def test_the_demo_needs_only_the_cpu_extra_and_covers_the_daily_scenarios() -> None:
    contract = load(CONFIGS / "demo.yaml")
    assert len(contract.targets) == 3
    assert {target.backend for target in contract.targets} == {"litert", "onnxruntime", "openvino"}
    found = {case.scenario.scenario for case in plan(contract).cases}
    assert found == {"single-stream", "server", "offline", "cold-start"}


def test_the_larger_contract_has_every_backend_and_every_artifact_on_a_target() -> None:
    contract = load(CONFIGS / "digits-all.yaml")
    assert {target.backend for target in contract.targets} == {"onnxruntime", "openvino", "pytorch", "litert"}
    kinds = {"onnx", "openvino", "torchscript", "torch-export", "tflite"}
    assert {artifact.kind for artifact in contract.artifacts} == kinds
    assert len(contract.targets) >= 5


def test_a_contract_can_name_every_target_of_the_sites_file(tmp_path: Path) -> None:
    shutil.copytree(CONFIGS / "digits", tmp_path / "digits")
    head, _, _ = (CONFIGS / "digits-all.yaml").read_text(encoding="utf-8").partition("\ntargets:")
    names = list(read(CONFIGS / "targets.yaml")["targets"])
    contract = tmp_path / "contract.yaml"
    contract.write_text(head + "\ntargets:\n" + "".join(f"  {name}:\n" for name in names), encoding="utf-8")
    loaded = load(contract, CONFIGS / "targets.yaml")
    assert [target.name for target in loaded.targets] == names
    assert check(loaded).problems == ()
