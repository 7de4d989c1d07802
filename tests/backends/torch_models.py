"""The conformance examples as PyTorch modules, and the files made of them. ``build_*`` are factories for eager runs."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from bench.conformance import examples
from bench.conformance.examples import Example


def parameter(name: str, *shape: int) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.from_numpy(examples.weights(name, *shape)))


class Layers(torch.nn.Module):
    """``mlp`` and ``wide``."""

    def __init__(self, first: str, second: str, sizes: tuple[int, int, int], bias: str | None) -> None:
        super().__init__()
        self.first = parameter(first, sizes[0], sizes[1])
        self.second = parameter(second, sizes[1], sizes[2])
        self.bias = parameter(bias, sizes[1]) if bias else torch.nn.Parameter(torch.zeros(sizes[1]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x @ self.first + self.bias) @ self.second


class Mixed(torch.nn.Module):
    def forward(
        self, a: torch.Tensor, b: torch.Tensor, flag: torch.Tensor, half: torch.Tensor, k: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        scaled = (a + b) * k
        total = torch.where(flag, scaled, torch.zeros_like(scaled)).float() + half.float()
        return total, scaled, torch.logical_not(flag), half + half


class ScaledByNumber(torch.nn.Module):
    """Takes a plain number, as TorchScript models in the field do."""

    def forward(self, x: torch.Tensor, k: int) -> torch.Tensor:
        return x * k


class Recurrent(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inward = parameter("inward", 4, 6)
        self.around = parameter("around", 6, 6)
        self.outward = parameter("outward", 6, 3)

    def forward(self, x: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = torch.tanh(x @ self.inward + h @ self.around)
        return hidden @ self.outward, hidden


def build_mlp() -> torch.nn.Module:
    return Layers("first", "second", (8, 16, 4), "bias")


def build_careless() -> torch.nn.Module:
    """What training scripts set for the whole process, and leave so."""
    torch.set_float32_matmul_precision("medium")
    torch.backends.cudnn.allow_tf32 = True
    torch.set_num_threads(3)
    if hasattr(torch.backends.mkldnn, "conv"):
        torch.backends.mkldnn.conv.fp32_precision = "bf16"
    return build_mlp()


class Loosening(torch.nn.Module):
    """Sets other arithmetic each time that it is run."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        torch.set_float32_matmul_precision("medium")
        return x


def build_wide() -> torch.nn.Module:
    return Layers("wide", "wider", (1024, 1024, 1024), None)


def build_blank_mlp() -> torch.nn.Module:
    """The right shapes and wrong numbers: the state must come from the file."""
    module = build_mlp()
    with torch.no_grad():
        for tensor in module.parameters():
            tensor.zero_()
    return module


BUILDERS = {"mlp": build_mlp, "mixed": Mixed, "recurrent": Recurrent, "wide": build_wide}


def small() -> Sequence[Example]:
    return [examples.mlp(), examples.mixed(), examples.recurrent()]


def script(module: torch.nn.Module, path: Path) -> None:
    """Save as TorchScript, which newer torch calls deprecated."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*torch\.jit\.\w+. is deprecated", category=DeprecationWarning)
        scripted: Any = torch.jit.script(module.eval())
    scripted.save(str(path))


def as_torchscript(example: Example, folder: Path) -> Example:
    path = folder / f"{example.name}.ts.pt"
    script(BUILDERS[example.name](), path)
    return example.with_artifacts({"torchscript": path})


def as_exported(example: Example, folder: Path) -> Example:
    path = folder / f"{example.name}.pt2"
    arrays = {
        **example.queries[-1].arrays,
        **{name: example.answers[-1][out] for name, out in example.model.state.items()},
    }
    tensors = tuple(torch.from_numpy(arrays[spec.name]) for spec in example.model.inputs)
    batch = torch.export.Dim("batch")
    shapes = tuple({0: batch} if spec.shape else {} for spec in example.model.inputs)
    torch.export.save(torch.export.export(BUILDERS[example.name]().eval(), tensors, dynamic_shapes=shapes), path)
    return example.with_artifacts({"torch-export": path})


def as_eager(example: Example, builder: str) -> Example:
    """A factory in this very file; where it has parameters they are its own."""
    model = replace(example.model, factory=f"torch_models:{builder}", code_dir=Path(__file__).parent)
    return replace(example, model=model)
