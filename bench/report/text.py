"""Making text from results harmless: model names, framework messages and a worker's stderr are untrusted."""

from __future__ import annotations

import re

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_].*?(?:\x1b\\|\x07|$)|[@-_])", re.DOTALL)
"""ANSI escapes: control sequences, strings to the terminal (titles, links), single characters."""
_BLANKS = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0"
    "\ufff0-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)
"""Control characters, text-direction overrides, invisible characters and halves of surrogate pairs."""


def clean(text: object) -> str:
    """``text`` on one line, without escapes, control characters or anything that hides or reorders text."""
    return _UNSEEN.sub("", _BLANKS.sub(" ", _ESCAPES.sub("", str(text))))


def shortened(text: object, width: int) -> str:
    """``clean(text)`` in at most ``width`` characters, the middle left out where it is longer."""
    line = clean(text)
    if len(line) <= width:
        return line
    head = (width - 1) * 2 // 3
    return line[:head] + "…" + line[len(line) - (width - 1 - head) :]


def plural(count: int, one: str, many: str | None = None) -> str:
    """``1 target``, ``2 targets``, ``60 000 timings``."""
    number = f"{count:,}".replace(",", " ") if abs(count) >= 10_000 else str(count)
    return f"{number} {one if count == 1 else many or one + 's'}"
