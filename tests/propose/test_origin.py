"""What ``init`` writes of the program that wrote the artifact: a comment, a framework; nothing that cannot stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest

from tests.propose import onnx_models as models
from tests.propose.onnx_models import FLOAT
from tests.propose.test_propose import proposed


def written_by(folder: Path, name: str, version: str) -> Path:
    nodes: list[Any] = [("Relu", ["x"], ["y"], {})]
    path = models.save(folder / "m.onnx", nodes, {"x": (FLOAT, [1, 4])}, {"y": (FLOAT, [1, 4])})
    model = onnx.load(path)
    model.producer_name, model.producer_version = name, version
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize(
    ("name", "version", "framework", "release", "comment"),
    [
        ("tf2onnx", "1.16.1 1234", "tensorflow", None, "tf2onnx 1.16.1 1234"),
        ("spox", "0.12", None, None, "spox 0.12"),
        ("onnx.quantize", "", None, None, "onnx.quantize"),
        ("pytorch", "2.13.0", "pytorch", "2.13.0", None),
        ("", "", None, None, None),
    ],
)
def test_what_wrote_the_artifact_is_told(
    tmp_path: Path, name: str, version: str, framework: str | None, release: str | None, comment: str | None
) -> None:
    contract = proposed(written_by(tmp_path, name, version))
    assert (contract.framework, contract.framework_version) == (framework, release)
    text = (tmp_path / "contract.yaml").read_text()
    told = [line.strip() for line in text.splitlines() if "written by" in line]
    assert told == ([] if comment is None else [f"# The artifact was written by {comment}."])


@pytest.mark.parametrize(
    ("name", "version", "framework", "left_out"),
    [
        ("pytorch", "git-abc\n", "pytorch", "framework version"),
        ("my exporter", "1" * 81, "my exporter", "framework version"),
        ("py\ntorch", "2.13.0", None, "framework"),
        ("py\ttorch", "1\n2", None, "framework"),
    ],
)
def test_words_that_a_contract_cannot_hold_are_left_out(
    tmp_path: Path, name: str, version: str, framework: str | None, left_out: str
) -> None:
    contract = proposed(written_by(tmp_path, name, version))
    assert (contract.framework, contract.framework_version) == (framework, None)
    assert f"# TO DO: `{left_out}` is left out: the artifact tells " in (tmp_path / "contract.yaml").read_text()
