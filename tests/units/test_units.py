"""Quantities: every spelling a user would try is read exactly or refused with what would be right."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import units
from bench.metrics import Unit
from bench.units import parse, show

UNITS: tuple[Unit, ...] = ("ns", "bytes", "per_s", "uj", "ratio", "number")
FACTORS: dict[Unit, dict[str, int]] = {
    "ns": {
        "ns": 1,
        "µs": 10**3,
        "μs": 10**3,
        "us": 10**3,
        "ms": 10**6,
        "s": 10**9,
        "min": 60 * 10**9,
        "h": 3600 * 10**9,
    },
    "bytes": {
        **{"B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12},
        **{"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40},
    },
    "per_s": {"/s": 1, "samples/s": 1, "per second": 1, "k/s": 10**3, "M/s": 10**6, "G/s": 10**9},
    "uj": {
        **{"µJ": 1, "μJ": 1, "uJ": 1, "mJ": 10**3, "J": 10**6, "kJ": 10**9},
        **{"mWh": 3_600_000, "Wh": 3_600_000_000},
    },
}


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("5ms", "ns", 5e6),
        ("5 ms", "ns", 5e6),
        ("5  ms", "ns", 5e6),
        (" 5 ms ", "ns", 5e6),
        ("5\u00a0ms", "ns", 5e6),
        ("0.5 s", "ns", 5e8),
        ("0.1 ms", "ns", 1e5),
        ("1e3 us", "ns", 1e6),
        ("12.5 µs", "ns", 12_500),
        ("2 min", "ns", 120e9),
        ("300 MiB", "bytes", 300 * 2**20),
        ("300MB", "bytes", 300e6),
        ("1.5 GiB", "bytes", 1.5 * 2**30),
        ("0 B", "bytes", 0),
        ("1200/s", "per_s", 1200),
        ("1200 /s", "per_s", 1200),
        ("1 200/s", "per_s", 1200),
        ("1_200/s", "per_s", 1200),
        ("1.2k/s", "per_s", 1200),
        ("1.2 M/s", "per_s", 1.2e6),
        ("30 samples/s", "per_s", 30),
        ("30 mJ", "uj", 30_000),
        ("1.5J", "uj", 1.5e6),
        ("97 %", "ratio", 0.97),
        ("97%", "ratio", 0.97),
        ("100 %", "ratio", 1),
        ("0.97", "ratio", 0.97),
        (0.97, "ratio", 0.97),
        (1, "ratio", 1),
        ("1e-4", "number", 1e-4),
        (1e-4, "number", 1e-4),
        (12, "number", 12),
        ("1.10", "number", 1.1),
    ],
)
def test_what_a_user_would_write_is_read(text: object, unit: Unit, value: float) -> None:
    assert parse(text, unit) == value


@pytest.mark.parametrize(
    ("text", "unit", "wrong", "right"),
    [
        ("5 mss", "ns", "`mss` is not a unit", "did you mean `ms`?"),
        ("5 MS", "ns", "`MS` is not a unit", "did you mean `ms`?"),
        ("5 seconds", "ns", "`seconds` is not a unit", "did you mean `s`?"),
        ("5 m", "ns", "`m` is not a unit", "did you mean `min`?"),
        ("5", "ns", "`5` has no unit", "write a time like `5 ms`"),
        (5, "ns", "`5` has no unit", "write a time like `5 ms`"),
        ("300", "bytes", "`300` has no unit", "write a size like `300 MiB`"),
        ("300 M", "bytes", "`M` is not a unit", "did you mean `MiB`?"),
        ("300 mib", "bytes", "`mib` is not a unit", "did you mean `MiB`?"),
        ("300 Mb", "bytes", "a small `b` means bits", "did you mean `MB`?"),
        ("300 ms", "bytes", "`ms` is a unit of time", "write a size like `300 MiB`"),
        ("300 MiB", "ns", "`MiB` is a unit of size", "write a time like `5 ms`"),
        ("1200", "per_s", "`1200` has no unit", "write a rate like `1200/s`"),
        ("1200 fps", "per_s", "`fps` is not a unit", "did you mean `/s`?"),
        ("1,200/s", "per_s", "commas are not read", "write `1200` or `1.2`"),
        ("30", "uj", "`30` has no unit", "write an energy like `30 mJ`"),
        ("30 MJ", "uj", "`MJ` is not a unit", "did you mean `mJ`?"),
        ("30 W", "uj", "`W` is not a unit", "did you mean `Wh`?"),
        ("30 mJ", "ns", "`mJ` is a unit of energy", "write a time like `5 ms`"),
        ("97", "ratio", "more than 1", "did you mean `97 %`?"),
        ("970", "ratio", "more than 1", "a share is at most 1, or 100 %"),
        ("101 %", "ratio", "more than 1", "a share is at most 1, or 100 %"),
        ("97 percent", "ratio", "`percent` is not a unit", "did you mean `%`?"),
        ("0.1 %", "number", "`%` is a unit of share", "write a plain number like `0.1`"),
        ("-1 ms", "ns", "is negative", "write a time like `5 ms`"),
        ("-0.1", "number", "is negative", "write a plain number"),
        ("+1 ms", "ns", "has a sign", "leave the `+` out"),
        (".5 s", "ns", "begins with a point", "write `0.5 s`"),
        ("", "ns", "nothing is written", "write a time like `5 ms`"),
        ("five ms", "ns", "`five ms` is not a time", "write `5 ms`"),
        ("12:30", "ns", "this is not a time", "like `5 ms`"),
        ("5.5.5 ms", "ns", "this is not a time", "like `5 ms`"),
        (None, "ns", "None is not a time", "write `5 ms`"),
        (True, "ratio", "True is not a share", "write `97 %`"),
        ([5], "number", "[5] is not a plain number", "write `0.1`"),
        ("1e999 s", "ns", "too large", "1e999"),
        ("9" * 200, "number", "is not a plain number", "write `0.1`"),
    ],
)
def test_what_is_no_quantity_is_refused_with_what_would_be_right(
    text: object, unit: Unit, wrong: str, right: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(wrong)) as caught:
        parse(text, unit)
    assert right in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(
    "text", ["nan", "NaN", ".nan", "inf", "-inf", ".inf", "Infinity", math.nan, math.inf, -math.inf]
)
def test_nan_and_infinity_are_no_quantity(text: object, unit: Unit) -> None:
    with pytest.raises(ValueError, match="not a finite number"):
        parse(text, unit)


numbers = st.decimals(min_value=0, max_value=10**12, allow_nan=False, allow_infinity=False, places=6)


@settings(deadline=None, max_examples=200)
@given(st.data(), numbers, st.sampled_from(["", " "]))
def test_a_quantity_is_read_exactly(data: st.DataObject, number: object, gap: str) -> None:
    unit = data.draw(st.sampled_from(sorted(FACTORS)))
    name, factor = data.draw(st.sampled_from(sorted(FACTORS[unit].items())))
    exact = Fraction(str(number)) * factor
    assert parse(f"{number:f}{gap}{name}", unit) == float(exact)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(UNITS), st.floats(min_value=0, max_value=1e18, allow_subnormal=False))
def test_what_is_shown_is_read_back_and_shown_the_same(unit: Unit, value: float) -> None:
    value = value / 1e18 if unit == "ratio" else value
    text = show(value, unit)
    again = parse(text, unit)
    assert show(again, unit) == text
    assert again == pytest.approx(value, rel=5.01e-3)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(UNITS), st.one_of(st.text(max_size=30), st.from_regex(units.NUMBER_PATTERN + r".{0,6}")))
def test_any_text_is_a_finite_quantity_or_a_value_error(unit: Unit, text: str) -> None:
    try:
        value = parse(text, unit)
    except ValueError:
        return
    assert math.isfinite(value)
    assert value >= 0
    assert re.fullmatch(units.pattern(unit), text.strip())


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1_230_000, "ns", "1.23 ms"),
        (998_000, "ns", "998 µs"),
        (999_600, "ns", "1 ms"),
        (0, "ns", "0 ns"),
        (12.34, "ns", "12.3 ns"),
        (61_000_000_000, "ns", "61 s"),
        (5.4e12, "ns", "5 400 s"),
        (81_788_928, "bytes", "78 MiB"),
        (1023.9 * 1024, "bytes", "1 MiB"),
        (1010 * 1024, "bytes", "1 010 KiB"),
        (1234, "per_s", "1 234/s"),
        (12.34, "per_s", "12.3/s"),
        (150_000, "per_s", "150 k/s"),
        (5_000_000, "per_s", "5 M/s"),
        (30_400, "uj", "30.4 mJ"),
        (2_000_000, "uj", "2 J"),
        (0.981, "ratio", "98.1 %"),
        (1, "ratio", "100 %"),
        (0.99996, "ratio", "99.996 %"),
        (0.00012, "number", "0.00012"),
        (12_345, "number", "12 345"),
        (1e-5, "number", "1e-05"),
        (0.1 + 0.2, "number", "0.3"),
        (-3e6, "ns", "-3 ms"),
        (math.nan, "ns", "nan"),
        (math.inf, "bytes", "inf"),
    ],
)
def test_a_value_is_shown_with_three_digits_and_its_unit(value: float, unit: Unit, text: str) -> None:
    assert show(value, unit) == text


@settings(deadline=None)
@given(st.floats(min_value=0, max_value=1, exclude_max=True))
def test_a_share_below_one_never_reads_as_all_of_it(share: float) -> None:
    assert show(share, "ratio") != "100 %" or share > 1 - 1e-15


def test_every_unit_that_is_told_is_read() -> None:
    for unit in UNITS:
        for name in units.known_units(unit):
            assert parse(f"1 {name}", unit) > 0
        assert parse(units.example(unit), unit) > 0
