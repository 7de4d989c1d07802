"""The store: what was saved is read back as it was, whoever writes has the run alone, and runs are found by name."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.errors import ContractError, ResultFileError
from bench.store import run_store as store
from tests.store.runs import FIRST, SECOND, case, info, process, stored_case, stored_run


def test_a_run_is_read_back_as_it_was_saved(tmp_path: Path) -> None:
    with store.create(tmp_path / "results", info()) as writer:
        saved = stored_case(writer, FIRST)
        assert writer.finished() == {FIRST: saved}
    run = store.open_run("latest", tmp_path / "results")
    assert run.info == info()
    assert run.cases == (saved,)
    assert run.missing == (SECOND,)


def test_cases_come_in_the_order_of_the_plan(tmp_path: Path) -> None:
    path = stored_run(tmp_path, SECOND, FIRST)
    assert [one.case for one in store.open_run(path, tmp_path).cases] == [FIRST, SECOND]


def test_timings_come_back_in_order_and_memory_mapped(tmp_path: Path) -> None:
    values = np.random.default_rng(1).integers(0, 1 << 63, 100_001).astype("<u8")
    with store.create(tmp_path, info()) as writer:
        column = writer.timings_writer(FIRST, 2)
        for at in range(0, len(values), 1000):
            column.append(values[at : at + 1000].tobytes())
        assert column.close() == (f"{FIRST}.2.npy", len(values))
        read = store.load_timings(writer.path, f"{FIRST}.2.npy")
    assert isinstance(read, np.memmap)
    assert not read.flags.writeable
    np.testing.assert_array_equal(read, values)


def test_a_column_of_no_timings_is_a_column(tmp_path: Path) -> None:
    with store.create(tmp_path, info()) as writer:
        assert writer.timings_writer(FIRST, 0).close() == (f"{FIRST}.0.npy", 0)
        assert len(store.load_timings(writer.path, f"{FIRST}.0.npy")) == 0


def test_discarded_timings_leave_no_file(tmp_path: Path) -> None:
    with store.create(tmp_path, info()) as writer:
        column = writer.timings_writer(FIRST, 0)
        column.append(bytes(8))
        column.discard()
        assert list((writer.path / "cases").iterdir()) == []


def test_discard_after_close_keeps_the_file(tmp_path: Path) -> None:
    with store.create(tmp_path, info()) as writer:
        column = writer.timings_writer(FIRST, 0)
        name, _ = column.close()
        column.discard()
        assert (writer.path / "cases" / name).is_file()


def test_half_a_timing_is_refused(tmp_path: Path) -> None:
    with store.create(tmp_path, info()) as writer:
        column = writer.timings_writer(FIRST, 0)
        with pytest.raises(ValueError, match="7 bytes"):
            column.append(bytes(7))
        column.discard()


def test_ten_million_timings_are_written_and_read_in_little_memory(tmp_path: Path) -> None:
    block = np.arange(1 << 16, dtype="<u8").tobytes()
    with store.create(tmp_path, info()) as writer:
        column = writer.timings_writer(FIRST, 0)
        tracemalloc.start()
        try:
            for _ in range(160):
                column.append(block)
            name, count = column.close()
            last = int(store.load_timings(writer.path, name)[-1])
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert (count, last) == (160 << 16, (1 << 16) - 1)
    assert peak < 2 << 20  # the column is 80 MiB


@pytest.mark.parametrize("name", ["logits", "/model/Add:0", "../../etc/passwd", "file", "ä b%2F", "a" * 300])
def test_outputs_of_any_name_come_back(tmp_path: Path, name: str) -> None:
    arrays: dict[str, np.ndarray[Any, Any]] = {
        name: np.arange(6, dtype=np.float32).reshape(2, 3),
        "scalar": np.asarray(np.int64(7)),
    }
    with store.create(tmp_path, info()) as writer:
        read = writer.load_outputs(writer.save_outputs(FIRST, 0, arrays))
    assert list(read) == [name, "scalar"]
    for key, array in arrays.items():
        assert read[key].dtype == array.dtype
        np.testing.assert_array_equal(read[key], array)


def test_a_run_that_exists_is_not_written_over(tmp_path: Path) -> None:
    stored_run(tmp_path, FIRST)
    with pytest.raises(ResultFileError, match="exists already"):
        store.create(tmp_path, info())
    assert len(store.open_run("latest", tmp_path).cases) == 1


def test_a_results_folder_that_cannot_be_made_is_wrong_input(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ContractError, match=r"cannot make the folder .*file.*: choose another with --results"):
        store.create(tmp_path / "file" / "results", info())
    with pytest.raises(ContractError, match=r"file is there, and is not a folder: choose another folder with"):
        store.create(tmp_path / "file", info())


@pytest.mark.parametrize(("number", "is_input"), [(errno.ENOSPC, False), (errno.EROFS, True), (errno.EACCES, True)])
def test_a_disk_without_room_is_not_the_input_s_fault(
    tmp_path: Path, number: int, is_input: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path, *_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "mkdir", refused)
    with pytest.raises(ResultFileError) as caught:
        store.create(tmp_path / "results", info())
    assert isinstance(caught.value, ContractError) == is_input


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "..", ".hidden", "a\n", "x.tmp", "-o", "a" * 300, "ü"])
def test_a_name_that_is_no_safe_file_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ResultFileError, match="no name for a file"):
        store.create(tmp_path, info(run=name))
    assert list(tmp_path.iterdir()) == []


def test_run_ids_sort_by_time_and_are_safe_names(tmp_path: Path) -> None:
    start = datetime(2026, 1, 2, 3, 4, 59, 998_500, tzinfo=timezone.utc)
    ids = [store.new_run_id(start + timedelta(milliseconds=i)) for i in range(20)]
    assert ids == sorted(ids)
    assert ids[0].startswith("20260102-030459-998-")
    assert len({store.new_run_id(start) for _ in range(20)}) > 1
    store.create(tmp_path, info(run=ids[0])).close()


def test_a_run_id_is_utc_wherever_the_clock_stands() -> None:
    there = datetime(2026, 1, 2, 1, 0, tzinfo=timezone(timedelta(hours=3)))
    assert store.new_run_id(there).startswith("20260101-220000-000-")


def three_runs(results: Path) -> list[str]:
    ids = ["20260101-000000-000-aaaa", "20260101-000000-001-bbbb", "20260202-000000-000-cccc"]
    for run in ids:
        store.create(results, info(run=run)).close()
    return ids


def test_a_run_is_found_by_id_beginning_latest_or_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = three_runs(tmp_path / "results")
    results = tmp_path / "results"
    assert store.find(ids[0], results) == results / ids[0]
    assert store.find("20260101-000000-001", results) == results / ids[1]
    assert store.find("latest", results) == results / ids[2]
    assert store.find(results / ids[1], Path("elsewhere")) == results / ids[1]
    assert store.find(str(results / ids[1] / "run.json"), Path("elsewhere")) == results / ids[1]
    monkeypatch.chdir(results)
    assert store.find(ids[2], Path("elsewhere")) == Path(ids[2])


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ("20260101", r"2 runs begin with `20260101`.*aaaa, 20260101-000000-001-bbbb"),
        ("2027", r"there is no run `2027`.*cccc"),
        ("", r"there is no run ``"),
        ("no/such/run", r"no/such/run is no run"),
    ],
)
def test_a_run_that_is_not_there_is_said_with_what_is(tmp_path: Path, run: str, message: str) -> None:
    three_runs(tmp_path)
    with pytest.raises(ResultFileError, match=message):
        store.find(run, tmp_path)


def test_where_there_is_no_run_at_all_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "half-begun").mkdir()
    for results in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ResultFileError, match="there is no run in"):
            store.find("latest", results)


def test_reopening_removes_what_an_interruption_left_and_nothing_else(tmp_path: Path) -> None:
    path = stored_run(tmp_path, FIRST)
    cases = path / "cases"
    kept = sorted(one.name for one in cases.iterdir())
    for name in (f"{FIRST}.json.tmp", f"{SECOND}.0.npy.tmp", f"{SECOND}.0.npy", f"{SECOND}.1.outputs.npz"):
        (cases / name).write_bytes(b"half")
    (path / "run.json.tmp").write_bytes(b"half")
    (cases / "notes.txt").write_text("mine")
    with store.reopen(tmp_path, "latest") as writer:
        assert list(writer.finished()) == [FIRST]
    assert sorted(one.name for one in cases.iterdir()) == sorted([*kept, "notes.txt"])
    assert sorted(one.name for one in path.iterdir()) == ["cases", "lock", "run.json"]


def test_a_leftover_temporary_file_is_ignored_by_readers(tmp_path: Path) -> None:
    path = stored_run(tmp_path, FIRST)
    (path / "cases" / f"{SECOND}.json.tmp").write_bytes(b"half")
    assert store.open_run(path, tmp_path).missing == (SECOND,)


def test_a_second_writer_is_told_which_process_has_the_run(tmp_path: Path) -> None:
    with store.create(tmp_path, info()):
        with pytest.raises(ResultFileError, match=rf"in use by process {os.getpid()}: wait"):
            store.reopen(tmp_path, "latest")
        assert store.open_run("latest", tmp_path).missing == (FIRST, SECOND)  # reading is free
    store.reopen(tmp_path, "latest").close()


def test_a_writer_that_was_killed_holds_no_lock(tmp_path: Path) -> None:
    path = stored_run(tmp_path, FIRST)
    program = (
        "import sys, time; from pathlib import Path; from bench import store\n"
        "held = store.reopen(Path(sys.argv[1]), 'latest'); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(ResultFileError, match=f"in use by process {other.pid}"):
            store.reopen(tmp_path, "latest")
        other.kill()
        other.wait()
        store.reopen(tmp_path, path.name).close()


def test_a_store_that_is_dropped_gives_its_lock_back(tmp_path: Path) -> None:
    writer = store.create(tmp_path, info())
    del writer
    store.reopen(tmp_path, "latest").close()


def test_a_case_that_is_not_of_the_plan_is_not_stored(tmp_path: Path) -> None:
    with store.create(tmp_path, info()) as writer, pytest.raises(ValueError, match="no case"):
        writer.save(case("other.single-stream"))


def test_a_process_run_cannot_name_a_file_of_another(tmp_path: Path) -> None:
    wrong = case(FIRST, replace(process(FIRST, 0), timings=f"{SECOND}.0.npy"))
    with store.create(tmp_path, info()) as writer, pytest.raises(ValueError, match=r"its own would be"):
        writer.save(wrong)
    assert list((tmp_path / info().run / "cases").iterdir()) == []


def test_a_figure_of_a_numpy_type_is_stored_as_a_number(tmp_path: Path) -> None:
    one = case(FIRST)
    numbers = replace(one.figures[0], value=np.float32(0.5), count=np.int64(3))  # type: ignore[arg-type]
    with store.create(tmp_path, info()) as writer:
        writer.save(replace(one, figures=(numbers,)))
        assert writer.finished()[FIRST].figures[0] == replace(numbers, value=0.5, count=3)


def test_what_no_reader_would_take_is_not_written(tmp_path: Path) -> None:
    with store.create(tmp_path, info()) as writer:
        with pytest.raises(ResultFileError, match=r"cannot write .*an integer beyond 64 bits.*are safe"):
            writer.save(replace(case(FIRST), duration_ns=1 << 63))
        assert list((writer.path / "cases").iterdir()) == []
