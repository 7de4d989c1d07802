"""``--resume`` goes on only with what the run was begun with, and names what is another now."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.contract.check import read_whole
from bench.contract.code_files import code_files
from bench.going_on import changed
from bench.results import RunInfo
from tests.run.test_run_command import Place, stored_files
from tests.store.runs import info

METRIC = "from deep import scale\n\ndef off(outputs, labels):\n    return scale.HALF / 2\n"
LIMITS = '{backend: onnxruntime, limits: {accuracy: {"mine:off": at most 0.5}, agreement: {max abs difference: 9}}}'


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def hand_over(place: Place) -> None:
    folder = place.folder
    np.savez(folder / "s.npz", x=np.ones((4, 3), np.float32))
    np.savez(folder / "l.npz", labels=np.zeros(4, np.int64))
    np.savez(folder / "p.npz", y=np.ones((4, 3), np.float32))
    (folder / "mine.py").write_text(METRIC)
    (folder / "deep").mkdir()
    (folder / "deep" / "scale.py").write_text("HALF = 0.5\n")
    place.write({"a": LIMITS}, more="validation: {samples: s.npz, labels: l.npz, predictions: p.npz}\n")


def test_resume_refuses_every_other_file_that_has_changed_and_names_it(place: Place) -> None:
    hand_over(place)
    assert place.run("-q", "--allow-code").returncode == 0
    assert place.run("-q", "--allow-code", "--resume", "latest").returncode == 0, "nothing has changed yet"
    before = stored_files(place)
    others: dict[str, Any] = {
        "s.npz": {"x": np.zeros((4, 3), np.float32)},
        "l.npz": {"labels": np.ones(4, np.int64)},
        "p.npz": {"y": np.zeros((4, 3), np.float32)},
        "mine.py": METRIC.replace("/ 2", "/ 4"),
        "deep/scale.py": "HALF = 0.25\n",
    }
    for name, now in others.items():
        file = place.folder / name
        was = file.read_bytes()
        if isinstance(now, str):
            file.write_text(now)
        else:
            np.savez(file, **now)
        done = place.run("--allow-code", "--resume", "latest")
        assert done.returncode == 2 and f": {name} has changed since; leave --resume out" in done.stderr, done.stderr
        assert len(done.stderr.splitlines()) == 1
        file.write_bytes(was)
    assert stored_files(place) == before


def test_a_run_of_before_files_were_stored_is_gone_on_with(place: Place) -> None:
    hand_over(place)
    assert place.run("-q", "--allow-code").returncode == 0
    file = place.only_run() / "run.json"
    stored = json.loads(file.read_text())
    assert sorted(stored.pop("files")) == ["deep/scale.py", "l.npz", "mine.py", "p.npz", "s.npz"]
    file.write_text(json.dumps(stored))
    np.savez(place.folder / "l.npz", labels=np.ones(4, np.int64))
    assert place.run("-q", "--allow-code", "--resume", "latest").returncode == 0


def test_weights_kept_beside_the_model_are_among_the_files(place: Place) -> None:
    place.write({"a": "onnxruntime"})
    contract = read_whole(place.contract, None)
    before, now = (replace(asked(), files={"w.bin": digest}) for digest in ("1", "2"))
    assert changed(before, now, contract) == "w.bin has changed since"
    assert changed(before, replace(now, files={}), contract) == "w.bin is gone"
    assert changed(before, replace(now, files={**before.files, "helper.py": "3"}), contract) == "helper.py is new"


def test_other_options_are_told_as_such_and_which_to_give(place: Place) -> None:
    place.write({"a": "onnxruntime", "b": "onnxruntime"})
    assert place.run("-q", "--on", "a").returncode == 0
    done = place.run("--resume", "latest", "--on", "b")
    assert done.returncode == 2
    assert "it was begun with `--on a`: give just that, or none of --on, --only" in done.stderr, done.stderr
    done = place.run("--resume", "latest", "--without-disturbed")
    assert done.returncode == 2
    assert "it was begun without --without-disturbed: leave that out" in done.stderr, done.stderr


def test_a_run_of_another_contract_is_refused_as_that_and_not_by_its_options(place: Place) -> None:
    place.write({"a": "onnxruntime", "b": "onnxruntime"})
    assert place.run("-q", "--on", "b").returncode == 0
    place.write({"a": "onnxruntime"})
    done = place.run("--resume", "latest")
    assert done.returncode == 2
    assert (
        done.stderr
        == "benchpact: --resume latest: the contract has changed since; leave --resume out to measure anew\n"
    )


def asked(plan: str = "1", **options: Any) -> RunInfo:
    return replace(info(), options={"plan": plan, **options})


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        ({"only": ["latency*"]}, {}, "begun with `--only 'latency*'`"),
        ({"on": ["b", "a"]}, {"on": ["a"]}, "begun with `--on a --on b`"),
        ({"on": ["a"], "without_disturbed": True}, {"on": ["a"]}, "begun with `--on a --without-disturbed`"),
        ({}, {"only": ["x"], "without_disturbed": True}, "begun without --only and --without-disturbed: leave that"),
        ({"targets": "site.yaml"}, {"targets": "other.yaml"}, "begun with `--targets site.yaml`"),
        ({"on": ["a", "b"]}, {"on": ["b", "a"]}, "a target or a limit has changed since"),
        ({"sweep": {"over": ["threads=1"]}}, {"sweep": {"over": ["threads=2"]}}, "begun with `--over threads=1`"),
        ({"smoke": True}, {}, "made by `benchpact smoke`"),
    ],
)
def test_what_was_asked_is_compared_before_what_came_of_it(
    place: Place, was: dict[str, Any], now: dict[str, Any], told: str
) -> None:
    place.write({"a": "onnxruntime"})
    reason = changed(asked(**was), asked("2", **now), read_whole(place.contract, None))
    assert reason is not None and told in reason


def test_code_is_followed_through_what_it_imports_beside_the_contract(tmp_path: Path) -> None:
    files = {
        "mine.py": "import json, numpy\nfrom pack.inner import name\n",
        "pack/__init__.py": "",
        "pack/inner.py": "from . import near\nfrom .deeper.last import x\n",
        "pack/near.py": "import mine\n",
        "pack/deeper/last.py": "this is no Python",
        "json_like.py": "",
        "unused.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = {path.relative_to(tmp_path).as_posix() for path in code_files(tmp_path, ["mine:off", "gone:off"])}
    assert found == {"mine.py", "pack/__init__.py", "pack/inner.py", "pack/near.py", "pack/deeper/last.py"}
