"""A board whose records are sound but for one lie: the run says so or keeps it as data, and writes nowhere else."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.remote.sshd import HOST, Sshd
from tests.run.test_run_command import Place

CAUGHT = {
    "a phase whose name is a path": r's|"phase":"load"|"phase":"../../load"|',
    "a duration before it began": r's|"duration_ns":|"duration_ns":-|',
    "more timings than came": r's|"count":|"count":9|',
    "memory beyond all machines": r's|"peak_bytes":|"peak_bytes":99999999999999|',
    "a machine that is none": r's|"machine":{|"machine":7,"was":{|',
    "a number that is none": r's|"ratio":|"ratio":NaN,"was":|',
    "a line that is longer than any": 's|"kind":"facts"|"kind":"facts","more":"' + "x" * 3_000_000 + '"|',
}
KEPT = {
    "an output whose name leads out of its folder": r's|"name":"y"|"name":"../../../../../../y"|',
    "an output whose name is a path": r's|"name":"y"|"name":"/tmp/y"|',
    "facts that clear the terminal": r's|"providers":\[|"providers":["\\u001b[2J\\u001b[1;1H","<script>","../../x",|',
}
"""What may be so is kept as the data that it is."""


@pytest.fixture
def sshd(lasting_sshd: Sshd) -> Sshd:
    return lasting_sshd


@pytest.fixture
def place(tmp_path: Path, sshd: Sshd) -> Place:
    """With predictions: the outputs of the board are asked for, and stored."""
    place = Place(tmp_path)
    samples = np.random.default_rng(3).normal(size=(16, 3)).astype(np.float32)
    np.savez(tmp_path / "samples.npz", x=samples)
    np.savez(tmp_path / "predictions.npz", y=np.abs(samples))
    return place


def lying(folder: Path, lie: str) -> Path:
    """A Python that is this one, but what its workers say is edited on the way."""
    python, real = folder / "python3", shlex.quote(sys.executable)
    (folder / "lie.sed").write_text(lie)
    edited = (
        f'if [ "$2" = work ]; then {real} "$@" | LC_ALL=C sed -u -f {shlex.quote(str(folder / "lie.sed"))}; exit; fi'
    )
    python.write_text(f'#!/bin/sh\n{edited}\nexec {real} "$@"\n')
    python.chmod(0o755)
    return python


def told(place: Place, lie: str) -> dict[str, Any]:
    """The only process run of a board that tells this lie, after all that holds whatever it tells."""
    more = "validation: {samples: samples.npz, predictions: predictions.npz}\n"
    python = lying(place.folder, lie)
    place.write({"liar": f"{{backend: onnxruntime, host: {HOST}, python: {python}}}"}, more=more)
    text = place.contract.read_text().replace("limits:\n", "limits:\n  agreement: {max abs difference: 1e-5}\n")
    place.contract.write_text(text)
    before = everything(place.folder)
    done = place.run("--markdown", "report.md")
    assert done.returncode in (0, 3), done.stdout + done.stderr
    shown = done.stdout + done.stderr + (place.folder / "report.md").read_text()
    assert "Traceback" not in shown
    assert "\x1b" not in shown
    written = everything(place.folder) - before
    assert {path for path in written if path.parts[0] != "results"} == {Path("report.md")}
    (stored,) = place.only_run().glob("cases/*.json")
    (one,) = json.loads(stored.read_text())["process_runs"]
    return dict(one)


def everything(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*") if "__pycache__" not in path.parts}


@pytest.mark.parametrize("lie", CAUGHT.values(), ids=CAUGHT.keys())
def test_what_cannot_be_is_a_protocol_error(lie: str, place: Place, sshd: Sshd) -> None:
    failure = told(place, lie)["failure"]
    assert failure is not None
    assert failure["error"] == "ProtocolError", failure


@pytest.mark.parametrize("lie", KEPT.values(), ids=KEPT.keys())
def test_what_may_be_is_kept_as_data(lie: str, place: Place, sshd: Sshd) -> None:
    one = told(place, lie)
    assert one["failure"] is None
    if "providers" in lie:
        assert "<script>" in one["facts"]["providers"]
    else:
        (stored,) = place.only_run().rglob(one["outputs"])
        with np.load(stored) as outputs:
            (name,) = outputs
        assert "%2F" in name and "/" not in name
