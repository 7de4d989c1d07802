"""The pieces of `make bench` under load work, on little time; what they measure on a busy machine is not asserted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.device.records import NEVER_NS
from bench.units import show
from tests.device.queues import highest_rate_per_s, mean_wait_ns, wait_ns, waits_at_most
from tests.speed import __main__ as program
from tests.speed import fresh, reading
from tests.speed.agreement import Told, above, meet, near, of_processes, quantities
from tests.speed.peers import server_searches, window_search
from tests.speed.under_load import arriving, drawing, four_scenarios, peak_rate, queue_of_one

MS = 1_000_000
DRAWING = program.PAGE.parent / drawing.FILE


def told(value: float, around: float = 0.1) -> Told:
    return Told(value, value * (1 - around), value * (1 + around), (value, value))


def test_erlangs_distribution_has_pollaczeks_mean() -> None:
    """The mean is the integral of what is above: both formulas, written apart."""
    for rate in (300.0, 700.0):
        step = MS / 10
        area = sum((1 - waits_at_most(rate, MS, (at + 0.5) * step)) * step for at in range(200))
        assert area == pytest.approx(mean_wait_ns(rate, MS), rel=0.01)


def test_the_waits_and_the_highest_rate_turn_the_distribution_round() -> None:
    assert wait_ns(500.0, MS, 0.5) == 0.0
    for q in (0.6, 0.9, 0.99):
        assert waits_at_most(800.0, MS, wait_ns(800.0, MS, q)) == pytest.approx(q, abs=1e-6)
    rate = highest_rate_per_s(MS, 0.99, 10 * MS)
    assert MS + wait_ns(rate, MS, 0.99) == pytest.approx(10 * MS, rel=1e-6)
    assert rate == pytest.approx(773.5, abs=0.5)


def test_lines_of_agreement_are_kept_as_their_targets_say() -> None:
    assert near("x", told(104.0), told(100.0)).kept is True
    assert near("x", told(106.0), told(100.0)).kept is False
    assert near("x", told(104.0), told(100.0), 90.0).kept is False, "not in the interval"
    assert near("x", told(104.0), told(100.0), 95.0).kept is True
    assert near("x", None, told(100.0), 95.0).kept is False
    assert near("x", told(106.0), told(100.0), within=None).kept is None
    assert above("x", told(50.0), 2.0, 50.0).kept is True
    assert above("x", told(53.0), 2.0, 50.0).kept is False
    assert meet("x", told(100.0), told(150.0), 20.0).kept is False
    assert meet("x", told(100.0), told(150.0), 30.0).kept is True


def test_an_interval_holds_every_process() -> None:
    found = of_processes([10.0, 11.0, 30.0])
    assert found.value == 11.0
    assert found.low < 10.0 < 30.0 < found.high


def test_quantities_are_read_as_they_are_shown() -> None:
    for value in (0.5, 774.0, 34_812.0, 142_000.0, 3.2e6):
        assert quantities(show(value, "per_s")) == [pytest.approx(value, rel=0.005)]
    assert quantities("6.49 ms [6 ms, 7.1 s]") == [6.49e6, 6e6, 7.1e9]


def test_waiting_is_measured_through_whole_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_of_one, "LOADS", (0.3,))
    waited, (point,) = queue_of_one.measure(processes=2, seconds=1.0)
    assert [one.statistic for one in waited] == list(queue_of_one.STATISTICS)
    assert point.rate_per_s == 300.0
    for one in waited[:3]:  # so few have no p99
        assert one.measured is not None
        assert one.measured.value >= one.same.value, "nobody is answered before the queue allows it"
        assert len(one.measured.processes) == len(one.same.processes) == 2
    assert len(queue_of_one.lines(waited)) == 4


def test_a_stall_is_seen_by_the_open_loop_and_not_by_the_closed_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the p90, which needs fewer queries: one in five arrives in the stall, one in ten waits for 120 ms."""
    monkeypatch.setattr(arriving, "PROCESSES", 2)
    monkeypatch.setattr(arriving, "Q", 0.9)
    found = arriving.measure(seconds=1, stalled_seconds=2, closed_seconds=2)
    assert len(found.late_ns) == 2
    assert found.open_loop is not None and found.closed_loop is not None
    assert found.open_loop.value > 80 * MS > found.closed_loop.value
    assert arriving.expected_ns() == pytest.approx(121 * MS)
    assert len(arriving.lines(found)) == 4


def test_a_lateness_that_a_process_does_not_tell_is_not_measured() -> None:
    found = arriving.Arriving([(40, 900), (None, None), (50, 800)], None, None)
    assert [(line.ours, line.kept) for line in arriving.lines(found)[:2]] == [("not measured", False)] * 2
    found = arriving.Arriving([(40, 2 * MS), (50, 800)], None, None)
    assert [(line.ours, line.kept) for line in arriving.lines(found)[:2]] == [("50 ns", True), ("2 ms", False)]


def test_the_first_hundredth_to_arrive_waits_for_193_ms() -> None:
    assert arriving.expected_ns() == pytest.approx(193 * MS)


def window(queries: int, p99_ns: float) -> NDArray[np.float64]:
    """The latencies of a window with this p99."""
    return np.full(queries, p99_ns)


def test_windows_settle_as_perf_analyzer_says() -> None:
    alike, over = [window(500, 3.0 * MS), window(520, 3.2 * MS), window(510, 3.1 * MS)], window(500, 11.0 * MS)
    assert window_search.settles([window(500, 9.0 * MS), *alike]) == (True, 4)
    assert window_search.settles([over, *alike]) == (False, 3), "one of the first three is over"
    assert window_search.settles([over, over, over]) == (False, 3), "alike, and over"
    assert window_search.settles([*alike[:2], window(510, 3.6 * MS)]) == (False, 3), "never three alike"
    assert window_search.settles([window(500, MS), window(400, MS), window(500, MS)]) == (False, 3)
    assert window_search.settles([window(0, MS)] * 3) == (False, 3), "nothing was answered"


def test_a_search_halves_its_range_and_pays_for_each_window() -> None:
    tried: list[float] = []

    def kept_up_to_773(rate: float) -> list[NDArray[np.float64]]:
        tried.append(rate)
        return [window(500, MS if rate <= 773 else 20 * MS)] * 10

    rate, seconds = window_search.searched(kept_up_to_773)
    assert 773 - window_search.STEP_PER_S < rate <= 773
    assert tried[:4] == [100.0, 1000.0, 550.0, 775.0]
    assert seconds == pytest.approx(len(tried) * 3 * 5)
    assert window_search.searched(lambda _: [window(500, 20 * MS)] * 10) == (0.0, 15.0), "the first rate is not kept"


def test_windows_of_the_queue_have_its_rate_and_its_p99() -> None:
    windows = list(window_search.windows_at(500.0, 1))
    assert len(windows) == window_search.MOST_WINDOWS
    assert sum(len(one) for one in windows) == pytest.approx(25_000, rel=0.05)
    expected = MS + wait_ns(500.0, MS, 0.99)
    assert window_search.p99(np.concatenate(windows)) == pytest.approx(expected, rel=0.1)


def test_doubling_and_halving_ends_at_the_last_rate_that_kept() -> None:
    tried: list[float] = []

    def keeps(rate: float) -> bool:
        tried.append(rate)
        return rate <= 773

    found = server_searches.doubled_then_halved(keeps)
    assert 773 * (1 - 2 * server_searches.PRECISION) < found <= 773
    assert tried[:3] == [200.0, 400.0, 800.0]
    assert server_searches.doubled_then_halved(lambda rate: False) == 0.0


def test_a_rate_that_was_not_found_is_a_line_that_is_not_kept() -> None:
    peers = dict.fromkeys((peak_rate.LOADGEN, peak_rate.ANALYZER), peak_rate.Search([700.0], [30.0]))
    first, *rest = peak_rate.lines(peak_rate.Searched(None, 34.0, peers))
    assert (first.ours, first.kept) == ("not measured", False)
    assert [line.kept for line in rest] == [True, None, None, None, None]
    row = reading.Row("s", first.what, first.ours, first.theirs, "", first.target, "**not kept**")
    assert list(reading._answer_wrong(row)) == []


def loadgen_says(arrivals: list[int]) -> dict[str, Any]:
    """A process of LoadGen's side, of figures that nobody measured."""
    figures = {"p50": 50_000.0, "p90": 60_000.0, "p99": 70_000.0}
    parts = {"empty": 20_000.0, "cold": 31_000.0, "warm": 26_000.0}
    figures |= {f"{what} {name}": value for what, value in parts.items() for name in ("p50", "p90", "p99")}
    offline = {"time a sample": 9000.0, "empty time a sample": 2000.0}
    return {**dict.fromkeys(four_scenarios.OURS, figures), "Offline": offline, "arrivals": arrivals}


def test_what_loadgen_reports_of_an_empty_call_is_taken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our side is measured for real; LoadGen itself is in the environment of `make bench` alone."""
    monkeypatch.setattr(fresh, "measured", lambda *_: loadgen_says([number * MS for number in range(400)]))
    monkeypatch.setattr(four_scenarios, "MODELS", ("digits",))
    found = four_scenarios.measure(processes=2, seconds=0.1)
    lines = four_scenarios.lines(found)
    alone = [
        "the call alone, after LoadGen's work",
        "the call alone, made again in LoadGen's callback, the quickest process",
    ]
    percentiles = ["p50", "p90", "p99"]
    whats = [*percentiles, *alone, *percentiles, *alone, *percentiles, "time a sample"]
    assert [line.what.partition(": ")[2] for line in lines] == whats
    assert {line.target for line in lines[:3]} == {"[ ] meet, 25 µs off theirs"}, "20 µs of the driver, 5 of its work"
    assert (lines[3].theirs, lines[3].target) == ("31 µs", "none")
    assert (lines[4].theirs, lines[4].target) == ("26 µs", "± 5 %")
    late_ns = sorted(one or 0 for one in found["digits"].late_ns)[0]
    assert quantities(lines[10].target) == [pytest.approx(20_000 - late_ns, rel=0.006)], (
        "no work of its own: we wait too"
    )
    assert lines[-1].target == "[ ] meet, 2 µs off theirs"
    assert all(quantities(line.ours)[0] < NEVER_NS for line in lines)


def test_a_figure_that_loadgen_did_not_earn_by_its_own_work_is_not_kept() -> None:
    """Nothing of the report itself says how much is taken off: reported 10 µs more, it does not meet ours any more."""
    says = loadgen_says([])
    theirs = {
        name: {one: of_processes([value] * 3) for one, value in says[name].items()} for name in four_scenarios.OURS
    }
    ours = {name: {one: of_processes([25_000.0] * 3) for one in ("p50",)} for name in four_scenarios.OURS}
    ours["Offline"] = {"time a sample": of_processes([7000.0] * 3)}
    beside = four_scenarios.Beside(ours, theirs, [5_000, None, 5_000])
    kept = {line.what: line.kept for line in four_scenarios.lines({"m": beside})}
    assert kept["m, single-stream: p50"] and kept["m, offline: time a sample"]
    assert not kept["m, server: p50"], "50 - 20 + 5 is not 25"
    theirs["SingleStream"]["p50"] = of_processes([60_000.0] * 3)
    assert not four_scenarios.lines({"m": beside})[0].kept
    unknown = four_scenarios.Beside(ours, theirs, [None])
    (server,) = (one for one in four_scenarios.lines({"m": unknown}) if "server" in one.what)
    assert (server.ours, server.kept) == ("not measured", False), "how late ours issued is not known"


def test_a_drawing_is_made_again_of_the_values_it_holds() -> None:
    point = drawing.Point(500.0, {"p50": (1e6, 9e5, 2e6), "p99": (4e6, 3e6, 5e6)})
    svg = drawing.render([point], 1e6)
    assert drawing.again(svg) == svg
    assert svg.count("<polyline") == 3 and svg.count("<circle") == 2
    assert drawing.render([point], None).count("<polyline") == 0


def test_the_drawing_in_docs_is_of_the_values_it_holds() -> None:
    svg = DRAWING.read_text(encoding="utf-8")
    assert drawing.again(svg) == svg
    points = json.loads(drawing.HELD.findall(svg)[0])["points"]
    assert [one["rate_per_s"] for one in points] == [1000 * load for load in queue_of_one.LOADS]


def test_a_stored_sweep_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.speed.under_load import runs

    limits = "server: {rate: 100/s, latency p50: 1 s, time: 400 ms, processes: 2}"
    with runs.ran({"a": runs.target(runs.SPINNING, limits)}) as run:
        (point,) = drawing.of_run(run.folder)
        into = tmp_path / "drawing.svg"
        monkeypatch.setattr("sys.argv", ["drawing", str(run.folder), str(into)])
        drawing.main()
    assert point.rate_per_s == 100.0
    assert "p50 at 100/s" in into.read_text(encoding="utf-8")
