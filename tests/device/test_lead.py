"""How long before an arrival a thread stops sleeping: as long as its sleeps end late, within bounds."""

from __future__ import annotations

import os
from pathlib import Path
from threading import get_native_id

import pytest

from bench.device import lead
from bench.device.lead import LEAST_NS, MOST_NS, Lead, may_poll, punctual

US = 1000


def after(*overslept_ns: int, may_poll: bool = True) -> Lead:
    found = Lead(may_poll)
    for one in overslept_ns:
        found.learn(one)
    return found


def test_where_sleeps_end_in_time_the_lead_stays_at_its_least() -> None:
    assert after(*[20 * US] * 100).longest_ns == LEAST_NS
    assert after(-5, 0).ns == LEAST_NS


def test_where_sleeps_end_late_the_next_one_is_begun_early_enough() -> None:
    assert after(200 * US).ns == 400 * US
    assert after(200 * US, 150 * US).ns == pytest.approx(400 * US, rel=0.04), "a shorter one is forgotten slowly"
    assert after(50_000 * US).ns == MOST_NS, "a stall is no reason to poll for 100 ms"


def test_what_happened_once_is_forgotten() -> None:
    found = after(300 * US, *[10 * US] * 200)
    assert (found.ns, found.longest_ns) == (LEAST_NS, 600 * US)


def test_who_has_no_core_to_poll_on_does_not() -> None:
    assert after(300 * US, may_poll=False).longest_ns == LEAST_NS


@pytest.mark.parametrize(
    ("threads", "usable", "cores", "limit", "expected"),
    [
        (1, 2, 2, None, True),
        (2, 2, 2, None, False),  # the host's process has no core
        (1, 1, 2, None, True),  # pinned to one core: the host has another
        (1, 1, 1, None, False),
        (2, 1, 8, None, False),  # the workers have no core each
        (4, 8, 8, 4.0, False),
        (1, 8, 8, 1.5, False),  # a part of a core is none: a quota that polling uses up stops the model too
        (1, 8, 8, 2.0, True),
    ],
)
def test_a_core_is_left_for_every_thread_and_the_host(
    threads: int, usable: int, cores: int, limit: float | None, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(usable)))
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    monkeypatch.setattr(lead, "container_limits", lambda: (limit, None))
    assert may_poll(threads) is expected


def test_a_threads_timer_rings_in_time_and_afterwards_as_before() -> None:
    path = Path(f"/proc/{get_native_id()}/timerslack_ns")
    if not path.exists():
        with punctual():  # nothing to set here, and no error
            return
    before = path.read_text()
    with punctual():
        assert path.read_text().strip() == "1"
    assert path.read_text() == before
