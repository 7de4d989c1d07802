"""The command line of the user's own `ssh`."""

from __future__ import annotations

import os
from pathlib import Path

CONFIG = "BENCHPACT_SSH_CONFIG"
"""Names a file to read instead of the user's ``~/.ssh/config``."""
SSH_FAILED = 255
"""The exit code of ``ssh`` where it failed itself."""
CONNECT_S = 10
"""The shortest ``ConnectTimeout``."""
OPTIONS = (
    "BatchMode=yes",  # a job has nobody to ask for a password
    "StrictHostKeyChecking=yes",
    "ServerAliveInterval=3",  # a link that was cut would hang for ever
    "ServerAliveCountMax=8",  # a board whose every core is busy, or that swaps, answers late: it is not gone yet
    "LogLevel=INFO",  # what it complains of is how its failures are told apart
    "ForwardX11=no",
    "ClearAllForwardings=yes",
    "PermitLocalCommand=no",
)


def command(host: str, socket: Path | None = None, login_s: float = 3 * CONNECT_S) -> list[str]:
    """``ssh`` and its options, up to where ``--`` and the host follow; over the shared login at ``socket``, if any.

    ``login_s``: how long a whole login may take. A third of it is for the handshake, which a dead host never begins.
    """
    options = [*OPTIONS, f"ConnectTimeout={max(CONNECT_S, round(login_s / 3))}"]
    words = [*base(), "-T", *(word for option in options for word in ("-o", option))]
    return words if socket is None else [*words, "-o", "ControlMaster=no", "-o", f"ControlPath={socket}"]


def base() -> list[str]:
    """``ssh`` with the config that it is to read."""
    config = os.environ.get(CONFIG)
    return ["ssh", *(["-F", config] if config else [])]
