"""What a shell offers at the end of a line: targets, requirements, runs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem, split_arg_string

from bench.commands.output import RESULTS

_SPECIAL = re.compile(r"([^\w./:@%+,=-])")


def targets(context: click.Context, _: click.Parameter, start: str) -> list[CompletionItem]:
    """For ``--on``: the targets of the contract on the line, or of the site where none is named yet."""
    from bench.contract.names import target_names

    named = _named(context.command)
    return _items(target_names(named.get("contract"), named.get("targets")), start)


def requirements(context: click.Context, _: click.Parameter, start: str) -> list[CompletionItem]:
    """For ``--only``: what the contract on the line asks for."""
    from bench.contract.names import requirement_ids

    named = _named(context.command)
    return _items(requirement_ids(named["contract"], named.get("targets")), start) if "contract" in named else []


def runs(context: click.Context, _: click.Parameter, start: str) -> list[CompletionItem]:
    """Run ids under the results folder, the newest first, and ``latest``."""
    from bench.store import names

    found = names(_named(context.command).get("results", RESULTS))
    return _items(["latest", *reversed(found)], start)


def axes(context: click.Context, _: click.Parameter, start: str) -> list[CompletionItem]:
    """For ``--over``: what can be varied, up to its ``=``; what the line has already is left out."""
    from bench.sweep.axes import EXAMPLES

    given = {word.partition("=")[0] for word in _words() if "=" in word}
    return _items([f"{name}=" for name in EXAMPLES if name not in given], start)


def _words() -> list[str]:
    """The line's words after the command; bash makes three of ``batch=8``, they are one again."""
    found: list[str] = []
    for word in split_arg_string(os.environ.get("COMP_WORDS", ""))[2:]:
        if found and (word == "=" or found[-1].endswith("=")) and not found[-1].startswith("="):
            found[-1] += word
        else:
            found.append(word)
    return found


def _named(command: click.Command) -> dict[str, Path]:
    """The files on the line, wherever they stand: an option without its value ends click's own reading of it."""
    from bench.sweep.axes import is_axis

    options = {name: one for one in command.params if isinstance(one, click.Option) for name in one.opts}
    words = iter(_words())
    found: dict[str, Path] = {}
    for word in words:
        name, equals, value = word.partition("=")
        option = options.get(name)
        if option is not None and not option.is_flag:
            value = value if equals else next(words, "")
            if value and option.name:
                found[option.name] = Path(value)
        elif not word.startswith("-") and not is_axis(word):
            found.setdefault("contract", Path(word))
    return found


def _items(names: Iterable[str], start: str) -> list[CompletionItem]:
    """The names that begin so. Bash takes them as if they were typed; the other shells quote them themselves."""
    typed = os.environ.get("COMP_WORDS", "").rpartition("\n")[2]
    bash = os.environ.get("_BENCHPACT_COMPLETE", "").startswith("bash")
    # Two strokes: one is taken away by the `read` of click's script.
    quote = r"\\\\\1" if bash and typed[:1] not in ("'", '"') else r"\1"
    return [CompletionItem(_SPECIAL.sub(quote, name)) for name in names if name.startswith(start)]
