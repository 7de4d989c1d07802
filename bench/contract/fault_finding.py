"""From the places of problems to the parts of a contract that are at fault."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import replace

from bench.contract.faults import Faults, Keys
from bench.contract.grammar import CONTRACT, MODEL, TARGET, VALIDATION
from bench.contract.model import Contract, Problem
from bench.contract.nodes import Items, Node, Pairs
from bench.contract.tables import Record

TENSORS = ("inputs", "outputs")


def faults_of(contract: Contract, roots: Iterable[Node], problems: Iterable[Problem]) -> Faults:
    """What was found while the contract was read; ``roots`` are its own node and that of its targets file."""
    own, *sites = roots
    told, left_out = list(problems), _left_out(contract, own)
    named = {("targets", target.name) for target in contract.targets} | left_out
    paths = {path for path in _paths(own, told) if path[:1] not in [(one,) for one in TENSORS]}
    for site in sites:
        paths |= {path for path in _paths(site, told) if path[:2] in named}
    paths |= {path for root in (own, *sites) for path in _twice(root, ())}
    strange = {path[:-1] for path in paths if _is_strange(path)}
    return Faults(frozenset(paths | left_out), frozenset(strange))


def with_rules(faults: Faults, root: Node, problems: Iterable[Problem]) -> Faults:
    """And what its parts do not keep of what they owe each other. A target's settings stay as good as they were."""
    paths = _paths(root, problems)
    kept = {path for path in paths if path[0] in ("state", "validation", "artifacts")}
    unsized = any(path[0] in (*TENSORS, "dims", "batch", "state") for path in paths)
    return replace(faults, paths=faults.paths | kept, unsized=unsized)


def _paths(root: Node, problems: Iterable[Problem]) -> set[Keys]:
    """The keys that lead to each problem of the root's file: the last key that stands before it."""
    keys = sorted(_keys(root, ()))
    places = [place for place, _ in keys]
    found = set()
    for problem in problems:
        if problem.place.file == root.place.file:
            index = bisect_right(places, (problem.place.line, problem.place.column))
            found |= {keys[index - 1][1]} if index else set()
    return found


def _keys(node: Node, path: Keys) -> Iterator[tuple[tuple[int, int], Keys]]:
    """Every key with its place."""
    if isinstance(node, Items):
        for index, item in enumerate(node.items):
            yield from _keys(item, (*path, str(index)))
    elif isinstance(node, Pairs):
        for key, value in node.pairs:
            yield (key.place.line, key.place.column), (*path, key.text)
            yield from _keys(value, (*path, key.text))
        yield from (((key.place.line, key.place.column), (*path, key.text)) for key in node.twice)


def _twice(node: Node, path: Keys) -> Iterator[Keys]:
    """The keys that stand twice: which of their values is meant is not known."""
    if isinstance(node, Items):
        for index, item in enumerate(node.items):
            yield from _twice(item, (*path, str(index)))
    elif isinstance(node, Pairs):
        yield from ((*path, key.text) for key in node.twice)
        for key, value in node.pairs:
            yield from _twice(value, (*path, key.text))


def _is_strange(path: Keys) -> bool:
    """Whether the last key is none of the mapping that it stands in."""
    record: Record | None = {(): CONTRACT, ("model",): MODEL, ("validation",): VALIDATION}.get(path[:-1])
    if len(path) == 3 and path[0] == "targets":
        record = TARGET
    return record is not None and path[-1] not in [field.name for field in record.fields]


def _left_out(contract: Contract, root: Node) -> set[Keys]:
    """The entries of tables that were written and are not in the contract."""
    read = {
        "inputs": [one.spec.name for one in contract.inputs],
        "outputs": [spec.name for spec in contract.outputs],
        "artifacts": [artifact.kind for artifact in contract.artifacts],
        "targets": [target.name for target in contract.targets],
    }
    found: set[Keys] = {(name,) for name in TENSORS if not read[name]}
    for key, value in root.pairs if isinstance(root, Pairs) else ():
        if key.text in read and isinstance(value, Pairs):
            found |= {(key.text, entry.text) for entry, _ in value.pairs if entry.text not in read[key.text]}
    return found
