"""A recurrent cell whose new state is all that it gives: the state is its answer, and is compared."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.device.outputs import carried

CONTRACT = """\
benchpact: 1
model: {name: sums, version: "1"}
artifacts: {onnx: {path: model.onnx}}
inputs: {x: {dtype: float32, shape: [1, 3]}, s: {dtype: float32, shape: [1, 3]}}
outputs: {y: {dtype: float32, shape: [1, 3]}}
state: {s: y}
validation: {samples: samples.npz, predictions: predictions.npz}
limits:
  agreement: {max abs difference: 1e-5}
targets:
  a: {backend: onnxruntime}
"""


def make_cell(path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    x, s, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3]) for name in "xsy")
    graph = helper.make_graph([helper.make_node("Add", ["x", "s"], ["y"])], "g", [x, s], [y])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


@pytest.mark.parametrize(("off", "code"), [(0.0, 0), (0.1, 1)])
def test_a_cells_state_is_compared_with_the_predictions(off: float, code: int, tmp_path: Path) -> None:
    samples = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    make_cell(tmp_path / "model.onnx")
    np.savez(tmp_path / "samples.npz", x=samples)
    np.savez(tmp_path / "predictions.npz", y=np.cumsum(samples, axis=0, dtype=np.float32) + np.float32(off))
    (tmp_path / "contract.yaml").write_text(CONTRACT)
    command = [sys.executable, "-m", "bench", "run", "contract.yaml", "-q"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == code, done.stdout + done.stderr


def test_state_beside_other_outputs_only_carries_on() -> None:
    assert carried(["y", "h"], {"g": "h"}) == {"h"}
    assert carried(["h", "c"], {"g": "h", "b": "c"}) == set()
    assert carried(["y"], {}) == set()
