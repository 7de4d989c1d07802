"""Artifacts made to harm the reader: pickles that would run, entities that would grow, headers that lie."""

from __future__ import annotations

import contextlib
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.artifacts import ArtifactError, read
from bench.artifacts.parameters import Count
from bench.artifacts.torch_export import examples
from bench.artifacts.torchscript import Argument, arguments


def refused(kind: str, path: Path, because: str) -> None:
    with pytest.raises(ArtifactError, match=because) as caught:
        read(kind, path)
    assert str(caught.value).startswith(str(path))


def changed(source: Path, path: Path, members: dict[str, bytes]) -> Path:
    """A copy of an archive in which some members are others."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, members.get(name.split("/", 1)[1], old.read(name)))
    return path


def test_a_pickle_that_would_run_a_command_runs_nothing(made: dict[str, Path], tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return (Path.mkdir, (tmp_path / "boom",))

    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        data = pickle.dumps({"model": Bomb()}, protocol)
        path = changed(made["torchscript"], tmp_path / "m.pt", {"data.pkl": data, "constants.pkl": data})
        with contextlib.suppress(ArtifactError):
            read("torchscript", path)
    assert not (tmp_path / "boom").exists()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b".",
        b"\x80\x02.",
        b"u.",
        b"h\x05.",
        b"0.",
        b"\x85.",
        b"(((((",
        b"(t(t(tR.",
        b"]]b.",
        b"NQ.",
        b"K\x01u.",
        b"\xff",
    ],
)
def test_a_pickle_that_makes_no_sense_is_refused(made: dict[str, Path], tmp_path: Path, data: bytes) -> None:
    path = changed(made["torchscript"], tmp_path / "m.pt", {"data.pkl": data})
    refused("torchscript", path, "a pickle of more than tensors")


def test_a_pickle_that_holds_itself_is_walked_once(made: dict[str, Path], tmp_path: Path) -> None:
    itself: list[Any] = []
    itself.append(itself)
    doubled: Any = ()
    for _ in range(200):  # walked as a tree it would have 2 ** 200 leaves
        doubled = (doubled, doubled)
    members = {"data.pkl": pickle.dumps(itself, 2), "constants.pkl": pickle.dumps([doubled], 2)}
    assert read("torchscript", changed(made["torchscript"], tmp_path / "m.pt", members)).parameters == Count.exactly(0)


def test_an_archive_that_is_no_torchscript_says_how_to_make_one(tmp_path: Path) -> None:
    torch.save({"weight": torch.ones(3)}, tmp_path / "m.pt")
    refused("torchscript", tmp_path / "m.pt", r"save the model by torch\.jit\.save")
    refused("torch-export", tmp_path / "m.pt", r"save the model by torch\.export\.save")


def test_a_member_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    with (
        zipfile.ZipFile(tmp_path / "m.pt2", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("m/models/model.json", "w", force_zip64=True) as member,
    ):
        for _ in range(257):
            member.write(bytes(1 << 20))
    assert (tmp_path / "m.pt2").stat().st_size < 1 << 20
    refused("torch-export", tmp_path / "m.pt2", "more than is read")


@pytest.mark.parametrize("program", [b"[]", b"{}", b"[" * 100_000, b'{"graph_module": {"graph": 3}}', b"\xff", b"NaN"])
def test_a_program_that_is_none_is_refused(made: dict[str, Path], tmp_path: Path, program: bytes) -> None:
    path = changed(made["torch-export"], tmp_path / "m.pt2", {"models/model.json": program})
    refused("torch-export", path, "program|readable")


def test_an_exported_program_tells_the_sizes_of_its_example(made: dict[str, Path]) -> None:
    facts = read("torch-export", made["torch-export"])
    assert facts.inputs is not None
    assert examples(made["torch-export"]) == {facts.inputs[0].shape[0]: 2}


def test_a_torchscript_archive_tells_what_forward_takes(made: dict[str, Path]) -> None:
    assert arguments(made["torchscript"]) == (Argument("image", "Tensor"),)
    traced = arguments(made["torchscript"].with_suffix(".traced.pt"))
    assert traced == (Argument("image", "Tensor", "float32", (2, 1, 8, 8)),)


BOMB = '<?xml version="1.0"?><!DOCTYPE net [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
IR = "<net name='m' version='11'><layers>{}</layers><edges/></net>"


@pytest.mark.parametrize(
    ("text", "because"),
    [
        (BOMB + IR.format("<layer id='0' name='&b;' type='Result'/>"), "DOCTYPE"),
        ('<!DOCTYPE net SYSTEM "file:///etc/passwd">' + IR.format(""), "DOCTYPE"),
        (IR.format("<layer id='0' name='&b;' type='Result'/>"), "undefined entity"),
        (IR.format(""), "it has no result"),
        ("<html></html>", "describes `html`"),
        ("<net>" + "<a>" * 300, "nested too deeply"),
        (IR.format("<layer id='0' name='x'/>"), "lacks its 'type'"),
        (IR.format("<layer id='0' name='x' type='Result'/>"), "not an OpenVINO IR as it should be"),
        (IR.format("<layer id='0' name='c' type='Const'><data offset='x' size='4'/></layer>"), "lacks|literal"),
        ("", "no element found"),
    ],
)
def test_a_description_that_would_grow_or_is_none_is_refused(tmp_path: Path, text: str, because: str) -> None:
    (tmp_path / "m.xml").write_text(text)
    refused("openvino", tmp_path / "m.xml", because)


def test_weights_missing_or_cut_off_are_named(made: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "m.xml").write_bytes(made["openvino"].read_bytes())
    refused("openvino", tmp_path / "m.xml", r"needs its weights `m\.bin`")
    (tmp_path / "m.bin").write_bytes(made["openvino"].with_suffix(".bin").read_bytes()[:-1])
    refused("openvino", tmp_path / "m.xml", "cut off")


def state(path: Path, header: Any, data: bytes = bytes(8), length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + data)
    return path


GOOD = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    ("header", "because"),
    [
        ([], "no table of tensors"),
        (b"{", "not readable"),
        (b"[" * 50_000, "not readable"),
        (b'{"w": {}, "w": {}}', "not readable"),
        ({"w": 3}, "not described"),
        ({"w": GOOD | {"dtype": "F31"}}, "not described"),
        ({"w": GOOD | {"shape": [-2]}}, "not described|the shape"),
        ({"w": GOOD | {"shape": [1 << 70]}}, "not described|the shape"),
        ({"w": GOOD | {"shape": [3]}}, "does not lie"),
        ({"w": GOOD | {"data_offsets": [0, 1 << 40]}}, "does not lie"),
        ({"w": GOOD | {"data_offsets": [8, 0]}}, "does not lie"),
        ({"w": GOOD | {"data_offsets": "ab"}}, "not described|does not lie"),
        ({"w": GOOD, "v": GOOD}, "do not add up"),
        ({}, "do not add up"),
    ],
)
def test_a_state_whose_header_lies_is_refused(tmp_path: Path, header: Any, because: str) -> None:
    refused("safetensors", state(tmp_path / "m.safetensors", header), because)


def test_a_state_whose_header_would_fill_memory_is_refused_unread(tmp_path: Path) -> None:
    refused("safetensors", state(tmp_path / "m.safetensors", {"w": GOOD}, length=1 << 60), "does not fit")
