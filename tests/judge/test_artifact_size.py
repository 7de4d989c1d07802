"""The artifact's size holds every file that the artifact needs, whether the contract lists it or not."""

from __future__ import annotations

import shutil
from pathlib import Path

from bench.contract.check import check
from bench.contract.load import load
from bench.judge.case import artifact_size
from bench.results import ProcessRun

ROOT = Path(__file__).parents[2]


def copied(tmp_path: Path) -> Path:
    """The demo with its files, whose contract no longer lists the OpenVINO weights."""
    shutil.copytree(ROOT / "configs" / "digits", tmp_path / "digits")
    lines = (ROOT / "configs" / "demo.yaml").read_text().splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if line.strip().startswith("files:"))
    path = tmp_path / "demo.yaml"
    path.write_text("".join(lines[:first] + lines[first + 3 :]))
    return path


def test_weights_that_the_contract_does_not_list_are_counted_and_told(tmp_path: Path) -> None:
    contract = load(copied(tmp_path))
    size = artifact_size(contract, [ProcessRun(0, facts={"artifact": "openvino"})])
    files = ("digits.xml", "digits.bin")
    assert size.value == sum((tmp_path / "digits" / name).stat().st_size for name in files)
    assert size.count == 2
    told = [one for one in check(contract).problems if "digits.bin belongs to digits.xml" in one.message]
    assert len(told) == 1
    assert "add `files: [{path: digits/digits.bin, sha256: " in told[0].message


def test_no_size_is_told_of_an_artifact_that_no_process_opened(tmp_path: Path) -> None:
    assert artifact_size(load(copied(tmp_path)), []).value is None
