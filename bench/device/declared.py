"""What a backend's option takes, declared once: ``check`` refuses by it, the adapter reads by it, lists print it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

Option = Union[str, int, float, bool]
Conflict = Optional[Tuple[str, str]]
"""The option or the setting that does not go with the others, and why."""
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)")
_UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS.update(KiB=1 << 10, MiB=1 << 20, GiB=1 << 30, TiB=1 << 40)


@dataclass(frozen=True)
class OneOf:
    """One of a few words, or of true and false. ``default`` holds where the option is left out."""

    help: str
    values: Tuple[Option, ...]
    default: Option

    def refusal(self, value: Option) -> str:
        """Why the value is none of these, with what would be right; nothing where it is one.

        ``1`` is not ``true``, though Python calls them equal.
        """
        if any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in self.values):
            return ""
        return "%s is not one of %s" % (written(value), ", ".join(written(one) for one in self.values))

    def __str__(self) -> str:
        words = [written(one) for one in self.values]
        return "%s: %s or %s (default: %s)" % (self.help, ", ".join(words[:-1]), words[-1], written(self.default))


@dataclass(frozen=True)
class Count:
    """A whole number of at least 1. Where ``default`` is None, ``help`` says what holds if it is left out."""

    help: str
    default: Optional[int] = 1

    def refusal(self, value: Option) -> str:
        """Why the value is no count, with what would be right; nothing where it is one."""
        if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
            return ""
        return "%s is not a whole number of at least 1" % written(value)

    def __str__(self) -> str:
        default = "" if self.default is None else " (default: %d)" % self.default
        return "%s: a whole number of at least 1%s" % (self.help, default)


@dataclass(frozen=True)
class Size:
    """A number of bytes with its unit. Where ``default``, in bytes, is None, ``help`` says what holds without it."""

    help: str
    default: Optional[int] = None

    def refusal(self, value: Option) -> str:
        """Why the value is no size, with what would be right; nothing where it is one."""
        return "" if bytes_of(value) else "%s is no size: write it like 2 GiB" % written(value)

    def __str__(self) -> str:
        default = "" if self.default is None else " (default: %d MiB)" % (self.default >> 20)
        return "%s: a size like 2 GiB%s" % (self.help, default)


Declared = Union[OneOf, Count, Size, str]
"""An option's declaration; of one that is only a line of help nothing is known but its name."""


WORDS = ("artifact_kinds", "packages", "devices", "precisions", "code_kinds", "code_options")
"""What is a list of words, where an adapter has it. ``("cpu")`` is none: letters would be looked at one by one."""


def misdeclared(adapter: Any) -> str:
    """What is no declaration among those of an adapter, and what it should be; nothing where all are."""
    for part in WORDS:
        words = getattr(adapter, part, ())
        if not isinstance(words, (list, tuple)) or not all(isinstance(word, str) for word in words):
            return "its `%s` is %.60r: it must be a tuple of words" % (part, words)
    options = getattr(adapter, "options", {})
    if not isinstance(options, Mapping):
        return "its `options` is %.60r: it must be a dictionary" % (options,)
    for name, declared in options.items():
        if not isinstance(name, str) or not isinstance(declared, (OneOf, Count, Size, str)):
            wanted = "a OneOf, Count, Size or a line of help"
            return "its option %.60r is declared as %.60r: it must be %s" % (name, declared, wanted)
    return ""


def refusal(options: Mapping[str, Declared], name: str, value: Option) -> str:
    """Why the option of that name does not take the value; nothing where it does, or where it is not declared."""
    declared = options.get(name, "")
    return "" if isinstance(declared, str) else declared.refusal(value)


def written(value: Option) -> str:
    """The value as a contract writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)[:80]


def listed(words: Sequence[str], quote: str = "") -> str:
    """Words for a sentence; of numbered ones (``cuda:0``, ``cuda:1`` …) the first and the last."""
    kinds: Dict[str, List[str]] = {}
    for word in words:
        kinds.setdefault(word.partition(":")[0], []).append("%s%s%s" % (quote, word, quote))
    told = [own[0] if len(own) == 1 else "%s to %s" % (own[0], own[-1]) for own in kinds.values()]
    return ", ".join(told)


def bytes_of(value: Option) -> int:
    """A size as a contract writes it (``2 GiB``), in bytes; 0 where it is none."""
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    return int(float(found.group(1)) * _UNITS[found.group(2)]) if found else 0
