"""The adapter that is tried: what a subclass says of it, the models it runs, and how the tests open it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from bench.conformance.examples import Example
from bench.device.adapter import Adapter, Arrays, ModelFiles, Session, TensorSpec
from bench.device.records import Job, TensorJob, encode_job
from bench.device.subject import load_adapter


class Tried:
    """An adapter that is tried. A subclass sets ``adapter`` and says what it runs by ``make_examples``.

    ``adapter`` is ``module:Class``, as in the entry point. Set ``computes`` to False for an adapter that
    makes its outputs up. ``thread_counts`` are the numbers of threads that are tried.
    """

    adapter: ClassVar[str]
    computes: ClassVar[bool] = True
    thread_counts: ClassVar[Sequence[int]] = (1, 2)
    child_timeout_s: ClassVar[float] = 110.0
    """How long a process may take that looks at memory, threads or a profile; a slow machine needs more."""

    def make_examples(self, folder: Path) -> Sequence[Example]:
        """Models with right answers, their files in ``folder``: several batch sizes and dtypes, one with state."""
        raise NotImplementedError

    def make_wide_example(self, folder: Path) -> Example | None:
        """A model with enough work to keep several threads busy, or None where that makes no sense."""
        return None

    def make_bad_models(self, folder: Path, good: ModelFiles) -> Iterator[tuple[str, ModelFiles]]:
        """Files that are no models, made of a good one's artifacts: cut off, garbage, empty, missing."""
        taken = [kind for kind in load_adapter(self.adapter).artifact_kinds if kind in good.artifacts]
        for kind in taken:
            whole = good.artifacts[kind].read_bytes()
            for name, data in (("cut", whole[: len(whole) // 2]), ("garbage", b"no model\n" * 99), ("empty", b"")):
                path = folder / f"{name}{''.join(good.artifacts[kind].suffixes)}"
                path.write_bytes(data)
                yield f"{name} {kind}", replace(good, artifacts={kind: path})
            missing = folder / f"missing{''.join(good.artifacts[kind].suffixes)}"
            yield f"missing {kind}", replace(good, artifacts={kind: missing})

    @pytest.fixture
    def examples(self, tmp_path_factory: pytest.TempPathFactory) -> Sequence[Example]:
        if type(self) not in _EXAMPLES:
            _EXAMPLES[type(self)] = self.make_examples(tmp_path_factory.mktemp("examples"))
        return _EXAMPLES[type(self)]

    @pytest.fixture
    def wide(self, tmp_path_factory: pytest.TempPathFactory) -> Example | None:
        if type(self) not in _WIDE:
            _WIDE[type(self)] = self.make_wide_example(tmp_path_factory.mktemp("wide"))
        return _WIDE[type(self)]

    # How the tests do it

    def _adapter(self) -> Adapter:
        return load_adapter(self.adapter)

    def _thread_counts(self) -> list[int]:
        """Those that this machine has processors for."""
        return [count for count in self.thread_counts if count <= (os.cpu_count() or 1)]

    def _open(self, example: Example) -> Session:
        return self._adapter().open(example.model, example.settings)

    def _assert_right(self, example: Example, arrays: Arrays, answer: Arrays) -> None:
        assert set(arrays) == {spec.name for spec in example.model.outputs}, example.name
        for spec in example.model.outputs:
            found, right = arrays[spec.name], answer[spec.name]
            assert found.dtype == np.dtype(spec.dtype), (example.name, spec.name)
            assert found.shape == right.shape, (example.name, spec.name)
            if self.computes and right.dtype.kind == "f":
                np.testing.assert_allclose(
                    found, right, example.rtol, example.atol, err_msg=f"{example.name} {spec.name}"
                )
            elif self.computes:
                np.testing.assert_array_equal(found, right, err_msg=f"{example.name} {spec.name}")

    def _in_child(self, what: str, example: Example) -> dict[str, Any]:
        model = example.model
        job = Job(
            case="conformance",
            adapter=self.adapter,
            scenario="single-stream",
            artifacts={kind: str(path) for kind, path in model.artifacts.items()},
            inputs=tensor_jobs(model.inputs),
            outputs=tensor_jobs(model.outputs),
            state=dict(model.state),
            dims=dict(model.dims),
            batch_dim=example.batch_dim,
            factory=model.factory,
            code_dir=str(model.code_dir) if model.code_dir else None,
            settings=asdict(example.settings),
            batch=example.queries[0].samples,
        )
        found: dict[str, Any] = json.loads(
            self._printed_by("-m", "bench.conformance.child", what, given=encode_job(job))
        )
        return found

    def _printed_by(self, *arguments: str, given: bytes = b"") -> str:
        """What a fresh interpreter, which finds the same modules, prints last."""
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join(path or "." for path in sys.path))
        command = [sys.executable, *arguments]
        done = subprocess.run(
            command, input=given, capture_output=True, env=environment, timeout=self.child_timeout_s, check=False
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")[-3000:]
        return done.stdout.decode().strip().splitlines()[-1]


_EXAMPLES: dict[type, Sequence[Example]] = {}
_WIDE: dict[type, Example | None] = {}
"""Made once a class; pytest calls a class-scoped fixture that is a method deprecated."""


def tensor_jobs(specs: Sequence[TensorSpec]) -> list[TensorJob]:
    return [TensorJob(spec.name, spec.dtype, list(spec.shape)) for spec in specs]
