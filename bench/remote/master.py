"""One login for many connections: `ssh`'s own multiplexing, for as long as we talk to a host."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.errors import HostUnreachable
from bench.remote import complaints
from bench.remote.command import base, command
from bench.remote.process import end, open_ssh, tail

LONGEST_FOLDER = 60
"""A socket's path has about 100 characters at most, and ``ssh`` adds some of its own."""
ASK_S = 10.0
POLL_S = 0.01


class TooSlow(HostUnreachable):
    """The host answers, but was not done with the handshake in time: it may be worth another, longer try."""


class Master:
    """A connection that others share, ended with ``close``; nothing where the user's config shares them already.

    It holds a remote ``sh`` that reads our pipe: should this process be killed, that ends, and the login with it.
    """

    def __init__(self, host: str, timeout_s: float, begun: Callable[[subprocess.Popen[bytes]], object]) -> None:
        """HostUnreachable where no connection can be made within ``timeout_s``; ``begun`` is told of its process.

        TooSlow, which is one, where the host began a handshake and was not done with it.
        """
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None
        if not shares_by_itself(host):
            self._folder = Path(tempfile.mkdtemp(prefix="bp-", dir=_short_folder()))
            try:
                self._process = self._open(host, self._folder / "s", timeout_s, begun)
            except BaseException:
                self.close()
                raise

    @property
    def socket(self) -> Path | None:
        """What further connections go through; None where they make their own, also after this one died."""
        if self._process is None or self._folder is None or self._process.poll() is not None:
            return None
        return self._folder / "s"

    def close(self) -> None:
        """End the login; connections that still use it end too."""
        if self._process is not None:
            end(self._process)
            self._process = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _open(
        self, host: str, socket: Path, timeout_s: float, begun: Callable[[subprocess.Popen[bytes]], object]
    ) -> subprocess.Popen[bytes]:
        shared = ["-o", "ControlMaster=yes", "-o", f"ControlPath={socket}", "-o", "ControlPersist=no"]
        until = time.monotonic() + timeout_s
        with tempfile.TemporaryFile(buffering=0) as stderr:
            process = open_ssh([*command(host, login_s=timeout_s), *shared, "--", host, "exec sh"], stderr)
            try:
                begun(process)
                while not socket.exists():
                    if process.poll() is not None and complaints.is_slow(tail(stderr)):
                        raise TooSlow(complaints.reason(host, tail(stderr), connected=False))
                    if process.poll() is not None:
                        raise HostUnreachable(complaints.reason(host, tail(stderr), connected=False))
                    if time.monotonic() > until:
                        raise HostUnreachable(complaints.reason(host, tail(stderr) or "timed out", connected=False))
                    time.sleep(POLL_S)
            except BaseException:
                end(process)
                raise
        return process


def shares_by_itself(host: str) -> bool:
    """Whether the user's config has a ControlPath for the host; HostUnreachable where it cannot be read."""
    try:
        words = [*base(), "-G", "--", host]
        told = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=ASK_S, check=False)
    except FileNotFoundError as error:
        raise HostUnreachable("there is no `ssh` on this machine: install the OpenSSH client") from error
    except subprocess.TimeoutExpired:
        return False
    if told.returncode:
        raise HostUnreachable(complaints.reason(host, told.stderr.decode(errors="replace"), connected=False))
    return any(line.startswith(b"controlpath ") for line in told.stdout.splitlines())


def _short_folder() -> str | None:
    return None if len(tempfile.gettempdir()) <= LONGEST_FOLDER else "/tmp"  # noqa: S108 - mkdtemp makes a private one
