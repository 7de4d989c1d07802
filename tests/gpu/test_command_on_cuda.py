"""A program of the user's own that computes on ``cuda:0``, here by torch: what every adapter promises, on the GPU."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.conformance import Example
from bench.conformance.examples import mixed, mlp, recurrent, weights
from bench.device.adapter import ModelFiles, Session
from tests.gpu.allocating import used_bytes
from tests.gpu.promises import Conformance

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(900)]
PROGRAM = Path(__file__).parents[1] / "backends" / "runner_on_cuda.py"
LAYERS = {"first": (8, 16), "bias": (16,), "second": (16, 4)}
CELL = {"inward": (4, 6), "around": (6, 6), "outward": (6, 3)}


class TestProgram(Conformance):
    __test__ = True
    adapter = "backends.command:CommandAdapter"

    def make_examples(self, folder: Path) -> Sequence[Example]:
        found = []
        for example, model, kernels in (
            (mlp(), "Model", LAYERS),
            (mixed(), "Mixed", {}),
            (recurrent(), "Recurrent", CELL),
        ):
            path = folder / f"{model}.npz"
            np.savez(path, **{name: weights(name, *shape) for name, shape in kernels.items()})  # type: ignore[arg-type]
            extra = {"command": f"{sys.executable} {PROGRAM} {model} {{npz}}"}
            run = example.with_artifacts({"npz": path}, device="cuda:0", extra=extra)
            found.append(replace(run, rtol=1e-3, atol=1e-4))
        return found

    def make_bad_models(self, folder: Path, good: ModelFiles) -> Iterator[tuple[str, ModelFiles]]:
        (folder / "garbage.npz").write_bytes(b"no model" * 99)
        for name in ("garbage.npz", "missing.npz"):
            yield name, replace(good, artifacts={"npz": folder / name})

    def _open(self, example: Example) -> Session:
        """What a program holds of the GPU is the driver's word, not its own; CUDA's libraries alone are more."""
        before = used_bytes()
        session = super()._open(example)
        session.run(session.stage(example.queries[0]))
        assert used_bytes() - before > 32 << 20, "the program has nothing on the GPU"
        return session

    def check_place(self, facts: Mapping[str, object]) -> None:
        assert "is the word of" in str(facts["notes"])
