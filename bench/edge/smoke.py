"""A run cut down to what answers within a minute: the same cases, one short process each. Pure.

It is no other code path: only the scenarios' settings differ, and the report says so.
"""

from __future__ import annotations

from dataclasses import replace

from bench.contract.model import Contract, ScenarioSettings
from bench.errors import ContractError
from bench.plan import Case, Plan

MOST_NS = 1_000_000_000
"""Longest a process measures."""
LEFT_OUT = "soak"
"""A second of it would say nothing of hours."""
NOTICE = (
    "a smoke test: one process a case, each measured for at most 1 s, so how far processes differ is not known; "
    "`benchpact run` decides"
)
NO_SOAK = f"{LEFT_OUT} is left out of a smoke test: `benchpact run` does it"


def cut_down(plan: Plan, contract: Contract) -> Plan:
    """The plan of the smoke test. Outputs are compared wherever there are references, asked for or not.

    Raises ContractError where nothing is left.
    """
    kept = [case for case in plan.cases if case.scenario.scenario != LEFT_OUT]
    if not kept:
        raise ContractError(f"{contract.path}: {NO_SOAK}, and nothing else is asked for")
    seen: set[str] = set()
    cases = []
    for case in kept:
        collects = case.collects_outputs or (case.target.name not in seen and _can_compare(contract))
        seen.add(case.target.name)
        cases.append(Case(case.id, case.target, _short(case.scenario), case.requirements, collects))
    return Plan(tuple(cases))


def notices(plan: Plan) -> tuple[str, ...]:
    """What a reader of the report must know; ``plan`` is the whole one."""
    soaks = any(case.scenario.scenario == LEFT_OUT for case in plan.cases)
    return (NOTICE, NO_SOAK) if soaks else (NOTICE,)


def _can_compare(contract: Contract) -> bool:
    given = contract.validation
    return given.samples is not None and (given.predictions is not None or given.labels is not None)


def _short(scenario: ScenarioSettings) -> ScenarioSettings:
    return replace(
        scenario,
        processes=1,
        least_processes=None,
        pooled=False,
        counts_calls=False,
        preset=None,
        must_samples=0,
        min_ns=min(scenario.min_ns, MOST_NS // 5),
        max_ns=min(scenario.max_ns, MOST_NS),
        search_ns=min(scenario.search_ns, 2 * MOST_NS),
        min_search_ns=min(scenario.min_search_ns, 2 * MOST_NS),
    )
