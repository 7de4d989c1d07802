"""What a session says of itself: whole, and as asked, or nothing is measured under its name."""

from __future__ import annotations

from typing import Any

import pytest

from bench.device.adapter import AdapterError, Settings
from bench.device.told import facts_of

TRUE = {"device": "cpu", "precision": "fp32", "threads": 1, "artifact": "onnx"}


class Says:
    def __init__(self, said: Any) -> None:
        self.said = said

    def facts(self) -> Any:
        return self.said


@pytest.mark.parametrize(
    ("said", "settings"),
    [
        (TRUE, {}),
        ({**TRUE, "device": "cuda:0", "threads": None}, {"device": "cuda:0"}),
        ({**TRUE, "device": "cuda:0"}, {"device": "cuda"}),
        ({**TRUE, "threads": 7}, {"threads": 0}),
        ({**TRUE, "precision": "none", "threads": 3, "computes": False}, {"precision": "fp16"}),
        ({**TRUE, "more": ["a", 1]}, {}),
    ],
)
def test_facts_that_are_as_asked_are_taken_as_they_are(said: dict[str, Any], settings: dict[str, Any]) -> None:
    assert facts_of(Says(said), Settings(**settings)) == (said, [])


def test_notes_are_sentences_of_their_own() -> None:
    assert facts_of(Says({**TRUE, "notes": ["one", "two"]}), Settings()) == (TRUE, ["one", "two"])


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (None, "the adapter's `facts` are None: they must be a dictionary"),
        ({}, "do not tell device, precision, threads, artifact: what really runs is not known"),
        ({"device": "cpu", "threads": 1, "artifact": "onnx"}, "do not tell precision: "),
        ({**TRUE, "device": "gpu:7"}, "say device gpu:7, but the target asks for cpu$"),
        ({**TRUE, "device": "cpu2"}, "say device cpu2, but"),
        ({**TRUE, "device": "gpu", "computes": False}, "say device gpu, but"),
        ({**TRUE, "precision": "int4", "threads": 64}, "precision int4, but .* for fp32; threads 64, but .* for 1$"),
        ({**TRUE, "threads": None}, "threads None, but the target asks for 1"),
        ({**TRUE, "threads": True}, "threads True: it must be a whole number"),
        ({**TRUE, "device": float("nan")}, "device nan: it must be a word"),
        ({**TRUE, "precision": ["fp64"]}, r"precision \['fp64'\]: it must be a word"),
        ({**TRUE, "artifact": "\x1b[31mred"}, r"artifact '\\x1b\[31mred': it must be a word"),
        ({**TRUE, "calls_per_timing": 64}, "tell `calls_per_timing`, which only the harness can find"),
        ({**TRUE, "loop_recorded_ns": 0.0, "cores": "3"}, "tell `loop_recorded_ns`, `cores`, which only the harness"),
        ({**TRUE, "notes": 7}, "`notes` in the adapter's `facts` are 7: they must be a list of sentences"),
        ({**TRUE, "notes": "one"}, "are one: they must be a list of sentences"),
        ({**TRUE, "notes": ["one", 2]}, r"are \['one', 2\]: they must be a list of sentences"),
    ],
)
def test_other_facts_are_refused_in_one_sentence(said: Any, message: str) -> None:
    with pytest.raises(AdapterError, match=message) as caught:
        facts_of(Says(said), Settings())
    assert str(caught.value).isprintable()


def test_a_cpu_that_goes_by_a_number_owes_its_threads_too() -> None:
    with pytest.raises(AdapterError, match="threads None, but the target asks for 1"):
        facts_of(Says({**TRUE, "device": "cpu:0", "threads": None}), Settings(device="cpu:0"))
