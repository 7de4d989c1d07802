"""What an artifact's maker wrote into it of the model: its name, its version, the framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MOST_CHARACTERS = 80
"""A contract's versions are no longer."""
_KEYS = {
    "name": ("name", "model_name"),
    "version": ("version", "model_version"),
    "framework": ("framework", "framework_name"),
    "framework_version": ("framework_version",),
}
"""Our words, and the keys under which they stand in the field, in lower case with underscores."""


@dataclass(frozen=True)
class Told:
    """Each None where the artifact does not say it."""

    name: str | None = None
    version: str | None = None
    number: int | None = None
    """The version as a whole number, where the format has room for no more; None where it is 0: not said."""
    framework: str | None = None
    framework_version: str | None = None


def told_by(entries: Mapping[str, str], number: int = 0) -> Told:
    """Of free ``entries``; what is no line of ordinary text is not said."""
    known = {
        key.lower().replace("-", "_").replace(" ", "_").removeprefix("model."): one for key, one in entries.items()
    }

    def first(word: str) -> str | None:
        found = (known.get(key, "").strip() for key in _KEYS[word])
        return next((one for one in found if one.isprintable() and 0 < len(one) <= MOST_CHARACTERS), None)

    return Told(
        first("name"), first("version"), number if number > 0 else None, first("framework"), first("framework_version")
    )
