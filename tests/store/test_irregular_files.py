"""What stands in the place of a run's file or folder is no way to hold a reader, or to write elsewhere."""

from __future__ import annotations

import os
import secrets
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.errors import ResultFileError
from bench.store import run_store as store
from bench.store.whole_file import write_whole
from tests.store.runs import FIRST, SECOND, case, stored_case, stored_run

FILES = ("run.json", f"cases/{FIRST}.json", f"cases/{FIRST}.0.npy", f"cases/{FIRST}.0.outputs.npz")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A stored run; whoever waits for something in it is woken with an error."""
    monkeypatch.chdir(tmp_path)  # a socket's name is short

    def waited(*_: object) -> None:
        raise AssertionError("it waits for a writer that never comes")

    before = signal.signal(signal.SIGALRM, waited)
    signal.alarm(20)
    yield stored_run(tmp_path / "results", FIRST)
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(path))


def a_link(path: Path) -> None:
    outside = Path("outside")
    path.rename(outside) if path.exists() else outside.touch()
    path.symlink_to(outside.resolve())


MAKERS: list[Callable[[Path], object]] = [
    os.mkfifo,
    a_socket,
    lambda path: path.symlink_to("/dev/zero"),
    Path.mkdir,
    a_link,
]


def read_everything(run: Path) -> None:
    stored = store.open_run(run, run.parent)
    with store.reopen(run.parent, run.name) as writer:
        for process in (one for case in stored.cases for one in case.process_runs):
            assert process.timings is not None and process.outputs is not None
            store.load_timings(run, process.timings)
            writer.load_outputs(process.outputs)


def test_the_run_itself_is_read(run: Path) -> None:
    read_everything(run)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("make", MAKERS, ids=["pipe", "socket", "device", "folder", "link"])
def test_what_is_no_regular_file_is_refused_by_its_name(run: Path, file: str, make: Callable[[Path], object]) -> None:
    if make is not a_link:
        (run / file).unlink()
    make(run / file)
    with pytest.raises(ResultFileError, match=rf"cannot open .*{Path(file).name}: it is not a regular file but a link"):
        read_everything(run)


@pytest.mark.parametrize("make", [os.mkfifo, a_link, Path.mkdir], ids=["pipe", "link", "folder"])
def test_a_lock_that_is_no_regular_file_is_refused_and_not_written_to(
    run: Path, make: Callable[[Path], object]
) -> None:
    outside = Path("outside")
    (run / "lock").write_text("precious")
    if make is not a_link:
        (run / "lock").unlink()
    make(run / "lock")
    with pytest.raises(ResultFileError, match=r"cannot open .*lock: it is not a regular file"):
        store.reopen(run.parent, run.name)
    assert not outside.exists() or outside.read_text() == "precious"


def test_a_folder_whose_run_json_is_a_pipe_is_not_the_latest_run(run: Path) -> None:
    (run.parent / "zzz").mkdir()
    os.mkfifo(run.parent / "zzz" / "run.json")
    assert store.find("latest", run.parent) == run
    with pytest.raises(ResultFileError, match="it is not a regular file"):
        store.open_run("zzz", run.parent)


@pytest.mark.parametrize("name", ["", "cases"], ids=["run", "cases"])
def test_a_linked_folder_is_not_written_to_and_nothing_is_removed_there(run: Path, name: str) -> None:
    real = run.parent.parent / "real"
    (run / name).rename(real)
    (run / name).symlink_to(real)
    kept = real if name == "cases" else real / "cases"
    left = kept / f"{SECOND}.0.npy"
    left.touch()
    (kept / "mine.tmp").touch()
    before = sorted(kept.iterdir())
    with pytest.raises(ResultFileError, match=rf"{(run / name).name} is a link and leads elsewhere"):
        store.reopen(run.parent, run.name)
    assert sorted(kept.iterdir()) == before


def test_a_folder_that_became_a_link_under_a_writer_is_not_cleaned(run: Path) -> None:
    with store.reopen(run.parent, run.name) as writer:
        (run / "cases").rename("moved")
        Path("moved/mine.tmp").touch()
        (run / "cases").symlink_to(Path("moved").resolve())
        with pytest.raises(ResultFileError, match="cases is a link"):
            writer.clean()
    assert Path("moved/mine.tmp").exists()


def test_cases_that_lie_elsewhere_are_not_read(run: Path) -> None:
    (run / "cases").rename("moved")
    (run / "cases").symlink_to(Path("moved").resolve())
    with pytest.raises(ResultFileError, match="cases is a link"):
        store.open_run(run, run.parent)
    with pytest.raises(ResultFileError, match="cases is a link"):
        store.load_timings(run, f"{FIRST}.0.npy")


def test_links_under_the_temporary_names_are_never_written_through(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where their names could be foreseen."""
    monkeypatch.setattr(secrets, "token_hex", lambda _: "feed")
    outside = Path("outside").resolve()
    outside.write_text("precious")
    with store.reopen(run.parent, run.name) as writer:
        for name in ("json", "0.npy", "0.outputs.npz"):
            for middle in ("", ".feed"):
                (run / "cases" / f"{SECOND}.{name}{middle}.tmp").symlink_to(outside)
        with pytest.raises(ResultFileError, match="exists"):
            writer.timings_writer(SECOND, 0)
        with pytest.raises(ResultFileError, match="exists"):
            writer.save(case(SECOND))
        monkeypatch.undo()
        stored_case(writer, SECOND)
    assert outside.read_text() == "precious"
    assert not outside.samefile(run / "cases" / f"{SECOND}.json")


def test_a_file_under_a_long_name_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / ("a" * 255)
    write_whole(path, lambda file: file.write(b"x"), "nothing")
    assert path.read_bytes() == b"x" and list(tmp_path.iterdir()) == [path]
