"""What is told of a model and of a session is true: a bad model, facts, threads, memory given back, a profile."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bench.conformance.examples import Example
from bench.conformance.tried import Tried
from bench.device.adapter import ModelRejected
from bench.device.told import facts_of

KEPT_PER_OPENING = 0.25
"""Share of the model's file that an opening may leave behind; a leak leaves all of it, or a multiple."""
SLACK_BYTES = 16 << 20


class Telling(Tried):
    """A bad model is told in one line, as many threads work as facts say, and leaving frees what ``open`` took."""

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
