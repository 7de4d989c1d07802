"""What `ssh` says when it fails, as one clear sentence and what mends it."""

from __future__ import annotations

import re
from typing import NamedTuple

SHOWN_CHARACTERS = 300


class Complaint(NamedTuple):
    """``pattern`` is looked for in what ``ssh`` wrote; ``sentence`` and ``cure`` may name ``{host}``."""

    pattern: str
    sentence: str
    cure: str


BY_HAND = "compare its fingerprint, then accept it by hand: `ssh {host} true`"
CHANGED = "if that is right (a board installed anew), forget the old one: `ssh-keygen -R` the name or address it has"
LOGIN = "`ssh {host} true` must work without a password: put your public key into its authorized_keys (`ssh-copy-id`)"
POWER = "look at its power and its network, then at the address `ssh -G {host}` names"

COMPLAINTS = (
    Complaint(r"HOST IDENTIFICATION HAS CHANGED|Host key for .* has changed", "its host key has changed", CHANGED),
    Complaint(r"revoked", "its host key is marked as revoked", "see known_hosts"),
    Complaint(r"No .*host key is known|authenticity of host", "its host key is not known yet", BY_HAND),
    Complaint(r"Host key verification failed", "its host key is not the expected one", BY_HAND),
    Complaint(r"Permission denied|Too many authentication failures|UNPROTECTED", "it refused the key", LOGIN),
    Complaint(
        r"Could not resolve hostname|Name or service not known",
        "no host of that name is known",
        "write its name or address, or a `Host {host}` into ~/.ssh/config",
    ),
    Complaint(
        r"onnection refused",
        "nothing listens at its SSH port",
        "start sshd there, or name the port in ~/.ssh/config",
    ),
    Complaint(r"banner exchange|[Tt]imed out|TIMEOUT", "it did not answer in time", POWER),
    Complaint(r"No route to host|[Nn]etwork is unreachable|Host is down", "there is no way to it", POWER),
    Complaint(
        r"no matching|Unable to negotiate",
        "it and this machine's `ssh` have no algorithm in common",
        "see what `ssh {host} true` says",
    ),
    Complaint(
        r"[Bb]ad configuration|Bad owner or permissions|Can't open user config|[Bb]ad .* option|keyword .* extra arg",
        "this machine's ssh configuration is not as it should be",
        "see what `ssh -G {host}` says",
    ),
    Complaint(
        r"kex_exchange|identification|Connection (closed|reset) by (?!remote)",
        "it closed the connection before a login",
        "see sshd's log there: it may be starting, or take no more connections",
    ),
)


LINK = re.compile(
    r"client_loop|Connection |Timeout, server|mux_client|packet_write|ssh_dispatch|Read from remote|Write failed|ssh: |"
    r"Received disconnect|Disconnected"
)
"""Begins of lines that ``ssh`` itself writes when a link dies."""


SLOW = re.compile(r"banner exchange|^Connection to \S+ port \d+ timed out", re.MULTILINE)
"""What ``ssh`` says where the other end took the connection, and then was not done with the handshake in time."""


def is_slow(said: str) -> bool:
    """Whether a login failed only for want of time: something is there, which may have much to do."""
    return SLOW.search(said) is not None


def reason(host: str, said: str, connected: bool) -> str:
    """One sentence for ``ssh`` ending with 255; ``said`` is what it wrote, ``connected`` whether a login had worked."""
    if connected:
        own = "\n".join(line for line in said.splitlines() if LINK.match(line))  # the rest is the worker's
        return f"the link to `{host}` died{_shown(own)}: {POWER.format(host=host)}"
    for pattern, sentence, cure in COMPLAINTS:
        if re.search(pattern, said):
            return f"cannot reach `{host}`: {sentence}{_shown(said)}; {cure.format(host=host)}"
    return f"cannot reach `{host}`{_shown(said)}; see what `ssh {host} true` says"


def last_words(said: str) -> str:
    """The last line that says something, free of what a terminal would obey; empty where nothing was said."""
    lines = [line.strip() for line in said.splitlines()]
    told = [line for line in lines if line and not line.startswith(("@", "debug", "Warning: "))]
    return "".join(one if one.isprintable() else " " for one in told[-1])[:SHOWN_CHARACTERS] if told else ""


def _shown(said: str) -> str:
    words = last_words(said)
    return f" ({words.rstrip('.')})" if words else ""
