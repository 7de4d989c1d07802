"""The harness killed at random moments while it writes: what was finished is there, and nothing is half."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.errors import ResultFileError
from bench.store import run_store as store
from bench.store.whole_file import TEMPORARY
from tests.reliability.writing_run import CASES, TIMINGS

ROOT = Path(__file__).parents[2]
TRIES = 250
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[str]]]:
    """A folder of runs whose writers were all killed, and of each the cases it had said were stored."""
    results = tmp_path_factory.mktemp("results")
    command = [sys.executable, "-m", "tests.reliability.writing_run", str(results), str(TRIES), "20260101"]
    told = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=280).stdout
    return results, dict(map(json.loads, told.splitlines()))


def test_every_case_that_was_finished_is_readable(killed: tuple[Path, dict[str, list[str]]]) -> None:
    results, told = killed
    assert len(told) == TRIES
    for run, finished in told.items():
        if not (results / run / "run.json").exists():
            assert finished == []
            continue
        read = store.open_run(run, results)
        assert set(finished) <= {case.case for case in read.cases}
        for case in read.cases:
            timings = case.process_runs[0].timings
            assert timings is not None
            np.testing.assert_array_equal(store.load_timings(results / run, timings), TIMINGS)


def test_no_half_file_stands_under_a_final_name(killed: tuple[Path, dict[str, list[str]]]) -> None:
    results, told = killed
    for run in told:
        for path in (results / run).rglob("*"):
            if path.suffix == ".npy":
                assert len(np.load(path)) == len(TIMINGS)
            elif path.suffix == ".npz":
                with np.load(path) as outputs:
                    assert outputs["logits"].shape == (500, 10)
            elif path.suffix == ".json":
                json.loads(path.read_text())
            else:
                assert path.is_dir() or path.name == "lock" or path.name.endswith(TEMPORARY)


def test_a_killed_run_goes_on_where_it_was(killed: tuple[Path, dict[str, list[str]]]) -> None:
    results, told = killed
    states = set()
    for run in told:
        half = (path.name.rsplit(".", 2)[0] for path in (results / run).rglob(f"*{TEMPORARY}"))
        states.add((len(told[run]), *sorted(half)))
        if not (results / run / "run.json").exists():
            with pytest.raises(ResultFileError, match="there is no run `"):
                store.reopen(results, run)
            continue
        with store.reopen(results, run) as writer:
            finished = list(writer.finished())
            assert finished == list(CASES[: len(finished)])
            of_finished = {f"{case}.{ending}" for case in finished for ending in ("json", "0.npy", "0.outputs.npz")}
            assert {path.name for path in (writer.path / "cases").iterdir()} == of_finished
    assert len(states) > 20, f"the moments were not random enough to mean anything: {states}"
