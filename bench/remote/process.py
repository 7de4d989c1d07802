"""One `ssh` process on this machine: started in a group of its own, ended for sure."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import IO

from bench.errors import HostUnreachable

STDERR_BYTES = 64 << 10


def open_ssh(words: list[str], stderr: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start it with unbuffered pipes; in its own group, a Ctrl-C at the terminal is ours to pass on.

    Raises HostUnreachable where there is no ``ssh``.
    """
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=stderr, bufsize=0, start_new_session=True)
    except FileNotFoundError as error:
        need = "install the OpenSSH client (Debian: `apt install openssh-client`)"
        raise HostUnreachable(f"there is no `{words[0]}` on this machine: {need}") from error
    except OSError as error:
        raise HostUnreachable(f"cannot start `{words[0]}`: {error.strerror}") from error


def write(process: subprocess.Popen[bytes], data: bytes) -> None:
    """Write to the other end; one that is gone already will be noticed where it is read."""
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(data)


def end(process: subprocess.Popen[bytes]) -> None:
    """Close the talk, and see that this end of it is gone."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
    kill(process)
    process.wait()


def kill(process: subprocess.Popen[bytes]) -> None:
    """End it at once; its pipes stay open for whoever reads them."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)


def tail(stderr: IO[bytes]) -> str:
    """The end of what was written to standard error."""
    size = stderr.seek(0, os.SEEK_END)
    stderr.seek(max(0, size - STDERR_BYTES))
    said = stderr.read().decode(errors="replace")
    stderr.seek(0, os.SEEK_END)
    return said
