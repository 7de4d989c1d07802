"""A framework's module that is imported where it is first used, and not with ours."""

from __future__ import annotations

import importlib
from typing import Any


class Late:
    """Stands for the module ``name``; what is asked of it is asked of the module.

    Under ``TYPE_CHECKING`` the module itself is imported in its place, so that its types are checked.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def choose(self, name: str) -> None:
        """From now on stand for another module, which offers the same."""
        self._name = name

    def __getattr__(self, item: str) -> Any:
        return getattr(importlib.import_module(self._name), item)
