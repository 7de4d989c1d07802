"""PyTorch: the promises of every adapter for each of its artifacts, and those of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from backends.pytorch import PyTorchAdapter
from bench.conformance import AdapterConformance, Example, examples
from bench.device.adapter import AdapterError, ModelFiles, ModelRejected, Query, Settings, TensorSpec
from tests.backends import torch_models
from tests.backends.torch_models import as_eager, as_exported, as_torchscript

PYTORCH = "backends.pytorch:PyTorchAdapter"


class TestTorchScript(AdapterConformance):
    adapter = PYTORCH

    def make_examples(self, folder: Path) -> Sequence[Example]:
        return [as_torchscript(example, folder) for example in torch_models.small()]

    def make_wide_example(self, folder: Path) -> Example:
        return as_torchscript(examples.wide(), folder)


class TestExported(AdapterConformance):
    adapter = PYTORCH

    def make_examples(self, folder: Path) -> Sequence[Example]:
        return [as_exported(example, folder) for example in torch_models.small()]

    def make_wide_example(self, folder: Path) -> Example:
        return as_exported(examples.wide(), folder)


class TestEager(AdapterConformance):
    adapter = PYTORCH

    def make_examples(self, folder: Path) -> Sequence[Example]:
        path = folder / "mlp.safetensors"
        save_file(torch_models.build_mlp().state_dict(), path)
        with_state = as_eager(examples.mlp(), "build_blank_mlp").with_artifacts({"safetensors": path})
        return [with_state, as_eager(examples.mixed(), "Mixed"), as_eager(examples.recurrent(), "Recurrent")]

    def make_wide_example(self, folder: Path) -> Example:
        return as_eager(examples.wide(), "build_wide")


class TestBfloat16(AdapterConformance):
    """Autocast, where it was asked for: the answers are coarser, and facts say so."""

    adapter = PYTORCH

    def make_examples(self, folder: Path) -> Sequence[Example]:
        small = (as_torchscript(example, folder) for example in torch_models.small())
        return [
            replace(one, settings=Settings(precision="bf16"), rtol=0.05, atol=0.05)
            for one in small
            if one.name != "mixed"
        ]


def open_and_ask(example: Example, **settings: object) -> dict[str, object]:
    """Open, check the first answer, and return the facts."""
    with PyTorchAdapter().open(example.model, Settings(**settings)) as session:  # type: ignore[arg-type]
        arrays = session.read(session.run(session.stage(example.queries[0])))
        for name, right in example.answers[0].items():
            np.testing.assert_allclose(arrays[name], right, example.rtol, example.atol)
        return dict(session.facts())


def test_the_artifact_option_chooses_and_an_absent_one_is_refused(tmp_path: Path) -> None:
    example = examples.mlp()
    both = {**as_torchscript(example, tmp_path).model.artifacts, **as_exported(example, tmp_path).model.artifacts}
    example = example.with_artifacts(both)
    assert open_and_ask(example)["artifact"] == "torchscript"
    assert open_and_ask(example, extra={"artifact": "torch-export"})["artifact"] == "torch-export"
    with pytest.raises(ModelRejected, match=r"eager.*the contract has torchscript, torch-export"):
        open_and_ask(example, extra={"artifact": "eager"})
    with pytest.raises(AdapterError, match="option `artifact`: onnx is not one of auto, torchscript"):
        open_and_ask(example, extra={"artifact": "onnx"})


def test_compile_runs_before_the_clock_and_says_how_long_it_took(tmp_path: Path) -> None:
    example = as_exported(examples.mlp(), tmp_path)
    with PyTorchAdapter().open(example.model, Settings(extra={"compile": "default"})) as session:
        counters = torch._dynamo.utils.counters
        for query, right in zip(example.queries, example.answers, strict=True):
            staged = session.stage(query)
            graphs = counters["stats"]["unique_graphs"]
            arrays = session.read(session.run(staged))
            assert counters["stats"]["unique_graphs"] == graphs, "it compiled within run"
            np.testing.assert_allclose(arrays["y"], right["y"], example.rtol, example.atol)
        facts = session.facts()
    assert facts["compile"] == "default"
    assert float(str(facts["compile_s"])) > 0
    assert facts["graph breaks"] == 0


def test_torchscript_is_not_compiled_a_second_time(tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match="needs `artifact: torch-export` or `eager`"):
        open_and_ask(as_torchscript(examples.mlp(), tmp_path), extra={"compile": "default"})


def test_without_a_compiler_compile_is_one_clear_error(tmp_path: Path) -> None:
    example = as_exported(examples.mlp(), tmp_path)
    code = (
        "import sys; from pathlib import Path\n"
        "from backends.pytorch import PyTorchAdapter\n"
        "from bench.device.adapter import AdapterError, ModelFiles, Settings, TensorSpec\n"
        "specs = [(TensorSpec(n, 'float32', ('batch', size)),) for n, size in (('x', 8), ('y', 4))]\n"
        "model = ModelFiles({'torch-export': Path(sys.argv[1])}, *specs)\n"
        "try: PyTorchAdapter().open(model, Settings(extra={'compile': 'default'}))\n"
        "except AdapterError as error: print(error)\n"
    )
    environment = dict(os.environ, PATH="/nowhere", CXX="/nowhere/g++", TORCHINDUCTOR_CACHE_DIR=str(tmp_path))
    arguments = [sys.executable, "-c", code, str(example.model.artifacts["torch-export"])]
    done = subprocess.run(arguments, capture_output=True, text=True, env=environment)
    assert "needs a C++ compiler" in done.stdout, done.stdout + done.stderr
    assert "apt install g++" in done.stdout


def test_a_precision_that_the_model_has_not_is_refused(tmp_path: Path) -> None:
    example = as_torchscript(examples.mlp(), tmp_path)
    with pytest.raises(ModelRejected, match="fp16 was asked for, but the model's is fp32"):
        open_and_ask(example, precision="fp16")


def test_a_plain_number_is_given_as_one(tmp_path: Path) -> None:
    path = tmp_path / "scaled.pt"
    torch_models.script(torch_models.ScaledByNumber(), path)
    specs = (TensorSpec("x", "float32", (2,)), TensorSpec("k", "int64", ()))
    model = ModelFiles({"torchscript": path}, specs, (TensorSpec("y", "float32", (2,)),))
    with PyTorchAdapter().open(model, Settings()) as session:
        staged = session.stage(Query({"x": np.ones(2, np.float32), "k": np.array(3)}))
        assert session.read(session.run(staged))["y"].tolist() == [3, 3]


def test_channels_last_changes_the_layout_and_not_the_answer(tmp_path: Path) -> None:
    path = tmp_path / "conv.pt"
    torch_models.script(torch.nn.Conv2d(3, 5, 3), path)
    specs = (TensorSpec("x", "float32", ("batch", 3, 8, 8)),), (TensorSpec("y", "float32", ("batch", 5, 6, 6)),)
    query = Query({"x": np.random.default_rng(1).random((2, 3, 8, 8), np.float32)}, 2)
    answers = []
    for last in (False, True):
        with PyTorchAdapter().open(
            ModelFiles({"torchscript": path}, *specs), Settings(extra={"channels last": last})
        ) as session:
            staged = session.stage(query)
            assert staged[0].is_contiguous(memory_format=torch.channels_last) == last
            answers.append(session.read(session.run(staged))["y"])
            assert session.facts()["channels last"] is last
    np.testing.assert_allclose(answers[0], answers[1], rtol=1e-4, atol=1e-5)


def test_a_wrong_number_of_outputs_is_said(tmp_path: Path) -> None:
    example = as_torchscript(examples.recurrent(), tmp_path)
    model = replace(example.model, outputs=example.model.outputs[:1], state={}, inputs=example.model.inputs)
    arrays = {"x": np.zeros((1, 4), np.float32), "h": np.zeros((1, 6), np.float32)}
    with PyTorchAdapter().open(model, Settings()) as session, pytest.raises(AdapterError, match=r"2 tensors.*1 output"):
        session.read(session.run(session.stage(Query(arrays))))


def test_threads_and_arithmetic_are_the_targets_whatever_the_users_code_sets() -> None:
    example = as_eager(examples.mlp(), "build_careless")
    with PyTorchAdapter().open(example.model, Settings(threads=2)) as session:
        facts = session.facts()
        assert (facts["threads"], torch.get_num_threads()) == (2, 2)
        assert (facts["float32 matmul precision"], torch.get_float32_matmul_precision()) == ("highest", "highest")
        if hasattr(torch.backends.mkldnn, "conv"):
            assert torch.backends.mkldnn.conv.fp32_precision == "ieee"


def test_a_module_that_the_factory_cannot_build_is_one_error() -> None:
    for entry, reason in (
        ("torch_models:nothing", "AttributeError"),
        ("no_such_module:build", "ModuleNotFoundError"),
        ("torch_models:small", "not a torch.nn.Module"),
    ):
        model = replace(as_eager(examples.mlp(), "x").model, factory=entry)
        with pytest.raises(ModelRejected, match=reason):
            PyTorchAdapter().open(model, Settings())


@pytest.mark.parametrize("kind", ["safetensors", "state-dict"])
def test_a_state_fills_the_module_or_is_refused_by_the_names_that_do_not_fit(tmp_path: Path, kind: str) -> None:
    example, whole = as_eager(examples.mlp(), "build_blank_mlp"), dict(torch_models.build_mlp().state_dict())

    def ask(state: dict[str, torch.Tensor]) -> dict[str, object]:
        path = tmp_path / "state"
        save_file(state, path) if kind == "safetensors" else torch.save(state, path)
        return open_and_ask(example.with_artifacts({kind: path}))

    ask(whole)
    with pytest.raises(ModelRejected, match=r"does not fit the module: the state has not `first`, `bias`$"):
        ask({"second": whole["second"]})
    with pytest.raises(ModelRejected, match=r"the module has not `x0`, `x1`, `x2`, `x3`, `x4` and 2 more$"):
        ask({**whole, **{f"x{index}": torch.ones(1) for index in range(7)}})
    with pytest.raises(ModelRejected, match=r"the module has not `old`; the state has not `bias`$"):
        ask({"first": whole["first"], "second": whole["second"], "old": torch.ones(16)})
    with pytest.raises(ModelRejected, match=r"does not load: .*size mismatch for bias"):
        ask({**whole, "bias": torch.ones(3)})


class Bomb:
    """Leaves a file where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return Path.touch, (self.mark,)  # type: ignore[return-value]


def test_pickles_are_refused_and_never_run(tmp_path: Path) -> None:
    mark, example = tmp_path / "exploded", examples.mlp()
    for legacy in (True, False):
        path = tmp_path / f"pickle-{legacy}.pt"
        torch.save({"state": Bomb(mark)}, path, _use_new_zipfile_serialization=not legacy)
        for kind in ("torchscript", "torch-export"):
            with pytest.raises(ModelRejected):
                open_and_ask(example.with_artifacts({kind: path}))
        with pytest.raises(ModelRejected):
            open_and_ask(as_eager(example, "build_blank_mlp").with_artifacts({"state-dict": path}))
    assert not mark.exists()
    torch.load(path, weights_only=False)
    assert mark.exists(), "the bomb is none"


def rewritten(
    path: Path, to: Path, change: Callable[[str, bytes], bytes], more: dict[str, bytes] | None = None
) -> Path:
    """An exported program with members changed and added."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(to, "w") as new:
        for info in old.infolist():
            new.writestr(info.filename, change(info.filename, old.read(info)))
        folder = old.namelist()[0].split("/")[0]
        for name, data in (more or {}).items():
            new.writestr(f"{folder}/{name}", data)
    return to


CODE = "__import__('pathlib').Path(r'MARK').touch()"


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("opaque constant", "opaque_obj_0"),
        ("upper case", "OPAQUE_OBJ_0"),
        ("compiled library", "aotinductor"),
        ("symbolic size", "more than arithmetic"),
        ("guard", "more than arithmetic"),
        ("operator", "no operator of torch"),
    ],
)
def test_an_exported_program_that_would_run_code_is_refused(tmp_path: Path, what: str, reason: str) -> None:
    example, mark = as_exported(examples.mlp(), tmp_path), tmp_path / "ran"
    code = CODE.replace("MARK", str(mark))
    more = {
        "opaque constant": {"data/constants/opaque_obj_0": b"\x80"},
        "upper case": {"data/constants/OPAQUE_OBJ_0": b"\x80"},
        "compiled library": {"data/aotinductor/model/x.so": b"\x7fELF"},
    }.get(what)

    def change(name: str, data: bytes) -> bytes:
        if not name.endswith("models/model.json"):
            return data
        program = json.loads(data)
        graph = program["graph_module"]["graph"]
        if what == "symbolic size":
            graph["tensor_values"]["x"]["sizes"][0]["as_expr"]["expr_str"] = code
        if what == "guard":
            program["guards_code"] = [code]
        if what == "operator":
            graph["nodes"][0]["target"] = "torch.os.system"
        return json.dumps(program).encode()

    path = rewritten(example.model.artifacts["torch-export"], tmp_path / "changed.pt2", change, more)
    with pytest.raises(ModelRejected, match=reason):
        open_and_ask(example.with_artifacts({"torch-export": path}))
    assert not mark.exists()
    same = rewritten(example.model.artifacts["torch-export"], tmp_path / "same.pt2", lambda _, data: data)
    open_and_ask(example.with_artifacts({"torch-export": same}))


def test_weights_that_are_pickled_within_an_exported_program_are_refused(tmp_path: Path) -> None:
    example, mark = as_exported(examples.mlp(), tmp_path), tmp_path / "exploded"
    bomb = tmp_path / "bomb.pt"
    torch.save(Bomb(mark), bomb)

    def change(name: str, data: bytes) -> bytes:
        if name.endswith("weights_config.json"):
            config = json.loads(data)
            for entry in config["config"].values():
                entry["use_pickle"] = True
            return json.dumps(config).encode()
        return bomb.read_bytes() if "data/weights/weight_" in name else data

    path = rewritten(example.model.artifacts["torch-export"], tmp_path / "changed.pt2", change)
    with pytest.raises(ModelRejected):
        open_and_ask(example.with_artifacts({"torch-export": path}))
    assert not mark.exists()
