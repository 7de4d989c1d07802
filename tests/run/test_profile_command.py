"""``benchpact profile``: where a model's time goes, by the profilers of the real frameworks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from backends.ort import OnnxRuntimeAdapter
from backends.ov import OpenVinoAdapter
from bench.__main__ import main
from bench.device.adapter import ModelFiles, Query, Settings, TensorSpec

ROOT = Path(__file__).parents[2]
ALL = ROOT / "configs" / "digits-all.yaml"


def profile(*words: str | Path, folder: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", "profile", *map(str, words)],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", **environment},
        capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip


def document(*words: str | Path, code: int = 0) -> dict[str, Any]:
    done = profile(*words, "--json", "-")
    assert done.returncode == code, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["exit_code"] == code
    return found


@pytest.mark.parametrize(
    ("target", "kinds", "by"),
    [
        ("ort-1", "Conv Gemm", "ONNX Runtime's profile"),
        ("openvino-ir", "Convolution FullyConnected", "OpenVINO's performance counts"),
        ("torch-script", "conv addmm", "torch.profiler"),
        ("torch-export", "conv addmm", "torch.profiler"),
    ],
)
def test_each_framework_tells_of_the_demo_models_layers(target: str, kinds: str, by: str) -> None:
    (one,) = document(ALL, "--on", target, "--top", "1000", "--batch", "16")["targets"]
    told = one["profile"]
    assert one["failure"] is None and told["source"].startswith(by)
    assert 5 <= told["queries"] <= 100 and told["batch"] == 16
    operators = told["operators"]
    assert len(operators) == told["count"]
    for kind in kinds.split():
        assert any(kind in operator["kind"] and operator["calls"] >= told["queries"] for operator in operators), kind
    assert sum(operator["total_ns"] for operator in operators) == told["total_ns"] > 0
    assert sum(operator["share"] for operator in operators) == pytest.approx(1)
    assert [one["total_ns"] for one in operators] == sorted((one["total_ns"] for one in operators), reverse=True)
    assert one["facts"]["device"] == "cpu" and one["versions"]


def test_the_table_names_the_costliest_and_adds_up_the_others(tmp_path: Path) -> None:
    done = profile("configs/demo.yaml", "--on", "ort-1", "--top", "2", COLUMNS="80", TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    head = next(at for at, line in enumerate(lines) if line.split()[:3] == ["share", "a", "query"])
    shares = [float(line.split()[0]) for line in lines[head + 1 : head + 4]]
    assert shares[0] >= shares[1] and sum(shares) == pytest.approx(100, abs=0.2)
    assert "others" in lines[head + 3]
    told = " ".join(" ".join(lines[:head]).split())
    assert "· cpu · fp32 · 1 thread" in told and "onnxruntime" in told
    assert "a profiler slows a model down" in done.stdout
    assert done.stderr == "ort-1: profiling\n"
    assert not [line for line in lines if len(line) > 80]
    assert not list(tmp_path.glob("benchpact-*")), "the framework's own file was left behind"


def test_a_backend_without_a_profiler_says_so_in_one_line_and_the_others_are_profiled() -> None:
    done = profile("configs/digits-all.yaml", "--on", "litert", "--on", "ort-1")
    assert done.returncode == 3
    told = [line for line in done.stdout.splitlines() if "not profiled" in line]
    assert told == [
        "– litert: not profiled: AdapterError: this backend tells nothing of its operators: its framework offers no "
        "profile that it reads"
    ]
    assert "Conv" in done.stdout and "Traceback" not in done.stdout + done.stderr


def test_a_target_that_cannot_be_used_says_why() -> None:
    (one,) = document("configs/demo.yaml", "--on", "gpu", code=3)["targets"]
    assert one["profile"] is None
    assert one["failure"]["error"] == "DeviceUnavailable" and "cuda:0" in one["failure"]["message"]


def test_wrong_input_is_refused_before_anything_begins(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", str(ALL), "--on", "ort-11"]) == 2
    assert "did you mean `ort-1`?" in capsys.readouterr().err
    assert main(["profile", str(ALL), "--top", "0"]) == 2
    assert main(["profile", str(tmp_path / "nowhere.yaml")]) == 2
    assert main(["profile", str(ALL), "--json", str(tmp_path / "no" / "folder.json")]) == 2
    assert main(["profile", str(ALL), "--json", str(ALL)]) == 2
    assert "would be lost" in capsys.readouterr().err


# A measurement is never profiled


def add(folder: Path) -> ModelFiles:
    """One operator: Add."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [4]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"], name="sum")], "g", [x], [y])
    path = folder / "add.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return ModelFiles({"onnx": path}, (TensorSpec("x", "float32", (4,)),), (TensorSpec("y", "float32", (4,)),))


def test_a_measured_session_has_no_profiler_on(tmp_path: Path) -> None:
    model = add(tmp_path)
    with OnnxRuntimeAdapter().open(model, Settings()) as opened:
        native: Any = opened
        assert native._native.get_session_options().enable_profiling is False
        assert not hasattr(opened, "profile")
    with OpenVinoAdapter().open(model, Settings()) as opened:
        native = opened
        staged = native.stage(Query({"x": np.ones(4, np.float32)}))
        assert staged.ready.compiled.get_property("PERF_COUNT") in (False, "NO")


def test_a_profile_is_of_the_queries_after_the_warm_up(tmp_path: Path) -> None:
    profiled: Any = OnnxRuntimeAdapter().profiled(add(tmp_path), Settings())
    with profiled as session:
        staged = session.stage(Query({"x": np.ones(4, np.float32)}))
        for _ in range(7):
            session.run(staged)
        (row,) = session.profile([staged] * 3).operators
    assert (row.kind, row.calls) == ("Add", 3) and row.name == "sum"


def test_a_nodes_time_is_without_that_of_the_nodes_in_its_body(tmp_path: Path) -> None:
    """An If whose branch does all the work: the work is its Cos' and MatMul's, not told a second time as If's."""
    size, count = 256, 6
    weight = numpy_helper.from_array(np.ones((size, size), np.float32) / size, "w")
    y = helper.make_tensor_value_info("inner", TensorProto.FLOAT, [size, size])
    nodes = [helper.make_node("Identity", ["x"], ["m0"], name="begin")]
    nodes += [helper.make_node("MatMul", [f"m{at}", "w"], [f"m{at + 1}"], name=f"product{at}") for at in range(count)]
    nodes += [helper.make_node("Identity", [f"m{count}"], ["inner"], name="end")]
    branch = helper.make_graph(nodes, "branch", [], [y])
    other = helper.make_graph([helper.make_node("Identity", ["x"], ["inner"], name="same")], "other", [], [y])
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [size, size]),
        helper.make_tensor_value_info("cond", TensorProto.BOOL, []),
    ]
    outer = helper.make_node("If", ["cond"], ["y"], name="choose", then_branch=branch, else_branch=other)
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [size, size])
    graph = helper.make_graph([outer], "g", inputs, [out], [weight])
    path = tmp_path / "if.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    specs = (TensorSpec("x", "float32", (size, size)), TensorSpec("cond", "bool", ()))
    model = ModelFiles({"onnx": path}, specs, (TensorSpec("y", "float32", (size, size)),))
    profiled: Any = OnnxRuntimeAdapter().profiled(model, Settings())
    with profiled as session:
        staged = session.stage(Query({"x": np.ones((size, size), np.float32), "cond": np.array(True)}))
        operators = session.profile([staged] * 10).operators
    kinds = {one.kind: one.total_ns for one in operators}
    assert sum(one.kind == "MatMul" for one in operators) == count
    assert kinds["If"] < sum(one.total_ns for one in operators) / 2
