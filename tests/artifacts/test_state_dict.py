"""State dicts: counted without unpickling, refused where they are anything else."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.artifacts import ArtifactError, read


def module() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 3, bias=False))


def save(what: Any, path: Path) -> Path:
    torch.save(what, path)
    return path


def test_parameters_are_the_elements_of_the_stored_weights(tmp_path: Path) -> None:
    facts = read("state-dict", save(module().state_dict(), tmp_path / "state.pth"))
    assert facts.parameters == 4 * 8 + 8 + 4 * 8 + 8 * 3  # a batch norm stores its running figures too
    assert (facts.producer, facts.inputs, facts.outputs) == ("pytorch", None, None)


def test_shared_and_plain_dictionaries_count_the_same(tmp_path: Path) -> None:
    weight = torch.ones(5, 5)
    facts = read("state-dict", save({"a": weight, "b": weight}, tmp_path / "state.pt"))
    assert facts.parameters == 25
    assert read("state-dict", save(OrderedDict(a=weight), tmp_path / "one.pt")).parameters == 25


class Runs:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch ran",)


def test_a_pickle_that_would_run_code_is_refused_and_nothing_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = save({"weight": torch.ones(2), "evil": Runs()}, tmp_path / "evil.pt")
    with pytest.raises(ArtifactError, match="system"):
        read("state-dict", path)
    assert not (tmp_path / "ran").exists()


def test_a_whole_pickled_module_is_refused_with_what_would_be_right(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"torch\.save\(module\.state_dict|more than tensors"):
        read("state-dict", save(module(), tmp_path / "module.pt"))


def test_a_torchscript_archive_is_no_state_dict(tmp_path: Path) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(module()), str(tmp_path / "m.pt"))
    with pytest.raises(ArtifactError, match="TorchScript"):
        read("state-dict", tmp_path / "m.pt")


@given(position=st.floats(0, 1, exclude_max=True), cut=st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_damaged_file_is_one_clear_error_or_still_told(position: float, cut: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = save(module().state_dict(), Path(folder) / "state.pt")
        whole = path.read_bytes()
        at = int(position * len(whole))
        path.write_bytes(whole[:at] if cut else whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        with contextlib.suppress(ArtifactError):
            assert read("state-dict", path).kind == "state-dict"
