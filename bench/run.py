"""A run: plan the cases, measure each that is missing, save, go on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

import bench
from bench import metrics, registry
from bench.artifacts.facts import sha256_of
from bench.budget import Budget
from bench.contract.check_settings import chooses_code, own_code
from bench.contract.model import Contract, Requirement
from bench.device.adapter import STATES
from bench.errors import ContractError
from bench.going_on import changed, digests
from bench.jobs import SEED, settings_for
from bench.judge import soak
from bench.judge.reservations import BUDGET_SPENT
from bench.launch.launchers import Launchers
from bench.measure import Conditions
from bench.plan import Case, Plan
from bench.progress import Progress
from bench.results import LAYOUT, UNREACHED, CaseResult, Json, Limit, RunInfo, StoredRun
from bench.side_by_side import measure_all
from bench.store import RunStore, create, new_run_id, open_run, reopen


@dataclass(frozen=True)
class RunOptions:
    """What the user asked of a run beyond the contract. ``time_budget_ns`` bounds the whole run.

    ``timeout_ns`` is the longest a process may take beside twice its warm-up, measuring and search; None: 4 minutes.
    """

    results: Path
    targets: Path | None = None
    on: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    time_budget_ns: int | None = None
    timeout_ns: int | None = None
    allow_code: bool = False
    resume: str | None = None
    without_disturbed: bool = False
    """Judge without the disturbed blocks, whatever the contract says."""
    sweep: Json = None
    """What a sweep stores of itself with the run; None: it is none."""
    smoke: bool = False
    """Whether the plan was cut down to a smoke test, which `run --resume` does not know."""


AGAIN = (BUDGET_SPENT, *UNREACHED)
"""Failures that say nothing of the model: ``--resume`` measures such a case again."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C while a run was measured; ``run`` is its id, and every finished case is stored."""

    def __init__(self, run: str) -> None:
        self.run = run
        super().__init__(run)


def execute(
    contract: Contract, plan: Plan, options: RunOptions, progress: Progress, notices: Sequence[str]
) -> StoredRun:
    """Measure every case of the plan, each stored as soon as it is judged; the run as it then stands.

    With ``options.resume`` only the cases are measured that the run has no result for, or one that its time
    budget or a lost link cut short. Raises ContractError
    where the stored run is not of this contract and plan, Interrupted on Ctrl-C.
    """
    refuse_code(contract, plan, options.allow_code)
    text = contract.path.read_bytes()
    info = _info(contract, plan, options, text, notices)
    store = _resumed(contract, info, options, options.resume) if options.resume else create(options.results, info)
    finished = {name for name, result in store.finished().items() if not cut_short(result)}
    cases = [case for case in plan.cases if case.id not in finished]
    try:
        _measure(contract, cases, store, options, progress)
    except KeyboardInterrupt as error:
        raise Interrupted(store.info.run) from error
    finally:
        progress.run_done()
        store.close()
    return open_run(store.path, options.results)


def _measure(
    contract: Contract, cases: Sequence[Case], store: RunStore, options: RunOptions, progress: Progress
) -> None:
    progress.run_started(store.info.run, [case.id for case in cases])
    with Launchers() as launchers:
        budget = Budget(options.time_budget_ns, 0)
        conditions = Conditions(contract, store, progress, budget, options.allow_code, launchers, options.timeout_ns)
        measure_all(cases, conditions, options.time_budget_ns)


def cut_short(result: CaseResult) -> bool:
    """Whether the time budget or a lost link left out a process of the case, or Ctrl-C a part of its soak."""
    asked_ns, runs = result.settings.get("max_ns"), result.process_runs
    if result.scenario == "soak" and all(one.is_whole for one in runs) and isinstance(asked_ns, int):
        return bool(soak.cut_short(runs, asked_ns)) or len(runs) != result.settings.get("processes")
    return any(one.failure is not None and one.failure.error in AGAIN for one in runs)


def refuse_code(contract: Contract, plan: Plan, allow_code: bool) -> None:
    """ContractError where something of the plan is the user's own code and nobody said that it may run."""
    if allow_code:
        return
    for case in plan.cases:
        for requirement in case.requirements:
            if metrics.is_user_metric(requirement.metric):
                raise _code_error(str(requirement.place), requirement.metric)
        if contract.factory is not None and not _has_artifact(contract, case):
            raise _code_error(str(contract.factory.place), contract.factory.entry)
        target = case.target
        for option in own_code(target):
            place = target.option_places.get(option, target.place)
            raise _code_error(str(place), str(target.options[option]))


def _code_error(place: str, entry: str) -> ContractError:
    return ContractError(f"{place}: `{entry}` is code that this contract asks to run; read it, then say --allow-code")


def _has_artifact(contract: Contract, case: Case) -> bool:
    """Whether the target runs a file of the contract, and not the user's own module."""
    if chooses_code(case.target):
        return False
    kinds = registry.load(case.target.backend).artifact_kinds
    return not kinds or any(one.kind in kinds and one.kind not in STATES for one in contract.artifacts)


def fingerprint(plan: Plan) -> str:
    """SHA-256 over all that the cases ask for: targets, settings and limits, wherever they were written."""
    asked = [
        (
            case.id,
            asdict(settings_for(case)),
            asdict(case.scenario),
            [(one.id, one.limit) for one in case.requirements],
            *_where(case),
        )
        for case in plan.cases
    ]
    return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()


def _where(case: Case) -> tuple[object, ...]:
    """Where the case runs; nothing for any core here, so that what was begun before there were hosts can go on."""
    target = case.target
    place = (target.host, target.cores, target.python)
    return (place,) if any(place) else ()


def _info(contract: Contract, plan: Plan, options: RunOptions, text: bytes, notices: Sequence[str]) -> RunInfo:
    """What a run that begins now stores of itself."""
    now = datetime.now(timezone.utc)
    owed: dict[str, list[Requirement]] = {}
    for case in plan.cases:
        owed.setdefault(case.target.name, []).extend(case.requirements)
    return RunInfo(
        layout=LAYOUT,
        run=new_run_id(now),
        started=now.isoformat(timespec="seconds").replace("+00:00", "Z"),
        benchpact=bench.__version__,
        contract_path=str(contract.path),
        contract_sha256=hashlib.sha256(text).hexdigest(),
        contract_text=text.decode(errors="replace"),
        model=contract.name,
        model_version=contract.version,
        artifacts={artifact.kind: sha256_of(artifact.path) for artifact in contract.artifacts},
        cases=tuple(case.id for case in plan.cases),
        requirements={target: tuple(one.id for one in ones) for target, ones in owed.items()},
        limits={target: {one.id: Limit(one.limit, one.text) for one in ones} for target, ones in owed.items()},
        options={
            "targets": None if options.targets is None else str(options.targets),
            "on": list(options.on),
            "only": list(options.only),
            "time_budget_ns": options.time_budget_ns,
            "allow_code": options.allow_code,
            "without_disturbed": options.without_disturbed,
            "seed": SEED,
            "plan": fingerprint(plan),
            **({} if options.sweep is None else {"sweep": options.sweep}),
            **({"smoke": True} if options.smoke else {}),
        },
        notices=tuple(notices),
        files=digests(contract, plan),
    )


def _resumed(contract: Contract, info: RunInfo, options: RunOptions, resume: str) -> RunStore:
    """The stored run, held from now on; ContractError where it is none of what ``info`` says."""
    store = reopen(options.results, resume)
    reason = changed(store.info, info, contract)
    if reason:
        store.close()
        raise ContractError(f"--resume {resume}: {reason}; leave --resume out to measure anew")
    return store
