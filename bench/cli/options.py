"""Options that several commands share, and what their help is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.commands.output import RESULTS

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

FORMATS = ("console", "markdown", "json", "junit", "csv")
FILE = click.Path(path_type=Path)
NAMED_FORMATS = FORMATS[1:]
TIMEOUT = "Longest a process may take beside twice its longest warm-up and measuring: 4min if left out."


def examples(*lines: str) -> str:
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def completed(what: str) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """What the shell offers, by a function of ``commands.completion``, imported when a shell asks."""

    def complete(context: click.Context, parameter: click.Parameter, start: str) -> list[CompletionItem]:
        from bench.commands import completion

        found: list[CompletionItem] = getattr(completion, what)(context, parameter, start)
        return found

    return complete


def files(given: dict[str, Any], names: Sequence[str]) -> dict[str, Path]:
    """The report files that were asked for, by form; taken out of what the command was ``given``."""
    found = {name: given.pop(f"{name}_file") for name in names}
    return {name: path for name, path in found.items() if path is not None}


def with_options(command: Callable[..., int], *options: Callable[..., Any]) -> Callable[..., int]:
    """The command with these options, in this order in its help."""
    for option in reversed(options):
        command = option(command)
    return command


def aimed(command: Callable[..., int]) -> Callable[..., int]:
    """The options that say which of a contract's targets are meant."""
    options = (
        click.option("--targets", type=FILE, help="The site's targets file, for targets that the contract only names."),
        click.option(
            "--on",
            multiple=True,
            metavar="TARGET",
            shell_complete=completed("targets"),
            help="Only these targets, of the contract or of the site's file.",
        ),
    )
    return with_options(command, *options)


def chosen(command: Callable[..., int]) -> Callable[..., int]:
    """The options that say what of a contract is measured and where its runs are kept."""
    options = (
        aimed,
        click.option(
            "--only",
            multiple=True,
            metavar="REQUIREMENT",
            shell_complete=completed("requirements"),
            help="Only these: an id, a block, a metric, a pattern.",
        ),
        click.option(
            "--results", type=FILE, default=RESULTS, show_default=True, help="The folder that runs are kept in."
        ),
    )
    return with_options(command, *options)
