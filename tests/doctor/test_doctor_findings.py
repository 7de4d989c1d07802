"""Readings in, findings out: what disturbs is named with a reason and a remedy, what does not is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.doctor.diagnosis import Busy, Finding, Machine, Severity, State
from bench.doctor.findings import findings

QUIET_MACHINE = Machine(
    cpu_model="Example CPU", cores=4, usable_cores=4, threads_per_core=1, memory_bytes=8 << 30, swap_bytes=1 << 30,
    virtual=False,
)  # fmt: skip
QUIET = State(
    interval_ns=500_000_000, governors=("performance",), turbo=False, smt=False, load_1m=0.1, busy=(),
    steal_share=0.0, steal_share_since_boot=0.0, memory_available_bytes=6 << 30, swap_used_bytes=0, swapped_pages=0,
    memory_pressure=0.0, throttled=0, throttled_now=0, temperature_c=45.0, quota_stops=0, clock_source="tsc",
    huge_pages="madvise", on_battery=False,
)  # fmt: skip
OK, NOTE, WARN = Severity.OK, Severity.NOTE, Severity.WARN


def named(name: str, machine: Machine = QUIET_MACHINE, **changes: Any) -> Finding:
    found = {one.name: one for one in findings(machine, replace(QUIET, **changes))}
    return found[name]


def test_a_quiet_machine_has_nothing_to_mend() -> None:
    assert {one.severity for one in findings(QUIET_MACHINE, QUIET)} == {OK}
    assert all(one.found is not None for one in findings(QUIET_MACHINE, QUIET))


@pytest.mark.parametrize(
    ("name", "severity", "changes", "told"),
    [
        ("governor", WARN, {"governors": ("performance", "powersave")}, "performance, powersave"),
        ("turbo", NOTE, {"turbo": True}, "on"),
        ("SMT", NOTE, {"smt": True}, "on"),
        ("throttling", NOTE, {"throttled": 7}, "7 times since boot"),
        ("throttling", WARN, {"throttled": 7, "throttled_now": 1}, "1 time just now, 7 times since boot"),
        ("temperature", WARN, {"temperature_c": 91.5}, "92 °C"),
        ("load", WARN, {"load_1m": 1.2}, "1.20 on 4 cores"),
        ("busy processes", WARN, {"busy": (Busy(7, "cc1plus", 0.98),)}, "cc1plus (7) 1.0 cores"),
        ("steal", NOTE, {"steal_share_since_boot": 0.02}, "0.0 % now, 2.0 % since boot"),
        ("steal", WARN, {"steal_share": 0.1}, "10.0 % now, 0.0 % since boot"),
        ("swap", NOTE, {"swap_used_bytes": 512 << 20}, "512 MiB in use"),
        ("swap", WARN, {"swap_used_bytes": 1 << 20, "swapped_pages": 9}, "1 MiB in use, 9 pages moved just now"),
        ("memory pressure", WARN, {"memory_pressure": 3.5}, "3.5 % of the last 10 s"),
        ("free memory", WARN, {"memory_available_bytes": 512 << 20}, "512 MiB available"),
        ("clock source", WARN, {"clock_source": "hpet"}, "hpet"),
        ("huge pages", NOTE, {"huge_pages": "always"}, "always"),
        ("power", WARN, {"on_battery": True}, "on battery"),
    ],
)
def test_what_disturbs_is_named_with_its_reason_and_remedy(
    name: str, severity: Severity, changes: dict[str, Any], told: str
) -> None:
    found = named(name, **changes)
    assert (found.severity, found.found) == (severity, told)
    assert found.why
    assert found.remedy


@pytest.mark.parametrize(
    ("name", "severity", "changes"),
    [
        ("CPU quota", WARN, {"cpu_limit": 1.5}),
        ("CPU quota", OK, {"cpu_limit": 4.0}),
        ("affinity", NOTE, {"usable_cores": 2}),
        ("virtual machine", NOTE, {"virtual": True}),
    ],
)
def test_what_the_machine_is_may_disturb_too(name: str, severity: Severity, changes: dict[str, Any]) -> None:
    found = named(name, replace(QUIET_MACHINE, **changes))
    assert found.severity is severity
    assert bool(found.remedy) is bool(found.why) is (severity is not OK)


def test_a_quota_that_has_stopped_the_container_disturbs_however_wide_it_is() -> None:
    assert named("CPU quota", replace(QUIET_MACHINE, cpu_limit=4.0), quota_stops=3).severity is WARN


def test_one_busy_core_of_many_is_no_load_worth_a_word() -> None:
    assert named("load", replace(QUIET_MACHINE, usable_cores=64), load_1m=1.0).severity is OK
    assert named("load", replace(QUIET_MACHINE, usable_cores=1), load_1m=1.0).severity is WARN


def test_of_many_busy_processes_three_are_named_and_the_others_counted() -> None:
    busy = tuple(Busy(pid, "make", 1.0) for pid in range(1, 6))
    assert named("busy processes", busy=busy).found == (
        "make (1) 1.0 cores, make (2) 1.0 cores, make (3) 1.0 cores, 2 more"
    )


def test_what_the_system_does_not_tell_is_said_so_and_is_no_warning() -> None:
    found = findings(Machine(), State())
    told = {one.name for one in found if one.found is not None}
    assert told == {"CPU quota"}, "no quota is what a system without control groups has"
    assert {one.severity for one in found} == {OK}


def test_a_virtual_machine_that_hides_its_clock_is_worth_a_note() -> None:
    found = named("governor", replace(QUIET_MACHINE, virtual=True), governors=())
    assert (found.severity, found.found) == (NOTE, None)


def test_every_finding_has_the_same_name_and_place_whatever_is_found() -> None:
    names = [one.name for one in findings(Machine(), State())]
    assert [one.name for one in findings(QUIET_MACHINE, QUIET)] == names
    assert len(set(names)) == len(names)


NUMBERS = st.none() | st.integers(0, 1 << 60)
SHARES = st.none() | st.floats(0, 1)


@settings(deadline=None, max_examples=200)
@given(
    st.builds(Machine, cores=st.none() | st.integers(1, 512), usable_cores=st.none() | st.integers(1, 512),
              memory_bytes=NUMBERS, swap_bytes=NUMBERS, virtual=st.none() | st.booleans(),
              cpu_limit=st.none() | st.floats(0.01, 512)),
    st.builds(State, governors=st.lists(st.text(max_size=9)).map(tuple), turbo=st.none() | st.booleans(),
              load_1m=st.none() | st.floats(0, 1e6), steal_share=SHARES, steal_share_since_boot=SHARES,
              memory_available_bytes=NUMBERS, swap_used_bytes=NUMBERS, swapped_pages=NUMBERS,
              memory_pressure=st.none() | st.floats(0, 100), throttled=NUMBERS, throttled_now=NUMBERS,
              temperature_c=st.none() | st.floats(-40, 150), quota_stops=NUMBERS, clock_source=st.none() | st.text()),
)  # fmt: skip
def test_whatever_is_read_each_warning_says_why_and_what_to_do(machine: Machine, state: State) -> None:
    for one in findings(machine, state):
        assert one.severity is OK or (one.why and one.remedy)
