"""Contract x axes -> configurations, and the cases they need. Pure but for asking adapters which options they know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod

from bench import registry
from bench.contract.model import Contract, ScenarioSettings, Target
from bench.contract.problems import quoted
from bench.errors import BackendNotFound, ContractError
from bench.metrics import SCENARIOS, TIMED
from bench.plan import Case, Plan, case_ids, plan
from bench.sweep.axes import SCENARIO_OF, Axis, Number
from bench.sweep.configurations import Configuration, named

MOST = 500
"""Configurations of one sweep: more than anybody would wait for."""
FEW = 3
"""Processes of a case, where the contract does not say how many."""
QUICK = (
    f"each configuration is measured in {FEW} processes, because the contract does not say how many (`processes`):"
    " a quick look, without a promised error rate; `benchpact run` decides"
)


@dataclass(frozen=True)
class Grid:
    """What a sweep measures. ``notices`` say where an axis could not be applied, and what is only a quick look."""

    axes: tuple[Axis, ...]
    configurations: tuple[Configuration, ...]
    plan: Plan
    notices: tuple[str, ...] = ()


def grid(contract: Contract, axes: Sequence[Axis], on: Sequence[str] = (), only: Sequence[str] = ()) -> Grid:
    """Every configuration of the targets ``on``, and the cases for the requirements ``only`` (all where empty).

    Raises ContractError for names that are not there, and for axes that the model or the backends do not have.
    """
    by_target: dict[str, list[Case]] = {}
    for case in plan(contract, on, only).cases:
        by_target.setdefault(case.target.name, []).append(_quick(case))
    _check(contract, axes, len(by_target))
    without = [cases[0].target for cases in by_target.values() if not _has_streams(cases[0].target)]
    streams = next((axis for axis in axes if axis.name == "streams"), None)
    if streams and len(without) == len(by_target):
        raise ContractError(f"--over {streams.text}: {without[0].backend} has no option `streams`: leave it out")
    configurations: list[Configuration] = []
    units: list[Case] = []
    for cases in by_target.values():
        own = [axis for axis in axes if axis.name != "streams" or cases[0].target not in without]
        for setup in _combined([axis for axis in own if axis.name not in SCENARIO_OF]):
            found, rows = _setup(_complete(cases, own), own, setup)
            units += found
            configurations += rows
    _refuse_shared_names(configurations)
    notices = [f"{one.name}: {one.backend} has no option `streams`, so it is not varied there" for one in without]
    notices = [*(notices if streams else ()), *([QUICK] if any(one.scenario.by_default for one in units) else ())]
    return Grid(tuple(axes), tuple(configurations), Plan(_with_ids(units)), tuple(notices))


def _quick(case: Case) -> Case:
    """The case in a few processes, where the contract left it to us: to decide about each would take too long."""
    if not case.scenario.by_default:
        return case
    return replace(case, scenario=replace(case.scenario, processes=FEW, least_processes=None))


def _check(contract: Contract, axes: Sequence[Axis], targets: int) -> None:
    count = targets * prod(len(axis.values) for axis in axes)
    if count > MOST:
        raise ContractError(f"--over: these are {count:,} configurations, and {MOST} are the most: choose fewer values")
    batch = next((axis for axis in axes if axis.name == "batch"), None)
    if batch and contract.batch_dim is None:
        mend = "name the dimension that counts samples in the contract, `batch: NAME`, or leave it out"
        raise ContractError(f"--over {batch.text}: the model's batch size is fixed: {mend}")


def _has_streams(target: Target) -> bool:
    try:
        return "streams" in registry.load(target.backend).options
    except BackendNotFound:  # its cases will say so
        return False


def _combined(axes: Sequence[Axis]) -> Iterator[dict[str, Number]]:
    """Each combination of the axes' values; one that is empty where there are no axes."""
    for values in product(*(axis.values for axis in axes)):
        yield dict(zip((axis.name for axis in axes), values, strict=True))


def _complete(cases: Sequence[Case], axes: Sequence[Axis]) -> list[Case]:
    """A target's cases, with one for each scenario that an axis is about, asked for by the contract or not.

    Accuracy, agreement and size ride on a case that no axis multiplies: they would be measured for each value.
    """
    found = list(cases)
    varied = {SCENARIO_OF[axis.name] for axis in axes if axis.name in SCENARIO_OF}
    found += [_unasked(cases[0].target, name) for name in varied - {case.scenario.scenario for case in cases}]
    first = cases[0]
    loose = tuple(one for one in first.requirements if one.block not in SCENARIOS)
    if loose and first.scenario.scenario in varied:
        own = tuple(one for one in first.requirements if one.block in SCENARIOS)
        found[0] = replace(first, requirements=own, collects_outputs=False)
        at = next((i for i, one in enumerate(found) if one.scenario.scenario not in varied), None)
        rides_on = Case("", first.target, ScenarioSettings("single-stream", processes=1), (), False)
        rides_on = rides_on if at is None else found.pop(at)
        asked = rides_on.requirements + loose
        found.insert(0, replace(rides_on, requirements=asked, collects_outputs=first.collects_outputs))
    return sorted(found, key=lambda case: SCENARIOS.index(case.scenario.scenario))


def _unasked(target: Target, scenario: str) -> Case:
    """A scenario of which nothing is asked: as the contract has it, or measured as long as the others; all of its time.

    No highest rate is searched for, because nobody asked for one.
    """
    others = {one.scenario: one for one in target.limits.scenarios}
    model = others.get(scenario) or next((others[name] for name in TIMED if name in others), ScenarioSettings(scenario))
    usual = model if scenario == model.scenario else ScenarioSettings(scenario)
    processes = FEW if model.adaptive else model.processes
    fixed = replace(
        usual, processes=processes, least_processes=None, by_default=False, pooled=False, search_ns=0, min_search_ns=0
    )
    settings = replace(fixed, min_ns=model.max_ns, max_ns=model.max_ns)
    return Case("", target, settings, (), False)


def _setup(
    cases: Sequence[Case], axes: Sequence[Axis], setup: Mapping[str, Number]
) -> tuple[list[Case], list[Configuration]]:
    """The cases of one target with its threads and streams, and the configurations that they make."""
    units: list[Case] = []
    target = cases[0].target
    values = {axis.name: axis.values for axis in axes if axis.name in SCENARIO_OF}
    for case in cases:
        own = next((name for name in values if SCENARIO_OF[name] == case.scenario.scenario), None)
        choices: list[dict[str, Number]] = [{own: value} for value in values[own]] if own else [{}]
        units += [_unit(case, setup, choice) for choice in choices]
    names = {unit.target.name for unit in units}
    configurations = []
    for choice in _combined([axis for axis in axes if axis.name in SCENARIO_OF]):
        possible = [named(target.name, setup), *(named(target.name, {**setup, name: choice[name]}) for name in choice)]
        parts = tuple(name for name in possible if name in names)
        configurations.append(Configuration(target.name, {**setup, **choice}, parts))
    return units, configurations


def _unit(case: Case, setup: Mapping[str, Number], choice: Mapping[str, Number]) -> Case:
    """A case with its values, its target renamed after them."""
    target, scenario = case.target, case.scenario
    if "threads" in setup:
        defaults = tuple(name for name in target.defaults if name != "threads")
        target = replace(target, threads=int(setup["threads"]), defaults=defaults)
    if "streams" in setup:
        target = replace(target, options={**target.options, "streams": int(setup["streams"])})
    if "batch" in choice:
        scenario = replace(scenario, batch=int(choice["batch"]))
    if "rate" in choice:
        arrivals = "poisson" if scenario.trace else scenario.arrivals  # a trace has its own rate, and no other
        scenario = replace(scenario, rate_per_s=float(choice["rate"]), arrivals=arrivals, trace=None)
    target = replace(target, name=named(case.target.name, {**setup, **choice}))
    return replace(case, target=target, scenario=scenario)


def _with_ids(units: Sequence[Case]) -> tuple[Case, ...]:
    names = list(dict.fromkeys(unit.target.name for unit in units))
    ids = {scenario: case_ids(names, scenario) for scenario in SCENARIOS}
    return tuple(replace(unit, id=ids[unit.scenario.scenario][unit.target.name]) for unit in units)


def _refuse_shared_names(configurations: Sequence[Configuration]) -> None:
    """A target that is called like another's configuration would get that one's results."""
    owners: dict[str, str] = {}
    for one in configurations:
        for part in one.parts:
            if owners.setdefault(part, one.target) != one.target:
                raise ContractError(f"two configurations would be called {quoted(part)}: give a target another name")
