"""Records and JSON: the same both ways for every record there can be, and one clear error for what is none."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import typed_json
from bench.results import CaseResult, Failure, Figure, Outcome, ProcessRun, RunInfo
from tests.store.runs import FIRST, case

TEXT = st.text(st.characters(codec=None), max_size=5)  # with lone surrogates, as file names have them
INTEGERS = st.integers(-(1 << 63), (1 << 63) - 1)
ANY = st.recursive(
    st.none() | st.booleans() | INTEGERS | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)


def strategy(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a type hint of the stored records."""
    origin, arguments = get_origin(hint), get_args(hint)
    if is_dataclass(hint) and isinstance(hint, type):
        hints = get_type_hints(hint)
        return st.builds(hint, **{one.name: strategy(hints[one.name]) for one in fields(hint)})
    if origin is tuple and arguments[-1] is Ellipsis:
        return st.lists(strategy(arguments[0]), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*map(strategy, arguments))
    if origin is dict:
        return st.dictionaries(TEXT, strategy(arguments[1]), max_size=2)
    if NoneType in arguments:
        rest = [one for one in arguments if one is not NoneType]
        return ANY if len(rest) > 1 else st.none() | strategy(rest[0])
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(hint)
    return {str: TEXT, int: INTEGERS, bool: st.booleans(), float: st.floats(allow_nan=False)}[hint]


@settings(deadline=None, max_examples=150)
@given(st.one_of(strategy(ProcessRun), strategy(Figure), strategy(RunInfo), strategy(Failure)))
def test_every_record_comes_back_equal(record: Any) -> None:
    assert typed_json.read(type(record), typed_json.parse(typed_json.dumps(record))) == record


@settings(deadline=None, max_examples=25)
@given(strategy(CaseResult))
def test_every_case_comes_back_equal(record: CaseResult) -> None:
    assert typed_json.read(CaseResult, typed_json.parse(typed_json.dumps(record))) == record


def test_what_is_written_is_json_to_everyone() -> None:
    text = typed_json.dumps(Figure("latency p99", "ns", math.nan, -math.inf, math.inf))
    values = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert (values["value"], values["low"], values["high"]) == ("nan", "-inf", "inf")
    read = typed_json.read(Figure, values)
    assert math.isnan(read.value or 0)
    assert (read.low, read.high) == (-math.inf, math.inf)


def test_types_come_back_exactly() -> None:
    read = typed_json.read(CaseResult, typed_json.parse(typed_json.dumps(case(FIRST))))
    assert read.verdicts[0].outcome is Outcome.MET
    assert type(read.verdicts[0].limit) is float
    assert type(read.process_runs[0].batches_tried[0]) is tuple


def test_a_whole_number_is_taken_for_a_float() -> None:
    value = typed_json.read(Figure, {"metric": "m", "unit": "ns", "value": 3}).value
    assert value == 3.0
    assert type(value) is float


def test_fields_with_defaults_may_be_missing() -> None:
    assert typed_json.read(ProcessRun, {"index": 4}) == ProcessRun(4)


@dataclass(frozen=True)
class Shapes:
    text: str
    whole: int = 0
    flag: bool = False
    pair: tuple[int, float] = (0, 0.0)
    names: dict[str, str] | None = None
    outcome: Outcome = Outcome.MET


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "an object is needed, not list"),
        ({}, "the field `text` is missing"),
        ({"text": 1}, "`text`: a text is needed, not 1"),
        ({"text": None}, "`text`: a text is needed, not null"),
        ({"text": "", "whole": True}, "`whole`: an integer is needed, not true"),
        ({"text": "", "whole": 1.0}, r"`whole`: an integer is needed, not 1\.0"),
        ({"text": "", "whole": "1"}, '`whole`: an integer is needed, not "1"'),
        ({"text": "", "whole": 1 << 63}, "`whole`: an integer beyond 64 bits"),
        ({"text": "", "flag": 1}, "`flag`: true or false is needed, not 1"),
        ({"text": "", "pair": [1]}, "`pair`: a list of 2 is needed"),
        ({"text": "", "pair": [1, "x"]}, r'`pair\[1\]`: a number is needed, not "x"'),
        ({"text": "", "pair": [1, False]}, r"`pair\[1\]`: a number is needed, not false"),
        ({"text": "", "pair": "ab"}, '`pair`: a list is needed, not "ab"'),
        ({"text": "", "names": {"a": 1}}, r"`names\.a`: a text is needed"),
        ({"text": "", "outcome": "perfect"}, "`outcome`: one of met, missed, undecided, not measured is needed"),
        ({"text": "", "outcome": []}, "`outcome`: one of met"),
        ({"text": "", "more": 1}, "a Shapes has no field `more`"),
    ],
)
def test_a_value_of_another_type_is_refused_with_its_place(value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        typed_json.read(Shapes, value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe{", "UTF-8|UTF-16|not JSON"),
        (b'{"a": 1, "a": 2}', "`a` stands there twice"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"1" * 5000, "digits|integer"),
    ],
)
def test_text_that_is_no_clean_json_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        typed_json.parse(text)


@pytest.mark.parametrize("value", ["[" * 200 + "]" * 200, "1e999", str(1 << 64)])
def test_free_facts_are_bounded_too(value: str) -> None:
    with pytest.raises(ValueError, match=r"`facts\.x`"):
        typed_json.read(ProcessRun, typed_json.parse(b'{"index": 0, "facts": {"x": %s}}' % value.encode()))


@pytest.mark.parametrize("value", [object(), {1: 2}, 1 << 63, b"bytes", 1j])
def test_what_is_not_json_is_not_written(value: Any) -> None:
    with pytest.raises(ValueError, match=r"cannot be stored|no text|64 bits"):
        typed_json.dumps(ProcessRun(0, facts={"x": value}))


def test_facts_nested_without_end_are_not_written() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(ValueError, match="nested too deeply"):
        typed_json.dumps(ProcessRun(0, facts={"x": endless}))
