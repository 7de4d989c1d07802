"""State dicts: counted without unpickling, refused where they are anything else."""

from __future__ import annotations

import contextlib
import os
import tempfile
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from bench.artifacts import ArtifactError, kind_of, read


def module() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 3, bias=False))


def save(what: Any, path: Path) -> Path:
    torch.save(what, path)
    return path


def most(path: Path) -> int:
    """All that the state of a module can have as parameters."""
    count = read(kind_of(path), path).parameters
    assert count is not None
    return count.most


def test_parameters_are_the_elements_of_the_stored_weights(tmp_path: Path) -> None:
    facts = read("state-dict", save(module().state_dict(), tmp_path / "state.pth"))
    assert facts.parameters is not None
    assert sum(one.numel() for one in module().parameters()) in facts.parameters
    assert facts.parameters.most == 4 * 8 + 8 + 2 * 8 + 8 * 3
    assert (facts.producer, facts.inputs, facts.outputs) == ("pytorch", None, None)


def test_shared_and_plain_dictionaries_count_the_same(tmp_path: Path) -> None:
    weight = torch.ones(5, 5)
    facts = read("state-dict", save({"a": weight, "b": weight}, tmp_path / "state.pt"))
    assert facts.parameters is not None
    assert facts.parameters.most == 25
    assert most(save(OrderedDict(a=weight), tmp_path / "one.pt")) == 25


def test_views_count_what_is_seen_of_a_storage_and_never_more_than_it_holds(tmp_path: Path) -> None:
    weight = torch.ones(100)
    assert most(save({"a": weight[:10]}, tmp_path / "part.pt")) == 10
    assert most(save({"a": weight[:10], "b": weight[90:]}, tmp_path / "ends.pt")) == 20
    assert most(save({"a": weight, "b": weight.view(10, 10).t()}, tmp_path / "tied.pt")) == 100


def quantized() -> torch.nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch.ao, about itself
        float_module = torch.nn.Sequential(torch.nn.Linear(4, 8))
        quantize: Any = torch.ao.quantization.quantize_dynamic
        done: torch.nn.Module = quantize(float_module, {torch.nn.Linear})
    return done


def test_weights_of_every_type_are_counted(tmp_path: Path) -> None:
    for dtype in (torch.float64, torch.float16, torch.bfloat16, torch.int8, torch.float8_e4m3fn):
        assert most(save({"a": torch.ones(4).to(dtype)}, tmp_path / "state.pt")) == 4
    for dtype in (torch.int64, torch.uint16, torch.bool):
        assert most(save({"a": torch.ones(4).to(dtype)}, tmp_path / "state.pt")) == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert most(save(quantized().state_dict(), tmp_path / "q.pt")) == 4 * 8 + 8 + 1  # its scale


def test_both_kinds_of_state_count_alike(tmp_path: Path) -> None:
    state = module().state_dict()
    save_file(state, tmp_path / "m.safetensors", metadata={"format": "pt"})
    counted = read("safetensors", tmp_path / "m.safetensors").parameters
    assert counted == read("state-dict", save(state, tmp_path / "m.pt")).parameters


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
    with pytest.raises(
        ArtifactError, match=r"a whole `torch.nn.*Sequential`.*save it by torch\.save\(module\.state_dict"
    ):
        read("state-dict", save(module(), tmp_path / "module.pt"))


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ({"model": {"w": torch.ones(2)}, "epoch": 3}, "is a checkpoint, its `model` is no tensor"),
        ({"epoch": 3, "model": OrderedDict(w=torch.ones(2))}, "is a checkpoint, its `model` is no tensor"),
        ([torch.ones(2)], "holds no dictionary of tensors"),
        (torch.ones(2), "holds no dictionary of tensors"),
    ],
)
def test_what_else_is_saved_in_the_field_is_refused_by_what_it_is(tmp_path: Path, what: Any, reason: str) -> None:
    with pytest.raises(ArtifactError, match=reason):
        read("state-dict", save(what, tmp_path / "other.pt"))


def test_the_old_format_is_named_and_not_called_damaged(tmp_path: Path) -> None:
    path = tmp_path / "old.pth"
    torch.save(module().state_dict(), path, _use_new_zipfile_serialization=False)
    with pytest.raises(ArtifactError, match=r"had before 1\.6: load it with a newer one and save it"):
        read("state-dict", path)


def test_an_archive_behind_something_else_is_refused_because_torch_would_read_the_something(tmp_path: Path) -> None:
    path = save(module().state_dict(), tmp_path / "m.pt")
    path.write_bytes(b"\x80\x02}." + path.read_bytes())
    with pytest.raises(ArtifactError, match="not a whole PyTorch archive"):
        read("state-dict", path)


def test_a_file_of_pytorch_is_known_by_what_is_in_it(tmp_path: Path) -> None:
    for name in ("state.pt", "state.pth"):
        assert kind_of(save(module().state_dict(), tmp_path / name)) == "state-dict"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for name in ("m.pt", "m.pth"):
            torch.jit.save(torch.jit.script(module()), str(tmp_path / name))
            assert kind_of(tmp_path / name) == "torchscript"
    (tmp_path / "none.pt").write_bytes(b"nothing")
    assert kind_of(tmp_path / "none.pt") == "torchscript"


def test_a_torchscript_archive_is_no_state_dict(tmp_path: Path) -> None:
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


@given(changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4))
@settings(max_examples=200, deadline=None)
def test_changed_words_in_a_whole_archive_are_one_clear_error_or_still_told(changes: list[tuple[float, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = save(module().state_dict(), Path(folder) / "state.pt")
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        words = bytearray(members["state/data.pkl"])
        for position, byte in changes:
            words[int(position * len(words))] = byte
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in (members | {"state/data.pkl": bytes(words)}).items():
                archive.writestr(name, data)
        with contextlib.suppress(ArtifactError):
            assert read("state-dict", path).kind == "state-dict"
