"""The conformance suite on the board: an adapter keeps there, in what `device prepare` made, all that it keeps here.

The code that is tried is the agent's own, as it is sent to measure; the suite, pytest and the models come beside it.
"""

from __future__ import annotations

import io
import pickle
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import main
from bench.conformance import AdapterConformance, Example, onnx_examples, wide_onnx_example
from bench.device.adapter import Query
from bench.remote.agent import ROOT, agent_for
from bench.remote.command import CONFIG
from tests.backends.tflite_model import quantized_example, tflite_examples, wide_tflite_example
from tests.board import wheels
from tests.board.boards import Board

PYTEST = ("pytest==9.2.0",)
SAMPLES = 16
"""Of the wide example's query: 256 would keep two emulated cores busy for minutes, and these are enough for threads."""
TIMEOUT_S = 3000.0


def onnx_models(folder: Path) -> list[Example]:
    return [*onnx_examples(folder), narrower(wide_onnx_example(folder))]


def tflite_models(folder: Path) -> list[Example]:
    return [*tflite_examples(folder), quantized_example(folder), narrower(wide_tflite_example(folder))]


def narrower(wide: Example) -> Example:
    """The same with fewer samples."""
    arrays = {name: array[:SAMPLES] for name, array in wide.queries[0].arrays.items()}
    answers = {name: array[:SAMPLES] for name, array in wide.answers[0].items()}
    return replace(wide, queries=(Query(arrays, SAMPLES),), answers=(answers,))


@dataclass(frozen=True)
class Suite:
    """A class of ``promises.py``, its adapter, and what makes the examples, the wide one last."""

    name: str
    adapter: str
    make: Callable[[Path], Sequence[Example]]


SUITES = {
    "onnxruntime": Suite("TestOnnxRuntime", "backends.ort:OnnxRuntimeAdapter", onnx_models),
    "litert": Suite("TestLiteRt", "backends.litert:LiteRtAdapter", tflite_models),
}


@pytest.fixture(scope="module")
def prepared(board: Board, wheelhouse: Path) -> Iterator[Board]:
    """The board with an environment for both backends, made the way a person makes it."""
    board.ssh("rm -rf ~/.cache/benchpact")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CONFIG, str(board.ssh_config))
        backends = ["--backend", "onnxruntime", "--backend", "litert"]
        assert main(["device", "prepare", board.host, *backends, "--wheelhouse", str(wheelhouse)]) == 0
    yield board
    board.ssh("rm -rf ~/.cache/benchpact")


PROMISES = frozenset(name for name in dir(AdapterConformance) if name.startswith("test_"))
IN_PROCESSES = frozenset(
    {
        "test_as_many_threads_work_as_facts_say",
        "test_leaving_frees_what_open_took",
        "test_a_profile_tells_of_operators",
    }
)
"""Looked at in processes of their own, which import the framework anew: they take as long as all the others."""


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("backend", SUITES)
def test_an_adapter_keeps_its_promises_on_the_board(backend: str, prepared: Board, tmp_path: Path) -> None:
    asked = PROMISES - IN_PROCESSES
    assert kept(asked, backend, prepared, tmp_path) == asked


@pytest.mark.board_long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("backend", SUITES)
def test_its_threads_its_memory_and_its_profile_are_as_promised(backend: str, prepared: Board, tmp_path: Path) -> None:
    assert IN_PROCESSES <= PROMISES
    assert kept(IN_PROCESSES, backend, prepared, tmp_path) == IN_PROCESSES


def kept(asked: frozenset[str], backend: str, board: Board, folder: Path) -> set[str]:
    """Those of the promises that pytest says on the board to be kept; what it says else where one is broken."""
    suite = SUITES[backend]
    board.put(packed(folder / "promises.tar", backend, suite), "promises.tar")
    python = "~/.cache/benchpact/env/current/bin/python"
    unpack = "rm -rf ~/promises && mkdir ~/promises && cd ~/promises && tar -xf ../promises.tar"
    words = "-q -rA --tb=short -p no:cacheprovider -c /dev/null --rootdir=."
    names = " ".join(f"promises.py::{suite.name}::{one}" for one in sorted(asked))
    try:
        done = board.ssh(f"{unpack} && {python} -m pytest {words} {names}", timeout_s=TIMEOUT_S, check=False)
    finally:
        board.ssh("rm -rf ~/promises ~/promises.tar")
    assert done.returncode == 0, done.stdout + done.stderr
    return {line.rpartition("::")[2] for line in done.stdout.splitlines() if line.startswith("PASSED ")}


def by_name(example: Example) -> Example:
    """With the bare names of its files: a path of another Python's would not be read there."""
    names: Any = {kind: path.name for kind, path in example.model.artifacts.items()}
    return example.with_artifacts(names)


def packed(path: Path, backend: str, suite: Suite) -> Path:
    """One archive of all that is needed there."""
    examples = suite.make(path.parent)
    with tarfile.open(path, "w") as archive:

        def add(name: str, data: bytes) -> None:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))

        there = [
            agent_for(suite.adapter).data,
            *(wheel.read_bytes() for wheel in wheels.wheelhouse(PYTEST).glob("*.whl")),
        ]
        for packages in there:
            with zipfile.ZipFile(io.BytesIO(packages)) as unpacked:
                for member in unpacked.namelist():
                    add(member, unpacked.read(member))
        for source in (ROOT / "bench" / "conformance").glob("*.py"):
            add(f"bench/conformance/{source.name}", source.read_bytes())
        add("promises.py", Path(__file__).with_name("promises.py").read_bytes())
        add(f"{backend}.pickle", pickle.dumps([by_name(one) for one in examples]))
        for artifact in {artifact for one in examples for artifact in one.model.artifacts.values()}:
            add(artifact.name, artifact.read_bytes())
    return path
