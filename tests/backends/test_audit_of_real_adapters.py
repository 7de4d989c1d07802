"""No real adapter is refused by the audit, also where its outputs are megabytes of next to no computing."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from bench.device.records import TensorJob
from tests.launch.talk import MS, job, measure

ADAPTERS = ("backends.null:NullAdapter", "backends.ort:OnnxRuntimeAdapter", "backends.ov:OpenVinoAdapter")
WIDTHS = (4, 1 << 20, 6 << 20)


def negation(path: Path, width: int) -> str:
    """A model of one operator: reading its answer costs about what computing it does."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "negation", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return str(path)


@pytest.mark.parametrize("scenario", ["single-stream", "offline"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_read_that_costs_as_much_as_its_query_is_no_lie(
    adapter: str, width: int, scenario: str, tmp_path: Path
) -> None:
    told = measure(
        job(
            adapter,
            scenario=scenario,
            settings={"scenario": scenario, "threads": 2},
            artifacts={"onnx": negation(tmp_path / "negation.onnx", width)},
            inputs=[TensorJob("x", "float32", ["batch", width])],
            outputs=[TensorJob("y", "float32", ["batch", width])],
            max_ns=20 * MS,
        )
    )
    assert told.run.failure is None
    assert told.run.audit is not None
