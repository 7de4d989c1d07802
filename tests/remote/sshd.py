"""A real sshd of our own on a free loopback port, with its own host key, account key and client config."""

from __future__ import annotations

import getpass
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bench.remote.command import CONFIG

HOST = "bench-host"
START_S = 20.0
SERVER = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 200
LogLevel ERROR
{more}
"""
CLIENT = """\
Host {host}
  HostName 127.0.0.1
  Port {port}
  User {user}
  IdentityFile {folder}/account_key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known
  GlobalKnownHostsFile /dev/null
"""


@dataclass
class Sshd:
    """Where it listens and how to reach it: ``ssh -F config bench-host``; the account's home is in its folder."""

    folder: Path
    port: int
    more: str = ""
    process: subprocess.Popen[bytes] = field(init=False)

    @property
    def config(self) -> Path:
        return self.folder / "config"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def start(self) -> None:
        """Write its files anew and start it; it answers when this returns."""
        server = self.folder / "server"
        server.write_text(SERVER.format(port=self.port, folder=self.folder, more=self.more))
        user = getpass.getuser()
        self.config.write_text(CLIENT.format(host=HOST, port=self.port, folder=self.folder, user=user))
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        words = [program(), "-D", "-e", "-f", str(server)]
        log = (self.folder / "log").open("ab")
        with log:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=log, start_new_session=True)
        until = time.monotonic() + START_S
        while not _listens(self.port):
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < until, "sshd does not answer"
            time.sleep(0.01)

    def stop(self) -> None:
        """End it and every connection that it serves."""
        for pid in [*self.children(), self.process.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def children(self) -> list[int]:
        """The processes that serve connections."""
        told = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in told.read_text().split()] if told.exists() else []


def program() -> str:
    """Where sshd is. A person's machine may be without one, which skips the test; CI may not."""
    found = shutil.which("sshd") or "/usr/sbin/sshd"
    if not os.access(found, os.X_OK) or shutil.which("ssh-keygen") is None:
        why = "no OpenSSH server: sudo apt install openssh-server"
        if os.environ.get("BENCHPACT_CI"):
            pytest.fail(why)
        pytest.skip(why)
    return found


def make_key(path: Path) -> str:
    """A new key without a passphrase; its public line."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path.with_suffix(".pub").read_text()


def free_port() -> int:
    """One that no outgoing connection is given while the server is down: below those (``ip_local_port_range``)."""
    for port in random.sample(range(20_000, 32_000), 100):
        with socket.socket() as one, suppress(OSError):
            one.bind(("127.0.0.1", port))
            return port
    raise AssertionError("a hundred ports in use")


@contextmanager
def running(folder: Path, more: str = "") -> Iterator[Sshd]:
    """Such a server, up; ``more`` are further lines of its configuration."""
    program()
    host_key = make_key(folder / "host_key")
    (folder / "authorized").write_text(make_key(folder / "account_key"))
    port = free_port()
    (folder / "known").write_text(f"[127.0.0.1]:{port} {host_key}")
    (folder / "home").mkdir()
    sshd = Sshd(folder, port, f"SetEnv HOME={folder / 'home'} XDG_CACHE_HOME={folder / 'home' / 'cache'}\n{more}")
    sshd.start()
    try:
        yield sshd
    finally:
        sshd.stop()


@contextmanager
def at_hand(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    """A server that is up, and the host ``bench-host`` to ours."""
    with running(folder) as one:
        patch.setenv(CONFIG, str(one.config))
        yield one


def _listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def new_sshd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    """A real sshd; the host ``bench-host`` is it, as long as the test lasts."""
    folder = tmp_path / "sshd"
    folder.mkdir()
    with at_hand(folder, monkeypatch) as one:
        yield one
