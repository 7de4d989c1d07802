"""A host to reach over SSH: a real sshd on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.remote.sshd import Sshd, at_hand


@pytest.fixture
def new_sshd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    """A real sshd; the host ``bench-host`` is it, as long as the test lasts."""
    folder = tmp_path / "sshd"
    folder.mkdir()
    with at_hand(folder, monkeypatch) as one:
        yield one


@pytest.fixture
def sshd(new_sshd: Sshd) -> Sshd:
    """A module whose tests leave it as it is may take the lasting one instead."""
    return new_sshd


@pytest.fixture(scope="module")
def lasting_sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """The same for a whole module, whose tests leave it as it is."""
    with pytest.MonkeyPatch.context() as patch, at_hand(tmp_path_factory.mktemp("sshd"), patch) as one:
        yield one
