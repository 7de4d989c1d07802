"""Pure functions from a stored run to what a person or a machine reads: one file a format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from bench.results import StoredRun

Render = Callable[["StoredRun"], str]


def _lazy(name: str) -> Render:
    """The format's ``render``, imported when it is first called: the command line starts without it."""

    def render(run: StoredRun) -> str:
        return cast(Render, import_module(f"bench.report.{name}").render)(run)

    return render


FORMATS: Mapping[str, Render] = {name: _lazy(name) for name in ("console", "markdown", "json", "junit", "csv")}
"""Format name -> ``render(run) -> str``."""
