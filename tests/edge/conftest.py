from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.remote.sshd import Sshd, at_hand


@pytest.fixture
def sshd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    """A real sshd; the host ``bench-host`` is it, as long as the test lasts."""
    folder = tmp_path / "sshd"
    folder.mkdir()
    with at_hand(folder, monkeypatch) as one:
        yield one
