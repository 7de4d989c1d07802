"""PyTorch on a GPU, as far as a machine without one can tell: refusals, what is waited for, and that no CPU answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backends import cuda_probe, torch_arithmetic, torch_cuda, torch_load, torch_places
from backends.cuda_probe import Found, Gpu
from backends.pytorch import PyTorchAdapter
from backends.torch_cuda_session import TorchCudaSession, TorchCudaStateSession
from backends.torch_graph import Captures
from bench.conformance import examples
from bench.conformance.examples import Example
from bench.device import memory
from bench.device.adapter import AdapterError, DeviceUnavailable, ModelRejected, Query, Settings
from bench.device.records import GPU_OWN
from tests.backends.cuda_stand_in import Torch
from tests.backends.torch_models import as_eager, as_exported, as_torchscript

ROOT = Path(__file__).parents[2]
GPU = Gpu("GPU", "GPU-1", "9.0", 8 << 30)
ON_GPU = Settings(device="cuda:0", residency="device")


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> list[Found]:
    """What the driver says; one without a GPU, unless a test says otherwise."""
    found = [Found(reason="the driver finds no GPU", remedy="look at `nvidia-smi`")]
    monkeypatch.setattr(cuda_probe, "_FOUND", found)
    return found


# Not usable: why, and what mends it


def refusal(settings: Settings = ON_GPU, fake: Any = torch) -> str:
    with pytest.raises(DeviceUnavailable) as caught:
        torch_cuda.demand(fake, settings.device)
    return str(caught.value)


def test_without_a_gpu_it_says_why_and_what_to_install(driver: list[Found]) -> None:
    said = refusal()
    assert said.startswith("cuda:0 cannot be used: the driver finds no GPU; to mend: look at `nvidia-smi`")
    if torch.version.cuda is None:
        assert f"torch {torch.__version__} is built without CUDA: then pip install" in said


def test_a_gpu_with_a_torch_that_cannot_use_it(driver: list[Found]) -> None:
    driver[:] = [Found((GPU,), "12.2")]
    assert "built without CUDA; to mend: pip install" in refusal(fake=Torch(built_for=None))
    unfit = Torch()
    unfit.cuda.is_available = lambda: False  # type: ignore[method-assign]
    assert "is for CUDA 13.0, and the driver speaks 12.2" in refusal(fake=unfit)
    assert "there is no cuda:3: the driver has cuda:0 GPU" in refusal(Settings(device="cuda:3"))
    driver[:] = [Found((GPU._replace(name="another"),), "13.0")]
    assert "torch calls cuda:0 a GPU, the driver a another" in refusal(fake=Torch())


def test_a_probe_lists_the_gpus_that_torch_can_use(driver: list[Found]) -> None:
    assert torch_cuda.offered(Torch(built_for=None)) == ((), {}, "", "")
    assert torch_cuda.offered(Torch())[2:] == ("the driver finds no GPU", "look at `nvidia-smi`")
    driver[:] = [Found((GPU, GPU), "13.0")]
    devices, versions, reason, _ = torch_cuda.offered(Torch())
    assert (devices, versions, reason) == (("cuda:0",), {"cuda": "13.0", "cuda driver": "13.0"}, "")
    assert "cpu" in PyTorchAdapter().probe().devices


@pytest.mark.parametrize(
    ("settings", "name", "why"),
    [
        (
            Settings(extra={"cpu fallback": "allowed"}),
            "cpu fallback",
            "it is of a GPU, and this target's device is cpu",
        ),
        (
            Settings(extra={"cpu fallback": "refused"}),
            "cpu fallback",
            "it is of a GPU, and this target's device is cpu",
        ),
        (Settings(extra={"cuda graph": True}), "cuda graph", "it is of a GPU"),
        (Settings(extra={"gpu memory limit": "2 GiB"}), "gpu memory limit", "it is of a GPU"),
        (Settings(precision="tf32"), "precision", "a CPU has fp32"),
        (Settings(device="cuda:0", extra={"cuda graph": True}), "cuda graph", "needs `residency: device`"),
        (
            Settings(device="cuda:0", residency="device", extra={"cuda graph": True, "compile": "reduce-overhead"}),
            "cuda graph",
            "captures graphs of its own",
        ),
    ],
)
def test_what_does_not_go_together_is_told_beforehand(settings: Settings, name: str, why: str) -> None:
    found = PyTorchAdapter().conflict(examples.mlp().model, settings)
    assert found is not None and found[0] == name and why in found[1]
    with pytest.raises(AdapterError, match=name):
        PyTorchAdapter().open(examples.mlp().model, settings)


def test_a_limit_that_is_no_size_is_refused() -> None:
    with pytest.raises(AdapterError, match="write it like 2 GiB"):
        PyTorchAdapter().open(examples.mlp().model, Settings(device="cuda:0", extra={"gpu memory limit": "much"}))


def test_a_run_on_a_gpu_that_is_not_there_has_no_number(tmp_path: Path) -> None:
    command = ["run", "configs/digits-all.yaml", "--on", "torch-cuda", "--only", "latency p50", "--json", "-", "-q"]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "bench", *command, "--results", str(tmp_path / "results")],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip
    assert done.returncode == 3, done.stdout + done.stderr
    document = json.loads(done.stdout[done.stdout.index("{") : done.stdout.rindex("}") + 1])
    (row,) = document["rows"]
    assert (row["outcome"], row["figure"]["value"]) == ("not measured", None)
    assert "cuda:0 cannot be used" in document["cases"][0]["failure"]["message"]


# What a session does, and what it waits for


def session(fake: Torch, example: Example, looks: bool = False, **facts: Any) -> Any:
    """A session on the stand-in, opened as the adapter opens one; ``facts`` replace those of a GPU.

    On the stand-in the CPU computes, which a session refuses where it ``looks``.
    """
    told = {"device": "cuda:0", "residency": "device", "cuda graph": False, torch_places.FALLBACK: "allowed", **facts}
    loaded = torch_load.load(torch, example.model, "eager")
    kind = TorchCudaStateSession if example.model.state else TorchCudaSession
    opened: Any = kind(fake, loaded, example.model, ON_GPU, told)
    opened._open.enter_context(torch.inference_mode())
    if not looks:
        opened._look = lambda staged: None
    return opened


@pytest.fixture
def fake() -> Torch:
    return Torch()


@pytest.fixture
def mlp() -> Example:
    return as_eager(examples.mlp(), "build_mlp")


def test_with_data_on_the_device_each_query_is_waited_for_once(fake: Torch, mlp: Example) -> None:
    with session(fake, mlp) as opened:
        for query, right in zip(mlp.queries, mlp.answers, strict=True):
            staged = opened.stage(query)
            fake.cuda.said.clear()
            outputs = opened.run(staged)
            assert fake.cuda.said == ["synchronize"]
            np.testing.assert_allclose(opened.read(outputs)["y"], right["y"], mlp.rtol, mlp.atol)


def test_with_data_on_the_host_the_copies_back_are_what_is_waited_for(fake: Torch, mlp: Example) -> None:
    with session(fake, mlp, residency="host") as opened:
        staged = opened.stage(mlp.queries[0])
        fake.cuda.said.clear()
        moved: list[Any] = []
        whole = torch.Tensor.cpu

        def back(one: torch.Tensor) -> torch.Tensor:
            moved.append(one)
            return whole(one)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch.Tensor, "cpu", back)
            outputs = opened.run(staged)
        assert len(moved) == 1 and fake.cuda.said == []
        np.testing.assert_allclose(opened.read(outputs)["y"], mlp.answers[0]["y"], mlp.rtol, mlp.atol)


def test_state_moves_on_on_the_device(fake: Torch) -> None:
    example = as_eager(examples.recurrent(), "Recurrent")
    with session(fake, example) as opened:
        for query, right in zip(example.queries, example.answers, strict=True):
            outputs = opened.run(opened.stage(query))
            for name, array in opened.read(outputs).items():
                np.testing.assert_allclose(array, right[name], example.rtol, example.atol)
            opened.advance(outputs)


def test_the_device_tells_its_own_times_of_the_model_and_of_the_copies(fake: Torch, mlp: Example) -> None:
    with session(fake, mlp) as opened:
        told = opened.device_times(opened.stage(mlp.queries[0]))
    assert set(told) == {"gpu compute", "enqueue"}
    assert told["gpu compute"] == 250_000 and told["enqueue"] > 0
    with session(fake, mlp, residency="host") as opened:
        told = opened.device_times(opened.stage(mlp.queries[0]))
    assert told["host to device"] == told["gpu compute"] == told["device to host"] == 250_000


def test_the_peak_of_the_gpus_memory_is_told_as_it_stands(fake: Torch, mlp: Example) -> None:
    with session(fake, mlp) as opened:
        staged = opened.stage(mlp.queries[0])
        before = opened.facts()[torch_cuda.ALLOCATED]
        opened.run(staged)
        assert opened.facts()[torch_cuda.ALLOCATED] > before
        assert opened.facts()[GPU_OWN] == 5000


def test_the_words_of_torch_without_memory_are_known_for_what_they_are() -> None:
    assert memory.ran_out("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 8.00 GiB")


@pytest.fixture
def arithmetic() -> Iterator[Callable[[], list[bool]]]:
    """What torch's settings of arithmetic are; afterwards they are as they were."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    kept, searches = ((matmul, "allow_tf32"), (cudnn, "allow_tf32"), (cudnn, "benchmark")), cudnn.benchmark
    yield lambda: [bool(getattr(*one)) for one in kept]
    cudnn.benchmark = searches
    torch_arithmetic.say(torch, tf32=False)


def test_arithmetic_and_the_memorys_limit_are_said(arithmetic: Callable[[], list[bool]]) -> None:
    fake = Torch()
    values = {"cuda graph": False, "gpu memory limit": "2 GiB", "cudnn search": "exhaustive"}
    facts = torch_cuda.configure(fake, Settings(device="cuda:0", precision="tf32"), values)
    assert (facts["tf32"], facts["cudnn search"], facts["gpu memory limit"]) == (True, "exhaustive", "2 GiB")
    assert arithmetic() == [True, True, True]
    assert fake.cuda.limits == [(0.25, "cuda:0")]
    facts = torch_cuda.configure(fake, Settings(device="cuda:0"), {**values, "gpu memory limit": None})
    assert facts["tf32"] is False and "gpu memory limit" not in facts
    if hasattr(torch.backends, "fp32_precision"):
        torch.backends.cudnn.fp32_precision = "tf32"  # which an old word of False would only take over
        torch_cuda.configure(fake, Settings(device="cuda:0"), {**values, "gpu memory limit": None})
        words: Any = torch.backends.cudnn
        assert words.conv.fp32_precision == "ieee"
    assert arithmetic()[:2] == [False, False]
    assert torch.get_float32_matmul_precision() == "highest"
    assert "reduced precision sums" in torch_cuda.configure(fake, Settings(device="cuda:0", precision="fp16"), values)


# No CPU answers under a GPU's name


@pytest.mark.parametrize("make", [as_torchscript, as_exported])
def test_operators_on_the_cpu_are_seen_in_every_kind_of_model(make: Any, tmp_path: Path, mlp: Example) -> None:
    example = make(examples.mlp(), tmp_path)
    module = torch_load.load(torch, example.model, next(iter(example.model.artifacts))).module
    arguments = torch.from_numpy(mlp.queries[0].arrays["x"])
    with torch.inference_mode():
        seen = torch_places.look(torch, lambda: module(arguments))
    assert not seen.on_device
    found = torch_places.listed(seen.on_cpu)
    assert any(one.startswith(("aten.mm", "aten.matmul")) for one in found), found


@pytest.mark.parametrize("allowed", ["refused", "allowed"])
def test_a_model_that_the_cpu_computes_whole_is_refused_whatever_is_allowed(
    allowed: str, fake: Torch, mlp: Example
) -> None:
    with (
        session(fake, mlp, looks=True, **{torch_places.FALLBACK: allowed}) as opened,
        pytest.raises(
            DeviceUnavailable, match=r"no operator of this model ran on cuda:0.*on the CPU ran aten\.\w+ \(\d\)"
        ),
    ):
        opened.stage(mlp.queries[0])


def bound(fake: Torch, mlp: Example, function: Any, allowed: str) -> Any:
    """A session whose module is this function, with residency device: its argument is where ``fake`` has its GPU."""
    opened = session(fake, mlp, looks=True, **{torch_places.FALLBACK: allowed})
    opened._plain = function
    return opened


def partly(x: torch.Tensor) -> torch.Tensor:
    """A product where ``x`` is, and a sum on the CPU."""
    torch.ones(2) + 1
    return x * 2


def back_and_forth(x: torch.Tensor) -> torch.Tensor:
    """What runs where ``x`` is are views and copies."""
    on_cpu = torch.zeros(x.shape) * 2
    return on_cpu.to(x.device).reshape(-1).reshape(x.shape).clone()


def test_a_part_on_the_cpu_is_refused_by_its_operators_names_or_allowed_and_told(mlp: Example) -> None:
    """``meta`` is a real device that is not the CPU; its tensors hold nothing."""
    with (
        bound(Torch("meta"), mlp, partly, "refused") as opened,
        pytest.raises(
            DeviceUnavailable, match=r"run on the CPU, not on cuda:0: aten\.\w+ \(\d\).*cpu fallback: allowed"
        ),
    ):
        opened.stage(mlp.queries[0])
    with bound(Torch("meta"), mlp, partly, "allowed") as opened:
        opened.stage(mlp.queries[0])
        facts = opened.facts()
    assert "aten.add (1)" in facts["operators on the cpu"]
    assert "not on cuda:0, as `cpu fallback: allowed` permits" in facts["notes"][0]


@pytest.mark.parametrize(("residency", "told"), [("device", set()), ("host", {"host to device", "device to host"})])
def test_what_operators_on_the_cpu_take_is_no_time_of_the_gpus(
    residency: str, told: set[str], fake: Torch, mlp: Example
) -> None:
    with session(fake, mlp, residency=residency) as opened:
        opened._on_cpu["aten.add"] += 1
        assert set(opened.device_times(opened.stage(mlp.queries[0]))) == told


def test_copies_to_a_device_and_views_there_are_no_work_of_it(mlp: Example) -> None:
    with (
        bound(Torch("meta"), mlp, back_and_forth, "allowed") as opened,
        pytest.raises(DeviceUnavailable, match="no operator of this model ran on cuda:0"),
    ):
        opened.stage(mlp.queries[0])


def test_every_new_shape_is_looked_at_once(mlp: Example) -> None:
    """A module may use the CPU for some sizes of batch alone."""
    calls: list[int] = []

    def from_five_on(x: torch.Tensor) -> torch.Tensor:
        calls.append(len(x))
        return partly(x) if len(x) >= 5 else x * 2

    queries = [Query({"x": np.ones((samples, 8), np.float32)}, samples) for samples in (1, 2, 5)]
    with bound(Torch("meta"), mlp, from_five_on, "allowed") as opened:
        for query in (*queries[:2], *queries[:2]):
            opened.stage(query)
        assert opened.facts()["operators on the cpu"] == [] and "notes" not in opened.facts()
        opened.stage(queries[2])
        opened.stage(queries[0])
        assert calls == [1, 2, 5]
        assert "aten.add (1)" in opened.facts()["operators on the cpu"]
    with bound(Torch("meta"), mlp, from_five_on, "refused") as opened:
        opened.stage(queries[0])
        for _ in range(2):
            with pytest.raises(DeviceUnavailable, match="run on the CPU, not on cuda:0"):
                opened.stage(queries[2])


def test_no_shape_is_wholly_the_cpus_though_another_was_not(mlp: Example) -> None:
    def from_five_on(x: torch.Tensor) -> torch.Tensor:
        return back_and_forth(x) if len(x) >= 5 else x * 2

    with bound(Torch("meta"), mlp, from_five_on, "allowed") as opened:
        opened.stage(Query({"x": np.ones((1, 8), np.float32)}, 1))
        with pytest.raises(DeviceUnavailable, match="no operator of this model ran on cuda:0"):
            opened.stage(Query({"x": np.ones((5, 8), np.float32)}, 5))


def test_each_look_at_torchscript_sees_all_of_it(tmp_path: Path) -> None:
    """From its second run on, torch fuses a script's operators into kernels that are no operators any more."""
    model = as_torchscript(examples.mlp(), tmp_path).model
    module = torch_load.load(torch, model, "torchscript").module
    optimised: list[bool] = []

    def run() -> None:
        optimised.append(torch._C._get_graph_executor_optimize())
        module(torch.ones(2, 8))

    with torch.inference_mode():
        looks = [torch_places.look(torch, run) for _ in range(3)]
    assert looks[0].on_cpu and looks == looks[:1] * 3
    assert optimised == [False] * 3
    assert torch._C._get_graph_executor_optimize()


def test_where_the_device_computes_nothing_is_astray_and_what_comes_from_elsewhere_is_no_answer(mlp: Example) -> None:
    away = Torch("meta")
    with session(away, mlp, looks=True, **{torch_places.FALLBACK: "refused"}) as opened:
        opened._module.to("meta")
        staged = opened.stage(mlp.queries[0])
        assert opened.facts()["operators on the cpu"] == []
        assert opened.run(staged).device.type == "meta"
        with pytest.raises(DeviceUnavailable, match="output `y` is on cpu, not on cuda:0"):
            opened.read(torch.zeros(1, 4))


@pytest.mark.parametrize("make", [as_torchscript, as_exported, lambda one, _: as_eager(one, "build_mlp")])
def test_a_model_is_loaded_whole_onto_its_device(make: Any, tmp_path: Path) -> None:
    example = make(examples.mlp(), tmp_path)
    kind = next(iter(example.model.artifacts), "eager")
    module = torch_load.load(torch, example.model, kind, "meta").module
    torch_cuda.refuse_elsewhere(module, "meta")
    assert [one.device.type for one in module.parameters()] == ["meta"] * 3
    with pytest.raises(DeviceUnavailable, match="3 tensors of the model are not on cuda:0: "):
        torch_cuda.refuse_elsewhere(module, "cuda:0")


def test_a_half_that_only_a_gpu_computes_is_refused_on_the_cpu(tmp_path: Path) -> None:
    model = as_torchscript(examples.mlp(), tmp_path).model
    with pytest.raises(ModelRejected, match="fp16 was asked for, but the model's is fp32"):
        PyTorchAdapter().open(model, Settings(precision="fp16"))


def test_only_what_autocast_gave_in_half_is_widened_to_what_the_contract_says(fake: Torch, mlp: Example) -> None:
    half = torch.ones(1, 4, dtype=torch.float16)
    for autocast, dtype in (("float16", "float32"), ("off", "float16")):
        with session(fake, mlp, autocast=autocast) as opened:
            assert opened.read(half)["y"].dtype == dtype


# CUDA graphs


def test_a_replay_that_does_not_write_its_outputs_is_caught_and_one_that_does_is_taken(fake: Torch) -> None:
    x = torch.arange(6.0).reshape(2, 3)
    outputs: list[torch.Tensor] = []

    def call(staged: Any) -> Any:
        outputs.append(staged[0] * 2)
        return outputs[-1]

    with pytest.raises(DeviceUnavailable, match="output `y` of the replay is not that of a plain run"):
        Captures(fake, "cuda:0").of(call, (x,), lambda one: {"y": one})
    graph = type("Graph", (), {"replay": lambda self: outputs[-1].copy_(x * 2)})
    fake.cuda.CUDAGraph = graph
    captured = Captures(fake, "cuda:0").of(call, (x,), lambda one: {"y": one})
    assert torch.equal(captured.replay(), x * 2)
    assert fake.cuda.said.count("capture") == 2


def test_what_cannot_be_captured_is_told_in_torchs_words_and_no_memory_stays_no_memory(fake: Torch) -> None:
    def failing(error: Exception) -> Any:
        calls = iter(range(100))

        def call(staged: Any) -> Any:
            if next(calls) == 3:  # the plain runs before are three
                raise error
            return staged[0]

        return call

    with pytest.raises(AdapterError, match="torch cannot capture this model: operation not permitted"):
        Captures(fake, "cuda:0").of(
            failing(RuntimeError("operation not permitted\nwhen capturing")), (torch.ones(1),), lambda one: {"y": one}
        )
    with pytest.raises(torch.OutOfMemoryError):
        Captures(fake, "cuda:0").of(
            failing(torch.OutOfMemoryError("CUDA out of memory")), (torch.ones(1),), lambda one: {"y": one}
        )


def test_a_session_captures_each_query_and_replays_it(fake: Torch, mlp: Example) -> None:
    def graph() -> Any:
        def replay() -> None:
            fake.cuda.said.append("replay")
            captured.outputs.copy_(right)

        return type("Graph", (), {"replay": staticmethod(replay)})()

    query, right = mlp.queries[0], torch.from_numpy(mlp.answers[0]["y"])
    fake.cuda.CUDAGraph = graph
    captured: Any = type("Nothing", (), {"outputs": torch.zeros(1, 4)})
    with session(fake, mlp, **{"cuda graph": True}) as opened:
        whole = Captures._check
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Captures, "_check", lambda *_: None)
            captured = opened.stage(query)
        whole(opened._graph, captured, {"y": right}, opened._named)
        fake.cuda.said.clear()
        np.testing.assert_allclose(opened.read(opened.run(captured))["y"], mlp.answers[0]["y"], 1e-4, 1e-5)
    assert fake.cuda.said == ["replay", "synchronize"]
