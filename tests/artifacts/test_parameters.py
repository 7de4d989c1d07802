"""One number of parameters for one model, whichever artifact is looked at: the framework's own is never refused."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file, save_model
from torch import nn

from bench.contract.check import check
from bench.contract.load import load


class Normalised(nn.Module):
    """Convolutions and a linear layer, each with a batch norm behind it; half have a bias of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 16, 3, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.more = nn.Sequential(nn.Conv2d(16, 8, 3), nn.BatchNorm2d(8), nn.Flatten())
        self.head = nn.Sequential(nn.Linear(128, 20), nn.BatchNorm1d(20))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.more(self.body(x)))  # type: ignore[no-any-return]


class Tied(nn.Module):
    """An embedding whose table is also the last layer's weight, and layers that began alike."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(64, 16)
        self.layers = nn.ModuleList([nn.Linear(16, 16) for _ in range(4)])
        for layer in self.layers[1:]:
            layer.load_state_dict(self.layers[0].state_dict())
        self.norm = nn.LayerNorm(16)
        self.head = nn.Linear(16, 64, bias=False)
        self.head.weight = self.table.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.table(x)
        for layer in self.layers:
            hidden = torch.relu(layer(hidden))
        return self.head(self.norm(hidden))  # type: ignore[no-any-return]


class Buffered(nn.Module):
    """Buffers of whole numbers and of others, a frozen parameter, and one without dimensions."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(32, 48)
        self.frozen = nn.Parameter(torch.randn(48, 8), requires_grad=False)
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.register_buffer("order", torch.arange(48).flip(0))
        self.register_buffer("places", torch.randn(1, 48))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = (self.layer(x) + self.places)[:, self.order]
        return torch.mul(hidden @ self.frozen, self.scale)


MODELS: dict[str, tuple[Callable[[], nn.Module], torch.Tensor]] = {
    "normalised": (Normalised, torch.zeros(2, 3, 8, 8)),
    "tied": (Tied, torch.zeros(2, 5, dtype=torch.int64)),
    "buffered": (Buffered, torch.zeros(2, 32)),
}


def onnx_folded(model: nn.Module, example: torch.Tensor, path: Path) -> None:
    torch.onnx.export(model, (example,), path, input_names=["x"], output_names=["y"], external_data=False)


def onnx_unfolded(model: nn.Module, example: torch.Tensor, path: Path) -> None:
    names: Any = {"input_names": ["x"], "output_names": ["y"], "dynamo": False, "do_constant_folding": False}
    torch.onnx.export(model, (example,), path, training=torch.onnx.TrainingMode.PRESERVE, **names)


def onnx_plain(model: nn.Module, example: torch.Tensor, path: Path) -> None:
    torch.onnx.export(
        model, (example,), path, input_names=["x"], output_names=["y"], external_data=False, optimize=False
    )


def onnx_older(model: nn.Module, example: torch.Tensor, path: Path) -> None:
    torch.onnx.export(model, (example,), path, input_names=["x"], output_names=["y"], dynamo=False)


def onnx_external(model: nn.Module, example: torch.Tensor, path: Path) -> None:
    torch.onnx.export(model, (example,), path, input_names=["x"], output_names=["y"], external_data=True)


def scripted(model: nn.Module, example: torch.Tensor, path: Path) -> None:
    jit: Any = torch.jit
    jit.script(model).save(path)


def traced(model: nn.Module, example: torch.Tensor, path: Path) -> None:
    jit: Any = torch.jit
    jit.trace(model, (example,)).save(path)


def frozen(model: nn.Module, example: torch.Tensor, path: Path) -> None:
    jit: Any = torch.jit
    jit.freeze(jit.trace(model, (example,))).save(path)


def exported(model: nn.Module, example: torch.Tensor, path: Path) -> None:
    torch.export.save(torch.export.export(model, (example,)), path)


def openvino_ir(model: nn.Module, example: torch.Tensor, path: Path) -> None:
    import openvino  # type: ignore[import-untyped]

    openvino.save_model(openvino.convert_model(model, example_input=example), path, compress_to_fp16=False)


def openvino_packed(model: nn.Module, example: torch.Tensor, path: Path) -> None:
    import openvino

    onnx_folded(model, example, path.with_suffix(".onnx"))
    openvino.save_model(openvino.convert_model(path.with_suffix(".onnx")), path)


def safetensors(model: nn.Module, example: torch.Tensor, path: Path) -> None:
    save_model(model, str(path))


def safetensors_of_copies(model: nn.Module, example: torch.Tensor, path: Path) -> None:
    save_file({name: one.clone().contiguous() for name, one in model.state_dict().items()}, path)


def state_dict(model: nn.Module, example: torch.Tensor, path: Path) -> None:
    torch.save(model.state_dict(), path)


def state_dict_of_copies(model: nn.Module, example: torch.Tensor, path: Path) -> None:
    torch.save({name: one.clone() for name, one in model.state_dict().items()}, path)


WRITERS: dict[Callable[[nn.Module, torch.Tensor, Path], None], tuple[str, str]] = {
    onnx_folded: ("onnx", "onnx"),
    onnx_unfolded: ("onnx", "onnx"),
    onnx_plain: ("onnx", "onnx"),
    onnx_older: ("onnx", "onnx"),
    onnx_external: ("onnx", "onnx"),
    scripted: ("torchscript", "pt"),
    traced: ("torchscript", "pt"),
    frozen: ("torchscript", "pt"),
    exported: ("torch-export", "pt2"),
    openvino_ir: ("openvino", "xml"),
    openvino_packed: ("openvino", "xml"),
    safetensors: ("safetensors", "safetensors"),
    safetensors_of_copies: ("safetensors", "safetensors"),
    state_dict: ("state-dict", "pth"),
    state_dict_of_copies: ("state-dict", "pth"),
}
EXACT = (scripted, traced, exported)
AT_MOST = (frozen,)
"""What has lost its names: nothing says that any of it was a parameter."""


def refusals(kind: str, path: Path, parameters: int) -> list[str]:
    """What ``check`` has against this number; the rest of the contract is not looked at."""
    factory = ", factory: 'm:build'" if kind in ("safetensors", "state-dict") else ""
    contract = path.parent / "contract.yaml"
    contract.write_text(
        f"benchpact: 1\nmodel: {{name: m, version: '1', parameters: {parameters}{factory}}}\n"
        f"artifacts:\n  {kind}: {path.name}\n"
        "inputs:\n  x: {dtype: float32, shape: [2]}\noutputs:\n  y: {dtype: float32, shape: [2]}\n"
        "limits: {artifact size: 1 GiB}\ntargets:\n  t: {backend: onnxruntime}\n"
    )
    return [str(one) for one in check(load(contract)).problems if "parameters, the contract says" in str(one)]


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
@pytest.mark.parametrize("name", MODELS)
def test_the_frameworks_own_number_is_taken_and_a_plainly_wrong_one_refused(
    tmp_path: Path, name: str, write: Callable[[nn.Module, torch.Tensor, Path], None]
) -> None:
    torch.manual_seed(7)
    make, example = MODELS[name]
    model = make().eval()
    true = sum(one.numel() for one in model.parameters())
    kind, end = WRITERS[write]
    path = tmp_path / f"m.{end}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporters', about themselves
        write(model, example, path)
    assert refusals(kind, path, true) == []
    assert len(refusals(kind, path, 2 * true)) == 1
    assert len(refusals(kind, path, true // 10)) == (0 if write in AT_MOST else 1)
    if write in EXACT:
        assert len(refusals(kind, path, true + 1)) == len(refusals(kind, path, true - 1)) == 1
