"""``benchpact run`` as a user meets it: a process, its output, its exit code, its results."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import psutil
import pytest

from tests.run.backends_on_path import offer

FAULTY = {name: f"tests.reliability.faulty:{name}" for name in ("SegfaultInRun", "HangsInRun")}
FAULTY["FailsLate"] = "tests.run.late:FailsLate"

CONTRACT = """\
benchpact: 1
model: {name: nothing, version: "1"}
artifacts: {onnx: {path: model.onnx}}
inputs: {x: {dtype: float32, shape: [batch, 3], range: [0, 1]}}
outputs: {y: {dtype: float32, shape: [batch, 3]}}
batch: batch
limits:
  single-stream: {latency p50: LIMIT, processes: 2, time: 300 ms, min time: 50 ms}
targets:
"""


class Place:
    """A folder with a contract, and the backends it may name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = offer(folder / "site", FAULTY)
        self.contract = folder / "contract.yaml"
        make_model(folder / "model.onnx")

    def write(self, targets: Mapping[str, str], limit: str = "1 s", more: str = "") -> None:
        lines = "".join(f"  {name}: {backend}\n" for name, backend in targets.items())
        self.contract.write_text(CONTRACT.replace("LIMIT", limit) + lines + more)

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "bench", *words]

    def run(self, *words: str, timeout: float = 100) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command("run", str(self.contract), "--results", str(self.folder / "results"), *words),
            cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip

    def only_run(self) -> Path:
        (run,) = (self.folder / "results").glob("*/run.json")
        return run.parent


def make_model(path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Abs", ["x"], ["y"])], "g", [x], [y])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_kept_contract_exits_with_0_and_every_format_agrees(place: Place) -> None:
    place.write({"a": "onnxruntime"})
    names = {"--json": "r.json", "--junit": "r.xml", "--markdown": "r.md", "--csv": "r.csv"}
    done = place.run(*(word for pair in names.items() for word in pair))
    assert done.returncode == 0, done.stderr
    assert "latency p50" in done.stdout and "met" in done.stdout
    document = json.loads((place.folder / "r.json").read_text())
    assert document["exit_code"] == 0 and document["rows"][0]["outcome"] == "met"
    root = ET.fromstring((place.folder / "r.xml").read_text())
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("1", "0", "0")
    assert "latency p50" in (place.folder / "r.md").read_text()
    assert len((place.folder / "r.csv").read_text().splitlines()) == 2


def test_a_missed_limit_exits_with_1_and_says_by_how_much(place: Place) -> None:
    place.write({"a": "onnxruntime"}, limit="1 ns")
    done = place.run()
    assert done.returncode == 1
    assert "missed" in done.stdout and "1 ns" in done.stdout


def test_raw_timings_of_every_process_are_kept_and_the_figure_follows_from_them(place: Place) -> None:
    place.write({"a": "onnxruntime"})
    assert place.run("-q").returncode == 0
    case = json.loads((place.only_run() / "cases" / "a.single-stream.json").read_text())
    files = [place.only_run() / "cases" / Path(one["timings"]).name for one in case["process_runs"]]
    pool = np.sort(np.concatenate([np.load(file, allow_pickle=False) for file in files]))
    (figure,) = [one for one in case["figures"] if one["metric"] == "latency p50"]
    assert len(files) == 2 and figure["value"] == pool[-(-len(pool) // 2) - 1]


def test_one_target_that_crashes_leaves_the_others_measured(place: Place) -> None:
    place.write({"bad": "SegfaultInRun", "good": "onnxruntime"})
    done = place.run()
    assert done.returncode == 3
    assert "SIGSEGV" in done.stdout
    assert "Traceback" not in done.stderr
    good = json.loads((place.only_run() / "cases" / "good.single-stream.json").read_text())
    assert good["verdicts"][0]["outcome"] == "met"


def test_a_missed_limit_wins_over_a_target_that_could_not_be_measured(place: Place) -> None:
    place.write({"bad": "SegfaultInRun", "slow": "onnxruntime"}, limit="1 ns")
    assert place.run().returncode == 1


def test_a_query_that_fails_late_keeps_the_timings_before_it(place: Place) -> None:
    place.write({"late": "{backend: FailsLate, limits: {single-stream: {time: 9 s, min time: 9 s, processes: 1}}}"})
    assert place.run().returncode == 3
    case = json.loads((place.only_run() / "cases" / "late.single-stream.json").read_text())
    first = case["process_runs"][0]
    assert first["failure"]["phase"] == "measure"
    assert first["failure"]["message"] == "that was one query too many"
    assert first["timings_count"] == len(np.load(place.only_run() / "cases" / Path(first["timings"]).name)) > 0


def test_wrong_input_exits_with_2_and_leaves_no_results(place: Place) -> None:
    place.write({"a": "onnxrutime"})
    done = place.run()
    assert done.returncode == 2
    assert "did you mean `onnxruntime`?" in done.stderr and "contract.yaml:10:" in done.stderr
    assert not (place.folder / "results").exists()


def test_a_report_that_could_not_be_written_is_refused_before_measuring(place: Place) -> None:
    place.write({"a": "onnxruntime"})
    done = place.run("--json", "no/such/folder/r.json")
    assert done.returncode == 2 and "no/such/folder" in done.stderr
    assert not (place.folder / "results").exists()


def test_a_spent_time_budget_leaves_the_rest_not_measured_and_says_so(place: Place) -> None:
    place.write({"a": "onnxruntime", "b": "onnxruntime"})
    done = place.run("--time-budget", "1 ms")
    assert done.returncode == 3
    assert "time budget" in done.stdout


def interrupted(place: Place, cases_first: int) -> subprocess.CompletedProcess[str]:
    """A run that gets Ctrl-C once ``cases_first`` cases are stored and the next one's worker is at work."""
    command = place.command("run", str(place.contract), "--results", str(place.folder / "results"))
    with subprocess.Popen(
        command, cwd=place.folder, env=place.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        until = time.monotonic() + 60
        host = psutil.Process(process.pid)
        while time.monotonic() < until:
            stored = list((place.folder / "results").glob("*/cases/*.json"))
            if len(stored) >= cases_first and host.children():
                break
            time.sleep(0.01)
        time.sleep(0.3)
        workers = host.children(recursive=True)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert not any(worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE for worker in workers)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def test_ctrl_c_keeps_what_is_done_says_how_to_go_on_and_resume_measures_only_the_rest(place: Place) -> None:
    place.write({"a": "onnxruntime", "b": "HangsInRun"})
    ended = interrupted(place, 1)
    assert ended.returncode == 130 and "Traceback" not in ended.stderr
    assert "1 of 2 cases" in ended.stderr and "--resume" in ended.stderr
    first = place.only_run() / "cases" / "a.single-stream.json"
    before = first.stat().st_mtime_ns
    shown = subprocess.run(
        place.command("report", str(place.only_run())), cwd=place.folder, env=place.environment,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert shown.returncode == 0 and "b.single-stream" in shown.stdout
    resumed = place.run("--resume", "latest", "--timeout", "1 s")
    assert resumed.returncode == 3
    assert "did not finish by its deadline" in resumed.stdout
    assert first.stat().st_mtime_ns == before
    assert (place.only_run() / "cases" / "b.single-stream.json").exists()


def test_resume_refuses_a_contract_that_has_changed(place: Place) -> None:
    place.write({"a": "onnxruntime"})
    assert place.run("-q").returncode == 0
    place.write({"a": "onnxruntime"}, limit="2 s")
    done = place.run("--resume", "latest")
    assert done.returncode == 2 and "the contract has changed" in done.stderr


def test_resume_remembers_which_targets_were_asked_for(place: Place) -> None:
    place.write({"a": "onnxruntime", "b": "HangsInRun"})
    assert place.run("-q", "--on", "a").returncode == 0
    done = place.run("--resume", "latest")
    assert done.returncode == 0, done.stderr


def test_code_of_the_contract_runs_only_where_that_is_said(place: Place) -> None:
    (place.folder / "mine.py").write_text("def off(outputs, labels):\n    return 0.25\n")
    np.savez(place.folder / "s.npz", x=np.ones((4, 3), np.float32))
    np.savez(place.folder / "l.npz", labels=np.zeros(4, np.int64))
    more = "validation: {samples: s.npz, labels: l.npz}\n"
    place.write({"a": '{backend: onnxruntime, limits: {accuracy: {"mine:off": at most 0.5}}}'}, more=more)
    refused = place.run()
    assert refused.returncode == 2 and "--allow-code" in refused.stderr
    allowed = place.run("--allow-code")
    assert allowed.returncode == 0, allowed.stdout + allowed.stderr
    assert "0.25" in allowed.stdout


def test_nothing_the_command_line_is_given_shows_a_traceback(place: Place) -> None:
    (place.folder / "contract.yaml").write_bytes(b"\xff\xfe\x00")
    for words in (["run"], ["run", "nowhere.yaml"], ["run", "contract.yaml"], ["report", "x"], ["frobnicate"]):
        done = subprocess.run(
            place.command(*words), cwd=place.folder, env=place.environment, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode in (2, 3), (words, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr and done.stderr.strip()


def test_a_run_that_is_not_there_is_wrong_input(place: Place) -> None:
    place.write({"a": "onnxruntime"})
    assert place.run("--resume", "nope").returncode == 2
    for words in (["report", "nope"], ["report", "/nowhere/at/all"]):
        done = subprocess.run(
            place.command(*words), cwd=place.folder, env=place.environment, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 2, done.stderr


def test_resume_measures_what_a_spent_time_budget_left_out(place: Place) -> None:
    place.write({"a": "onnxruntime"})
    assert place.run("--time-budget", "1 ms").returncode == 3
    done = place.run("--resume", "latest")
    assert done.returncode == 0, done.stdout
    assert "time budget" not in done.stdout


def test_a_model_that_cannot_be_opened_keeps_no_contract(place: Place) -> None:
    place.write({"a": "{backend: SegfaultInRun, limits: {artifact size: 1 MiB}}"})
    done = place.run("--only", "artifact size")
    assert done.returncode == 3
    assert "kept on a" not in done.stdout
