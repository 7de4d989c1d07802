"""A stored run as rows, one a requirement: every one that was planned, also those nothing was measured for."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.metrics import ARTIFACT_SIZE, BLOCKS, find
from bench.report.text import shortened
from bench.report.values import block_order
from bench.results import CaseResult, Figure, Limit, Outcome, StoredRun, Verdict

WORST_FIRST = (Outcome.MISSED, Outcome.UNDECIDED, Outcome.NOT_MEASURED, Outcome.MET)
ANSWERS = {
    Outcome.MET: "kept on",
    Outcome.MISSED: "missed on",
    Outcome.UNDECIDED: "undecided on",
    Outcome.NOT_MEASURED: "not fully measured on",
}
NAMED = 4
"""So many targets of one answer are named in the sentence; the others are counted."""


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
    def outcome(self) -> Outcome | None:
        """The target's answer: missed if one is, met if all are, else what keeps it from being met.

        None where nothing was asked of the target.
        """
        for outcome in (Outcome.MISSED, Outcome.NOT_MEASURED, Outcome.UNDECIDED, Outcome.MET):
            if self.counts.get(outcome):
                return outcome
        return None

    @property
    def words(self) -> str:
        """``6 met``, or ``1 missed, 1 undecided, 3 not measured``: what is wrong first."""
        told = [outcome for outcome in WORST_FIRST if self.counts.get(outcome)]
        return ", ".join(f"{self.counts[outcome]} {outcome.value}" for outcome in told) or "nothing was required"


def rows(run: StoredRun) -> tuple[Row, ...]:
    """Every planned requirement of every target, whatever became of it: by target, block and the plan's order."""
    found: list[Row] = []
    for target in targets(run):
        cases = [case for case in run.cases if case.target == target]
        answered = {verdict.requirement: Row(target, case, verdict) for case in cases for verdict in case.verdicts}
        planned, limits = run.info.requirements.get(target, ()), run.info.limits.get(target, {})
        own = [
            answered.pop(name) if name in answered else Row(target, None, _unanswered(name, cases, limits))
            for name in planned
        ]
        found += sorted([*own, *answered.values()], key=lambda row: block_order(row.verdict.block))
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


def sentence(run: StoredRun) -> str:
    """``The contract is kept on ort-1, ort-2; missed on torch-ts``; on one line, harmless."""
    return sentence_of(summary(run), narrowed=is_narrowed(run))


def is_narrowed(run: StoredRun) -> bool:
    """Whether ``--only`` left requirements out: then it is not the whole contract that is kept."""
    return bool(run.info.options.get("only"))


def sentence_of(summaries: Sequence[TargetSummary], *, narrowed: bool = False) -> str:
    """The same; ``narrowed`` where not all that the contract asks for was measured."""
    parts = []
    for outcome, words in ANSWERS.items():
        names = [shortened(one.target, 40) for one in summaries if one.outcome is outcome]
        more = [f"{len(names) - NAMED} more"] if len(names) > NAMED else []
        if names:
            parts.append(f"{words} {', '.join([*names[:NAMED], *more])}")
    what = "What --only asks for" if narrowed else "The contract"
    return f"{what} is {'; '.join(parts)}" if parts else "Nothing was required, so nothing is shown"


def _unanswered(name: str, cases: Sequence[CaseResult], limits: Mapping[str, Limit]) -> Verdict:
    """The verdict of a requirement that no stored case answers; an older run does not tell its limit (NaN)."""
    block = next((one for one in BLOCKS if name.startswith(one + " ")), "")
    metric_name = name[len(block) :].strip()
    metric = find(block, metric_name) if block else ARTIFACT_SIZE
    failure = next((case.failure for case in cases if case.failure and case.scenario == block), None)
    reason = f"{failure.error}: {failure.message}" if failure else "the run ended before this was measured"
    unit, direction = (metric.unit, metric.direction) if metric else ("number", "at most")
    figure = Figure(metric_name, unit, None, why_not=reason)
    owed = limits.get(name, Limit(math.nan, ""))
    return Verdict(
        name, block, metric_name, unit, direction, owed.value, owed.text, Outcome.NOT_MEASURED, figure, reason
    )  # fmt: skip
