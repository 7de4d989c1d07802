"""Stored files that somebody changed, or that disk and network damaged: one clear ResultFileError each."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench import results
from bench.errors import ResultFileError
from bench.store import reading as stored
from bench.store import run_store as store
from bench.store import timings_file
from bench.store.run_lock import RunLock
from tests.store.runs import FIRST, SECOND, stored_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return stored_run(tmp_path, FIRST)


def change(path: Path, how: Callable[[Any], object]) -> None:
    """Edit a JSON file by hand."""
    value = json.loads(path.read_text())
    how(value)
    path.write_text(json.dumps(value))


def refused(run: Path, message: str) -> None:
    with pytest.raises(ResultFileError, match=message):
        store.open_run(run, run.parent)
    with pytest.raises(ResultFileError, match=message), store.reopen(run.parent, run.name) as writer:
        writer.finished()


def test_a_newer_layout_is_refused_with_what_to_do(run: Path) -> None:
    def newer(value: dict[str, Any]) -> None:
        value["layout"] = results.LAYOUT + 1
        value["a_field_of_tomorrow"] = {}

    change(run / "run.json", newer)
    refused(run, r"run\.json: a newer benchpact wrote this run.*Update benchpact")


def test_an_older_layout_without_the_fields_of_today_is_read(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def older(value: dict[str, Any]) -> None:
        del value["options"], value["notices"]

    monkeypatch.setattr(stored, "LAYOUT", results.LAYOUT + 1)
    change(run / "run.json", older)
    change(run / "cases" / f"{FIRST}.json", lambda value: value.pop("notes"))
    read = store.open_run(run, run.parent)
    assert (read.info.options, read.info.notices, read.cases[0].notes) == ({}, (), ())


@pytest.mark.parametrize("layout", [None, "1", 0, -1, True, 1.0])
def test_a_run_without_a_layout_is_refused(run: Path, layout: object) -> None:
    change(run / "run.json", lambda value: value.update(layout=layout))
    refused(run, "it has no layout number")


@pytest.mark.parametrize("file", ["run.json", f"cases/{FIRST}.json"])
@pytest.mark.parametrize(
    "content", [b"", b"{", b"null", b"[]", b"\0" * 100, b"[" * 100_000, pickle.dumps({"layout": 1}), b'{"layout": 1}']
)
def test_a_file_of_something_else_is_refused_by_its_name(run: Path, file: str, content: bytes) -> None:
    (run / file).write_bytes(content)
    refused(run, rf"{Path(file).name}: .*changed or damaged")


@pytest.mark.parametrize("file", ["run.json", f"cases/{FIRST}.json"])
def test_a_file_cut_off_anywhere_is_refused(run: Path, file: str) -> None:
    text = (run / file).read_bytes()
    for end in range(0, len(text) - 1, max(1, len(text) // 40)):
        (run / file).write_bytes(text[:end])
        with pytest.raises(ResultFileError, match=Path(file).name):
            store.open_run(run, run.parent)


def test_a_huge_file_is_not_read(run: Path) -> None:
    with (run / "run.json").open("r+b") as file:
        file.truncate(1 << 40)
    refused(run, "more than 67108864 bytes")


def test_a_case_under_the_name_of_another_is_refused(run: Path) -> None:
    shutil.copy(run / "cases" / f"{FIRST}.json", run / "cases" / f"{SECOND}.json")
    refused(run, f"it holds the case `{FIRST}`")


@pytest.mark.parametrize("name", ["../../secret.npy", "/etc/passwd", "", "x.npy", f"{SECOND}.0.npy", "a\0b"])
@pytest.mark.parametrize("field", ["timings", "outputs"])
def test_a_process_run_cannot_name_a_file_elsewhere(run: Path, name: str, field: str) -> None:
    change(run / "cases" / f"{FIRST}.json", lambda value: value["process_runs"][0].update({field: name}))
    refused(run, rf"{FIRST}\.json: process run 0 names the file")
    with pytest.raises(ResultFileError):
        store.load_timings(run, name)


@pytest.mark.parametrize("case", ["../x", "", "a/b", ".", "a\n"])
def test_a_plan_cannot_name_a_case_elsewhere(run: Path, case: str) -> None:
    change(run / "run.json", lambda value: value.update(cases=[case]))
    refused(run, "no name for a file")


def test_a_link_out_of_the_run_is_not_followed(run: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "elsewhere.npy", np.zeros(3, "<u8"))
    timings = run / "cases" / f"{FIRST}.0.npy"
    timings.unlink()
    timings.symlink_to(tmp_path / "elsewhere.npy")
    with pytest.raises(ResultFileError, match=r"cannot open .*0\.npy: it is not a regular file but a link"):
        store.load_timings(run, timings.name)


def _npy(array: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        _npy(np.zeros(100, "<u8"))[:-1],
        _npy(np.zeros(3, "<f8")),
        _npy(np.zeros(3, "<i8")),
        _npy(np.zeros(3, ">u8")),
        _npy(np.zeros((3, 1), "<u8")),
        _npy(np.array([os.system]), allow_pickle=True),
        pickle.dumps([1, 2, 3]),
        b"\x93NUMPY\x01\x00\x76\x00" + b"{'descr': '<u8', 'fortran_order': False, 'shape': (1" + b"0" * 30 + b",), }",
    ],
)
def test_timings_that_are_none_are_refused_and_nothing_is_unpickled(run: Path, content: bytes) -> None:
    path = run / "cases" / f"{FIRST}.0.npy"
    path.write_bytes(content)
    with pytest.raises(ResultFileError, match=rf"{path.name}: "):
        store.load_timings(run, path.name)


def test_timings_in_a_zip_are_refused(run: Path) -> None:
    path = run / "cases" / f"{FIRST}.0.npy"
    with path.open("wb") as file:
        np.savez(file, a=np.zeros(3, "<u8"))
    with pytest.raises(ResultFileError, match="these are no timings"):
        store.load_timings(run, path.name)


def test_timings_that_are_gone_are_said(run: Path) -> None:
    (run / "cases" / f"{FIRST}.0.npy").unlink()
    with pytest.raises(ResultFileError, match=r"there is no such file.*measure the case again"):
        store.load_timings(run, f"{FIRST}.0.npy")


def test_a_run_without_its_folder_of_cases_goes_on_with_none(run: Path) -> None:
    shutil.rmtree(run / "cases")
    with store.reopen(run.parent, run.name) as writer:
        assert writer.finished() == {}
    assert (run / "cases").is_dir()


def test_a_damaged_case_says_what_measures_it_again(run: Path) -> None:
    (run / "cases" / f"{FIRST}.json").write_text("{")
    refused(run, rf"{FIRST}.json: .*; remove it to measure the case again")


def test_outputs_that_are_none_are_refused(run: Path) -> None:
    path = run / "cases" / f"{FIRST}.0.outputs.npz"
    whole = path.read_bytes()
    with store.reopen(run.parent, run.name) as writer:
        for content in (b"", whole[:-30], whole[:40], whole.replace(b"<f4", b"|O8"), pickle.dumps(1)):
            path.write_bytes(content)
            with pytest.raises(ResultFileError, match=rf"{path.name}: the outputs cannot be read"):
                writer.load_outputs(path.name)


def test_outputs_that_unpack_without_end_are_refused(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = run / "cases" / f"{FIRST}.0.outputs.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.npy", _npy(np.zeros(1 << 20, "u1")))
    monkeypatch.setattr(store, "MAX_OUTPUT_BYTES", 1 << 19)
    with store.reopen(run.parent, run.name) as writer, pytest.raises(ResultFileError, match="at most 524288"):
        writer.load_outputs(path.name)


def test_outputs_as_large_as_is_allowed_are_read(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = run / "cases" / f"{FIRST}.0.outputs.npz"
    with zipfile.ZipFile(path) as file:
        size = sum(member.file_size for member in file.infolist())
    with store.reopen(run.parent, run.name) as writer:
        monkeypatch.setattr(store, "MAX_OUTPUT_BYTES", size)
        assert list(writer.load_outputs(path.name)) == ["logits"]
        monkeypatch.setattr(store, "MAX_OUTPUT_BYTES", size - 1)
        with pytest.raises(ResultFileError, match=f"at most {size - 1}"):
            writer.load_outputs(path.name)


def test_timings_larger_than_any_run_writes_are_not_read(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = run / "cases" / f"{FIRST}.0.npy"
    monkeypatch.setattr(timings_file, "MAX_BYTES", path.stat().st_size)
    assert len(store.load_timings(run, path.name)) == 3
    monkeypatch.setattr(timings_file, "MAX_BYTES", path.stat().st_size - 1)
    with pytest.raises(ResultFileError, match="at most 151 are read"):
        store.load_timings(run, path.name)


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), file=st.sampled_from(["run.json", f"cases/{FIRST}.json"]))
def test_no_damage_is_more_than_one_clear_error(run: Path, data: st.DataObject, file: str) -> None:
    """Bytes changed anywhere: either it reads as a whole run, or it is a ResultFileError that names a file."""
    path = run / file
    whole = path.read_bytes()
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4) | st.sampled_from(NASTY))
    try:
        path.write_bytes(damaged)
        store.open_run(run, run.parent)
    except ResultFileError as error:
        assert ".json" in str(error)  # noqa: PT017 - it need not raise
    finally:
        path.write_bytes(whole)


NASTY = [b"null", b"{}", b"[]", b"NaN", b"1e999", b"-1", b'"\\ud800"', b'"../x"', b"99999999999999999999", b","]


def test_an_unreadable_lock_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(ResultFileError, match=r"cannot open .*lock"):
        RunLock(tmp_path)
