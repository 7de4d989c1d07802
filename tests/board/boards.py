"""An emulated aarch64 board as tests hold it: started by `board.sh`, reached over SSH, broken and mended on purpose."""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).parent / "board.sh"
CANNOT_RUN_HERE = 77
# Emulation on a machine that does other work too is slow. These only end what hangs: no test judges time by them.
START_TIMEOUT_S = 900.0
SSH_TIMEOUT_S = 600.0


class BoardUnavailable(Exception):
    """This machine cannot run an emulated board; the message says why, and what would mend it."""


@dataclass(frozen=True)
class Board:
    """A board, on or off."""

    name: str
    ssh_config: Path

    @classmethod
    def start(
        cls, name: str, *, memory_mib: int = 1024, disk: str = "1G", cpus: int = 2, add: Path | None = None
    ) -> Board:
        """A fresh board, answering on ssh, with the files of the folder ``add`` on its disk.

        It goes when this process does, however that ends.

        Raises BoardUnavailable where this machine cannot run one, AssertionError where it should have and did not.
        """
        asked = ["--mem", str(memory_mib), "--disk", disk, "--smp", str(cpus), "--owner", str(os.getpid())]
        asked += ["--add", str(add)] if add is not None else []
        try:
            done = _tell("start", name, *asked)
        except BaseException:  # Ctrl-C too: half a board must not stay
            _tell("remove", name)
            raise
        return cls(name, Path(done.stdout.strip()))

    @property
    def host(self) -> str:
        """What `ssh -F <ssh_config>` calls its user `bench`."""
        return self.name

    @property
    def root_host(self) -> str:
        """What `ssh -F <ssh_config>` calls its user `root`."""
        return f"{self.name}-root"

    @property
    def folder(self) -> Path:
        """Its disk, keys and logs on this machine."""
        return self.ssh_config.parent

    @property
    def status(self) -> str:
        """running, off or none."""
        return _tell("status", self.name).stdout.strip()

    def environment(self) -> dict[str, str]:
        """This process's environment, in which benchpact reaches the board by its name."""
        return {**os.environ, "BENCHPACT_SSH_CONFIG": str(self.ssh_config)}

    def ssh(
        self, script: str, *, root: bool = False, timeout_s: float = SSH_TIMEOUT_S, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell script on it; where ``check``, one that fails is an AssertionError with what it said."""
        host = self.root_host if root else self.host
        command = ["ssh", "-T", "-F", str(self.ssh_config), "-o", "ServerAliveInterval=15", host, "sh"]
        done = subprocess.run(command, input=script, capture_output=True, text=True, timeout=timeout_s, check=False)
        assert not check or done.returncode == 0, f"{script!r} on {host}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def put(self, source: Path, name: str) -> None:
        """Copy a file of this machine into the home of `bench`, or to an absolute path that `bench` may write."""
        with source.open("rb") as stream:
            command = ["ssh", "-T", "-F", str(self.ssh_config), self.host, f"cat > {shlex.quote(name)}"]
            subprocess.run(command, stdin=stream, capture_output=True, timeout=SSH_TIMEOUT_S, check=True)

    def processes(self, user: str = "bench") -> list[str]:
        """The command lines of a user's processes there, without the sshd of a session."""
        lines = self.ssh(f"ps -u {user} -o args= || true", root=True).stdout.splitlines()
        return [line for line in lines if not line.startswith("sshd:")]

    def kill(self) -> None:
        """Cut the power: what it had not synced is lost."""
        _tell("kill", self.name)

    def stop(self) -> None:
        """Sync, then switch off."""
        _tell("stop", self.name)

    def boot(self) -> None:
        """Power on again: same disk, same port, same host key."""
        _tell("boot", self.name)

    def cut(self) -> None:
        """Unplug the network cable."""
        _tell("cut", self.name)

    def heal(self) -> None:
        """Plug the network cable in again."""
        _tell("heal", self.name)

    def freeze(self) -> None:
        """Hold everything on it, its clock too."""
        _tell("freeze", self.name)

    def thaw(self) -> None:
        """Let it go on after `freeze`."""
        _tell("thaw", self.name)

    def restore(self) -> None:
        """Whatever a test did to it: running, plugged in, answering."""
        if self.status == "off":
            self.boot()
        self.thaw()
        self.heal()
        self.ssh("true")

    def remove(self) -> None:
        """Cut the power; nothing of it is left."""
        _tell("remove", self.name)


def cache() -> Path:
    """Where boards are, and what they start from; `board.sh` says the same."""
    found = os.environ.get("BENCHPACT_CACHE")
    return (
        Path(found) if found else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "benchpact-tests"
    )


def _tell(command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(SCRIPT), command, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=START_TIMEOUT_S,
        check=False,
    )
    if done.returncode == CANNOT_RUN_HERE:
        raise BoardUnavailable(done.stderr.strip())
    assert done.returncode == 0, f"board.sh {command}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done
