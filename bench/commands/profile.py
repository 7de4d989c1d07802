"""``benchpact profile``: where a model's time goes, operator by operator."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from bench.commands.output import STDOUT, refuse_losing, refuse_unwritable, width, write
from bench.commands.run import READ


def profile_contract(
    contract: Path,
    targets: Path | None,
    on: Sequence[str],
    top: int,
    batch: int,
    allow_code: bool,
    json_file: Path | None,
) -> int:
    """Check, profile each target in a process of its own, show: 0 where all have a profile, else 3."""
    from bench.commands.inputs import files_of
    from bench.contract.check import check, read_whole
    from bench.plan import chosen
    from bench.profiling import profile_targets
    from bench.report.operators import as_json, exit_code, render
    from bench.report.text import clean

    if json_file is not None:
        refuse_unwritable(json_file)
    loaded = read_whole(contract, targets, on)
    if json_file is not None:
        refuse_losing([json_file], files_of(loaded, targets), READ)
    check(loaded, {target.name for target in chosen(loaded, on)}).refuse()

    def say(name: str, what: str) -> None:
        print(clean(f"{name}: {what}"), file=sys.stderr, flush=True)

    found = profile_targets(loaded, on, batch, allow_code, say)
    if json_file is not None:
        write(as_json(loaded.name, loaded.version, found, top), json_file)
    if json_file != STDOUT:
        print(render(loaded.name, loaded.version, found, top, width()), end="")
    return exit_code(found)
