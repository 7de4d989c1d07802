"""The search for sizes: bounded, never twice the same, led by what the model says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import units
from bench.artifacts import ArtifactFacts
from bench.device.adapter import TensorSpec
from bench.metrics import Unit
from bench.propose.draft import Draft, InputDraft, with_batch
from bench.propose.limits import _at_most, _friendly, size_line
from bench.propose.search import MAX_S, MAX_SAMPLE_BYTES, Hints, search
from bench.propose.state import recognised
from bench.results import Failure

FACTS = ArtifactFacts("onnx", (), (), None, None, None, None, 1)


def draft(*inputs: TensorSpec, state: dict[str, str] | None = None) -> Draft:
    return Draft("onnx", Path("m.onnx"), FACTS, tuple(InputDraft(one) for one in inputs), (), state=state or {})


def wanting(**sizes: int) -> Callable[[Draft], Failure | None]:
    """A model that takes these sizes only, and does not say which."""
    return lambda one: None if dict(one.dims) == sizes else Failure("RuntimeError", "no")


X = TensorSpec("x", "float32", ("batch", "left", "right"))


@settings(deadline=None, max_examples=50)
@given(most=st.integers(1, 60))
def test_it_tries_no_combination_twice_and_no_more_than_allowed(most: int) -> None:
    tried: list[tuple[int, ...]] = []

    def refuse(one: Draft) -> Failure:
        tried.append(tuple(one.dims.values()))
        return Failure("RuntimeError", f"{len(tried)} is not 17 and not 23")

    found = search(with_batch(draft(X)), Hints(), refuse, most)
    assert found.failure == Failure("RuntimeError", "1 is not 17 and not 23")
    assert found.tries == len(tried) == len(set(tried)) <= most


def test_it_ends_when_its_time_is_up() -> None:
    clock = iter(range(0, 1000, int(MAX_S // 3)))
    found = search(with_batch(draft(X)), Hints(), lambda one: Failure("RuntimeError", "no"), now=lambda: next(clock))
    assert found.tries <= 4


@given(left=st.sampled_from([1, 8, 512, 16000]), right=st.sampled_from([512]))
def test_it_finds_one_odd_size_among_usual_ones(left: int, right: int) -> None:
    found = search(with_batch(draft(X)), Hints(), wanting(left=left, right=right))
    assert found.failure is None


@given(size=st.integers(2, 30_000))
def test_it_takes_a_size_from_the_complaint(size: int) -> None:
    def model(one: Draft) -> Failure | None:
        return None if one.dims["left"] == size else Failure("RuntimeError", f"{{1,512}} does not fit {{{size},10}}")

    found = search(with_batch(draft(X)), Hints(), model)
    assert (found.failure, found.draft.dims["left"]) == (None, size)
    assert found.tries <= 5


def test_a_size_from_the_export_goes_first() -> None:
    found = search(with_batch(draft(X)), Hints({"left": 77, "right": 78}), wanting(left=77, right=78))
    assert (found.failure, found.tries) == (None, 1)


def test_a_size_that_would_fill_memory_is_not_tried() -> None:
    seen: list[int] = []

    def model(one: Draft) -> Failure:
        seen.append(one.dims["left"] * one.dims["right"] * 4)
        return Failure("RuntimeError", f"try {900_000 + len(seen)}")

    search(with_batch(draft(X)), Hints(), model)
    assert max(seen) <= MAX_SAMPLE_BYTES


@pytest.mark.parametrize("error", ["ModelRejected", "DeviceUnavailable", "WorkerTimeout"])
def test_a_refusal_that_no_size_mends_ends_the_search(error: str) -> None:
    assert search(with_batch(draft(X)), Hints(), lambda one: Failure(error, "no")).tries == 1


@pytest.mark.parametrize(
    ("shapes", "batch"),
    [
        ([("N", 3)], "N"),
        ([("batch_size", 3), ("batch_size", "length")], "batch_size"),
        ([("x:0", 3)], "batch"),
        ([("unk__7", 3), ("unk__8", 4)], "batch"),
        ([("rows", 3)], "rows"),
        ([("seq_len", 3)], None),
        ([("time", 3), ("y:0", 3)], None),
        ([("rows", 3), ("columns", 3)], None),
        ([(1, "N")], None),
        ([()], None),
    ],
)
def test_the_batch_is_the_first_free_axis_where_names_do_not_deny_it(
    shapes: list[tuple[int | str, ...]], batch: str | None
) -> None:
    specs = [TensorSpec("xyz"[index], "float32", shape) for index, shape in enumerate(shapes)]
    assert with_batch(draft(*specs)).batch == batch


@pytest.mark.parametrize(
    ("fed", "source"),
    [
        ("state", "stateN"),
        ("h", "hn"),
        ("h", "h_out"),
        ("c", "cn"),
        ("h0", "hn"),
        ("h_0", "h_n"),
        ("state_in", "state_out"),
        ("in_state", "out_state"),
        ("hidden", "hidden_out"),
        ("prev_x", "next_x"),
        ("past_key_values.0.key", "present.0.key"),
    ],
)
def test_state_is_what_names_make_clear(fed: str, source: str) -> None:
    inputs = [TensorSpec("x", "float32", (1, 4)), TensorSpec(fed, "float32", (1, "n"))]
    outputs = [TensorSpec("y", "float32", (1, 4)), TensorSpec(source, "float32", ("m", 4))]
    assert recognised(inputs, outputs) == {fed: source}


@pytest.mark.parametrize(
    ("fed", "source"),
    [
        (TensorSpec("x", "float32", (1, 4)), TensorSpec("x_out", "float32", (1, 4))),
        (TensorSpec("state", "float32", (1, 4)), TensorSpec("stateN", "float32", (1, 5))),
        (TensorSpec("state", "float32", (1, 4)), TensorSpec("stateN", "float16", (1, 4))),
        (TensorSpec("state", "float32", (1, 4)), TensorSpec("stateN", "float32", (4,))),
        (TensorSpec("image", "float32", (1, 4)), TensorSpec("logits", "float32", (1, 4))),
    ],
)
def test_what_only_looks_like_state_is_none(fed: TensorSpec, source: TensorSpec) -> None:
    assert recognised([fed], [source]) == {}


@given(value=st.floats(1e-3, 1e15))
def test_a_friendly_number_is_near_and_on_the_safe_side(value: float) -> None:
    assert value <= _friendly(value) * (1 + 1e-9) <= value * 2
    assert value / 2 <= _friendly(value, down=True) <= value * (1 + 1e-9)


@given(value=st.integers(1, 10**12), unit=st.sampled_from(["ns", "bytes"]))
def test_a_proposed_limit_is_read_back_above_what_was_measured(value: int, unit: Unit) -> None:
    line = _at_most("latency p50", value, unit, 1.5)
    assert value * 1.5 * 0.99 <= units.parse(line.limit, unit)
    assert units.parse(size_line(value).limit, "bytes") >= value
