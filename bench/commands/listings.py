"""``benchpact doctor``, ``targets`` and ``backends``: what is here."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.commands.output import STDOUT, is_coloured, refuse_unwritable, width, write
from bench.errors import ContractError

if TYPE_CHECKING:
    from bench.contract.model import Target


def show_doctor(json_file: Path | None) -> int:
    """``benchpact doctor``: 0 where at least one real backend works, else 3."""
    from bench import doctor

    if json_file is not None:
        refuse_unwritable(json_file)
    diagnosis = doctor.examine()
    if json_file is not None:
        write(doctor.as_json(diagnosis), json_file)
    if json_file != STDOUT:
        print(doctor.render(diagnosis, colour=is_coloured(sys.stdout), width=width()), end="")
    return doctor.exit_code(diagnosis)


def list_targets(contract: Path | None, targets: Path | None) -> int:
    """``benchpact targets``: name, backend, device, threads, precision of each, and where it runs."""
    found = _targets(contract, targets)
    rows = [(one.name, one.backend, one.device, str(one.threads), one.precision, _where(one)) for one in found]
    _table(("target", "backend", "device", "threads", "precision", "where"), rows)
    return 0


def _where(target: Target) -> str:
    from bench.contract.host_words import show_cores

    return (target.host or "here") + (f", cores {show_cores(target.cores)}" if target.cores else "")


def _targets(contract: Path | None, targets: Path | None) -> tuple[Target, ...]:
    from bench.contract.load import load, load_targets
    from bench.contract.targets import places_to_look

    found = load(contract, targets).targets if contract is not None else load_targets(targets)
    if not found:
        looked = ", ".join(dict.fromkeys(str(place) for place in places_to_look(Path())))
        raise ContractError(
            f"there is no targets file here; looked for {looked}: name one with --targets, or a contract"
        )
    return found


def list_backends() -> int:
    """``benchpact backends``: name, whether it works here, versions and devices, or why not; and what options take."""
    from bench.doctor import probe_all

    rows, options = [], []
    for found in probe_all():
        options += [(found.name, option, takes) for option, takes in found.options.items()]
        versions = ", ".join(f"{package} {version}" for package, version in found.versions.items())
        told = ", ".join(found.devices) if found.usable else ". ".join(filter(None, (found.reason, found.remedy)))
        rows.append((found.name, "works" if found.usable else "does not work", versions or "-", told))
    _table(("backend", "here", "versions", "devices, or why not"), rows)
    print()
    _table(("backend", "option", "what it takes"), options)
    return 0


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    from bench.report.text import clean

    console = Console(width=width(), no_color="NO_COLOR" in os.environ)
    table = RichTable(box=None, padding=(0, 2, 0, 0), header_style="bold", show_edge=False)
    for name in head[:-1]:
        table.add_column(name, overflow="fold")
    table.add_column(head[-1], overflow="fold", ratio=1)
    for row in rows:
        table.add_row(*(Text(clean(cell)) for cell in row))
    console.print(table)
