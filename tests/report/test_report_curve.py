"""Percentiles as bars of text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bench.report.curve import LEAST_BAR, LEGEND, Bar, lines

US, MS = 1e3, 1e6
LATENCY = st.one_of(st.none(), st.floats(1, 1e12))


def test_a_bar_ends_where_its_p99_does_on_a_logarithmic_scale() -> None:
    drawn = lines([Bar("a", (100 * US, 1 * MS, 10 * MS)), Bar("b", (100 * US, 100 * US, 100 * US))], 200)
    first, second = (line.split("  ")[-1].strip() for line in drawn[1:3])
    assert (first.count("█"), first.count("▓"), first.count("░")) == (20, 20, 20)
    assert second == "█" * 20
    assert drawn[3].split() == ["10", "µs", "10", "ms"]
    assert drawn[-1] == LEGEND


def test_values_stand_beside_the_bars_and_what_was_not_measured_has_none() -> None:
    drawn = lines([Bar("100/s", (1 * MS, 2 * MS, None)), Bar("200/s", (None, None, None), "saturated")], 80)
    assert drawn[1].split()[:6] == ["100/s", "1", "ms", "2", "ms", "–"]
    assert "░" not in drawn[1]
    assert drawn[2].split() == ["200/s", "–", "–", "–", "saturated"]


def test_no_bars_at_all_are_no_scale() -> None:
    assert lines([Bar("a", (None, None, None))], 80) == [" p50  p90  p99".rjust(16), "a    –    –    –", LEGEND]


@given(st.lists(st.tuples(LATENCY, LATENCY, LATENCY), min_size=1, max_size=6), st.integers(60, 200))
def test_every_measured_bar_is_seen_and_none_leaves_the_page(
    values: list[tuple[float | None, float | None, float | None]], width: int
) -> None:
    rising = [tuple(sorted(one, key=lambda value: (value is None, value or 0))) for one in values]
    drawn = lines([Bar("800/s", one, "saturated") for one in rising], width)  # type: ignore[arg-type]
    for line, one in zip(drawn[1:], rising, strict=False):
        bars = sum(line.count(shade) for shade in "█▓░")
        assert bool(bars) == (one[0] is not None)
        assert len(line) <= width or bars <= LEAST_BAR
