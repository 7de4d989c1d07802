"""PyTorch on ``cuda:0``: the models it runs there, and sessions of it that show that they compute there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from bench.device.adapter import ModelFiles, Session, Settings, TensorSpec
from tests.backends.torch_models import script
from tests.gpu import proven
from tests.gpu.kernels import Kernels

DEVICE = "cuda:0"


class Layers(torch.nn.Module):
    """``count`` matrix products of ``size``, with a ReLU after each."""

    def __init__(self, count: int, size: int) -> None:
        super().__init__()
        torch.manual_seed(7)
        self.layers = torch.nn.ModuleList([torch.nn.Linear(size, size) for _ in range(count)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = torch.relu(layer(x))
        return x


class PartlyOnCpu(torch.nn.Module):
    """Goes by the CPU in the middle, as code does that was never meant for a GPU."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x.cpu() * 2).to(x.device) + 1


class Spinning(torch.nn.Module):
    """Keeps one thread of the GPU busy for so many ns of its clock, by the suite's own kernel in torch's stream."""

    def __init__(self, ns: int) -> None:
        super().__init__()
        self.ns = ns
        self.kernels: Kernels | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.kernels = self.kernels or Kernels()
        stream, told = torch.cuda.current_stream(x.device), torch.empty(1, dtype=torch.int64, device=x.device)
        self.kernels.launch("spin", 1, 1, stream.cuda_stream, self.ns, told.data_ptr())
        return x + 1


def spinning_2_ms() -> torch.nn.Module:
    return Spinning(2_000_000)


def spinning_5_ms() -> torch.nn.Module:
    return Spinning(5_000_000)


def files(size: int, **more: Any) -> ModelFiles:
    x, y = (TensorSpec(name, "float32", ("batch", size)) for name in "xy")
    return ModelFiles(more.pop("artifacts", {}), (x,), (y,), **more)


def layers(folder: Path, count: int, size: int) -> ModelFiles:
    path = folder / f"layers-{count}-{size}.pt"
    if not path.exists():
        script(Layers(count, size), path)
    return files(size, artifacts={"torchscript": path})


def built_by(name: str, size: int = 256) -> ModelFiles:
    """The model that a function, or a class, of this file builds."""
    return files(size, factory=f"tests.gpu.torch_sessions:{name}", code_dir=Path(__file__).parents[2])


def opened(model: ModelFiles, extra: Mapping[str, Any] | None = None, **settings: Any) -> Session:
    asked = {"device": DEVICE, "residency": "device", **settings}
    session: Session = proven.PyTorch().open(model, Settings(**asked, extra=extra or {}))
    return session
