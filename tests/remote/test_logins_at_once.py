"""A run on many boards does not log in to them all at the same moment: a jump host between would refuse some."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from bench.errors import HostUnreachable
from bench.remote import master
from bench.remote.client import LOGINS_AT_ONCE, Client

HOSTS = 40


class Logins:
    """Stands in for the login: counts those that are being made at the same time; every fifth is refused."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.now = self.most = self.made = 0

    def __call__(self, host: str, timeout_s: float, begun: Callable[..., object]) -> Logins:
        with self.lock:
            self.now, self.made = self.now + 1, self.made + 1
            self.most = max(self.most, self.now)
        time.sleep(0.02)
        with self.lock:
            self.now -= 1
        if host.endswith(("0", "5")):
            raise HostUnreachable(host)
        return self

    def close(self) -> None:
        """Nothing to end."""


def test_only_some_log_in_at_once_and_one_that_is_refused_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    logins = Logins()
    monkeypatch.setattr(master, "Master", logins)

    def login(index: int) -> bool:
        try:
            with Client(f"board-{index}"):
                return True
        except HostUnreachable:
            return False

    with ThreadPoolExecutor(HOSTS) as threads:
        let_in = list(threads.map(login, range(HOSTS)))

    assert let_in == [index % 5 != 0 for index in range(HOSTS)]
    assert logins.made == HOSTS
    assert logins.most <= LOGINS_AT_ONCE < HOSTS
