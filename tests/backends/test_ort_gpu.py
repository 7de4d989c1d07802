"""ONNX Runtime on a GPU, as far as none is needed: options, refusals, what is told of nodes, where engines are kept."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest

from backends import cuda_probe, engine_cache, ort_config, ort_cuda, ort_gpu, ort_nodes, ort_providers
from backends.cuda_arithmetic import OVERRIDE
from backends.ort import OnnxRuntimeAdapter
from bench.conformance import Example, onnx_examples
from bench.device.adapter import AdapterError, DeviceUnavailable, ModelFiles, Settings, TensorSpec

GPU = cuda_probe.Gpu("Some GPU", "GPU-1", "9.0", 8 << 30)


def on_gpu(**settings: Any) -> Settings:
    return Settings(**{"device": "cuda:0", **settings})


def options_of(settings: Settings, cache: str = "") -> list[tuple[str, dict[str, str]]]:
    return ort_providers.options_of(settings, ort_config.values_of(settings), cache)


@pytest.fixture
def mlp(tmp_path: Path) -> Example:
    return onnx_examples(tmp_path)[0]


def test_fp32_never_means_tf32() -> None:
    for word in ("auto", "cuda", "tensorrt"):
        for precision, on in (("fp32", "0"), ("tf32", "1"), ("fp16", "0")):
            asked = options_of(on_gpu(precision=precision, extra={"provider": word}))
            name, options = asked[-1]
            assert name == "CUDAExecutionProvider"
            assert options["use_tf32"] == on


def test_tensorrt_gets_its_precision_and_its_folder_and_cuda_behind_it() -> None:
    settings = on_gpu(device="cuda:3", precision="fp16", extra={"provider": "tensorrt", "workspace limit": "2 GiB"})
    (first, options), (second, _) = options_of(settings, "/somewhere")
    assert (first, second) == ("TensorrtExecutionProvider", "CUDAExecutionProvider")
    assert options["device_id"] == "3"
    assert (options["trt_fp16_enable"], options["trt_bf16_enable"], options["trt_int8_enable"]) == ("1", "0", "0")
    assert options["trt_max_workspace_size"] == str(2 << 30)
    assert options["trt_engine_cache_path"] == options["trt_timing_cache_path"] == "/somewhere"
    (_, without), _ = options_of(settings)
    assert without["trt_engine_cache_enable"] == "0"
    assert "trt_engine_cache_path" not in without


def test_a_memory_limit_is_told_in_bytes_and_none_is_told_without() -> None:
    ((_, options),) = options_of(on_gpu(extra={"gpu memory limit": "1.5 GiB"}))
    assert options["gpu_mem_limit"] == str(3 << 29)
    ((_, options),) = options_of(on_gpu())
    assert "gpu_mem_limit" not in options


FIXED = ModelFiles({}, (TensorSpec("x", "float32", (1, 8)),), (TensorSpec("y", "float32", (1, 4)),))
LOOSE = replace(FIXED, inputs=(TensorSpec("x", "float32", ("batch", 8)),))


@pytest.mark.parametrize(
    ("model", "settings", "name", "why"),
    [
        (FIXED, Settings(extra={"provider": "cuda"}), "provider", "cuda does not run on device `cpu`: it takes cpu"),
        (FIXED, on_gpu(extra={"provider": "cpu"}), "provider", "on device `cuda:0`: it takes cuda or tensorrt"),
        (FIXED, Settings(extra={"cpu fallback": "allowed"}), "cpu fallback", "it is for a GPU, like `device: cuda:0`"),
        (FIXED, Settings(extra={"cuda graph": True}), "cuda graph", "it is for a GPU"),
        (FIXED, on_gpu(extra={"workspace limit": "1 GiB"}), "workspace limit", "cuda .* it is for tensorrt"),
        (FIXED, on_gpu(extra={"provider": "tensorrt", "gpu memory limit": "2 GiB"}), "gpu memory limit",
         "the tensorrt provider has no such thing: it is for provider `cuda`"),
        (FIXED, on_gpu(extra={"provider": "tensorrt", "cudnn search": "default"}), "cudnn search", "provider `cuda`"),
        (FIXED, on_gpu(extra={"execution mode": "parallel"}), "execution mode", "runs nodes in sequence"),
        (FIXED, on_gpu(extra={"cuda graph": True}), "cuda graph", "say `residency: device`"),
        (LOOSE, on_gpu(extra={"cuda graph": True}, residency="device"), "cuda graph",
         r"needs fixed shapes, but `x` is \[batch, 8\]: export the model with a number for `batch`"),
        (FIXED, on_gpu(extra={"cuda graph": True, "provider": "tensorrt"}, residency="device"), "cuda graph",
         "only provider cuda"),
        (FIXED, on_gpu(extra={"cuda graph": True, "cpu fallback": "allowed"}, residency="device"), "cuda graph",
         "wholly on the GPU"),
        (FIXED, Settings(extra={"gpu clock": True}), "gpu clock", "it is for a GPU"),
        (FIXED, on_gpu(extra={"gpu clock": True, "provider": "tensorrt"}), "gpu clock", "it is for provider `cuda`"),
        (FIXED, on_gpu(extra={"gpu clock": True}), "gpu clock", "say `residency: device`"),
        (FIXED, on_gpu(extra={"gpu clock": True, "cpu fallback": "allowed"}, residency="device"), "gpu clock",
         "what nodes on the CPU take would be in it"),
        (FIXED, on_gpu(extra={"gpu clock": True, "cuda graph": True}, residency="device"), "gpu clock",
         "a captured graph's replay waits by itself"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_told_before_anything_starts(
    model: ModelFiles, settings: Settings, name: str, why: str
) -> None:
    found = OnnxRuntimeAdapter().conflict(model, settings)
    assert found is not None
    assert found[0] == name
    assert re.search(why, found[1]), found[1]


def test_a_graph_of_fixed_shapes_on_the_device_may_be_captured() -> None:
    settings = on_gpu(extra={"cuda graph": True}, residency="device")
    assert OnnxRuntimeAdapter().conflict(FIXED, settings) is None
    ((_, options),) = options_of(settings)
    assert options["enable_cuda_graph"] == "1"


@pytest.mark.parametrize(
    ("graph", "provider", "taken"),
    [
        ("fp32", "cuda", {"fp32", "tf32"}),
        ("fp16", "cuda", {"fp16"}),
        ("fp32", "tensorrt", {"fp32", "tf32", "fp16", "bf16"}),
        ("fp64", "tensorrt", set()),
    ],
)
def test_a_precision_that_the_provider_cannot_give_is_refused(graph: str, provider: str, taken: set[str]) -> None:
    for precision in ort_providers.PRECISIONS:
        settings = on_gpu(precision=precision, extra={"provider": provider})
        assert bool(ort_providers.other_precision(settings, graph)) == (precision not in taken), precision


@pytest.mark.parametrize("value", ["2", "2 GIB", 2, True, "0 B", "-1 GiB", "lots"])
def test_a_limit_without_a_unit_is_refused(mlp: Example, value: Any) -> None:
    with pytest.raises(AdapterError, match=r"`gpu memory limit`: .* is no size: write it like 2 GiB"):
        OnnxRuntimeAdapter().open(mlp.model, on_gpu(extra={"gpu memory limit": value}))


def found(*gpus: cuda_probe.Gpu, reason: str = "", remedy: str = "") -> list[cuda_probe.Found]:
    return [cuda_probe.Found(gpus, "13.0", reason, remedy)]


@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_without_a_gpu_there_is_one_sentence_with_what_to_install(
    mlp: Example, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda_probe, "_FOUND", found(reason="there is no NVIDIA driver here", remedy="install it"))
    with pytest.raises(DeviceUnavailable) as caught:
        OnnxRuntimeAdapter().open(mlp.model, on_gpu(extra={"provider": provider}))
    message = str(caught.value)
    assert message.startswith("cuda:0 cannot be used: there is no NVIDIA driver here")
    assert "is built without" in message
    assert "onnxruntime-gpu[cuda,cudnn]" in message
    assert "\n" not in message


def test_a_gpu_that_this_package_was_not_built_for_is_never_replaced_by_the_cpu(
    mlp: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda_probe, "_FOUND", found(GPU))
    with pytest.raises(DeviceUnavailable, match="is built without CUDAExecutionProvider: pip uninstall -y onnxruntime"):
        OnnxRuntimeAdapter().open(mlp.model, on_gpu())
    with pytest.raises(DeviceUnavailable, match="there is no cuda:1: the driver has cuda:0 Some GPU"):
        OnnxRuntimeAdapter().open(mlp.model, on_gpu(device="cuda:1"))


def test_the_probe_of_a_package_without_cuda_asks_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_probe, "look", lambda: pytest.fail("a CPU-only install pays nothing for GPUs"))
    assert OnnxRuntimeAdapter().probe().devices == ("cpu",)


def test_the_probe_names_the_drivers_gpus_where_the_package_is_built_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    onnxruntime: Any = importlib.import_module("onnxruntime")
    both = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: both)
    monkeypatch.setattr(cuda_probe, "_FOUND", found(GPU, GPU))
    told = OnnxRuntimeAdapter().probe()
    assert told.devices == ("cpu", "cuda:0", "cuda:1")
    assert told.versions["cuda driver"] == "13.0"
    monkeypatch.setattr(cuda_probe, "_FOUND", found(reason="the driver finds no GPU", remedy="look"))
    told = OnnxRuntimeAdapter().probe()
    assert (told.usable, told.devices, told.reason, told.remedy) == (True, ("cpu",), "the driver finds no GPU", "look")


# Nodes

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


def nodes(*providers: str) -> list[ort_nodes.Placed]:
    return [ort_nodes.Placed(provider, f"n{index}", "Det") for index, provider in enumerate(providers)]


def test_nodes_on_the_cpu_are_told_one_by_one() -> None:
    told = ort_nodes.facts_of(nodes(CUDA, CPU, CUDA, CPU), [CUDA], "cuda:0", True)
    assert told["nodes by provider"] == {CUDA: 2, CPU: 2}
    assert told[f"nodes on {CPU}"] == ["Det `n1`", "Det `n3`"]
    assert told["notes"] == [
        "2 of 4 nodes ran on the CPU, not on cuda:0: Det `n1`, Det `n3`; "
        "the target allows it, and data is copied at each border"
    ]


def test_a_graph_that_is_wholly_where_it_should_be_needs_no_note() -> None:
    assert ort_nodes.facts_of(nodes(CUDA, CUDA), [CUDA], "cuda:0", False) == {"nodes by provider": {CUDA: 2}}


@pytest.mark.parametrize("where", [[], [CPU, CPU]])
def test_a_graph_of_which_nothing_is_on_the_gpu_has_no_number(where: list[str]) -> None:
    with pytest.raises(DeviceUnavailable, match=f"no node of the graph would run on {CUDA}"):
        ort_nodes.facts_of(nodes(*where), [CUDA], "cuda:0", True)


class FakeNative:
    """A session as the framework gives it, with its own record of nodes."""

    def __init__(self, where: Sequence[str], providers: Sequence[str] = (CUDA, CPU)) -> None:
        self.where = where
        self.providers = list(providers)
        self.echo: dict[str, dict[str, str]] = {}

    def get_providers(self) -> list[str]:
        return self.providers

    def get_provider_options(self) -> dict[str, dict[str, str]]:
        return self.echo

    def get_provider_graph_assignment_info(self) -> list[Any]:
        return [SimpleNamespace(ep_name=node.provider, get_nodes=self.named(node)) for node in nodes(*self.where)]

    @staticmethod
    def named(node: ort_nodes.Placed) -> Any:
        return lambda: [SimpleNamespace(name=node.name, op_type=node.kind)]


class FakeFramework:
    """Refuses nodes on the CPU where it is told to, as the real one does: by an error that names none."""

    def __init__(self, native: FakeNative) -> None:
        self.native = native

    def InferenceSession(self, path: str, config: Any, providers: Any, enable_fallback: int) -> FakeNative:
        assert enable_fallback == 0
        assert config.entries[ort_nodes.RECORD] == "1"
        if config.entries[ort_nodes.STRICT] == "1" and CPU in self.native.where:
            raise RuntimeError("This session contains graph nodes that are assigned to the default CPU EP")
        return self.native


class Config:
    def __init__(self) -> None:
        self.entries: dict[str, str] = {}

    def add_session_config_entry(self, name: str, value: str) -> None:
        self.entries[name] = value


def created(native: FakeNative, allowed: bool = False) -> Any:
    asked = [(CUDA, {"device_id": "0"})]
    return ort_gpu.create(FakeFramework(native), Path("m.onnx"), Config(), asked, on_gpu(), allowed)


def test_a_partial_fallback_is_refused_with_the_nodes_and_the_word_that_allows_it() -> None:
    with pytest.raises(DeviceUnavailable) as caught:
        created(FakeNative([CUDA, CPU]))
    assert str(caught.value) == (
        "1 of 2 nodes would run on the CPU, not on cuda:0: Det `n1`; "
        "to measure it so, say option `cpu fallback: allowed`"
    )
    assert len(created(FakeNative([CUDA, CPU]), allowed=True)[1]) == 2


@pytest.mark.parametrize("allowed", [False, True])
def test_a_whole_fallback_is_refused_whatever_the_target_allows(allowed: bool) -> None:
    with pytest.raises(DeviceUnavailable, match=f"{CUDA} did not start, and the whole model would run on the CPU"):
        created(FakeNative([CPU, CPU], [CPU]), allowed)


def test_a_provider_that_is_listed_but_runs_nothing_is_refused() -> None:
    _, placed = created(FakeNative([CPU, CPU]), allowed=True)
    with pytest.raises(DeviceUnavailable, match="no node of the graph would run on"):
        ort_nodes.facts_of(placed, [CUDA], "cuda:0", True)


def test_a_record_that_names_nothing_is_enough_only_where_the_framework_refuses_the_cpu() -> None:
    told = ort_nodes.facts_of([], [CUDA], "cuda:0", False)
    assert told == {"nodes by provider": f"all on {CUDA}: the framework refuses others"}
    for wanted, allowed in (([CUDA], True), (["TensorrtExecutionProvider", CUDA], False)):
        with pytest.raises(DeviceUnavailable, match="by the framework's own record: it names none"):
            ort_nodes.facts_of([], wanted, "cuda:0", allowed)


def test_a_stream_that_the_session_did_not_take_is_refused() -> None:
    native = FakeNative([CUDA])
    native.echo = {CUDA: {"user_compute_stream": "0"}}
    with pytest.raises(DeviceUnavailable, match="for user_compute_stream=4096, but the session has 0"):
        ort_gpu.check_echo(native, [(CUDA, {"user_compute_stream": "4096"})], "cuda:0")


def test_options_that_the_session_did_not_take_are_refused() -> None:
    native = FakeNative([CUDA])
    native.echo = {CUDA: {"device_id": "1", "use_tf32": "False"}}
    with pytest.raises(DeviceUnavailable, match="for device_id=0, but the session has 1"):
        ort_gpu.check_echo(native, [(CUDA, {"device_id": "0", "use_tf32": "0"})], "cuda:0")
    assert ort_gpu.check_echo(native, [(CUDA, {"device_id": "1", "use_tf32": "0"})], "cuda:1") == {
        CUDA: {"device_id": "1", "use_tf32": "False"}
    }


TENSORRT = "TensorrtExecutionProvider"


@pytest.mark.parametrize("silent", [TENSORRT, CUDA])
def test_a_session_that_does_not_say_where_it_runs_is_refused_in_one_sentence(silent: str) -> None:
    """Each of its providers has to say it: any of them may have the nodes."""
    native = FakeNative([TENSORRT], (TENSORRT, CUDA, CPU))
    native.echo = {one: {} if one == silent else {"device_id": "0"} for one in (TENSORRT, CUDA)}
    with pytest.raises(DeviceUnavailable) as caught:
        ort_gpu.check_echo(native, [(one, {"device_id": "0"}) for one in (TENSORRT, CUDA)], "cuda:0")
    assert str(caught.value) == (
        f"cuda:0 was asked for, but the session does not report back on which device {silent} runs: "
        "no number is that GPU's then"
    )


def test_a_provider_that_did_not_start_behind_another_need_not_say_where_it_runs() -> None:
    """As CUDA's without cuDNN: it has no node."""
    native = FakeNative([TENSORRT], (TENSORRT, CPU))
    native.echo = {TENSORRT: {"device_id": "0"}}
    asked = [(one, {"device_id": "0"}) for one in (TENSORRT, CUDA)]
    assert ort_gpu.check_echo(native, asked, "cuda:0") == {TENSORRT: {"device_id": "0"}, CUDA: {}}


def test_arithmetic_that_the_session_does_not_report_back_is_noted() -> None:
    asked = [(TENSORRT, {"device_id": "0", "trt_fp16_enable": "1", "other": "1"}), (CUDA, {"use_tf32": "0"})]
    whole = {TENSORRT: {"device_id": "0", "trt_fp16_enable": "True"}, CUDA: {"use_tf32": "0"}}
    assert ort_gpu.silent_notes(whole, asked) == []
    (said,) = ort_gpu.silent_notes({TENSORRT: {"device_id": "0"}, CUDA: {}}, asked)
    assert said == "the session does not report back trt_fp16_enable=1, use_tf32=0: that it runs so is not known"


def opened(native: FakeNative) -> dict[str, object]:
    """The facts of a session of CUDA's."""
    facts: dict[str, object] = {}
    framework, provider = FakeFramework(native), ort_providers.PROVIDERS["cuda"]
    ort_gpu.opened(framework, Path("m.onnx"), Config(), provider, on_gpu(), facts)
    return facts


def test_what_a_session_reports_back_decides_whether_it_opens_and_with_which_notes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ort_cuda, "ready", lambda *_: None)
    native = FakeNative([CUDA])
    with pytest.raises(DeviceUnavailable, match="does not report back on which device"):
        opened(native)
    native.echo = {CUDA: {"device_id": "0"}}
    assert opened(native)["notes"] == [ort_gpu.SILENT % "use_tf32=0"]
    native.echo = {CUDA: {"device_id": "0", "use_tf32": "0"}}
    assert "notes" not in opened(native)


# Engines


def test_another_model_option_or_version_has_another_folder(
    mlp: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCHPACT_CACHE", str(tmp_path / "cache"))
    path = mlp.model.artifacts["onnx"]
    first = engine_cache.folder_for(path, {"precision": "fp32"})
    assert first == engine_cache.folder_for(path, {"precision": "fp32"})
    assert first.parent == tmp_path / "cache" / "engines"
    assert first != engine_cache.folder_for(path, {"precision": "fp16"})
    path.write_bytes(path.read_bytes() + b"\x08\x08")
    assert first != engine_cache.folder_for(path, {"precision": "fp32"})
    assert not engine_cache.has_engine(first)
    (first / "x_sm90.engine").write_bytes(b"")
    assert engine_cache.has_engine(first)


def test_weights_beside_the_model_count_too(mlp: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHPACT_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "external.onnx"
    model = onnx.load(mlp.model.artifacts["onnx"])
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    before = engine_cache.folder_for(path, {})
    weights = np.fromfile(tmp_path / "weights.bin", np.uint8)
    weights[0] ^= 1
    weights.tofile(tmp_path / "weights.bin")
    assert engine_cache.folder_for(path, {}) != before


def test_one_process_gives_fp32_one_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort_cuda, "_TF32", [])
    monkeypatch.setenv(OVERRIDE, "")  # so that it is as before once this test is over
    monkeypatch.delenv(OVERRIDE)
    ort_cuda._say_tf32(False)
    assert os.environ[OVERRIDE] == "0"
    with pytest.raises(AdapterError, match="both in fp32 and in tf32"):
        ort_cuda._say_tf32(True)
