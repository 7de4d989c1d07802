"""What a session answers: the right outputs, for every query, overlapped, from several threads, with state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench.conformance.examples import Example
from bench.conformance.tried import Tried, tensor_jobs
from bench.device.adapter import AdapterError, Arrays, ModelFiles, Query
from bench.device.audit import audit_session
from bench.device.library import open_library
from bench.device.loop import quiet
from bench.device.scenarios import Issuer


class Answering(Tried):
    """The answers are right and the caller's own, and the work is done when ``run`` returns."""

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
                for array in session.read(outputs).values():
                    array.fill(0) if array.dtype.kind == "b" else array.fill(77)
                kept = session.read(outputs)
                self._assert_right(example, kept, example.answers[0])
                session.read(session.run(session.stage(_other(example.queries[0]))))
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
        library = open_library(tensor_jobs(model.inputs), model.state, model.dims, example.batch_dim, None, 1)
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
