"""A full disk: one clear error that says what could not be written and that finished cases are safe."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from bench.errors import ResultFileError
from bench.store import run_store as store
from tests.reliability.filling_run import CASES
from tests.store.runs import FIRST, SECOND, case, info, process, stored_case

ROOT = Path(__file__).parents[2]
SAFE = r"the cases finished before are safe.*--resume .*20260102-030405-678-abcd"


@contextmanager
def small_files(most: int) -> Iterator[None]:
    """No file of this process can grow beyond ``most`` bytes: writing fails as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))  # Python ignores SIGXFSZ: an error is raised
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[store.RunStore]:
    with store.create(tmp_path, info()) as writer:
        stored_case(writer, FIRST)
        yield writer


def unharmed(writer: store.RunStore) -> None:
    """The finished case is whole, and no trace is left of what could not be written."""
    assert list(writer.finished()) == [FIRST]
    assert len(store.load_timings(writer.path, f"{FIRST}.0.npy")) == 3
    assert sorted(path.name for path in (writer.path / "cases").iterdir()) == [
        f"{FIRST}.0.npy",
        f"{FIRST}.0.outputs.npz",
        f"{FIRST}.json",
    ]


def test_timings_that_do_not_fit(writer: store.RunStore) -> None:
    column = writer.timings_writer(SECOND, 0)
    with small_files(1 << 16), pytest.raises(ResultFileError, match=rf"cannot write .*{SECOND}\.0\.npy: .*{SAFE}"):
        column.append(bytes(1 << 20))
    unharmed(writer)
    column.discard()


def test_timings_whose_last_bytes_do_not_fit(writer: store.RunStore) -> None:
    column = writer.timings_writer(SECOND, 0)
    column.append(bytes(1 << 15))  # still in memory
    with small_files(1 << 14), pytest.raises(ResultFileError, match=rf"cannot write .*{SECOND}\.0\.npy: .*{SAFE}"):
        column.close()
    unharmed(writer)


def test_outputs_that_do_not_fit(writer: store.RunStore) -> None:
    arrays = {"logits": np.zeros(1 << 16)}
    with small_files(1 << 16), pytest.raises(ResultFileError, match=rf"cannot write .*outputs\.npz: .*{SAFE}"):
        writer.save_outputs(SECOND, 0, arrays)
    unharmed(writer)


def test_a_case_that_does_not_fit(writer: store.RunStore) -> None:
    with small_files(1 << 10), pytest.raises(ResultFileError, match=rf"cannot write .*{SECOND}\.json: .*{SAFE}"):
        writer.save(case(SECOND))
    unharmed(writer)


def test_a_case_that_does_not_fit_over_one_that_is_stored(writer: store.RunStore) -> None:
    before = writer.finished()
    with small_files(1 << 10), pytest.raises(ResultFileError, match="cannot write"):
        writer.save(case(FIRST, process(FIRST, 0), process(FIRST, 1)))
    assert writer.finished() == before


def test_a_run_that_cannot_be_begun_leaves_no_folder(tmp_path: Path) -> None:
    with small_files(16), pytest.raises(ResultFileError, match=r"cannot write .*run\.json: .*no run was begun"):
        store.create(tmp_path / "results", info())
    assert list((tmp_path / "results").iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="this system has no /dev/full")
def test_the_kernel_says_no_space_left(writer: store.RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def on_a_full_disk(name: Path, flags: int, *mode: int) -> int:
        """The file is made, and what is written to it goes to a disk that is full."""
        descriptor = opened(name, flags, *mode)
        if flags & os.O_CREAT:
            os.dup2(full, descriptor, inheritable=False)
        return descriptor

    opened, full = os.open, os.open("/dev/full", os.O_WRONLY | os.O_CLOEXEC)
    monkeypatch.setattr(os, "open", on_a_full_disk)
    column = writer.timings_writer(SECOND, 0)
    with pytest.raises(ResultFileError, match=f"No space left on device; {SAFE}"):
        column.append(bytes(1 << 20))
    with pytest.raises(ResultFileError, match=f"No space left on device; {SAFE}"):
        writer.save_outputs(SECOND, 0, {"logits": np.zeros(1 << 16)})
    with pytest.raises(ResultFileError, match=f"No space left on device; {SAFE}"):
        writer.save(case(SECOND))
    os.close(full)
    unharmed(writer)


def in_a_mount_namespace(script: str, *arguments: str) -> list[str]:
    """The command that runs a shell script where it may mount, unseen by the rest of the machine."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return [shutil.which("unshare") or "unshare", "--mount", *user, "sh", "-ec", script, "sh", *arguments]


def may_mount() -> bool:
    try:
        command = in_a_mount_namespace("mount -t tmpfs -o size=64k none /mnt")
        return subprocess.run(command, capture_output=True, timeout=20, check=False).returncode == 0
    except OSError:
        return False


@pytest.mark.skipif(not may_mount(), reason="this machine lets nobody mount a small disk to fill")
def test_a_disk_filled_to_the_brim_loses_nothing_and_the_run_goes_on(tmp_path: Path) -> None:
    script = 'mount -t tmpfs -o size=1m none "$1"; exec "$2" -m tests.reliability.filling_run "$1"'
    command = in_a_mount_namespace(script, str(tmp_path), sys.executable)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=True)
    told = json.loads(done.stdout)
    assert "No space left on device; the cases finished before are safe" in told["said"]
    assert told["finished"] == list(CASES[: len(told["finished"])])
    assert len(told["finished"]) > 3
    assert told["left"] == []
    assert told["then"] == ""
    assert told["after"] == list(CASES[: len(told["finished"]) + 3])
