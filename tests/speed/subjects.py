"""The models that are raced: one so small that the harness would show, and the demo's CNN."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.device.adapter import ModelFiles, TensorSpec
from bench.device.library import SampleLibrary, open_library
from bench.device.records import TensorJob

ROOT = Path(__file__).parents[2]
DIGITS = ROOT / "configs" / "digits"


@dataclass(frozen=True)
class Subject:
    """One model with one input and one output, as ONNX and as TorchScript."""

    name: str
    onnx: Path
    torchscript: Path
    input: TensorSpec
    output: TensorSpec
    samples: int = 64
    """Distinct queries each side cycles through; 1 where a peer only ever repeats one."""

    def files(self) -> ModelFiles:
        """The model as an adapter takes it."""
        artifacts = {"onnx": self.onnx, "torchscript": self.torchscript}
        return ModelFiles(artifacts, (self.input,), (self.output,))

    def library(self) -> SampleLibrary:
        """``samples`` generated samples."""
        tensor = TensorJob(self.input.name, self.input.dtype, list(self.input.shape))
        whole = open_library([tensor], {}, {}, "batch", None, seed=0)
        rows = whole.query(0, self.samples).arrays
        return SampleLibrary(self.samples, 1, rows, {}, whole.source)

    def queries(self) -> list[NDArray[np.float32]]:
        """The same samples one by one, for the sides that are not ours."""
        library = self.library()
        return [library.query(first, 1).arrays[self.input.name] for first in range(self.samples)]


def subject(name: str, folder: Path) -> Subject:
    """The subject ``tiny`` or ``digits``; files that are made on the spot go into ``folder``."""
    if name == "digits":
        image = TensorSpec("image", "float32", ("batch", 1, 8, 8))
        logits = TensorSpec("logits", "float32", ("batch", 10))
        return Subject(name, DIGITS / "digits.onnx", DIGITS / "digits.ts.pt", image, logits)
    x, y = TensorSpec("x", "float32", ("batch", 8)), TensorSpec("y", "float32", ("batch", 8))
    return Subject(name, write_tiny_onnx(folder / "tiny.onnx"), folder / "tiny.ts.pt", x, y)


def write_tiny_onnx(path: Path) -> Path:
    """``relu(x @ w)`` with an 8 x 8 ``w``: a few microseconds a call."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    sides = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 8]) for name in ("x", "y")]
    nodes = [helper.make_node("MatMul", ["x", "w"], ["m"]), helper.make_node("Relu", ["m"], ["y"])]
    weight = numpy_helper.from_array(np.eye(8, dtype=np.float32), "w")
    graph = helper.make_graph(nodes, "tiny", sides[:1], sides[1:], [weight])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def write_tiny_torchscript(path: Path) -> Path:
    """The same model as TorchScript."""
    import torch

    class Tiny(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = torch.nn.Parameter(torch.eye(8))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.relu(x @ self.w)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # TorchScript is on its way out, and still in the field
        traced = torch.jit.trace(Tiny().eval(), torch.zeros(1, 8))  # type: ignore[no-untyped-call]
        traced.save(str(path))
    return path
