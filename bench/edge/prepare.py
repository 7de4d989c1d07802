"""An environment on a board for the wanted backends, made of wheels that are chosen and fetched on this machine."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import registry
from bench.device.install import key_of
from bench.edge.facts import BoardFacts, Prepared
from bench.edge.places import packages_of
from bench.edge.tags import board_python
from bench.edge.tended import PYTHON, Tended
from bench.edge.wheels import ALWAYS, choose
from bench.units import show

Say = Callable[[str], None]
"""Told of each step that takes a while."""


@dataclass(frozen=True)
class Ready:
    """What there is now: versions by package, whether it was there already, and which backends do not work and why."""

    packages: dict[str, str]
    python: str
    was_there: bool
    bytes: int
    broken: dict[str, str]


def prepare(host: str, backends: Sequence[str], python: str | None, wheelhouse: Path | None, say: Say) -> Ready:
    """See that the backends can run on the host; nothing is done where they can already. Raises LaunchError."""
    wanted = tuple(dict.fromkeys(name for names in packages_of(backends).values() for name in names))
    with Tended(host, python or PYTHON) as board:
        facts = board.look([*wanted, *ALWAYS])
        if facts.prepared is not None and _serves(facts.prepared, wanted, facts):
            there = facts.prepared
            return Ready(there.packages, facts.python, True, there.bytes, {})
        _install(board, facts, _with_earlier(facts, wanted), wheelhouse, say)
        facts = board.look([*wanted, *ALWAYS])
    made = facts.prepared or Prepared("")
    with Tended(host, None) as board:
        say("trying each backend there")
        tried = {name: board.probe(registry.resolve(name)) for name in backends}
    broken = {name: why for name, (works, why) in tried.items() if not works}
    return Ready(made.packages, facts.python, False, made.bytes, broken)


def _serves(there: Prepared, wanted: Sequence[str], facts: BoardFacts) -> bool:
    """Whether the environment was made for this Python and has all that is wanted."""
    return there.python == _short(facts.python) and {*wanted, *ALWAYS} <= there.packages.keys()


def _with_earlier(facts: BoardFacts, wanted: Sequence[str]) -> list[str]:
    """What is wanted, and what was wanted before: a second backend does not drive out the first."""
    earlier = facts.prepared.requirements if facts.prepared is not None else ()
    return sorted({*wanted, *earlier})


def _install(board: Tended, facts: BoardFacts, packages: Sequence[str], wheelhouse: Path | None, say: Say) -> None:
    python = board_python(facts.tags())
    with tempfile.TemporaryDirectory(prefix="benchpact-wheels-") as folder:
        say(f"choosing wheels for {python}")
        wheels = choose(python, packages, Path(folder), wheelhouse)
        size = show(sum(one.bytes for one in wheels), "bytes")
        say(f"sending what is not there yet of {len(wheels)} wheels, {size}")
        board.ship(wheels)
        say("unpacking them there")
        short = _short(facts.python)
        names = [one.path.name for one in wheels]
        manifest = {"requirements": list(packages), "python": short, "wheels": names}
        board.install(wheels, key_of([one.sha256 for one in wheels], short), manifest)


def _short(python: str) -> str:
    return ".".join(python.split(".")[:2])
