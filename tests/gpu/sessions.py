"""Sessions that show that they compute on ``cuda:0``, the models they run, and how long their queries take."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import median
from time import perf_counter_ns
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from bench.device.adapter import ModelFiles, Query, Session, Settings, TensorSpec
from bench.device.audit import audit_session
from bench.device.library import open_library
from bench.device.loop import quiet
from bench.device.records import TensorJob
from bench.device.scenarios import Issuer
from tests.gpu import proven

DEVICE = "cuda:0"


KINDS = {
    "fp32": TensorProto.FLOAT,
    "fp16": TensorProto.FLOAT16,
    "bf16": TensorProto.BFLOAT16,
    "fp64": TensorProto.DOUBLE,
}
"""What a graph of that precision computes in."""


def layers(folder: Path, count: int, size: int, batch: int | str = "batch", graph: str = "fp32") -> ModelFiles:
    """``count`` matrix products of ``size``, with a ReLU after each; weights from a fixed seed.

    ``graph`` is the precision of weights and products; inputs and outputs are float32, and are cast.
    """
    rng, kind = np.random.default_rng(count), KINDS[graph]
    drawn = [(rng.standard_normal((size, size)) * (2 / size) ** 0.5).astype(np.float32) for _ in range(count)]
    tensors = [_weights(f"w{at}", array, kind) for at, array in enumerate(drawn)]
    nodes, last = [helper.make_node("Cast", ["x"], ["c"], name="narrow", to=kind)], "c"
    for at in range(count):
        nodes.append(helper.make_node("MatMul", [last, f"w{at}"], [f"h{at}"], name=f"product{at}"))
        nodes.append(helper.make_node("Relu", [f"h{at}"], [f"r{at}"], name=f"relu{at}"))
        last = f"r{at}"
    nodes.append(helper.make_node("Cast", [last], ["y"], name="widen", to=TensorProto.FLOAT))
    if graph == "fp32":  # no casts
        nodes = nodes[1:-1]
        nodes[0].input[0], nodes[-1].output[0] = "x", "y"
    path = folder / f"layers-{count}-{size}-{batch}-{graph}.onnx"
    return _saved(path, nodes, tensors, (batch, size), (batch, size))


def _weights(name: str, array: Any, kind: int) -> Any:
    """A tensor of that kind; numpy has no bfloat16, which is the upper half of a float32, rounded to even."""
    if kind != TensorProto.BFLOAT16:
        return numpy_helper.from_array(array.astype(helper.tensor_dtype_to_np_dtype(kind)), name)
    bits = array.view(np.uint32)
    upper = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    return helper.make_tensor(name, kind, array.shape, upper.tobytes(), raw=True)


def mixed(folder: Path) -> ModelFiles:
    """A graph with one node, ``det``, for which CUDA has no kernel."""
    nodes = [
        helper.make_node("Abs", ["x"], ["a"], name="abs"),
        helper.make_node("Det", ["a"], ["d"], name="det"),
        helper.make_node("Relu", ["d"], ["y"], name="relu"),
    ]
    return _saved(folder / "mixed.onnx", nodes, [], (1, 4, 4), (1,))


def _saved(path: Path, nodes: list[Any], tensors: list[Any], x: tuple[Any, ...], y: tuple[Any, ...]) -> ModelFiles:
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (("x", x), ("y", y))]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return ModelFiles({"onnx": path}, (TensorSpec("x", "float32", x),), (TensorSpec("y", "float32", y),))


def opened(model: ModelFiles, extra: Mapping[str, Any] | None = None, **settings: Any) -> Session:
    return proven.OnnxRuntime().open(model, Settings(**{"device": DEVICE, "extra": extra or {}, **settings}))


def query(samples: int, size: int, seed: int = 0) -> Query:
    """Random inputs: zeros would cost less power and hide errors."""
    return Query({"x": np.random.default_rng(seed).standard_normal((samples, size), np.float32)}, samples)


def answer(model: ModelFiles, asked: Query, **settings: Any) -> Any:
    with opened(model, **settings) as session:
        return session.read(session.run(session.stage(asked)))["y"]


def audited(session: Session, samples: int, size: int) -> tuple[float, str]:
    """The ratio that the closure audit finds, and what it complains of."""
    jobs = [TensorJob("x", "float32", ["batch", size])]
    issuer = Issuer(session, open_library(jobs, {}, {}, "batch", None, 1), samples, overlapped=False)
    with quiet():
        for _ in range(5):
            issuer.drained_ns()
        closure, complaint = audit_session(issuer)
    return closure.ratio, complaint


def median_ns(session: Session, asked: Query, times: int = 100) -> float:
    """The median query, after a warm-up."""
    staged, found = session.stage(asked), []
    for _ in range(20):
        session.run(staged)
    for _ in range(times):
        begin = perf_counter_ns()
        session.run(staged)
        found.append(perf_counter_ns() - begin)
    return median(found)


def device_ns(session: Session, asked: Query, name: str = "gpu compute", count: int = 20) -> float:
    """The median of what the device tells of that part of a query."""
    telling: Any = session
    staged = session.stage(asked)
    session.run(staged)
    return float(median(telling.device_times(staged)[name] for _ in range(count)))
