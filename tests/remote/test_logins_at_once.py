"""A run on many boards does not log in to them all at the same moment: a jump host between would refuse some."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from bench.errors import HostUnreachable
from bench.remote import master
from bench.remote.client import CONNECT_S, CROWD_S, LOGINS_AT_ONCE, Client, patience_s
from bench.remote.command import command
from tests.remote.sshd import HOST, Sshd

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


def test_each_of_many_boards_is_waited_for_longer_and_one_alone_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[float] = []

    def login(host: str, timeout_s: float, begun: Callable[..., object]) -> Logins:
        given.append(timeout_s)
        return logins(host, timeout_s, begun)

    logins = Logins()
    monkeypatch.setattr(master, "Master", login)
    with Client("board-1"), Client("board-2"), Client("board-3"):
        assert patience_s() == CONNECT_S + 2 * CROWD_S
        with pytest.raises(HostUnreachable), Client("board-5"):
            pass
    with Client("board-1"):
        assert patience_s() == CONNECT_S
    assert given == [CONNECT_S + others * CROWD_S for others in (0, 1, 2, 3, 0)]


def test_ssh_is_told_to_wait_a_third_of_that_for_the_handshake() -> None:
    for login_s, told in ((1.5, 10), (30.0, 10), (177.0, 59)):
        assert f"ConnectTimeout={told}" in command("host", None, login_s)


class SlowLogins(Logins):
    """The first ``slow_times`` are too slow; keeps how long each was given."""

    def __init__(self, slow_times: int) -> None:
        super().__init__()
        self.slow_times, self.given = slow_times, list[float]()

    def __call__(self, host: str, timeout_s: float, begun: Callable[..., object]) -> Logins:
        self.given.append(timeout_s)
        if len(self.given) <= self.slow_times:
            raise master.TooSlow(f"{host} is slow")
        return super().__call__(host, timeout_s, begun)


def test_a_host_that_is_too_slow_for_a_login_is_given_twice_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    logins = SlowLogins(1)
    monkeypatch.setattr(master, "Master", logins)
    with Client("board-1"):
        assert logins.given == [CONNECT_S, 2 * CONNECT_S]


def test_and_then_no_more_and_is_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    logins = SlowLogins(9)
    monkeypatch.setattr(master, "Master", logins)
    with pytest.raises(HostUnreachable) as refused, Client("board-1"):
        pass
    assert type(refused.value) is HostUnreachable  # it is looked for by its name in what is stored
    assert logins.given == [CONNECT_S, 2 * CONNECT_S]


def test_a_port_that_takes_the_connection_and_says_nothing_is_too_slow_and_a_closed_one_is_not(
    new_sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.remote.command.CONNECT_S", 1)
    new_sshd.stop()
    with socket.socket() as mute:
        mute.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # its last connections linger in TIME_WAIT
        mute.bind(("127.0.0.1", new_sshd.port))
        with pytest.raises(HostUnreachable) as closed:
            master.Master(HOST, 60.0, lambda process: None)
        mute.listen()
        with pytest.raises(master.TooSlow):
            master.Master(HOST, 3.0, lambda process: None)
    assert type(closed.value) is HostUnreachable
