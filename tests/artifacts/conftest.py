"""Real models of every kind, made by the frameworks themselves, once a session."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from bench.artifacts import KINDS

DIGITS_TFLITE = Path(__file__).parents[2] / "configs" / "digits" / "digits.tflite"
"""The demo's, which ``configs/digits/make_tflite.py`` wrote."""
PARAMETERS = 36 + 4 + 4 + 4 + 40 * 36 + 10
"""Of ``Small``: convolution, scale and shift of the normalisation, one linear layer (used twice)."""


class Small(nn.Module):
    """Everything that is easily counted wrong: running statistics, counters, shared and derived weights."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.linear = nn.Linear(144, 10)
        self.shared = self.linear
        self.register_buffer("table", torch.ones(3), persistent=False)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = torch.relu(self.norm(self.conv(image))).flatten(1)
        logits = self.linear(hidden) + self.shared(hidden)
        return logits, logits.argmax(1)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Kind of artifact -> a file of that kind; the OpenVINO IR has its ``.bin`` beside it."""
    folder = tmp_path_factory.mktemp("models")
    ends = ("onnx", "pt", "pt2", "xml", "safetensors", "pth", "tflite")
    files = dict(zip(KINDS, [folder / f"m.{end}" for end in ends], strict=True))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporters', about themselves
        _write(files)
    return files


def _write(files: dict[str, Path]) -> None:
    import openvino  # type: ignore[import-untyped]
    from safetensors.torch import save_file

    model, example = Small().eval(), torch.zeros(2, 1, 8, 8)
    batch: Any = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(model, (example,), dynamic_shapes=batch)
    torch.export.save(program, files["torch-export"])
    torch.onnx.export(
        program, (), files["onnx"], input_names=["image"], output_names=["logits", "label"], external_data=False
    )
    jit: Any = torch.jit
    jit.script(model).save(files["torchscript"])
    jit.trace(model, (example,)).save(files["torchscript"].with_suffix(".traced.pt"))
    jit.freeze(jit.script(model)).save(files["torchscript"].with_suffix(".frozen.pt"))
    openvino.save_model(openvino.convert_model(files["onnx"]), files["openvino"], compress_to_fp16=False)
    save_file(model.linear.state_dict(), files["safetensors"], metadata={"format": "pt"})
    torch.save(model.linear.state_dict(), files["state-dict"])
    shutil.copy(DIGITS_TFLITE, files["tflite"])
