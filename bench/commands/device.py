"""``benchpact device probe``, ``prepare``, ``clean`` and ``wheels``: a board is looked at, made ready, left clean."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.commands.output import STDOUT, refuse_unwritable, write
from bench.errors import ContractError
from bench.judge.verdict import EXIT_MET, EXIT_OPEN

MOST_FACTS_BYTES = 1 << 20
ANEW = "write it with `benchpact device probe HOST --json {}`"


def probe_device(name: str, targets: Path | None, python: str | None, json_file: Path | None) -> int:
    """``benchpact device probe``: 0 where something can be measured on it as it is, else 3."""
    from bench import registry
    from bench.edge import sheet
    from bench.edge.findings import findings
    from bench.edge.places import packages_of, place_of
    from bench.edge.tended import PYTHON, Tended
    from bench.edge.wheels import ALWAYS

    if json_file is not None:
        refuse_unwritable(json_file)
    place = place_of(name, targets)
    packages = packages_of(registry.names())
    with Tended(place.host, python or place.own_python or PYTHON) as board:
        facts = board.look([*{one for names in packages.values() for one in names}, *ALWAYS])
    found = findings(facts, name, {one: packages[one] for one in place.backends})
    if json_file is not None:
        write(sheet.document(facts, place.host, found), json_file)
    if json_file != STDOUT:
        print(sheet.text(facts, name, {one: of for one, of in packages.items() if of}, found), end="")
    return EXIT_OPEN if any(one.blocks for one in found) else EXIT_MET


def prepare_device(
    name: str, targets: Path | None, python: str | None, wheelhouse: Path | None, backends: Sequence[str]
) -> int:
    """``benchpact device prepare``: 0 where every backend works there afterwards, else 3."""
    from bench.edge.places import place_of
    from bench.edge.prepare import prepare
    from bench.report.text import clean
    from bench.units import show

    place = place_of(name, targets, backends)
    if not place.backends:
        raise ContractError(f"no target runs on `{name}`: say what it is to run, such as --backend onnxruntime")
    if place.own_python is not None:
        said = f"the target `{name}` names its own Python ({place.own_python}), which is yours to prepare"
        raise ContractError(f"{said}; leave `python:` out of it to measure in an environment of ours")
    if wheelhouse is not None and not wheelhouse.is_dir():
        raise ContractError(f"{wheelhouse}: there is no such folder of wheels")
    ready = prepare(place.host, place.backends, python, wheelhouse, lambda step: _say(name, step))
    had = ", ".join(f"{package} {version}" for package, version in sorted(ready.packages.items()))
    how = "is prepared already, nothing was done" if ready.was_there else "is prepared"
    print(clean(f"{name} {how}: {had}, Python {ready.python}, {show(ready.bytes, 'bytes')}"))
    for backend, why in ready.broken.items():
        print(clean(f"✗ {backend} does not work there: {why}"))
    return EXIT_OPEN if ready.broken else EXIT_MET


def clean_device(name: str, targets: Path | None, python: str | None) -> int:
    """``benchpact device clean``: nothing of ours is left there."""
    from bench.edge.places import place_of
    from bench.edge.tended import PYTHON, Tended
    from bench.units import show

    place = place_of(name, targets)
    with Tended(place.host, python or place.own_python or PYTHON) as board:
        freed = board.clean()
    print(f"{name} is clean: {show(freed, 'bytes')} freed" if freed else f"{name} is clean")
    return EXIT_MET


def fetch_wheels(board: Path, folder: Path, backends: Sequence[str]) -> int:
    """``benchpact device wheels``: a wheelhouse for a board that ``probe --json`` described."""
    from bench.edge.places import packages_of
    from bench.edge.tags import board_python
    from bench.edge.wheels import choose
    from bench.report.text import plural
    from bench.units import show

    packages = [one for names in packages_of(backends).values() for one in names]
    python = board_python(_described(board))
    folder.mkdir(parents=True, exist_ok=True)
    found = choose(python, packages, folder)
    size = show(sum(one.bytes for one in found), "bytes")
    print(f"{folder} holds {plural(len(found), 'wheel')}, {size}: benchpact device prepare HOST --wheelhouse {folder}")
    return EXIT_MET


def _described(board: Path) -> dict[str, object]:
    try:
        with board.open("rb") as file:
            told = json.loads(file.read(MOST_FACTS_BYTES))
    except OSError as error:
        raise ContractError(f"{board}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ContractError(f"{board}: it is no JSON: {ANEW.format(board)}") from error
    if not isinstance(told, dict) or not told.keys() >= {"implementation", "python", "machine", "libc"}:
        raise ContractError(f"{board}: it describes no board: {ANEW.format(board)}")
    return told


def _say(name: str, step: str) -> None:
    print(f"{name}: {step} …", file=sys.stderr, flush=True)
