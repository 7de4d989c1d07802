"""``check`` refuses a target's settings by what its adapter declares, and imports no framework for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.litert import LiteRtAdapter
from backends.null import NullAdapter
from backends.ort import OnnxRuntimeAdapter
from backends.ov import OpenVinoAdapter
from backends.pytorch import PyTorchAdapter
from bench.contract import check_settings
from bench.device.declared import Count, Declared, OneOf, Size
from tests.contract.contracts import changed
from tests.contract.test_contract_check import TEXT, checked, noted, told

ADAPTERS = (NullAdapter, OnnxRuntimeAdapter, OpenVinoAdapter, PyTorchAdapter, LiteRtAdapter)


def with_target(words: str, text: str = TEXT) -> str:
    """The contract with a target of line 20; it has an ONNX and a TorchScript artifact."""
    return changed("inputs:\n", "  torchscript: digits.ts.pt\ninputs:\n", text) + f"  x: {words}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("onnxruntime, options: {§graph optimization: al}",
         "option `graph optimization` of `onnxruntime`: al is not one of disabled, basic, extended, layout, all"),
        ("onnxruntime, options: {§spinning: maybe}",
         "option `spinning` of `onnxruntime`: maybe is not one of true, false"),
        ("onnxruntime, options: {§spinning: 1}", "option `spinning` of `onnxruntime`: 1 is not one of true, false"),
        ("onnxruntime, options: {§inter-op threads: 0}",
         "option `inter-op threads` of `onnxruntime`: 0 is not a whole number of at least 1"),
        ("onnxruntime, options: {§inter-op threads: 2}",
         "`inter-op threads` of target `x`: 2 threads for independent nodes: it needs option "
         "`execution mode`: parallel"),
        ("onnxruntime, device: §gpu",
         "target `x`: `onnxruntime` has no device `gpu`: it takes `cpu`, `cuda:0` to `cuda:7`"),
        ("openvino, device: §'cuda:0'", "target `x`: `openvino` has no device `cuda:0`: it takes `cpu`"),
        ("onnxruntime, options: {§gpu memory limit: 2}",
         "option `gpu memory limit` of `onnxruntime`: 2 is no size: write it like 2 GiB"),
        ("onnxruntime, options: {§cpu fallback: allowed}",
         "`cpu fallback` of target `x`: the cpu provider has no such thing: it is for a GPU, like `device: cuda:0`"),
        ("onnxruntime, device: 'cuda:0', options: {provider: cuda, §cuda graph: true}",
         "`cuda graph` of target `x`: it replays fixed addresses of the GPU, so inputs must be there: "
         "say `residency: device`"),
        ("onnxruntime, precision: §tf32",
         "`precision` of target `x`: precision tf32 was asked for, but the graph's is fp32, and the CPU provider "
         "computes in the graph's: say `precision: fp32`, or convert the model"),
        ("onnxruntime, precision: §bf16",
         "`precision` of target `x`: precision bf16 was asked for, but the graph's is fp32, and the CPU provider "
         "computes in the graph's: say `precision: fp32`, or convert the model"),
        ("openvino, precision: §fp64",
         "target `x`: `openvino` has no precision `fp64`: it takes `fp32`, `bf16`, `fp16`"),
        ("openvino, threads: 1, options: {§streams: 2}",
         "`streams` of target `x`: 2 streams have only 1 threads to share"),
        ("openvino, options: {§artifact: openvino}",
         "target `x` is to run `openvino`, which the contract has not: add it under `artifacts`; it has `onnx`"),
        ("pytorch, options: {§artifact: safetensors}",
         "option `artifact` of `pytorch`: safetensors is not one of auto, torchscript, torch-export, eager"),
        ("pytorch, options: {§artifact: eager}",
         "target `x` is to run `eager`, which is a module that your own code builds: name the function that builds its "
         "module as `factory` under `model`"),
        ("pytorch, options: {§artifact: torch-export}",
         "target `x` is to run `torch-export`, which the contract has not: add it under `artifacts`; "
         "it has `torchscript`"),
        ("pytorch, options: {§compile: default}",
         "`compile` of target `x`: it needs `artifact: torch-export` or `eager`: "
         "TorchScript has a compiler of its own"),
    ],
)  # fmt: skip
def test_what_an_adapter_would_refuse_is_told_where_it_stands(folder: Path, words: str, message: str) -> None:
    words = f"{{backend: {words}}}"
    column = words.index("§") + len("  x: ") + 1
    assert told(folder, with_target(words.replace("§", ""))) == [f"21:{column}: {message}"]


def test_more_threads_than_cores_are_noted_for_another_lab_may_have_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_settings, "usable_cores", lambda: 2)
    text = TEXT + "  x: {backend: onnxruntime, threads: 4096}\n  y: {backend: onnxruntime, threads: 2}\n"
    assert noted(folder, text) == [
        "20:38: target `x` asks for 4096 threads, and this machine has 2 usable cores: "
        "threads that share a core wait for each other"
    ]


def test_cores_that_this_machine_has_not_are_missing_not_wrong(folder: Path) -> None:
    found = checked(folder, TEXT + "  x: {backend: onnxruntime, cores: 4000-4001}\n")
    assert found.problems == ()
    (missing,) = found.missing
    assert (missing.place.line, missing.place.column) == (20, 36)
    assert missing.message.startswith("target `x`: cores 4000, 4001 are not there for this process: it may use ")
    assert checked(folder, TEXT + "  x: {backend: onnxruntime, host: pi4, cores: 4000-4001}\n").missing == ()


def test_every_default_is_a_value_that_its_option_takes() -> None:
    found: list[Declared] = [one for adapter in ADAPTERS for one in adapter.options.values()]
    assert len(found) > 8
    for one in found:
        assert isinstance(one, OneOf | Count | Size)
        assert one.default is None or isinstance(one, Size) or one.refusal(one.default) == ""


def test_an_option_says_in_one_line_what_it_takes() -> None:
    assert str(OnnxRuntimeAdapter.options["spinning"]) == (
        "whether idle threads of the pool spin before they sleep: true or false (default: true)"
    )
    assert str(Count("threads")) == "threads: a whole number of at least 1 (default: 1)"
    assert str(Size("workspace", 1 << 30)) == "workspace: a size like 2 GiB (default: 1024 MiB)"
