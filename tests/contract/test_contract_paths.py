"""Paths that a contract names stay inside its folder, whatever way out they try."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from bench.contract.model import Place
from bench.contract.paths import exists
from bench.contract.problems import ContractProblems, Problems
from tests.contract.contracts import changed, loaded, problem, problems

PLACES = ["digits.onnx, sha256", "path: ir/digits.bin", "ir/more.bin]", "val.npz", "labels.npz", "reference.npz"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("../up", "leaves the contract's folder"),
        ("a/../../up", "leaves the contract's folder"),
        ("a/..", "leaves the contract's folder"),
        ("..", "leaves the contract's folder"),
        ("/etc/passwd", "is an absolute path"),
        ("~/model", "is an absolute path"),
        ("'C:/model'", "is an absolute path"),
        ("'a\\b'", "has a backslash: write / between folders"),
        ('"a\\0b"', "is not a path inside the contract's folder"),
    ],
)
def test_a_path_that_leaves_the_folder_is_a_problem(tmp_path: Path, place: str, path: str, message: str) -> None:
    word = place.removeprefix("path: ").split(",")[0].removesuffix("]")
    assert message in "\n".join(problems(tmp_path, changed(place, place.replace(word, path))))


def test_a_link_that_leaves_the_folder_is_a_problem(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "model.onnx").write_bytes(b"x")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "digits.onnx").symlink_to(outside / "model.onnx")
    assert "`digits.onnx` is a link that leaves the contract's folder" in problem(inside, changed("1.10", "1.11"))
    (inside / "digits.onnx").unlink()
    (inside / "ir").symlink_to(outside)
    assert "`ir/digits.xml` is a link that leaves" in "\n".join(problems(inside, changed("1.10", "1.11")))


def test_a_link_inside_the_folder_is_fine(tmp_path: Path) -> None:
    (tmp_path / "real.onnx").write_bytes(b"x")
    (tmp_path / "digits.onnx").symlink_to("real.onnx")
    assert loaded(tmp_path).artifacts[0].path == tmp_path.resolve() / "digits.onnx"


def test_a_link_to_itself_is_a_problem_not_a_crash(tmp_path: Path) -> None:
    (tmp_path / "digits.onnx").symlink_to("digits.onnx")
    with contextlib.suppress(ContractProblems):  # Python 3.13 resolves a loop, earlier ones refuse it
        assert loaded(tmp_path).artifacts


def test_a_contract_in_a_linked_folder_has_its_files_there(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert loaded(tmp_path / "link").folder == (tmp_path / "real").resolve()


def test_a_contract_is_read_from_the_current_directory_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert loaded(Path()).artifacts[0].path == Path(os.path.realpath(tmp_path)) / "digits.onnx"


def test_a_file_that_nothing_is_near_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    problems = Problems()
    assert not exists(tmp_path / "model" / "m.onnx", tmp_path, Place("contract.yaml", 3, 1), problems)
    (one,) = problems.sorted()
    assert one.message == "`model/m.onnx`: there is no such file, nor any other there"
