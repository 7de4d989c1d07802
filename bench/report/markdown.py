"""A stored run as GitHub-flavoured Markdown, for the comment on a pull request."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bench.report import evidence, values
from bench.report.rows import Row, TargetSummary, rows, sentence, summary
from bench.report.text import clean
from bench.results import CaseResult, Outcome, StoredRun

SYMBOLS = {Outcome.MET: "✅", Outcome.MISSED: "❌", Outcome.UNDECIDED: "❔", Outcome.NOT_MEASURED: "⬜"}
_MARKUP = re.compile(r"([\\`*_\[\]|~$])")


def render(run: StoredRun) -> str:
    """A heading, the summary, one table a target, and the evidence folded away below each."""
    every, summaries = rows(run), summary(run)
    parts = [f"### {_safe(run.info.model)} {_safe(run.info.model_version)}: {sentence(summaries)}"]
    parts += [f"> {_safe(notice)}" for notice in run.info.notices]
    for one in summaries:
        own = [row for row in every if row.target == one.target]
        cases = [case for case in run.cases if case.target == one.target]
        parts += [_title(one, cases), _table(own), *_reasons(own), _evidence(cases)]
    if run.missing:
        parts.append(f"Not measured, the run was interrupted: {', '.join(_safe(case) for case in run.missing)}")
    parts.append(f"Run {_safe(run.info.run)} · {_safe(run.info.started)} · benchpact {_safe(run.info.benchpact)}")
    return "\n\n".join(part for part in parts if part) + "\n"


def _title(one: TargetSummary, cases: Sequence[CaseResult]) -> str:
    where = f" ({_safe(cases[0].backend)} on {_safe(cases[0].device)})" if cases else ""
    return f"#### {SYMBOLS[one.outcome]} {_safe(one.target)}{where}"


def _table(own: Sequence[Row]) -> str:
    lines = ["| requirement | limit | measured \\[interval\\] | spread | verdict |", "| :-- | --: | --: | --: | :-- |"]
    for row in own:
        verdict, figure = row.verdict, row.verdict.figure
        found = (verdict.requirement, values.limit(verdict), values.measured(figure), values.spread(figure))
        answer = f"{SYMBOLS[verdict.outcome]} {verdict.outcome.value}"
        lines.append("| " + " | ".join([*map(_safe, found), answer]) + " |")
    return "\n".join(lines)


def _reasons(own: Sequence[Row]) -> list[str]:
    lines = [
        f"- {SYMBOLS[row.verdict.outcome]} {_safe(row.verdict.requirement)}: "
        + _safe(row.verdict.reason or row.verdict.figure.why_not or row.verdict.outcome.value)
        for row in own
        if row.verdict.outcome is not Outcome.MET
    ]
    return ["\n".join(lines)] if lines else []


def _evidence(cases: Sequence[CaseResult]) -> str:
    lines = []
    for case in cases:
        lines.append(f"- {_safe(case.scenario)}: {_safe(evidence.how(case))}<br>{_safe(evidence.ran(case))}")
        for warning in evidence.warnings(case):
            last = "".join(f"<br>{_safe(line)}" for line in warning.lines)
            lines.append(f"- ⚠️ {_safe(warning.text)}{last}")
    if not lines:
        return ""
    return "<details><summary>What ran, and how</summary>\n\n" + "\n".join(lines) + "\n\n</details>"


def _safe(text: str) -> str:
    """``text`` that Markdown shows as it stands: no markup, no HTML, no cell border, nobody notified."""
    html = clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKUP.sub(r"\\\1", html).replace("@", "@<!-- -->")
