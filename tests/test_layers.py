"""Imports go one way: this reads them all and holds the directions that docs/architecture.md draws."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

BANDS = (
    {"__main__", "cli", "commands"},
    {"run", "measure", "budget", "jobs", "going_on", "profiling", "propose", "side_by_side"},
    {"launch", "remote", "edge", "store", "report", "progress", "doctor", "sweep"},
    {"judge", "plan", "contract", "registry", "artifacts", "stats", "quality", "units"},
    {"results", "metrics", "errors", "typed_json", "conformance", "interrupts"},
    {"device"},
)
"""Parts of ``bench``, the highest first: each imports from its own band and those below."""

FRAMEWORKS = {"torch", "onnxruntime", "openvino", "tensorrt", "tflite_runtime", "ai_edge_litert", "tensorflow", "jax"}
HEAVY = {"numpy", "pandas", "onnx", "pydantic", "pydantic_core", "rich", "torch", "yaml", "scipy"}
ON_THE_DEVICE = {"numpy"}


@dataclass(frozen=True)
class Import:
    """One import: which module of ours does it, where, of what; ``lazy`` within a function."""

    importer: str
    place: str
    name: str
    lazy: bool

    @property
    def package(self) -> str:
        return self.name.partition(".")[0]


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {
    module_name(path): path for folder in ("bench", "backends") for path in sorted((ROOT / folder).rglob("*.py"))
}


def imports_of(name: str, path: Path) -> Iterator[Import]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    yield from _walk(tree, name, path, lazy=False)


def _walk(node: ast.AST, name: str, path: Path, lazy: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        place = f"{path.relative_to(ROOT)}:{getattr(child, 'lineno', 0)}"
        if isinstance(child, ast.Import):
            yield from (Import(name, place, alias.name, lazy) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            yield from (Import(name, place, target, lazy) for target in _targets(child, name, path))
        yield from _walk(
            child, name, path, lazy or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        )


def _targets(node: ast.ImportFrom, name: str, path: Path) -> list[str]:
    """The modules an ``from … import …`` names: a name that is itself a module of ours counts as one."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    base = ".".join([*package[: len(package) - node.level + 1], *([node.module] if node.module else [])])
    source = base if node.level else str(node.module)
    return [f"{source}.{alias.name}" if f"{source}.{alias.name}" in MODULES else source for alias in node.names]


IMPORTS = [one for name, path in MODULES.items() for one in imports_of(name, path)]


def part(module: str) -> str:
    """The part of ``bench`` that a module belongs to; the package itself, its version, is below all."""
    return module.split(".")[1] if "." in module else ""


def band(name: str) -> int:
    return next((i for i, names in enumerate(BANDS) if name in names), -1)


def told(wrong: list[Import]) -> str:
    return "\n".join(f"{one.place}: {one.importer} imports {one.name}" for one in wrong)


def test_every_part_has_its_band() -> None:
    parts = {part(name) for name in MODULES if name.startswith("bench.")}
    assert parts == set().union(*BANDS), "give a new part its band here, and draw it in docs/architecture.md"


def test_imports_go_down() -> None:
    ours = [one for one in IMPORTS if one.importer.startswith("bench.") and one.name.startswith("bench.")]
    assert len(ours) > 100
    assert not (wrong := [one for one in ours if band(part(one.importer)) > band(part(one.name))]), told(wrong)


def refuse_circles(pairs: set[tuple[str, str]]) -> None:
    """CycleError, with the names, where the importers and the imported form a circle."""
    graph: dict[str, set[str]] = {}
    for importer, imported in pairs:
        if importer != imported:
            graph.setdefault(importer, set()).add(imported)
    graphlib.TopologicalSorter(graph).prepare()


def test_the_parts_import_each_other_in_no_circle() -> None:
    ours = [one for one in IMPORTS if one.importer.startswith("bench.") and one.name.startswith("bench.")]
    refuse_circles({(part(one.importer), part(one.name)) for one in ours})


def test_no_module_needs_itself_to_be_imported() -> None:
    refuse_circles({(one.importer, one.name) for one in IMPORTS if one.name in MODULES and not one.lazy})


def test_the_harness_knows_no_framework_and_no_backend() -> None:
    ours = [one for one in IMPORTS if one.importer.startswith("bench")]
    foreign = [one for one in ours if one.package in FRAMEWORKS or one.package == "backends"]
    assert not (wrong := [one for one in foreign if not one.lazy]), told(wrong)
    eager = [one for one in ours if one.package == "onnx" and not one.lazy]
    assert not eager, told(eager)


def test_the_device_side_needs_only_the_standard_library_and_numpy() -> None:
    ours = [one for one in IMPORTS if one.importer.startswith("bench.device")]
    known = sys.stdlib_module_names | ON_THE_DEVICE
    wrong = [one for one in ours if one.package not in known and not one.name.startswith("bench.device")]
    assert not wrong, told(wrong)


def test_backends_know_the_device_side_only() -> None:
    ours = [one for one in IMPORTS if one.importer.startswith("backends") and one.package == "bench"]
    assert len(ours) > 5
    assert not (wrong := [one for one in ours if not one.name.startswith("bench.device")]), told(wrong)


def test_a_backends_module_imports_without_its_framework() -> None:
    ours = [one for one in IMPORTS if one.importer.startswith("backends") and not one.lazy]
    known = sys.stdlib_module_names | ON_THE_DEVICE | {"bench", "backends"}
    assert not (wrong := [one for one in ours if one.package not in known]), told(wrong)


def test_no_module_of_ours_is_named_like_a_package_it_may_shadow() -> None:
    names = {name.partition(".")[2] for name in MODULES if name.startswith("backends.")}
    assert not names & (FRAMEWORKS | HEAVY)


def test_a_backends_file_is_read_in_one_sitting() -> None:
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in MODULES.items()}
    assert not {name: lines for name, lines in lengths.items() if name.startswith("backends.") and lines > 220}


def loaded_by(statement: str) -> set[str]:
    program = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize("module", ["bench.cli", "bench.__main__", "bench.store.run_store", "bench.results"])
def test_what_starts_first_starts_light(module: str) -> None:
    loaded = loaded_by(f"import {module}")
    assert "bench" in loaded
    assert not loaded & (HEAVY | FRAMEWORKS)


def test_checking_a_contract_imports_no_framework() -> None:
    assert not loaded_by("import bench.contract.load, bench.contract.check") & FRAMEWORKS
