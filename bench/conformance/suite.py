"""``AdapterConformance``: the promises of an adapter, one test each. Inherited by a test class of each adapter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest

from bench.conformance.examples import Example
from bench.device.adapter import (
    Adapter,
    AdapterError,
    Arrays,
    DeviceUnavailable,
    ModelFiles,
    ModelRejected,
    Query,
    Session,
    TensorSpec,
)
from bench.device.audit import audit_session
from bench.device.library import open_library
from bench.device.loop import quiet
from bench.device.records import Job, TensorJob, encode_job
from bench.device.scenarios import Issuer
from bench.device.subject import load_adapter
from bench.device.told import facts_of

KEPT_PER_OPENING = 0.25
"""Share of the model's file that an opening may leave behind; a leak leaves all of it, or a multiple."""
SLACK_BYTES = 16 << 20


class AdapterConformance:
    """What every adapter owes. A subclass sets ``adapter`` and says what it runs by ``make_examples``.

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

    # Probing

    def test_probe_tells_versions_and_devices(self) -> None:
        found = self._adapter().probe()
        assert found.usable, found.reason
        assert found.devices
        assert set(self._adapter().packages) <= set(found.versions)
        json.dumps(asdict(found))

    def test_probe_never_raises_and_says_what_would_mend_a_broken_install(self) -> None:
        packages = self._adapter().packages
        for name in packages:
            for broken in (None, ModuleType(name), _Broken(name)):
                with _replaced({name: broken}):
                    self._adapter().probe()
        if packages:
            with _replaced(dict.fromkeys(packages)):
                found = self._adapter().probe()
            assert not found.usable
            assert found.reason
            assert found.remedy

    def test_its_module_imports_without_its_framework(self) -> None:
        packages = [name.replace("-", "_") for name in self._adapter().packages if name != "numpy"]
        lines = (
            "import importlib, sys",
            "importlib.import_module(sys.argv[1])",
            "print([name for name in sys.argv[2:] if name in sys.modules])",
        )
        module = self.adapter.partition(":")[0]
        assert self._python("-c", "\n".join(lines), module, *packages) == "[]"

    def test_an_unknown_option_or_device_is_refused(self, examples: Sequence[Example]) -> None:
        example = examples[0]
        with pytest.raises(AdapterError, match="no such option"):
            self._open(replace(example, settings=replace(example.settings, extra={"no such option": 1})))
        with pytest.raises(DeviceUnavailable, match="abacus"):
            self._open(replace(example, settings=replace(example.settings, device="abacus:0")))
        with pytest.raises(AdapterError, match="fp1"):
            self._open(replace(example, settings=replace(example.settings, precision="fp1")))

    # Answers

    def test_outputs_equal_the_reference(self, examples: Sequence[Example]) -> None:
        for example in examples:
            with self._open(example) as session:
                for query, answer in zip(example.queries, example.answers, strict=True):
                    outputs = session.run(session.stage(query))
                    self._assert_right(example, session.read(outputs), answer)
                    if example.model.state:
                        session.advance(outputs)  # type: ignore[attr-defined]

    def test_staged_queries_of_several_sizes_live_side_by_side(self, examples: Sequence[Example]) -> None:
        for example in (one for one in examples if not one.model.state):
            with self._open(example) as session:
                staged = [session.stage(query) for query in example.queries]
                for _ in range(2):
                    for one, answer in zip(staged, example.answers, strict=True):
                        self._assert_right(example, session.read(session.run(one)), answer)

    def test_what_is_read_is_a_copy(self, examples: Sequence[Example]) -> None:
        for example in examples:
            with self._open(example) as session:
                staged = session.stage(example.queries[0])
                outputs = session.run(staged)
                first, kept = session.read(outputs), session.read(outputs)
                for array in first.values():
                    array.fill(0) if array.dtype.kind == "b" else array.fill(77)
                self._assert_right(example, session.read(outputs), kept)
                session.run(session.stage(_other(example.queries[0])))
                self._assert_right(example, kept, example.answers[0])

    # Staging

    def test_staging_copies_the_arrays(self, examples: Sequence[Example]) -> None:
        for example in examples:
            arrays = {name: array.copy() for name, array in example.queries[0].arrays.items()}
            with self._open(example) as session:
                staged = session.stage(Query(arrays, example.queries[0].samples))
                for array in arrays.values():
                    array.fill(1)
                self._assert_right(example, session.read(session.run(staged)), example.answers[0])

    def test_a_query_that_does_not_fit_is_refused_when_it_is_staged(self, examples: Sequence[Example]) -> None:
        for example in examples:
            with self._open(example) as session:
                for arrays in _misfits(example.model, example.queries[0].arrays):
                    with pytest.raises(AdapterError):
                        session.stage(Query(arrays, example.queries[0].samples))
                session.run(session.stage(example.queries[0]))

    # Running

    def test_run_is_complete_when_it_returns(self, examples: Sequence[Example], wide: Example | None) -> None:
        example = wide or examples[0]
        model = example.model
        library = open_library(_jobs(model.inputs), model.state, model.dims, example.batch_dim, None, 1)
        with self._open(example) as session, quiet():
            issuer = Issuer(session, library, library.group, overlapped=False)
            for _ in range(5):
                issuer.drained_ns()
            closure, complaint = audit_session(issuer)
        assert not complaint, (complaint, closure)

    def test_overlapped_work_is_complete_and_right(self, examples: Sequence[Example]) -> None:
        for example in (one for one in examples if not one.model.state):
            settings = replace(example.settings, scenario="offline", threads=max(self._thread_counts()))
            with self._open(replace(example, settings=settings)) as session:
                staged = [session.stage(query) for query in example.queries]
                run_all = getattr(session, "run_all", None)
                for one, answer in zip(staged, example.answers, strict=True):
                    if run_all is not None:
                        run_all([one] * 5)
                    self._assert_right(example, session.read(session.run(one)), answer)

    def test_a_session_that_serves_several_threads_answers_each_rightly(self, examples: Sequence[Example]) -> None:
        if not self._adapter().concurrent_runs:
            return  # a promise that this adapter does not make
        example = next(one for one in examples if not one.model.state)
        with self._open(example) as session, ThreadPoolExecutor(4) as pool:

            def ask(index: int) -> None:
                staged = session.stage(example.queries[index])
                for _ in range(50):
                    self._assert_right(example, session.read(session.run(staged)), example.answers[index])

            list(pool.map(ask, [index % len(example.queries) for index in range(8)]))

    # State

    def test_state_moves_on_by_advance_and_starts_again_by_reset(self, examples: Sequence[Example]) -> None:
        for example in (one for one in examples if one.model.state):
            with self._open(example) as session:
                stateful: Any = session
                staged = [session.stage(query) for query in example.queries]
                for _ in range(2):
                    stateful.reset()
                    for one, answer in zip(staged, example.answers, strict=True):
                        self._assert_right(example, session.read(session.run(one)), answer)
                        outputs = session.run(one)  # without advance nothing has moved
                        self._assert_right(example, session.read(outputs), answer)
                        stateful.advance(outputs)

    def test_a_session_without_state_has_none(self, examples: Sequence[Example]) -> None:
        for example in (one for one in examples if not one.model.state):
            with self._open(example) as session:
                assert not hasattr(session, "advance")
                assert not hasattr(session, "reset")

    # Models, facts, memory

    def test_a_bad_model_is_rejected_in_one_line_that_names_the_file(
        self, examples: Sequence[Example], tmp_path: Path
    ) -> None:
        for name, model in self.make_bad_models(tmp_path, examples[0].model):
            with pytest.raises(ModelRejected) as caught:
                self._open(replace(examples[0], model=model))
            message = str(caught.value)
            assert "\n" not in message, name
            assert any(path.name in message for path in model.artifacts.values()), (name, message)

    def test_facts_are_ready_for_json_and_say_what_was_asked(self, examples: Sequence[Example]) -> None:
        for example in examples:
            with self._open(example) as session:
                facts = dict(session.facts())
                facts_of(session, example.settings)
            assert json.loads(json.dumps(facts)) == facts
            assert {"device", "precision", "threads", "artifact"} <= set(facts)
            assert facts["device"] == example.settings.device
            if self.computes:
                assert facts["precision"] == example.settings.precision
                assert facts["artifact"] in example.model.artifacts or facts["artifact"] == "eager"

    @pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="the kernel does not tell a thread's time here")
    def test_as_many_threads_work_as_facts_say(self, wide: Example | None) -> None:
        if wide is None:
            return
        for count in self._thread_counts():
            found = self._in_child("threads", replace(wide, settings=replace(wide.settings, threads=count)))
            assert found["said"] == count
            assert found["busy"] == count, found

    def test_leaving_frees_what_open_took(self, examples: Sequence[Example], wide: Example | None) -> None:
        example = wide or examples[0]
        size = sum(path.stat().st_size for path in example.model.artifacts.values())
        found = self._in_child("memory", example)
        assert found["growth_bytes"] < found["openings"] * size * KEPT_PER_OPENING + SLACK_BYTES, found

    def test_a_profile_tells_of_operators(self, examples: Sequence[Example], wide: Example | None) -> None:
        if not hasattr(self._adapter(), "profiled"):
            return  # a promise that this adapter does not make
        for example in [*examples, *([wide] if wide else [])]:
            found = self._in_child("profile", example)
            assert found["source"]
            assert found["operators"], example.name
            for one in found["operators"]:
                assert one["kind"], one
                assert one["total_ns"] >= 0, one
                assert one["calls"] >= 1, one
            assert any(one["calls"] >= found["queries"] for one in found["operators"]), example.name
            if example is wide:
                assert found["operators"][0]["total_ns"] > 0

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
            inputs=_jobs(model.inputs),
            outputs=_jobs(model.outputs),
            state=dict(model.state),
            dims=dict(model.dims),
            batch_dim=example.batch_dim,
            factory=model.factory,
            code_dir=str(model.code_dir) if model.code_dir else None,
            settings=asdict(example.settings),
            batch=example.queries[0].samples,
        )
        found: dict[str, Any] = json.loads(self._python("-m", "bench.conformance.child", what, given=encode_job(job)))
        return found

    def _python(self, *arguments: str, given: bytes = b"") -> str:
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


class _Broken(ModuleType):
    """A package that is there and fails at the first touch, as one does whose libraries are missing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise OSError("libbroken.so.1: cannot open shared object file")


@contextmanager
def _replaced(modules: Mapping[str, ModuleType | None]) -> Iterator[None]:
    """Modules as they are imported inside; None is one that is not installed."""
    with pytest.MonkeyPatch.context() as patch:
        for name, module in modules.items():
            patch.setitem(sys.modules, name.replace("-", "_"), module)
        yield


def _jobs(specs: Sequence[TensorSpec]) -> list[TensorJob]:
    return [TensorJob(spec.name, spec.dtype, list(spec.shape)) for spec in specs]


def _other(query: Query) -> Query:
    """A query of the same shapes and other values."""
    flipped = {
        name: ~array if array.dtype.kind == "b" else (array + 1).astype(array.dtype)
        for name, array in query.arrays.items()
    }
    return Query(flipped, query.samples)


def _misfits(model: ModelFiles, arrays: Arrays) -> Iterator[Arrays]:
    """Arrays with a name too many, one missing, another dtype, another rank, another fixed size."""
    name = next(iter(arrays))
    array = arrays[name]
    yield {**arrays, "no such input": array}
    yield {other: one for other, one in arrays.items() if other != name}
    yield {**arrays, name: array.astype(np.complex64)}
    yield {**arrays, name: array[None]}
    spec = next(spec for spec in model.inputs if spec.name == name)
    for axis, size in enumerate(spec.shape):
        if isinstance(size, int):
            yield {**arrays, name: np.concatenate([array, array], axis)}
