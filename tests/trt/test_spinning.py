"""The GPU suite's kernel of known length, and how the harness measures it, on a driver in software.

How exactly it is measured, only a GPU can tell: a thread that sleeps wakes late.
"""

from __future__ import annotations

import numpy as np

from tests.audits import is_early
from tests.gpu import proof
from tests.gpu.runs import spun

NS = 3_000_000


def test_it_is_measured_at_least_as_long_as_it_is_by_both_clocks() -> None:
    told = spun(NS)
    assert told.run.failure is None, told.run.failure
    times = {one.name: one for one in told.run.device_times}
    assert set(times) == {"gpu compute", "enqueue"}
    assert times["gpu compute"].least_ns >= NS
    assert NS <= float(np.min(told.ear.timings)) < 10 * NS
    assert times["enqueue"].p50_ns < NS / 2


def test_who_does_not_wait_for_it_is_caught() -> None:
    told = spun(NS, waits=False)
    assert told.run.failure is not None
    assert told.run.failure.error == "MeasurementInvalid"
    assert is_early(told.run.audit)
    assert told.ear.payloads == []


def test_a_driver_that_launches_kernels_and_computes_nothing_is_no_gpu() -> None:
    assert proof.why_not().endswith("numbers that its kernel computed are wrong")
