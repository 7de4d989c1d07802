"""A host to reach over SSH: a real sshd on this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.remote.sshd import Sshd, at_hand, new_sshd

__all__ = ["lasting_sshd", "new_sshd", "sshd"]


@pytest.fixture
def sshd(new_sshd: Sshd) -> Sshd:
    """A module whose tests leave it as it is may take the lasting one instead."""
    return new_sshd


@pytest.fixture(scope="module")
def lasting_sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """The same for a whole module, whose tests leave it as it is."""
    with pytest.MonkeyPatch.context() as patch, at_hand(tmp_path_factory.mktemp("sshd"), patch) as one:
        yield one
