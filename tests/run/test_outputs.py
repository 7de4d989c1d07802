"""Where reports go: whole files or none, never over a file that is read, and nothing that is no file holds us up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.commands.output import refuse_losing, refuse_unwritable, write
from bench.errors import BenchError, ContractError
from tests.run.test_run_command import Place
from tests.store.runs import FIRST, info, stored_run


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    made.write({"a": "onnxruntime"})
    return made


def command(place: Place, *words: str, **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[no-any-return, call-overload]
        place.command(*words), cwd=place.folder, env=place.environment, text=True, timeout=60, check=False,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more},
    )  # fmt: skip


def refused(done: subprocess.CompletedProcess[str], message: str) -> None:
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr, done.stderr


def test_a_report_over_the_contract_or_what_it_names_is_refused_before_measuring(place: Place) -> None:
    (place.folder / "configs").mkdir()
    targets = place.folder / "configs" / "targets.yaml"
    targets.write_text("targets:\n  b: {backend: onnxruntime}\n")
    (place.folder / "link.json").symlink_to("model.onnx")
    before = {path: path.read_bytes() for path in place.folder.rglob("*") if path.is_file()}
    for name in ("contract.yaml", "model.onnx", "./configs/../contract.yaml", "link.json", "configs/targets.yaml"):
        refused(place.run("--json", name), f"{Path(name)}: it is a file that the contract names, or the contract")
    assert {path: path.read_bytes() for path in place.folder.rglob("*") if path.is_file()} == before
    assert not (place.folder / "results").exists()


def test_files_that_belong_to_an_artifact_and_the_contracts_own_code_are_not_written_over(place: Place) -> None:
    import onnx

    model = onnx.load(place.folder / "model.onnx")
    weight = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [3], [1.0, 2.0, 3.0])
    weight.ClearField("float_data")
    weight.raw_data = bytes(12)
    model.graph.initializer.append(weight)
    onnx.save(model, place.folder / "model.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    (place.folder / "mine.py").write_text("")
    (place.folder / "labels.npz").touch()
    limits = '{backend: onnxruntime, limits: {accuracy: {"mine:off": at most 0.5}}}'
    place.write({"a": limits}, more="validation: {samples: labels.npz, labels: labels.npz}\n")
    for name in ("w.bin", "mine.py", "labels.npz"):
        refused(place.run("--csv", name), f"{name}: it is a file that the contract names")


def test_init_does_not_write_over_its_model_even_if_forced(place: Place) -> None:
    before = (place.folder / "model.onnx").read_bytes()
    refused(
        command(place, "init", "model.onnx", "-o", "model.onnx", "--force"), "a file that the contract is made from"
    )
    assert (place.folder / "model.onnx").read_bytes() == before


def test_a_report_is_not_written_over_its_run(tmp_path: Path) -> None:
    run = stored_run(tmp_path / "results", FIRST)
    place = Place(tmp_path)
    refused(command(place, "report", str(run), "--format", "json", "-o", f"{run}/run.json"), "it is a file of the run")
    assert command(place, "report", str(run), "--format", "json", "-o", f"{run}/report.json").returncode == 0


def test_a_report_is_not_written_over_the_contract_of_its_run(tmp_path: Path) -> None:
    run, contract = stored_run(tmp_path / "results", FIRST), tmp_path / info().contract_path
    contract.write_text("here")
    refused(
        command(Place(tmp_path), "report", str(run), "-o", contract.name), "it is the run's contract, and would be lost"
    )
    assert contract.read_text() == "here"


def test_without_a_targets_file_none_is_listed_and_where_it_was_looked_for_is_said(tmp_path: Path) -> None:
    place = Place(tmp_path)
    refused(command(place, "targets"), "there is no targets file here; looked for configs/targets.yaml, targets.yaml: ")
    (place.folder / "targets.yaml").write_text("targets: {lab: {backend: onnxruntime}}\n")
    assert "lab" in command(place, "targets").stdout


@pytest.mark.parametrize("words", [("--json", "r", "--csv", "./r"), ("--json", "-", "--markdown", "-")])
def test_two_reports_to_one_place_are_refused(place: Place, words: tuple[str, ...]) -> None:
    refused(place.run(*words), "two reports cannot be written to one place")
    assert not (place.folder / "results").exists()


def test_a_pipe_is_refused_and_never_waited_for(place: Place) -> None:
    os.mkfifo(place.folder / "pipe")
    refused(place.run("--json", "pipe"), "pipe: cannot be written: it is there already, and no regular file")
    refused(command(place, "init", "model.onnx", "--force", "-o", "pipe"), "no regular file")
    run = stored_run(place.folder / "results", FIRST)
    refused(command(place, "report", str(run), "-o", "pipe"), "no regular file")


def test_standard_output_by_its_file_name_is_refused_with_what_to_say(tmp_path: Path) -> None:
    place, run = Place(tmp_path), stored_run(tmp_path / "results", FIRST)
    with (tmp_path / "out").open("w") as out:
        refused(command(place, "report", str(run), "-o", "/dev/stdout", stdout=out), "say - for")
        refused(command(place, "report", str(run), "-o", "out", stdout=out), "say - for")
    refused(command(place, "report", str(run), "-o", "/dev/stdout"), "say - for")


def test_a_report_is_whole_or_as_it_was(tmp_path: Path) -> None:
    script = (
        "import resource, sys; from pathlib import Path; from bench.commands.output import write\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)); write('x' * 10_000, Path(sys.argv[1]))"
    )
    report = tmp_path / "r.json"
    report.write_text("the one of yesterday")
    done = subprocess.run([sys.executable, "-c", script, str(report)], capture_output=True, text=True, check=False)
    assert "what stood there before is as it was" in done.stderr
    assert report.read_text() == "the one of yesterday"
    assert list(tmp_path.iterdir()) == [report]


def test_a_file_of_the_user_that_ends_in_tmp_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "r.json.tmp").write_text("mine")
    write("{}", tmp_path / "r.json")
    assert (tmp_path / "r.json.tmp").read_text() == "mine"


def test_a_link_of_the_user_stays_and_what_it_leads_to_is_written(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "r.json").symlink_to("real/r.json")
    write("{}", tmp_path / "r.json")
    assert (tmp_path / "r.json").is_symlink() and (tmp_path / "real" / "r.json").read_text() == "{}"


def test_a_link_to_a_folder_that_is_not_there_is_refused_before_measuring(tmp_path: Path) -> None:
    (tmp_path / "r.json").symlink_to("nowhere/r.json")
    with pytest.raises(ContractError, match="cannot be written"):
        refuse_unwritable(tmp_path / "r.json")


def test_what_became_a_pipe_while_it_was_measured_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "r.json")
    with pytest.raises(BenchError, match="no regular file"):
        write("{}", tmp_path / "r.json")


def test_a_hard_link_to_a_precious_file_is_the_file(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    (tmp_path / "other").hardlink_to(tmp_path / "precious")
    with pytest.raises(ContractError, match="would be lost"):
        refuse_losing([tmp_path / "other"], [tmp_path / "precious"], "a file")
