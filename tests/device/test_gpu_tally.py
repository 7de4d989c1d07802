"""What samples come to: ranges, energy by power, what slowed the GPU down, the most memory."""

from __future__ import annotations

from bench.device.gpu_tally import Tally

MS = 1_000_000
HEAT, CAP = 0x40, 0x4


def test_power_is_integrated_between_the_samples() -> None:
    tally = Tally()
    tally.begin(0)
    for at_ms, power in ((0, 100_000), (100, 100_000), (300, 300_000)):
        tally.add(at_ms * MS, {"power_mw": power})
    told = tally.told()
    assert told["integral_uj"] == 100 * 100_000 + 200 * 200_000  # mW × ms is µJ
    assert (told["span_ns"], told["gap_ns"], told["count"]) == (300 * MS, 200 * MS, 3)
    assert told["ranges"]["power_mw"] == [100_000, 166_666, 300_000]


def test_power_that_is_not_told_for_a_part_is_no_energy() -> None:
    tally = Tally()
    tally.begin(0)
    for at_ms, read in ((0, {"power_mw": 1000}), (100, {}), (200, {"power_mw": 1000}), (300, {"power_mw": 1000})):
        tally.add(at_ms * MS, read)
    assert tally.told()["integral_uj"] is None


def test_a_hole_of_a_few_samples_takes_the_mean_of_the_rest() -> None:
    tally = Tally()
    tally.begin(0)
    for at in range(101):
        tally.add(at * MS, {} if at == 50 else {"power_mw": 2000})
    assert tally.told()["integral_uj"] == 100 * 2000


def test_memory_counts_from_the_first_look_all_else_from_the_beginning_of_the_timed_part() -> None:
    tally = Tally()
    tally.hold(2, 500)
    tally.add(5, {"power_mw": 9, "reasons": HEAT, "temperature_c": 99})
    tally.begin(10 * MS)
    tally.hold(15 * MS, 300)
    tally.hold(16 * MS, None, "it is gone")
    tally.add(20 * MS, {"temperature_c": 40, "reasons": CAP})
    tally.add(30 * MS, {"temperature_c": 50, "reasons": HEAT | CAP})
    told = tally.told()
    assert (told["used_bytes"], told["used_looks"], told["used_why"]) == (500, 2, "it is gone")
    assert (told["used_timed"], told["used_gap_ns"]) == (1, 15 * MS)  # none after the one at 15 ms
    assert told["ranges"] == {"temperature_c": [40, 45, 50]}
    assert (told["slowed"], told["capped"], told["count"]) == ({"heat (by the hardware)": 1}, 2, 2)


def test_the_longest_time_without_a_look_that_told_the_memory_is_told() -> None:
    tally = Tally()
    tally.hold(1 * MS, 500)
    tally.begin(1000 * MS)
    for at_ms in (1010, 1110, 1310):
        tally.hold(at_ms * MS, 500)
        tally.hold((at_ms + 50) * MS, None, "refused")
        tally.add((at_ms + 50) * MS, {})
    told = tally.told()
    assert (told["used_looks"], told["used_timed"], told["used_gap_ns"]) == (4, 3, 200 * MS)
    tally.begin(2000 * MS)
    tally.add(2500 * MS, {})
    assert (tally.told()["used_timed"], tally.told()["used_gap_ns"]) == (0, 500 * MS)


def test_nothing_sampled_tells_nothing() -> None:
    told = Tally().told()
    assert (told["count"], told["integral_uj"], told["used_bytes"], told["ranges"]) == (0, None, None, {})
