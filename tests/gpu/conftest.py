"""The GPU suite: `make test-gpu`. Everything in it is marked ``gpu``, and fails, never skips, without a GPU."""

from __future__ import annotations

import pytest

from backends import cuda_probe


@pytest.fixture(scope="session", autouse=True)
def gpu() -> cuda_probe.Gpu:
    """The first GPU that the driver has, or the reason why the suite cannot pass here."""
    found = cuda_probe.look()
    if not found.gpus:
        pytest.fail(f"the GPU suite needs a GPU: {found.reason}; {found.remedy}")
    return found.gpus[0]
