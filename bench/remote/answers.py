"""What a board's agent answers of files, checked: a board may say anything."""

from __future__ import annotations

import json
from typing import Any

from bench.errors import HostUnreachable, LaunchError, ProtocolError
from bench.remote import complaints
from bench.remote.client import Completed

NO_PYTHON = 97
"""The exit code of a script that finds no interpreter there."""


class OtherBytes(LaunchError):
    """What came is not what was announced."""


def files_of(host: str, done: Completed, count: int) -> list[dict[str, Any]]:
    """The answer's files, checked; LaunchError where it refuses, ProtocolError where it means nothing."""
    if done.code == NO_PYTHON:
        raise no_python(host, complaints.last_words(done.stderr))
    try:
        answer = json.loads(done.stdout)
        refused = answer.get("error")
        files = answer.get("files", [])
        if refused is None and (len(files) != count or not all(_is_sound(one) for one in files)):
            raise ValueError("not the files that were asked for")
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        words = complaints.last_words(done.stderr) or str(error)
        raise ProtocolError(f"`{host}` answers with what is no answer: {words}") from error
    if refused is None:
        return list(files)
    if answer.get("reason") == "other bytes":
        raise OtherBytes(f"`{host}`: {refused}")
    cure = answer.get("cure")
    mends = f": `benchpact device {cure} {host}`" if cure in ("prepare", "clean") else ""
    raise LaunchError(f"`{host}`: {refused!s:.300}{mends}")


def _is_sound(one: Any) -> bool:
    path, size = one["path"], one["bytes"]
    if not (isinstance(path, str) and path.startswith("/") and isinstance(one["whole"], bool)):
        return False
    return type(size) is int and size >= 0


def no_python(host: str, name: str) -> HostUnreachable:
    """What is said where there is no interpreter of that name."""
    return HostUnreachable(
        f"there is no Python on `{host}` ({name}): `benchpact device prepare {host}` says what to do"
    )
