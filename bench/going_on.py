"""Whether a stored run can be gone on with: all that its figures follow from must be as it was."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from bench import metrics
from bench.artifacts import KINDS, companions_of
from bench.artifacts.facts import sha256_of
from bench.contract.check_settings import own_code
from bench.contract.code_files import code_files
from bench.contract.model import Contract
from bench.jobs import program_files
from bench.plan import Plan
from bench.results import RunInfo

_ASKED = {"on": "--on", "only": "--only", "targets": "--targets", "without_disturbed": "--without-disturbed"}
"""Options of a run that its cases follow from, and how they are written."""


def digests(contract: Contract, plan: Plan) -> dict[str, str]:
    """File -> SHA-256 of all that the plan's figures follow from beside the contract and its artifacts' own files.

    Samples, labels, predictions, further files of artifacts, the user's own code with what it imports beside the
    contract, and programs that an option names. A file in the contract's folder is named as seen from there.
    """
    validation = contract.validation
    files = [validation.samples, validation.labels, validation.predictions]
    for artifact in contract.artifacts:
        files += [path for path, _ in artifact.companions]
        files += companions_of(artifact.kind, artifact.path) if artifact.kind in KINDS else []
    entries = [one.metric for case in plan.cases for one in case.requirements if metrics.is_user_metric(one.metric)]
    files += code_files(contract.folder, [*entries, *([contract.factory.entry] if contract.factory else [])])
    for case in plan.cases:
        files += map(Path, program_files(case.target, contract.folder, own_code(case.target)))
    paths = {_name(contract, path): path for path in files if path is not None}
    return {name: sha256_of(path) for name, path in sorted(paths.items())}


def _name(contract: Contract, path: Path) -> str:
    place = path.parent.resolve() / path.name
    return place.relative_to(contract.folder).as_posix() if place.is_relative_to(contract.folder) else str(place)


def changed(before: RunInfo, now: RunInfo, contract: Contract) -> str | None:
    """Why the stored run is none of this contract, plan and files, with what to do; None where it is.

    ``now`` is what a new run would store. The first reason is told, those that are the command line's own first.
    """
    if before.contract_sha256 != now.contract_sha256:
        return "the contract has changed since"
    if ("sweep" in before.options) != ("sweep" in now.options):
        other = "sweep" if "sweep" in before.options else "run"
        return f"it was made by `benchpact {other}`: go on with `benchpact {other} {contract.path} --resume …`"
    if "smoke" in before.options:
        return "it was made by `benchpact smoke`, which is not gone on with"
    if before.cases != now.cases or before.options.get("plan") != now.options.get("plan"):
        return _other_plan(before, now)
    return _other_file(before, now, contract)


def _other_plan(before: RunInfo, now: RunInfo) -> str:
    """The options that differ, as they were; else what they name has changed."""
    was, are = _asked(before), _asked(now)
    if any(are.get(word) != values for word, values in was.items()):
        begun = " ".join(_written(word, values) for word, values in was.items())
        return f"it was begun with `{begun}`: give just that, or none of {', '.join([*_ASKED.values(), '--over'])}"
    added = " and ".join(word for word in are if word not in was)
    return f"it was begun without {added}: leave that out" if added else "a target or a limit has changed since"


def _asked(info: RunInfo) -> dict[str, list[str]]:
    """What was asked of a run, by the option's word; the order in which targets and requirements are named is none."""
    sweep = info.options.get("sweep")
    over = sweep.get("over") if isinstance(sweep, dict) else None
    asked = {"--over": [str(axis) for axis in over]} if isinstance(over, list) else {}
    for name, word in _ASKED.items():
        value = info.options.get(name)
        if value:
            asked[word] = sorted(map(str, value)) if isinstance(value, list) else [] if value is True else [str(value)]
    return asked


def _written(word: str, values: Sequence[str]) -> str:
    return " ".join(shlex.join([word, value]) for value in values) or word


def _other_file(before: RunInfo, now: RunInfo, contract: Contract) -> str | None:
    """The first file that is not the same; runs of before ``files`` was stored tell of artifacts alone."""
    for artifact in contract.artifacts:
        if before.artifacts.get(artifact.kind) != now.artifacts.get(artifact.kind):
            return f"{_name(contract, artifact.path)} has changed since"
    if not before.files:
        return None
    other = [name for name in {**before.files, **now.files} if before.files.get(name) != now.files.get(name)]
    if not other:
        return None
    what = "is gone" if other[0] not in now.files else "is new" if other[0] not in before.files else "has changed since"
    return f"{other[0]} {what}"
