"""Backend names -> adapters, by entry point; nothing is imported before a backend is asked for."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast, get_args

from bench.device.adapter import Adapter
from bench.device.declared import Declared
from bench.errors import BackendNotFound

GROUP = "benchpact.backends"
PARTS = ("artifact_kinds", "options", "packages", "concurrent_runs", "probe", "open")
"""What every adapter has."""
WORDS = ("artifact_kinds", "packages", "devices", "precisions", "code_kinds", "code_options")
"""What is a list of words, where an adapter has it. ``("cpu")`` is none: letters would be looked at one by one."""


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


def misdeclared(adapter: Any) -> str:
    """What is no declaration among those of an adapter, and what it should be; nothing where all are."""
    for part in WORDS:
        words = getattr(adapter, part, ())
        if not isinstance(words, list | tuple) or not all(isinstance(word, str) for word in words):
            return f"its `{part}` is {words!r:.60}: it must be a tuple of words"
    options = adapter.options
    if not isinstance(options, Mapping):
        return f"its `options` is {options!r:.60}: it must be a dictionary"
    for name, declared in options.items():
        if not isinstance(name, str) or not isinstance(declared, get_args(Declared)):
            what = "OneOf, Count, Size or a line of help"
            return f"its option {name!r:.60} is declared as {declared!r:.60}: it must be a {what}"
    return ""


def _unloadable(name: str, reason: str) -> BackendNotFound:
    return BackendNotFound(f"backend `{name}` ({_entries()[name].value}) does not load: {reason}")
