"""The GPU suite: `make test-gpu`. Everything in it is marked ``gpu``, and fails, never skips, without a GPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends import cuda_probe
from tests.gpu import proof


@pytest.fixture(scope="session", autouse=True)
def gpu() -> cuda_probe.Gpu:
    """The first GPU that the driver has, once it has run a kernel; or the reason why the suite cannot pass here."""
    found = cuda_probe.look()
    if not found.gpus:
        pytest.fail(f"the GPU suite needs a GPU: {found.reason}; {found.remedy}")
    why = proof.why_not()
    if why:
        pytest.fail(f"the GPU suite needs a GPU, and cuda:0, {found.gpus[0].name}, is none: {why}")
    return found.gpus[0]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A check that asks for ``computed`` or ``captured`` is made for each that its class names."""
    if metafunc.cls is None:
        return
    if "computed" in metafunc.fixturenames:
        metafunc.parametrize("computed", metafunc.cls.computes, ids=str)
    if "captured" in metafunc.fixturenames:
        words = ["captured" if one else "plain" for one in metafunc.cls.captured]
        metafunc.parametrize("captured", metafunc.cls.captured, ids=words)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the models of one file of tests are."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of engines, empty and this test's alone."""
    monkeypatch.setenv("BENCHPACT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "engines"
