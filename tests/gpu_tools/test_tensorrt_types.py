"""The TensorRT adapter against types that are made from NVIDIA's real bindings, TensorRT 10's and 11's.

The bindings need TensorRT's libraries, which are NVIDIA's to hand out; a few lines of C stand in for them
(``tensorrt_stub.c``), with which the bindings import and tell every name and signature that they have.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gpu_tools.environments import ROOT, ask, place

pytestmark = pytest.mark.gpu_tools
OURS = [ROOT / "backends" / "cuda_driver.py", *sorted((ROOT / "backends").glob("trt*.py"))]
FAKE = ROOT / "tests" / "trt" / "fake" / "tensorrt.py"
CONFIG = """\
[mypy]
strict = true
explicit_package_bases = true
mypy_path = {root}:{types}
cache_dir = {types}/cache
[mypy-tensorrt.*,cuda.*]
ignore_errors = true
"""
PLANTED = """\
import tensorrt as trt
from cuda.bindings import driver

trt.BuilderFlag.FP16
trt.BuilderFlag.TF33
trt.Builder(trt.Logger()).create_network(1, 2, 3)
driver.cuMemAllok(1)
driver.cuMemAlloc(1, 2)
"""
GONE_IN_11 = {"FP16", "BF16"}
ONLY_OF_TENSORRT = GONE_IN_11


def libraries(folder: Path, release: str) -> dict[str, str]:
    """The environment in which the bindings find what they want to be linked to."""
    for name in ("nvinfer", "nvinfer_plugin", "nvonnxparser"):
        library = folder / f"lib{name}.so.{release}"
        source = Path(__file__).with_name("tensorrt_stub.c")
        subprocess.run(["cc", "-shared", "-fPIC", f"-Wl,-soname,{library.name}", "-o", library, source], check=True)
    return {"LD_LIBRARY_PATH": str(folder)}


def mended(stub: str) -> str:
    """What the generator writes and Python does not read, mended: a parameter called ``in``, a default that is missing,
    and a ``bool`` that hides Python's. ``__version__`` is in the package beside the library."""
    stub = re.sub(r"(?<=[(\s])in: ", "in_: ", stub)
    stub = stub.replace("channel_axis: typing.SupportsInt)", "channel_axis: typing.SupportsInt = ...)")
    return re.sub(r"(?m)^bool: .*\n", "", stub) + "\n__version__: str\n"


@pytest.fixture(scope="module", params=["10", "11"])
def types(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the types of that release, and mypy's configuration."""
    release = str(request.param)
    folder, python = tmp_path_factory.mktemp(f"types{release}"), place(f"tensorrt-{release}") / "bin" / "python"
    command: list[str | Path] = [python, "-m", "pybind11_stubgen", "tensorrt_bindings.tensorrt", "-o", folder / "made"]
    subprocess.run([*command, "--ignore-all-errors"], env=libraries(folder, release), check=True, capture_output=True)
    made = (folder / "made" / "tensorrt_bindings" / "tensorrt.pyi").read_text()
    cuda = subprocess.run(
        [python, Path(__file__).with_name("cuda_types.py")], check=True, capture_output=True, text=True
    )
    for name, text in (("tensorrt/__init__", mended(made)), ("cuda/bindings/driver", cuda.stdout)):
        path = folder / f"{name}.pyi"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    for name in ("cuda", "cuda/bindings"):
        (folder / name / "__init__.pyi").touch()
    (folder / "mypy.ini").write_text(CONFIG.format(root=ROOT, types=folder))
    return folder


def checked(types: Path, *files: Path) -> list[str]:
    """What mypy says of these files."""
    command = [sys.executable, "-m", "mypy", "--config-file", str(types / "mypy.ini"), *map(str, files)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode in (0, 1), done.stderr
    return [line for line in done.stdout.splitlines() if ": error: " in line]


def test_every_call_of_the_adapter_is_one_of_the_real_bindings(types: Path) -> None:
    assert checked(types, *OURS) == []


def test_a_call_that_is_none_would_be_seen(types: Path, tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text(PLANTED)
    lines = {int(line.split(":")[1]) for line in checked(types, planted)}
    assert lines == {5, 6, 7, 8} | ({4} if types.name.startswith("types11") else set())


def names_of_the_stand_in() -> dict[str, set[str]]:
    """The classes of the stand-in for TensorRT, and the names that each offers."""
    found = {}
    for kind in ast.parse(FAKE.read_text(encoding="utf-8")).body:
        if isinstance(kind, ast.ClassDef):
            own = [one.name for one in kind.body if isinstance(one, ast.FunctionDef | ast.ClassDef)]
            targets = [target for one in kind.body if isinstance(one, ast.Assign) for target in one.targets]
            own += [target.id for target in targets if isinstance(target, ast.Name)]
            found[kind.name] = {name for name in own if not name.startswith("_")}
    return found


@pytest.mark.parametrize(
    ("place_of", "module", "gone"),
    [("tensorrt-10", "tensorrt_bindings", set()), ("tensorrt-11", "tensorrt_bindings", GONE_IN_11),
     ("tensorrt-rtx", "tensorrt_rtx", ONLY_OF_TENSORRT)],
)  # fmt: skip
def test_the_stand_in_has_only_names_of_the_real_bindings(
    place_of: str, module: str, gone: set[str], tmp_path: Path
) -> None:
    offered = names_of_the_stand_in()
    assert len(offered) > 20
    environment = libraries(tmp_path, place_of.partition("-")[2]) if module == "tensorrt_bindings" else {}
    real = ask(place_of, "names", environment, "trt_child", module=module, kinds=list(offered))
    strange = {f"{kind}.{name}" for kind, names in offered.items() for name in names - set(real[kind]) - gone}
    assert strange == set()
