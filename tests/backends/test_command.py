"""A program of the user's own: the promises of every adapter, in C and in Python, and every way to break them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends import cuda_probe
from backends.command import CommandAdapter
from bench.conformance import AdapterConformance, Example
from bench.conformance.examples import mixed, mlp, recurrent, weights
from bench.device.adapter import AdapterError, DeviceUnavailable, ModelFiles, ModelRejected, Query, Settings, TensorSpec
from bench.device.disturbance import Watch
from tests.audits import is_early
from tests.launch.talk import MS, Told, job, measure

COMMAND = "backends.command:CommandAdapter"
HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PAGE = ROOT / "docs" / "command-protocol.md"
MODELS = HERE / "runner_models.py"


def python(model: str, more: str = "") -> dict[str, Any]:
    """Options by which that model of ``runner_models.py`` runs."""
    return {"command": f"{sys.executable} {MODELS} {model} {more}".strip()}


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``runner.c``, compiled without a warning."""
    compiler = shutil.which("cc")
    assert compiler, "the tests need a C compiler: sudo apt install gcc"
    path = tmp_path_factory.mktemp("c") / "runner"
    command = [compiler, "-O2", "-Wall", "-Wno-unused-result", "-Werror", "-o", str(path), str(HERE / "runner.c")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return path


class TestC(AdapterConformance):
    adapter = COMMAND
    thread_counts = (1,)
    runner: Path

    @pytest.fixture(autouse=True)
    def _with_runner(self, runner: Path) -> None:
        type(self).runner = runner

    def make_examples(self, folder: Path) -> Sequence[Example]:
        sizes = np.array([8, 16, 4], "<i4").tobytes()
        layers = [weights("first", 8, 16), weights("bias", 16), weights("second", 16, 4)]
        path = folder / "layers.weights"
        path.write_bytes(sizes + b"".join(one.astype("<f4").tobytes() for one in layers))
        return [mlp().with_artifacts({"weights": path}, extra={"command": f"{self.runner} {{weights}}"})]

    def make_bad_models(self, folder: Path, good: ModelFiles) -> Iterator[tuple[str, ModelFiles]]:
        whole = good.artifacts["weights"].read_bytes()
        for name, data in (("cut", whole[: len(whole) // 2]), ("garbage", b"no model" * 99), ("empty", b"")):
            (folder / name).write_bytes(data)
            yield name, replace(good, artifacts={"weights": folder / name})
        yield "missing", replace(good, artifacts={"weights": folder / "missing"})


class TestPython(AdapterConformance):
    adapter = COMMAND
    thread_counts = (1,)

    def make_examples(self, folder: Path) -> Sequence[Example]:
        layers = {"first": (8, 16), "bias": (16,), "second": (16, 4)}
        cell = {"inward": (4, 6), "around": (6, 6), "outward": (6, 3)}
        found = []
        for example, model, kernels in (
            (mlp(), "Model", layers),
            (mixed(), "Mixed", {}),
            (recurrent(), "Recurrent", cell),
        ):
            path = folder / f"{model} weights.npz"
            np.savez(path, **{name: weights(name, *shape) for name, shape in kernels.items()})  # type: ignore[arg-type]
            found.append(example.with_artifacts({"npz": path}, extra=python(model, "{npz}")))
        return found

    def make_bad_models(self, folder: Path, good: ModelFiles) -> Iterator[tuple[str, ModelFiles]]:
        (folder / "garbage.npz").write_bytes(b"no model" * 99)
        for name in ("garbage.npz", "missing.npz"):
            yield name, replace(good, artifacts={"npz": folder / name})


MODEL = ModelFiles({}, (TensorSpec("x", "float32", ("batch", 4)),), (TensorSpec("y", "float32", ("batch", 3)),))
QUERY = Query({"x": np.arange(8, dtype=np.float32).reshape(2, 4)}, 2)


def ask(model: str, **settings: Any) -> Any:
    """The output of one query, by that model."""
    with CommandAdapter().open(MODEL, Settings(extra=python(model), **settings)) as session:
        return session.read(session.run(session.stage(QUERY)))["y"]


@pytest.mark.parametrize(
    ("model", "because"),
    [
        ("Crashes", "was killed by SIGSEGV when asked for `run 0`"),
        ("Exits", "ended with exit code 7 when asked for `run 0`"),
        ("Garbage", r"answered `run 0` by .*what\?', not `ok`"),
        ("Chatters", "says a line without an end|answered"),
        ("SaysMore", "says more than it was asked"),
        ("WrongSize", r"gives output `y` as float32 \[2, 4\] of 32 bytes; it is to be float32 \['batch', 3\]"),
        ("WrongType", r"gives output `y` as float64 \[2, 3\] of 48 bytes; it is to be float32"),
        ("Nothing", "gives no output `y`"),
        ("Refuses", "not today$"),
    ],
)
def test_a_program_that_breaks_the_protocol_is_one_clear_error(model: str, because: str) -> None:
    with pytest.raises(AdapterError, match=because) as caught:
        ask(model)
    assert "\n" not in str(caught.value)


def test_what_a_program_runs_with_must_be_what_was_asked_for() -> None:
    np.testing.assert_array_equal(ask("TwoThreads", threads=2), QUERY.arrays["x"][:, :3])
    with pytest.raises(DeviceUnavailable, match=r"asked for threads 1, but python.* runs with 2"):
        ask("TwoThreads")
    with pytest.raises(DeviceUnavailable, match=r"asked for device cuda:0, but python.* runs with cpu"):
        ask("Echo", device="cuda:0")


def test_a_gpu_that_only_the_program_speaks_of_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_probe, "_FOUND", [cuda_probe.Found(reason="no driver", remedy="install it")])
    with pytest.raises(DeviceUnavailable, match="cuda:0 cannot be used: no driver; to mend: install it"):
        ask("SaysCuda", device="cuda:0")
    gpu = cuda_probe.Gpu("GPU", "GPU-1", "9.0", 8 << 30)
    monkeypatch.setattr(cuda_probe, "_FOUND", [cuda_probe.Found((gpu,), "13.0")])
    with CommandAdapter().open(MODEL, Settings(extra=python("SaysCuda"), device="cuda:0")) as session:
        facts: Any = session.facts()
    assert facts["gpu"] == gpu._asdict()
    assert facts["notes"][0].startswith("that cuda:0 is what computed is the word of python")


@pytest.mark.parametrize("device", ["other-NVIDIA-H200", "other-cuda:0", "other-gpu", "other-h100:1"])
def test_a_gpu_of_nvidias_is_none_that_only_the_program_knows(device: str) -> None:
    with pytest.raises(AdapterError, match=f"`{device}`.* that no driver can be asked for: say cuda:N"):
        CommandAdapter().open(MODEL, Settings(device=device, extra=python("SaysWhatItIsTold", device)))


@pytest.mark.parametrize(
    "device",
    ["gpu", "gpu:0", "cuda", "CUDA:0", "Cuda:0", "cuda:one", "nvidia", "H200", "CPU", "npu", "other-"],
)
def test_a_device_that_nothing_looks_at_is_refused_though_the_program_echoes_its_name(device: str) -> None:
    settings = Settings(device=device, extra=python("SaysWhatItIsTold", device))
    refused = CommandAdapter().conflict(MODEL, settings)
    assert refused is not None and refused[0] == "device"
    with pytest.raises(AdapterError, match=f"nothing looks at a device `{device}`; of a program it is cpu, cuda:N, or"):
        CommandAdapter().open(MODEL, settings)


def test_a_device_that_only_the_program_knows_is_called_other_and_a_note_says_whose_word_it_is() -> None:
    settings = Settings(device="other-npu:1", extra=python("SaysWhatItIsTold", "other-npu:1"))
    with CommandAdapter().open(MODEL, settings) as session:
        facts: Any = session.facts()
    assert "gpu" not in facts
    assert facts["notes"][0].startswith("that other-npu:1 is what computed is the word of python")


@pytest.mark.parametrize(
    ("command", "because"),
    [
        ("./missing", "there is no file `./missing` in the contract's folder"),
        ("./plain", "`./plain` may not be run: chmod \\+x"),
        ("no-such-program-anywhere", "there is no program `no-such-program-anywhere`"),
        ("sh -c {onnx}", "names the artifact `onnx`; the contract has no artifact"),
        ("'open", "cannot be split into words"),
        ("  ", "no program is named"),
        ("true", "ended with exit code 0|closed its output"),
        ("sh -c 'echo hello; cat'", "answered 'hello', which is not `ready 1 THREADS PRECISION DEVICE NAME`"),
        (7, "no program is named"),
        ("./foreign", "foreign does not start: .*must be made for this machine"),
    ],
)
def test_a_command_that_starts_no_such_program_is_refused(command: Any, because: str, tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("text")
    (tmp_path / "foreign").write_bytes(b"\x7fELF of another machine")
    (tmp_path / "foreign").chmod(0o755)
    with pytest.raises(AdapterError, match=because):
        CommandAdapter().open(replace(MODEL, code_dir=tmp_path), Settings(extra={"command": command}))


def test_no_shell_sees_a_command(tmp_path: Path) -> None:
    """What a shell would run is words for the program."""
    (tmp_path / "say").write_text(
        f"#!{sys.executable}\nimport sys; sys.stdin.readline(); print('error', sys.argv[1:])\n"
    )
    (tmp_path / "say").chmod(0o755)
    artifact = tmp_path / "$(touch boom); a b"
    artifact.write_text("")
    model = replace(MODEL, code_dir=tmp_path, artifacts={"m": artifact})
    with pytest.raises(ModelRejected) as caught:
        CommandAdapter().open(model, Settings(extra={"command": "./say {m} '; touch boom' `touch boom` $HOME"}))
    assert str(["; touch boom", "`touch", "boom`", "$HOME"])[1:] in str(caught.value)
    assert not (tmp_path / "boom").exists()


def run_in_worker(model: str, deadline_s: float = 60.0, **more: Any) -> Told:
    return measure(job(COMMAND, python(model), **more), deadline_s=deadline_s)


def alive(model: str) -> list[str]:
    found = []
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = one.read_bytes().split(b"\0")
        except OSError:
            continue
        if model.encode() in words and str(MODELS).encode() in words:
            found.append(one.parent.name)
    return found


def test_a_worker_measures_a_program_like_any_backend() -> None:
    told = run_in_worker("Echo", max_ns=100 * MS)
    assert told.run.failure is None
    assert told.run.facts["program"] == "numpy-layers 1.0"
    assert not is_early(told.run.audit)
    least = told.run.facts["pipe_round_trip_ns"]
    assert isinstance(least, int)
    assert least > 0
    assert np.median(told.ear.timings) > least / 20  # the way to the program and back is in every latency


def test_a_program_that_crashes_is_a_failure() -> None:
    told = run_in_worker("Exits")
    assert told.run.failure is not None
    assert "ended with exit code 7" in told.run.failure.message


def test_a_program_that_hangs_is_ended_with_its_worker() -> None:
    told = run_in_worker("Hangs", deadline_s=4)
    assert told.run.failure is not None
    assert told.run.failure.error == "WorkerTimeout"
    until = time.monotonic() + 10
    while alive("Hangs") and time.monotonic() < until:
        time.sleep(0.05)
    assert not alive("Hangs")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the kernel does not tell a process's memory here")
def test_what_the_program_holds_is_in_the_peak() -> None:
    small, large = (run_in_worker(model, max_ns=20 * MS).run.memory for model in ("Echo", "Holds"))
    assert small is not None
    assert large is not None
    assert (large.peak_bytes or 0) - (small.peak_bytes or 0) > 100 << 20


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the kernel does not tell a process's time here")
def test_what_the_program_works_is_no_other_work() -> None:
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        watch = Watch()
        watch.started = lambda: (busy.pid,)
        spent, until = 0, time.monotonic() + 60
        watch.begin()
        while spent < 100 * MS and time.monotonic() < until:
            time.sleep(0.05)
            spent = watch.seen()["own_ns"] - 50 * MS  # this process itself sleeps
        assert spent >= 100 * MS
    finally:
        busy.kill()
        busy.wait()


def test_leaving_ends_the_program() -> None:
    adapter = CommandAdapter()
    with adapter.open(MODEL, Settings(extra=python("Echo"))) as session:
        (process,) = adapter.processes()
        staged = session.stage(QUERY)
    assert adapter.processes() == ()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    with pytest.raises(AdapterError, match="closed"):
        session.run(staged)


def test_slots_of_queries_that_nobody_holds_are_used_again() -> None:
    with CommandAdapter().open(MODEL, Settings(extra=python("Echo"))) as session:
        kept: Any = session.stage(QUERY)
        slots = {session.stage(QUERY).slot for _ in range(50)}
        assert len(slots) == 1
        assert kept.slot not in slots
        np.testing.assert_array_equal(session.read(session.run(kept))["y"], QUERY.arrays["x"][:, :3])


CONTRACT = """
benchpact: 1
model: {name: m, version: "1"}
artifacts: {weights: m.weights}
inputs: {x: {dtype: float32, shape: [batch, 4]}}
outputs: {y: {dtype: float32, shape: [batch, 3]}}
batch: batch
limits: {single-stream: {latency p50: 1 s, processes: 1, time: 50 ms}}
targets:
  own:
    backend: command
    options: {command: "./model Echo {weights}"}
"""


def test_a_program_runs_only_where_it_was_allowed(tmp_path: Path) -> None:
    from tests.run.backends_on_path import offer

    (tmp_path / "m.weights").write_text("weights")
    (tmp_path / "c.yaml").write_text(CONTRACT)
    script = f"#!/bin/sh\ntouch started\nexec '{sys.executable}' '{MODELS}' \"$@\"\n"
    (tmp_path / "model").write_text(script)
    environment = offer(tmp_path / "site", {"command": COMMAND})

    def benchpact(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "bench", *words]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    done = benchpact("check", "c.yaml")
    assert done.returncode == 2
    assert (
        "c.yaml:12:15: `command` of target `own`: `./model` may not be run: chmod +x ./model"
        in done.stderr + done.stdout
    )
    (tmp_path / "model").chmod(0o755)
    done = benchpact("check", "c.yaml")
    assert done.returncode == 0, done.stderr
    told = " ".join((done.stdout + done.stderr).split())
    assert "`./model Echo {weights}` is a program that the contract names: it runs only with --allow-code" in told
    done = benchpact("run", "c.yaml", "-q")
    assert done.returncode == 2
    assert "c.yaml:12:15: `./model Echo {weights}` is code that this contract asks to run" in " ".join(
        done.stderr.split()
    )
    assert not (tmp_path / "started").exists()
    done = benchpact("run", "c.yaml", "-q", "--allow-code")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "started").exists()


def test_check_refuses_a_device_that_nothing_looks_at(tmp_path: Path) -> None:
    from tests.run.backends_on_path import offer

    (tmp_path / "m.weights").write_text("weights")
    (tmp_path / "c.yaml").write_text(CONTRACT.replace("./model", "sh") + "    device: H200\n")
    environment = offer(tmp_path / "site", {"command": COMMAND})
    command = [sys.executable, "-m", "bench", "check", "c.yaml"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    told = " ".join((done.stdout + done.stderr).split())
    assert "c.yaml:13:13: `device` of target `own`: nothing looks at a device `H200`; of a program it is cpu" in told


def test_the_pages_own_model_runs(tmp_path: Path) -> None:
    example = PAGE.read_text(encoding="utf-8").rpartition("```python\n")[2].partition("```")[0]
    (tmp_path / "my_model.py").write_text(example)
    shutil.copy(HERE / "runner.py", tmp_path)
    first, second = weights("inward", 4, 6), weights("outward", 6, 3)
    np.savez(tmp_path / "m.npz", first=first, second=second)
    model = replace(MODEL, code_dir=tmp_path, artifacts={"weights": tmp_path / "m.npz"})
    command = f"{sys.executable} my_model.py {{weights}}"
    with CommandAdapter().open(model, Settings(extra={"command": command})) as session:
        found = session.read(session.run(session.stage(QUERY)))["y"]
    np.testing.assert_allclose(found, np.maximum(QUERY.arrays["x"] @ first, 0) @ second, rtol=1e-4)


@pytest.mark.parametrize("name", ["runner.c", "runner.py"])
def test_the_page_shows_the_programs_that_are_tested(name: str) -> None:
    assert (HERE / name).read_text(encoding="utf-8") in PAGE.read_text(encoding="utf-8")
