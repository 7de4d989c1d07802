"""Backend names -> adapters, by entry point; nothing is imported before a backend is asked for."""

from __future__ import annotations

import difflib
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from bench.device.adapter import Adapter
from bench.errors import BackendNotFound

GROUP = "benchpact.backends"


@cache
def _entries() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def names() -> list[str]:
    """Every backend an installed package offers, sorted."""
    return sorted(_entries())


def resolve(name: str) -> str:
    """``module:Class`` of the backend; BackendNotFound names what there is and what is near."""
    entry = _entries().get(name)
    if entry is None:
        near = difflib.get_close_matches(name, names(), n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(names())}"
        raise BackendNotFound(f"no backend is called `{name}`: {hint}")
    return entry.value


def load(name: str) -> Adapter:
    """The backend's adapter. Its module is imported, its framework is not."""
    resolve(name)
    try:
        return cast(Adapter, _entries()[name].load()())
    except (ImportError, AttributeError) as error:
        raise BackendNotFound(f"backend `{name}` ({_entries()[name].value}) does not load: {error}") from error
