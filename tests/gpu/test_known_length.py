"""A kernel of known length is measured as long as it is, by the host's clock and by the GPU's."""

from __future__ import annotations

import numpy as np
import pytest

from tests.audits import is_early
from tests.gpu.runs import spun

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(900)]


@pytest.mark.parametrize("ns", [2_000_000, 5_000_000])
def test_a_kernel_that_spins_is_measured_within_two_per_cent(ns: int) -> None:
    """Starting it and noticing its end take some µs, which are in the host's figure."""
    told = spun(ns)
    assert told.run.failure is None, told.run.failure
    (device,) = [one for one in told.run.device_times if one.name == "gpu compute"]
    assert float(np.median(told.ear.timings)) == pytest.approx(ns, rel=0.02)
    assert device.p50_ns == pytest.approx(ns, rel=0.02)


def test_who_does_not_wait_for_it_has_no_number() -> None:
    told = spun(2_000_000, waits=False)
    assert told.run.failure is not None
    assert told.run.failure.error == "MeasurementInvalid"
    assert is_early(told.run.audit)
    assert told.ear.payloads == []
