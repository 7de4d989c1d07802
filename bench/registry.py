"""Backend names -> adapters, by entry point; nothing is imported before a backend is asked for."""

from __future__ import annotations

import difflib
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from bench.device.adapter import Adapter
from bench.device.declared import misdeclared
from bench.errors import BackendNotFound

GROUP = "benchpact.backends"
PARTS = ("artifact_kinds", "options", "packages", "concurrent_runs", "probe", "open")
"""What every adapter has."""


@cache
def _entries() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def names() -> list[str]:
    """Every backend an installed package offers, sorted."""
    return sorted(_entries())


def is_own(name: str) -> bool:
    """Whether benchpact itself offers the backend, and no other package."""
    entry = _entries().get(name)
    return entry is not None and entry.dist is not None and entry.dist.name == "benchpact"


def resolve(name: str) -> str:
    """``module:Class`` of the backend; BackendNotFound names what there is and what is near."""
    entry = _entries().get(name)
    if entry is None:
        near = difflib.get_close_matches(name, names(), n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(names())}"
        raise BackendNotFound(f"no backend is called `{name}`: {hint}")
    return entry.value


def load(name: str) -> Adapter:
    """The backend's adapter. Its module is imported, its framework is not.

    Raises BackendNotFound for a module that cannot be imported or is no adapter, whatever it does: a
    third party's module that calls ``sys.exit`` must not end the program that only asked what it is.
    """
    resolve(name)
    try:
        adapter = _entries()[name].load()()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        reason = " ".join(str(error).split())
        raise _unloadable(name, f"{type(error).__name__}{': ' if reason else ''}{reason}") from error
    missing = [part for part in PARTS if not hasattr(adapter, part)]
    if missing:
        raise _unloadable(name, f"it is no adapter: it has no `{missing[0]}`")
    if wrong := misdeclared(adapter):
        raise _unloadable(name, wrong)
    return cast(Adapter, adapter)


def _unloadable(name: str, reason: str) -> BackendNotFound:
    return BackendNotFound(f"backend `{name}` ({_entries()[name].value}) does not load: {reason}")
