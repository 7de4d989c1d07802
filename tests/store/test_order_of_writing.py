"""What makes a file last through a power cut is an order: its bytes, then its name, then its folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from bench.results import CaseResult
from bench.store import run_store as store
from tests.store.runs import FIRST, case, info, stored_case


class Disk:
    """Hears every sync and rename: what was synced, and what the file held when it got its name."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.events: list[tuple[str, Path]] = []
        self.synced: dict[int, bytes] = {}
        self._sync, self._replace = os.fsync, os.replace
        monkeypatch.setattr(os, "fsync", self.sync)
        monkeypatch.setattr(os, "replace", self.replace)

    def sync(self, descriptor: int) -> None:
        self._sync(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        self.events.append(("sync", path))
        if path.is_file():
            self.synced[path.stat().st_ino] = path.read_bytes()

    def replace(self, old: Path, new: Path) -> None:
        """It stands on the disk as it is, and nobody can write to it any more."""
        old, new = Path(old), Path(new)
        assert self.synced.get(old.stat().st_ino) == old.read_bytes(), f"{new.name} has its name before its bytes"
        assert str(old) not in {file.path for file in psutil.Process().open_files()}, f"{new.name} is still open"
        self._replace(old, new)
        self.events.append(("name", new))

    def what_became_of(self, path: Path) -> list[tuple[str, Path]]:
        """Its own events and those of its folder from its first one on."""
        mine = [
            (what, where if where in (path, path.parent) else path)
            for what, where in self.events
            if where in (path, path.parent) or where.name.startswith(path.name + ".")
        ]
        first = next(index for index, (_, where) in enumerate(mine) if where == path)
        return mine[first : first + 3]


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("this system does not tell which file a descriptor is of")
    return Disk(monkeypatch)


def timings(writer: store.RunStore) -> None:
    column = writer.timings_writer(FIRST, 0)
    column.append(np.arange(3, dtype="<u8").tobytes())
    column.close()


def outputs(writer: store.RunStore) -> None:
    writer.save_outputs(FIRST, 0, {"logits": np.ones(3)})


def result(writer: store.RunStore) -> None:
    writer.save(case(FIRST))


WRITES: list[tuple[str, Callable[[store.RunStore], None]]] = [
    (f"cases/{FIRST}.0.npy", timings),
    (f"cases/{FIRST}.0.outputs.npz", outputs),
    (f"cases/{FIRST}.json", result),
    ("run.json", lambda _: None),
]


@pytest.mark.parametrize(("name", "write"), WRITES, ids=[name for name, _ in WRITES])
def test_bytes_are_synced_then_named_then_the_folder_is_synced(
    tmp_path: Path, disk: Disk, name: str, write: Callable[[store.RunStore], None]
) -> None:
    with store.create(tmp_path, info()) as writer:
        write(writer)
    path = writer.path / name
    assert disk.what_became_of(path) == [("sync", path), ("name", path), ("sync", path.parent)]


def test_timings_have_their_final_header_before_they_have_their_name(tmp_path: Path, disk: Disk) -> None:
    with store.create(tmp_path, info()) as writer:
        timings(writer)
        file = writer.path / "cases" / f"{FIRST}.0.npy"
        at_the_rename = disk.synced[file.stat().st_ino]
    assert b"'shape': (3,)" in at_the_rename and len(at_the_rename) == 128 + 3 * 8


def test_the_folder_of_a_new_run_lasts_too(tmp_path: Path, disk: Disk) -> None:
    with store.create(tmp_path, info()) as writer:
        events = disk.events
    assert events.index(("sync", tmp_path)) > events.index(("name", writer.path / "run.json"))


def test_a_case_is_named_after_its_files(tmp_path: Path, disk: Disk) -> None:
    with store.create(tmp_path, info()) as writer:
        stored: CaseResult = stored_case(writer, FIRST)
    named = [path.name for what, path in disk.events if what == "name"]
    assert named == ["run.json", f"{FIRST}.0.npy", f"{FIRST}.0.outputs.npz", f"{stored.case}.json"]
