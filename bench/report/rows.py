"""A stored run as rows, one a requirement: every one that was planned, also those nothing was measured for."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bench.metrics import ARTIFACT_SIZE, BLOCKS, find
from bench.report.text import plural
from bench.results import CaseResult, Figure, Outcome, StoredRun, Verdict


@dataclass(frozen=True)
class Row:
    """One requirement on one target. ``case`` is None where no case answered it."""

    target: str
    case: CaseResult | None
    verdict: Verdict


@dataclass(frozen=True)
class TargetSummary:
    """How many of a target's requirements came out how."""

    target: str
    counts: dict[Outcome, int]

    @property
    def outcome(self) -> Outcome:
        """The target's answer: missed if one is, met if all are, else what keeps it from being met."""
        for outcome in (Outcome.MISSED, Outcome.NOT_MEASURED, Outcome.UNDECIDED):
            if self.counts[outcome]:
                return outcome
        return Outcome.MET


def rows(run: StoredRun) -> tuple[Row, ...]:
    """Every planned requirement of every target, in the plan's order, whatever became of it."""
    found: list[Row] = []
    for target in targets(run):
        cases = [case for case in run.cases if case.target == target]
        answered = {verdict.requirement: Row(target, case, verdict) for case in cases for verdict in case.verdicts}
        planned = run.info.requirements.get(target, ())
        found += [answered.pop(name, None) or Row(target, None, _unanswered(name, cases)) for name in planned]
        found += answered.values()
    return tuple(found)


def targets(run: StoredRun) -> tuple[str, ...]:
    """The run's targets in the plan's order."""
    return tuple(dict.fromkeys([*run.info.requirements, *(case.target for case in run.cases)]))


def verdicts(run: StoredRun) -> tuple[Verdict, ...]:
    """The verdicts the exit code is made of: those that were never reached are ``not measured``."""
    return tuple(row.verdict for row in rows(run))


def summary(run: StoredRun) -> tuple[TargetSummary, ...]:
    """One entry a target, in the plan's order."""
    every = rows(run)
    return tuple(
        TargetSummary(target, Counter(row.verdict.outcome for row in every if row.target == target))
        for target in targets(run)
    )


def sentence(summaries: Sequence[TargetSummary]) -> str:
    """``2 targets keep the contract, 1 does not, 1 is undecided``."""
    counts = Counter(one.outcome for one in summaries)
    met, missed = counts[Outcome.MET], counts[Outcome.MISSED]
    undecided, unmeasured = counts[Outcome.UNDECIDED], counts[Outcome.NOT_MEASURED]
    parts = [f"{plural(met, 'target keeps', 'targets keep')} the contract"]
    if missed:
        parts.append(plural(missed, "does not", "do not"))
    if undecided:
        parts.append(plural(undecided, "is undecided", "are undecided"))
    if unmeasured:
        parts.append(plural(unmeasured, "is not fully measured", "are not fully measured"))
    return ", ".join(parts)


def _unanswered(name: str, cases: Sequence[CaseResult]) -> Verdict:
    """The verdict of a requirement that no stored case answers; its limit is not known here (NaN)."""
    block = next((one for one in BLOCKS if name.startswith(one + " ")), "")
    metric_name = name[len(block) :].strip()
    metric = find(block, metric_name) if block else ARTIFACT_SIZE
    failure = next((case.failure for case in cases if case.failure and case.scenario == block), None)
    reason = f"{failure.error}: {failure.message}" if failure else "the run ended before this was measured"
    unit, direction = (metric.unit, metric.direction) if metric else ("number", "at most")
    figure = Figure(metric_name, unit, None, why_not=reason)
    return Verdict(
        name, block, metric_name, unit, direction, math.nan, "", Outcome.NOT_MEASURED, figure, reason
    )  # fmt: skip
