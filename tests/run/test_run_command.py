"""``benchpact run`` as a user meets it: a process, its output, its exit code, its results."""

from __future__ import annotations

import json
import re
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

FAULTY = {
    name: f"tests.reliability.faulty:{name}"
    for name in ("SegfaultInRun", "HangsInRun", "HangsInOpen", "Slow", "CrashesInClose")
}
FAULTY["FailsLate"] = "tests.run.late:FailsLate"
FAULTY["Alternates"] = "tests.run.alternating:Alternates"

# One process: its interval reaches from its quickest timing to its slowest at most, so that a limit far off is decided
# whatever else the machine does. What several add is asked for where it is the point (`processes`).
CONTRACT = """\
benchpact: 1
model: {name: nothing, version: "1"}
artifacts: {onnx: {path: model.onnx}}
inputs: {x: {dtype: float32, shape: [batch, 3], range: [0, 1]}}
outputs: {y: {dtype: float32, shape: [batch, 3]}}
batch: batch
limits:
  single-stream: {latency p50: LIMIT, processes: 1, time: 300 ms, min time: 50 ms}
targets:
"""


class Place:
    """A folder with a contract, and the backends it may name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = offer(folder / "site", FAULTY)
        self.contract = folder / "contract.yaml"
        make_model(folder / "model.onnx")

    def write(self, targets: Mapping[str, str], limit: str = "9 s", more: str = "", processes: int = 1) -> None:
        lines = "".join(f"  {name}: {backend}\n" for name, backend in targets.items())
        text = CONTRACT.replace("LIMIT", limit).replace("processes: 1", f"processes: {processes}")
        self.contract.write_text(text + lines + more)

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
    place.write({"a": "onnxruntime"}, processes=2)
    assert place.run("-q").returncode in (0, 3)  # 3: two processes that differ by several times decide nothing
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
    place.write({"late": "{backend: FailsLate, limits: {single-stream: {time: 60 s, min time: 60 s, processes: 1}}}"})
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


@pytest.mark.parametrize("name", ["model.onnx", "/proc/x"])
def test_results_that_can_lie_nowhere_are_wrong_input(place: Place, name: str) -> None:
    place.write({"a": "onnxruntime"})
    done = place.run("--results", name)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1 and name in done.stderr and "--results" in done.stderr
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


def test_a_crash_in_close_keeps_the_figures_and_is_never_called_met(place: Place) -> None:
    place.write({"a": "CrashesInClose"}, processes=2)
    done = place.run()
    assert done.returncode == 3
    case = json.loads((place.only_run() / "cases" / "a.single-stream.json").read_text())
    assert case["failure"] is None
    (verdict,) = case["verdicts"]
    assert (verdict["outcome"], verdict["figure"]["value"] is not None) == ("undecided", True)
    assert "2 of 2 processes failed: WorkerCrashed in close" in verdict["reason"]
    assert "failed in close" in done.stdout


def test_a_time_budget_ends_a_process_that_hangs(place: Place) -> None:
    """Long before the deadline of a process without a budget, which is minutes."""
    place.write({"a": "HangsInOpen", "b": "onnxruntime"})
    done = place.run("--time-budget", "2 s", timeout=60)
    assert done.returncode == 3
    case = json.loads((place.only_run() / "cases" / "a.single-stream.json").read_text())
    failure = case["process_runs"][0]["failure"]
    assert (failure["error"], failure["phase"]) == ("BudgetSpent", "load")
    assert "give a larger --time-budget" in failure["message"]
    assert case["duration_ns"] < 30e9
    assert "time budget" in done.stdout


def test_a_spent_time_budget_ends_the_search_of_the_best_batch(place: Place) -> None:
    """Each query of the backend takes 50 ms: without an end, sizes and rounds would go on for long."""
    limits = "{offline: {batch: best, throughput: 1/s, processes: 1, time: 200 ms, min time: 50 ms}}"
    place.write({"a": f"{{backend: Slow, limits: {limits}}}"})
    place.run("--only", "offline*", "--time-budget", "1 s", timeout=60)
    case = json.loads((place.only_run() / "cases" / "a.offline.json").read_text())
    assert case["duration_ns"] < 30e9
    assert len(case["process_runs"][0]["batches_tried"]) < 9


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
        out, err = process.communicate(timeout=60)
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


def test_a_timeout_of_nothing_is_refused(place: Place) -> None:
    place.write({"a": "onnxruntime"})
    done = place.run("--timeout", "0s")
    assert done.returncode == 2
    assert "--timeout 0s: no process would end in time" in done.stderr


def test_resume_refuses_a_contract_that_has_changed(place: Place) -> None:
    place.write({"a": "onnxruntime"})
    assert place.run("-q").returncode == 0
    place.write({"a": "onnxruntime"}, limit="8 s")
    done = place.run("--resume", "latest")
    assert done.returncode == 2 and "the contract has changed" in done.stderr


def test_resume_refuses_an_artifact_that_has_changed(place: Place) -> None:
    place.write({"a": "onnxruntime"})
    assert place.run("-q").returncode == 0
    before = stored_files(place)
    with (place.folder / "model.onnx").open("ab") as file:
        file.write(b"\x1a\x04more")  # the graph's own doc: the same model, other bytes
    done = place.run("--resume", "latest")
    assert done.returncode == 2 and "model.onnx has changed since" in done.stderr
    assert stored_files(place) == before


SITE = "targets:\n  a: {backend: onnxruntime, threads: THREADS, limits: {single-stream: {latency p90: LIMIT}}}\n"


@pytest.mark.parametrize(("word", "now"), [("THREADS", "2"), ("LIMIT", "2 s")], ids=["a setting", "a limit"])
def test_resume_refuses_a_targets_file_that_has_changed(place: Place, word: str, now: str) -> None:
    def site(threads: str = "1", limit: str = "1 s") -> None:
        text = SITE.replace("THREADS", threads).replace("LIMIT", limit)
        (place.folder / "targets.yaml").write_text(text)

    place.write({"a": ""})
    site()
    assert place.run("-q").returncode == 0
    assert place.run("-q", "--resume", "latest").returncode == 0, "nothing has changed yet"
    before = stored_files(place)
    site(**{word.lower(): now})
    done = place.run("--resume", "latest")
    assert done.returncode == 2 and "a target or a limit has changed since" in done.stderr, done.stderr
    assert stored_files(place) == before


def stored_files(place: Place) -> dict[str, bytes]:
    """What the run holds; the lock belongs to whoever came last."""
    return {path.name: path.read_bytes() for path in place.only_run().rglob("*.*") if path.is_file()}


def test_resume_remembers_which_targets_were_asked_for(place: Place) -> None:
    place.write({"a": "onnxruntime", "b": "HangsInRun"})
    assert place.run("-q", "--on", "a").returncode == 0
    done = place.run("--resume", "latest")
    assert done.returncode == 0, done.stderr


def test_a_run_without_disturbed_blocks_says_so_and_is_resumed_as_one(place: Place) -> None:
    place.write({"a": "onnxruntime", "b": "HangsInRun"})
    assert place.run("-q", "--on", "a", "--without-disturbed").returncode in (0, 3)
    file = place.only_run() / "cases" / "a.single-stream.json"
    case = json.loads(file.read_text())
    (found,) = case["verdicts"]
    said = r"without the \d+ disturbed of \d+ blocks|none of \d+ blocks was disturbed|all \d+ blocks were disturbed"
    assert re.search(said, found["reason"]), found
    assert case["settings"]["leave_out_disturbed"] is True
    (whole,) = [one for one in case["figures"] if one["metric"] == "latency p50"]
    assert whole["value"] is not None
    file.unlink()
    done = place.run("-q", "--resume", "latest")
    assert done.returncode in (0, 3), done.stderr
    assert "disturbed" in json.loads(file.read_text())["verdicts"][0]["reason"]


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
    place.write({"a": "onnxruntime", "b": "onnxruntime"})
    assert place.run("--time-budget", "1 ms").returncode == 3
    done = place.run("--resume", "latest")
    assert done.returncode == 0, done.stdout
    assert "time budget" not in done.stdout


def test_a_run_of_a_part_of_the_contract_says_so_in_every_format(place: Place) -> None:
    place.write({"a": "{backend: onnxruntime, limits: {artifact size: 1 MiB}}"})
    done = place.run("--only", "artifact size", "--markdown", "run.md", "--junit", "run.xml")
    assert done.returncode == 0, done.stderr
    markdown, junit = ((place.folder / name).read_text() for name in ("run.md", "run.xml"))
    for told in (done.stdout, markdown):
        assert "What --only asks for is kept on a" in told.replace("\\-", "-")
    for told in (done.stdout, markdown, junit):
        assert "1 of 2 requirements are judged" in told


def test_a_model_that_cannot_be_opened_keeps_no_contract(place: Place) -> None:
    place.write({"a": "{backend: SegfaultInRun, limits: {artifact size: 1 MiB}}"})
    done = place.run("--only", "artifact size")
    assert done.returncode == 3
    assert "kept on a" not in done.stdout
