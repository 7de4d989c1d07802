"""What the operators of a contract's model take on its targets: a process of its own each, and no query is timed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from bench.contract.model import Contract, ScenarioSettings
from bench.errors import ContractError, LaunchError
from bench.jobs import job_for
from bench.launch.conversation import Conversation
from bench.launch.launchers import Launchers
from bench.plan import Case, Plan, chosen
from bench.results import Block, Failure, TargetProfile
from bench.run import refuse_code

DEADLINE_S = 300.0
"""Longest a process may take: it imports, loads, and runs some queries for about a second, slowed down."""
SCENARIO = "single-stream"


class _Nobody:
    """Listens to a worker that times nothing."""

    def phase(self, name: str) -> None:
        pass

    def block(self, block: Block, payload: bytes) -> bool:
        return True


def profile_targets(
    contract: Contract, on: Sequence[str], batch: int, allow_code: bool, say: Callable[[str, str], None]
) -> list[TargetProfile]:
    """Profile the contract's model on the targets ``on``, all where empty, one after the other.

    ``say`` is told each target and what begins there. Raises ContractError for what cannot be begun at all.
    """
    scenario = ScenarioSettings(SCENARIO, batch=batch, processes=1)
    cases = [Case(f"{one.name} profile", one, scenario, (), False) for one in chosen(contract, on)]
    if not cases:
        raise ContractError(f"{contract.path}: it names no target: say one of the site's by --on")
    refuse_code(contract, Plan(tuple(cases)), allow_code)
    found = []
    with Launchers() as launchers:
        for case in cases:
            say(case.target.name, "profiling")
            found.append(_profiled(contract, case, allow_code, launchers))
    return found


def _profiled(contract: Contract, case: Case, allow_code: bool, launchers: Launchers) -> TargetProfile:
    job = replace(job_for(contract, case, 0, case.scenario.max_ns, allow_code), profile=True)
    conversation = Conversation(0, case.scenario.batch, _Nobody())
    try:
        failure = launchers.run_worker(case.target, job, conversation, DEADLINE_S)
    except LaunchError as error:  # no worker could be started: told like any other failure
        failure = Failure(type(error).__name__, str(error))
    process = conversation.process_run(failure, None)
    profile = conversation.profile if process.failure is None else None
    return TargetProfile(case.target.name, case.target.backend, process, profile)
