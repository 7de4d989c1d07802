"""Contract x targets -> cases. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from bench.contract.model import Contract, Requirement, ScenarioSettings, Target
from bench.device.records import OPEN_LOOPS
from bench.errors import ContractError
from bench.metrics import SCENARIOS, TIMED, max_rate_of


@dataclass(frozen=True)
class Case:
    """One model on one target in one scenario, and the requirements it answers.

    The requirements that no scenario names (accuracy, agreement, artifact size) are answered by their
    target's first case; ``collects_outputs`` says that it must keep the outputs for them.
    """

    id: str
    target: Target
    scenario: ScenarioSettings
    requirements: tuple[Requirement, ...]
    collects_outputs: bool


@dataclass(frozen=True)
class Plan:
    """Every case of a run, in the order they are measured."""

    cases: tuple[Case, ...]


def plan(contract: Contract, on: Sequence[str] = (), only: Sequence[str] = ()) -> Plan:
    """The cases for the targets ``on`` and the requirements ``only`` (all where empty).

    ``only`` takes requirement ids, blocks, metrics, or patterns of them (``single-stream*``). Raises
    ContractError, with what is near, for one that names nothing, on all of them or on one that ``on`` names.
    """
    names = [target.name for target in contract.targets]
    targets = chosen(contract, on)
    _check_only(only, [requirement for target in targets for requirement in target.limits.requirements])
    cases = [case for target in targets for case in _cases(target, only, names)]
    idle = [name for name in on if name not in {case.target.name for case in cases}]
    if idle and only and cases:
        words = " ".join(f"--only {word}" for word in only)
        raise ContractError(f"--on {idle[0]} {words}: {idle[0]} has no such requirement; leave one of the two out")
    if not cases:
        raise ContractError(f"{contract.path}: nothing is left to measure with these --on and --only")
    return Plan(tuple(cases))


def left_out(contract: Contract, whole: Plan, only: Sequence[str]) -> tuple[str, ...]:
    """What ``only`` leaves out of the plan's targets, as a notice; nothing where it leaves nothing out."""
    targets = {case.target.name for case in whole.cases}
    owed = sum(len(target.limits.requirements) for target in contract.targets if target.name in targets)
    judged = sum(len(case.requirements) for case in whole.cases)
    if not only or judged == owed:
        return ()
    words = " ".join(f"--only {word}" for word in only)
    return (f"{words}: {judged} of {owed} requirements are judged; the others are neither kept nor missed",)


def chosen(contract: Contract, on: Sequence[str]) -> list[Target]:
    """The targets ``on``, all where empty; ContractError, with what is near, for one that is none."""
    names = [target.name for target in contract.targets]
    for name in on:
        if name not in names:
            raise ContractError(f"--on {name}: the contract has no such target, nor has the site{_near(name, names)}")
    return [target for target in contract.targets if not on or target.name in on]


def without_disturbed(whole: Plan) -> Plan:
    """The plan with every case judged without its disturbed blocks; a server's queue goes on through them."""
    cases = [
        replace(case, scenario=replace(case.scenario, leave_out_disturbed=True))
        if case.scenario.scenario in TIMED and case.scenario.scenario not in OPEN_LOOPS
        else case
        for case in whole.cases
    ]
    return Plan(tuple(cases))


def case_ids(targets: Sequence[str], scenario: str) -> dict[str, str]:
    """Target -> a name for its case that is a safe file name and nobody else's, whatever the case of letters."""
    taken: set[str] = set()
    ids = {}
    for target in targets:
        base = slug = re.sub(r"[^A-Za-z0-9_-]+", "-", target).strip("-")[:80] or "target"
        number = 1
        while slug.lower() in taken:
            number += 1
            slug = f"{base}-{number}"
        taken.add(slug.lower())
        ids[target] = f"{slug}.{scenario}"
    return ids


def _cases(target: Target, only: Sequence[str], names: Sequence[str]) -> list[Case]:
    wanted = [one for one in target.limits.requirements if not only or any(_matches(one, word) for word in only)]
    settings = {scenario.scenario: scenario for scenario in target.limits.scenarios}
    needed = [name for name in SCENARIOS if any(one.block == name for one in wanted)]
    loose = tuple(one for one in wanted if one.block not in SCENARIOS)
    if loose and not needed:
        needed = ["single-stream"]
        settings = {"single-stream": replace(ScenarioSettings("single-stream"), processes=1)}
    cases = []
    for position, name in enumerate(needed):
        own = tuple(one for one in wanted if one.block == name)
        extra = loose if position == 0 else ()
        collects = any(one.block in ("accuracy", "agreement") for one in extra)
        scenario = settings[name]
        if not any(max_rate_of(one.metric) for one in own):
            scenario = replace(scenario, search_ns=0, min_search_ns=0)
        cases.append(Case(case_ids(names, name)[target.name], target, scenario, own + extra, collects))
    return cases


def _matches(requirement: Requirement, word: str) -> bool:
    return word in (requirement.block, requirement.metric) or fnmatchcase(requirement.id, word)


def _check_only(only: Sequence[str], requirements: Sequence[Requirement]) -> None:
    for word in only:
        if not word:
            raise ContractError("--only '': it names nothing; say a requirement, or leave --only out")
        if not any(_matches(requirement, word) for requirement in requirements):
            known = sorted({requirement.id for requirement in requirements})
            raise ContractError(f"--only {word}: the contract has no such requirement{_near(word, known)}")


def _near(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f": did you mean `{near[0]}`?" if near else f"; it has: {', '.join(known)}"
