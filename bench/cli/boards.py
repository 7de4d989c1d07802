"""The commands about a board: device probe, prepare, clean, wheels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from bench.cli.options import FILE, examples, with_options


def _host(command: Callable[..., int]) -> Callable[..., int]:
    """HOST, and how it is found and looked at."""
    options = (
        click.argument("host"),
        click.option("--targets", type=FILE, help="The site's targets file."),
        click.option("--python", metavar="PATH", help="The interpreter there; python3 if left out."),
    )
    return with_options(command, *options)


@click.group(
    epilog=examples(
        "benchpact device probe pi4                         what it is, and what it lacks",
        "benchpact device prepare pi4 --backend onnxruntime   nothing installed by hand, no internet there",
        "benchpact device clean pi4                         nothing of ours is left",
    )
)
def device() -> None:
    """Look at a board, make it ready, leave it clean. HOST is a target of the site's, or what `ssh HOST` reaches."""


@device.command("probe", epilog=examples("benchpact device probe pi4", "benchpact device probe pi4 --json pi4.json"))
@_host
@click.option("--json", "json_file", type=FILE, metavar="F", help="Write it as JSON; - is standard output.")
def device_probe(host: str, **given: Any) -> int:
    """Say what a board is, which backends it can run, and what it lacks."""
    from bench.commands.device import probe_device

    return probe_device(host, **given)


@device.command(
    "prepare",
    epilog=examples(
        "benchpact device prepare pi4",
        "benchpact device prepare bench@192.0.2.7 --backend onnxruntime --wheelhouse wheels",
    ),
)
@_host
@click.option("--wheelhouse", type=FILE, metavar="DIR", help="Take wheels from this folder only, not from an index.")
@click.option(
    "--backend", "backends", multiple=True, metavar="NAME", help="What it is to run; else its targets' backends."
)
def device_prepare(host: str, **given: Any) -> int:
    """Make an environment of its own on a board, without internet there, without root.

    Wheels that fit its Python, C library and machine are chosen here, sent once and unpacked under its user's cache.
    """
    from bench.commands.device import prepare_device

    return prepare_device(host, **given)


@device.command("clean", epilog=examples("benchpact device clean pi4"))
@_host
def device_clean(host: str, **given: Any) -> int:
    """Remove all that is ours from a board."""
    from bench.commands.device import clean_device

    return clean_device(host, **given)


@device.command("wheels", epilog=examples("benchpact device wheels pi4.json wheels --backend onnxruntime"))
@click.argument("board", type=FILE)
@click.argument("folder", type=FILE)
@click.option("--backend", "backends", multiple=True, required=True, metavar="NAME", help="What it is to run.")
def device_wheels(board: Path, folder: Path, backends: tuple[str, ...]) -> int:
    """Fetch the wheels for a board into a folder, on a machine with internet, for a lab that has none.

    BOARD is what `benchpact device probe HOST --json BOARD` wrote.
    """
    from bench.commands.device import fetch_wheels

    return fetch_wheels(board, folder, backends)
