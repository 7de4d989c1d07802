"""Make the streaming example: one GRU cell with a score on top, its weights drawn at random (seeded).

    python configs/streaming/make.py [--out FOLDER]

It is not trained for anything; it shows a contract of a model whose state is fed back. Writes the model, a
sequence of frames, and the scores that a plain numpy implementation gives when the state is carried along.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

SEED = 20260101
FRAME, HIDDEN, FRAMES = 16, 32, 240

Floats = npt.NDArray[np.float32]


def draw_weights() -> dict[str, Floats]:
    """Input and state weights of the update gate, the reset gate and the candidate, and the score's."""
    rng = np.random.default_rng(SEED)
    shapes = {f"{kind}_{gate}": (size, HIDDEN) for gate in "zrn" for kind, size in (("w", FRAME), ("u", HIDDEN))}
    shapes.update({f"b_{gate}": (1, HIDDEN) for gate in "zrn"})
    shapes["w_score"] = (HIDDEN, 1)
    return {name: (rng.standard_normal(shape) / shape[0] ** 0.5).astype(np.float32) for name, shape in shapes.items()}


def build(weights: dict[str, Floats]) -> onnx.ModelProto:
    """The cell as ONNX: ``x`` and ``h`` in, ``score`` and ``h_out`` out."""
    nodes = []

    def add(op: str, inputs: list[str], output: str) -> str:
        nodes.append(helper.make_node(op, inputs, [output]))
        return output

    def gate(name: str, state: str, squash: str) -> str:
        seen = add("MatMul", ["x", f"w_{name}"], f"{name}_seen")
        kept = add("MatMul", [state, f"u_{name}"], f"{name}_kept")
        both = add("Add", [add("Add", [seen, kept], f"{name}_sum"), f"b_{name}"], f"{name}_biased")
        return add(squash, [both], name)

    update, reset = gate("z", "h", "Sigmoid"), gate("r", "h", "Sigmoid")
    candidate = gate("n", add("Mul", [reset, "h"], "h_reset"), "Tanh")
    change = add("Mul", [update, add("Sub", [candidate, "h"], "difference")], "change")
    add("Sigmoid", [add("MatMul", [add("Add", ["h", change], "h_out"), "w_score"], "raw_score")], "score")
    graph = helper.make_graph(
        nodes,
        "streaming-cell",
        [_value("x", FRAME), _value("h", HIDDEN)],
        [_value("score", 1), _value("h_out", HIDDEN)],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(
        graph, producer_name="benchpact-streaming", opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def _value(name: str, size: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size])


def score_sequence(weights: dict[str, Floats], frames: Floats) -> Floats:
    """The score of every frame, in order, the state starting at zeros and carried along."""
    state, scores = np.zeros((1, HIDDEN), np.float32), []
    for frame in frames[:, None]:
        update = _sigmoid(frame @ weights["w_z"] + state @ weights["u_z"] + weights["b_z"])
        reset = _sigmoid(frame @ weights["w_r"] + state @ weights["u_r"] + weights["b_r"])
        candidate = np.tanh(frame @ weights["w_n"] + (reset * state) @ weights["u_n"] + weights["b_n"])
        state = state + update * (candidate - state)
        scores.append(_sigmoid(state @ weights["w_score"]))
    return np.concatenate(scores)


def _sigmoid(array: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-array)), dtype=np.float32)


def main() -> None:
    """Write everything and print what the contract needs."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder to write to")
    out: Path = options.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    weights = draw_weights()
    frames = np.random.default_rng(SEED + 1).standard_normal((FRAMES, FRAME)).astype(np.float32)
    onnx.save(build(weights), out / "cell.onnx")
    np.savez_compressed(out / "frames.npz", x=frames)
    np.savez_compressed(out / "reference.npz", score=score_sequence(weights, frames))
    print(f"parameters: {sum(array.size for array in weights.values())}")
    print(f"cell.onnx: {hashlib.sha256((out / 'cell.onnx').read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
