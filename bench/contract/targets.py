"""Targets: described in the contract, or named there and described in the site's targets file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from bench.contract.grammar import (
    BACKEND,
    CORES,
    DEVICE,
    HOST,
    LIMITS,
    OPTIONS,
    PRECISION,
    PYTHON,
    RESIDENCY,
    TARGETS,
    TARGETS_FILE,
    THREADS,
    Backend,
)
from bench.contract.limits import Block
from bench.contract.merge import limits_of, merged
from bench.contract.model import Limits, Place, Target
from bench.contract.nodes import Node, Pairs, compose, read_file
from bench.contract.problems import ContractProblems, Problems, meant, quoted
from bench.contract.tables import Field, Found, Named

T = TypeVar("T")
SETTINGS: tuple[Field[Any], ...] = (DEVICE, THREADS, PRECISION, RESIDENCY)
PLACES: tuple[Field[Any], ...] = (*SETTINGS, HOST, CORES, PYTHON)


@dataclass(frozen=True)
class Site:
    """The site's targets file: its targets by name, and where it was looked for."""

    looked: tuple[Path, ...]
    path: Path | None
    targets: Mapping[str, Found]
    root: Node | None = None

    def spoils(self, name: str) -> bool:
        """Whether the target may stand in the file, in what could not be read of it."""
        pairs = self.root.pairs if isinstance(self.root, Pairs) else ()
        tables = [value for key, value in pairs if key.text == TARGETS.name and isinstance(value, Pairs)]
        written = [key.text for table in tables for key, _ in table.pairs]
        return self.path is not None and name not in self.targets and (not self.targets or name in written)


def places_to_look(contract_folder: Path) -> tuple[Path, ...]:
    """Where a targets file is looked for when none is named, the first that exists: beside the contract, then here."""
    return (
        contract_folder / "configs" / "targets.yaml",
        contract_folder / "targets.yaml",
        Path("configs") / "targets.yaml",
    )


def read_site(named: Path | None, contract_folder: Path, problems: Problems) -> Site:
    """The targets file that was named, or the first that is found; problems in it are noted."""
    looked = (named,) if named is not None else places_to_look(contract_folder)
    path = named if named is not None else next((one for one in looked if os.path.isfile(one)), None)  # noqa: PTH113
    if path is None:
        return Site(looked, None, {})
    try:
        root = compose(read_file(path), str(path), problems)
        found = TARGETS_FILE.read(root, "targets file", problems)
    except ContractProblems as error:
        problems.extend(error.problems)
        return Site(looked, path, {})
    entries = (found.get(TARGETS) if found else None) or ()
    return Site(looked, path, {entry.name: entry.value for entry in entries}, root)


def target_of(
    entry: Named[Found], site: Site, common: Mapping[str, Block] | None, problems: Problems, needs_limits: bool = True
) -> Target | None:
    """One target, the contract's words before the site's; None, with problems noted, where it is not whole.

    ``common`` limits are None where they could not be read.
    """
    own, shared = entry.value, site.targets.get(entry.name)
    layers = [own] if shared is None else [own, shared]
    backend = _first(layers, BACKEND)
    if backend is None:
        if not any(layer.has(BACKEND) or layer.strange for layer in layers) and not site.spoils(entry.name):
            problems.add(entry.place, _unknown(entry.name, site))
        return None
    where = next(layer.at(BACKEND) for layer in layers if layer.get(BACKEND) is not None)
    refused = Backend().refused(where, backend)
    if refused:
        problems.add(where, refused)
    return Target(
        name=entry.name,
        backend=backend,
        device=_first(layers, DEVICE) or "cpu",
        threads=_first(layers, THREADS) or 1,
        precision=_first(layers, PRECISION) or "fp32",
        residency=_first(layers, RESIDENCY) or "host",
        options={option.name: option.value for layer in layers[::-1] for option in layer.get(OPTIONS) or ()},
        defaults=tuple(field.name for field in SETTINGS if not any(layer.has(field) for layer in layers)),
        limits=_limits(entry, layers, common, problems) if needs_limits else Limits(),
        place=entry.place,
        option_places={option.name: option.place for layer in layers[::-1] for option in layer.get(OPTIONS) or ()},
        places={field.name: layer.at(field) for layer in layers[::-1] for field in PLACES if layer.has(field)},
        host=_first(layers, HOST),
        cores=_first(layers, CORES) or (),
        python=_interpreter(layers, problems),
    )


def _interpreter(layers: Sequence[Found], problems: Problems) -> str | None:
    """The host's Python; here it is always the one that runs this program."""
    python = _first(layers, PYTHON)
    if python is not None and not any(layer.has(HOST) or layer.strange for layer in layers):
        where = next(layer.at(PYTHON) for layer in layers if layer.get(PYTHON) is not None)
        problems.add(where, "`python` is about another machine: name it as `host`, or leave `python` out")
    return python


def _first(layers: Sequence[Found], field: Field[T]) -> T | None:
    return next((value for layer in layers if (value := layer.get(field)) is not None), None)


def _limits(
    entry: Named[Found], layers: Sequence[Found], common: Mapping[str, Block] | None, problems: Problems
) -> Limits:
    written = common is None or any(layer.has(LIMITS) or layer.strange for layer in layers)
    blocks = merged([common or {}, *(layer.get(LIMITS) or {} for layer in layers[::-1])])
    if not blocks and not written:
        example = "`limits: {single-stream: {latency p99: 5 ms}}`"
        problems.add(entry.place, f"{quoted(entry.name)} owes nothing: write {example}, here or for every target")
    return limits_of(blocks, problems)


def _unknown(name: str, site: Site) -> str:
    """A target that has a name and nothing else, anywhere."""
    if site.path is not None:
        hint = meant(name, site.targets)
        return f"target {quoted(name)} has no `backend` here, and {site.path} has no such target: {hint}"
    looked = ", ".join(str(path) for path in site.looked)
    return f"target {quoted(name)} has no `backend` here, and there is no targets file; looked for {looked}"


def site_targets(named: Path | None) -> tuple[Target, ...]:
    """Every target of the site's file; none where there is no file and none was named. Raises ContractProblems."""
    problems = Problems()
    site = read_site(named, Path(), problems)
    found = [_alone(name, words, site, problems) for name, words in site.targets.items()]
    problems.raise_if_any()
    return tuple(target for target in found if target is not None)


def _alone(name: str, words: Found, site: Site, problems: Problems) -> Target | None:
    place: Place = words.place
    return target_of(Named(name, place, words), site, {}, problems, needs_limits=False)
