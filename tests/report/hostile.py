"""Text that would do harm where it is shown, put into every string of a stored run."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from hypothesis import strategies as st

from bench.results import StoredRun
from tests.report.example import every_outcome

HARMFUL = (
    "\x1b[2J\x1b[31m", "\x1b]0;title\x07", "\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\", "\x9b31m",
    "\x1bPq\x1b\\", "\x1b", "\r", "\n", "\n# head\n", "\r\n| a | b |\n| - | - |\n", "\x00", "\x08\x08\x08", "\x85",
    "\u2028", "\u202e", "\u2066", "\u200b", "\ufeff", "\U000e0041", "\ud800", "\ufffe", "\uffff", "[red]", "[/]",
    "[link=http://evil.example]", ":smile:", "<script>alert(1)</script>", "<b>", "-->", "<!--", "]]>", "&amp;",
    "&#27;", "\"'", "=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "%0A", "|", "\\", "`", "```", "**", "_", "~~",
    "$x$", "[a](http://evil.example)", "![a](http://evil.example/x.png)", "http://evil.example", "www.evil.example",
    "@someone", "#12", "GH-12", "# ", "- ", "1. ", "> ", "漢字", "é", "🙂", " ",
)  # fmt: skip
hostile_text = (
    st.lists(st.sampled_from(HARMFUL) | st.text(max_size=3), min_size=1, max_size=6).map("".join).filter(bool)
)


def poisoned(text: str, *, before: bool) -> StoredRun:
    """The example run with ``text`` before or after every string in it, also in the names of facts."""
    run = _poison(every_outcome(), text, before)
    assert isinstance(run, StoredRun)
    return run


def _poison(value: Any, text: str, before: bool) -> Any:
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return text + value if before else value + text
    if is_dataclass(value) and not isinstance(value, type):
        own = {one.name: getattr(value, one.name) for one in fields(value)}
        kept = ("unit", "direction", "block", "samples_source")
        return type(value)(**{name: one if name in kept else _poison(one, text, before) for name, one in own.items()})
    if isinstance(value, dict):
        known = ("cpu_model", "cores", "device", "precision", "threads", "artifact")
        return {
            name if name in known else _poison(name, text, before): _poison(one, text, before)
            for name, one in value.items()
        }
    if isinstance(value, list | tuple):
        return type(value)(_poison(one, text, before) for one in value)
    return value
