"""The suite itself: an honest adapter passes it, and each broken promise is caught by the test that names it."""

from __future__ import annotations

import inspect
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.conformance import AdapterConformance, Example, onnx_examples, wide_onnx_example
from bench.device.records import TensorJob
from tests.audits import is_early
from tests.launch.talk import MS, job, measure


class TestHonest(AdapterConformance):
    adapter = "tests.backends.lying:Honest"

    def make_examples(self, folder: Path) -> Sequence[Example]:
        return onnx_examples(folder)

    def make_wide_example(self, folder: Path) -> Example:
        return wide_onnx_example(folder)


BROKEN = [
    ("ReturnsEarly", "test_run_is_complete_when_it_returns"),
    ("StagesLazily", "test_staging_copies_the_arrays"),
    ("StagesLazily", "test_a_query_that_does_not_fit_is_refused_when_it_is_staged"),
    ("ReadsInPlace", "test_what_is_read_is_a_copy"),
    ("AnswersWrongly", "test_outputs_equal_the_reference"),
    ("AnswersWrongly", "test_overlapped_work_is_complete_and_right"),
    ("AnswersWrongly", "test_staged_queries_of_several_sizes_live_side_by_side"),
    ("Leaks", "test_leaving_frees_what_open_took"),
    ("TakesFewerThreads", "test_as_many_threads_work_as_facts_say"),
    ("TakesAnyOption", "test_an_unknown_option_or_device_is_refused"),
    ("RaisesInProbe", "test_probe_never_raises_and_says_what_would_mend_a_broken_install"),
    ("RaisesTheFrameworksOwn", "test_a_bad_model_is_rejected_in_one_line_that_names_the_file"),
    ("NeverResets", "test_state_moves_on_by_advance_and_starts_again_by_reset"),
    ("AdvancesInRun", "test_state_moves_on_by_advance_and_starts_again_by_reset"),
    ("HasStateAlways", "test_a_session_without_state_has_none"),
]


@pytest.mark.parametrize(("liar", "name"), BROKEN)
def test_a_broken_promise_is_caught(liar: str, name: str, tmp_path: Path) -> None:
    if name == "test_as_many_threads_work_as_facts_say" and (os.cpu_count() or 1) < 2:
        pytest.skip("one processor cannot tell one thread from two")
    suite = type("Suite", (AdapterConformance,), {"adapter": f"tests.backends.lying:{liar}"})()
    there = {"examples": onnx_examples(tmp_path), "wide": wide_onnx_example(tmp_path), "tmp_path": tmp_path}
    check = getattr(suite, name)
    with pytest.raises((Exception, pytest.fail.Exception)):  # whatever makes a test fail
        check(**{wanted: there[wanted] for wanted in inspect.signature(check).parameters})


@pytest.mark.parametrize(("adapter", "error"), [("Honest", None), ("ReturnsEarly", "MeasurementInvalid")])
def test_the_worker_measures_the_honest_and_throws_out_the_liar(
    adapter: str, error: str | None, tmp_path: Path
) -> None:
    example = wide_onnx_example(tmp_path)
    told = measure(
        job(
            f"tests.backends.lying:{adapter}",
            artifacts={kind: str(path) for kind, path in example.model.artifacts.items()},
            inputs=[TensorJob("x", "float32", ["batch", 1024])],
            outputs=[TensorJob("y", "float32", ["batch", 1024])],
            max_ns=100 * MS,
        )
    )
    assert (told.run.failure.error if told.run.failure else None) == error
    assert is_early(told.run.audit) == (error is not None)
    assert bool(told.ear.payloads) == (error is None)
