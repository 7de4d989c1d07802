"""A stored run as GitHub-flavoured Markdown, for the comment on a pull request."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bench.report import disturbance, evidence, matrix, values
from bench.report.rows import Row, TargetSummary, rows, sentence, summary
from bench.report.text import clean
from bench.results import CaseResult, Outcome, StoredRun

SYMBOLS = {Outcome.MET: "✅", Outcome.MISSED: "❌", Outcome.UNDECIDED: "❔", Outcome.NOT_MEASURED: "⬜"}
_MARKUP = re.compile(r"([\\`*_\[\]|~$])|^([#+=-])")
_NUMBERED = re.compile(r"^(\d{1,9})([.)])(?=\s|$)")
_LINKED = re.compile(r"@|#|(?<=:)//|(?<=www)\.|(?<=GH)-", re.IGNORECASE)
"""What GitHub makes a link or a notification of: people, issues, addresses."""


def render(run: StoredRun) -> str:
    """A heading, the summary, one table a target, and the evidence folded away below each."""
    every, summaries = rows(run), summary(run)
    parts = [f"### {_safe(run.info.model)} {_safe(run.info.model_version)}: {_safe(sentence(run))}"]
    parts += [f"> ⚠️ {_safe(notice)}" for notice in run.info.notices]
    if len(summaries) > 1:
        parts += [_overview(every, summaries)]
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
    return f"#### {_symbol(one.outcome)} {_safe(one.target)}{where}: {one.words}"


def _symbol(outcome: Outcome | None) -> str:
    return SYMBOLS[outcome] if outcome else "▫️"


def _overview(every: Sequence[Row], summaries: Sequence[TargetSummary]) -> str:
    """Every requirement on every target: which of them to deploy on."""
    lines = matrix.lines(every, [one.target for one in summaries])
    heads = ["requirement", "limit", *(_safe(one.target) for one in summaries)]
    found = ["| " + " | ".join(heads) + " |", "| :-- | --: |" + " :-- |" * len(summaries)]
    for line in lines:
        label = " ".join(part for part in (line.block, line.metric) if part)
        found.append("| " + " | ".join([_safe(label), _safe(line.limit), *map(_cell, line.cells)]) + " |")
    answers = [f"{_symbol(one.outcome)} {one.outcome.value if one.outcome else 'not asked'}" for one in summaries]
    found.append("| **verdict** | | " + " | ".join(answers) + " |")
    if any(cell is not None and cell.best for line in lines for cell in line.cells):
        found.append("\nBold: clearly the best of its line, its interval (or exact value) lies clear of all others'.")
    return "\n".join(found)


def _cell(cell: matrix.Cell | None) -> str:
    if cell is None:
        return ""
    text = _safe(cell.text) or cell.outcome.value
    return f"{SYMBOLS[cell.outcome]} {f'**{text}**' if cell.best else text}"


def _table(own: Sequence[Row]) -> str:
    lines = ["| requirement | limit | measured \\[interval\\] | spread | verdict |", "| :-- | --: | --: | --: | :-- |"]
    for row in own:
        verdict, figure = row.verdict, row.verdict.figure
        found = (verdict.requirement, values.limit(verdict), values.measured(figure), values.spread(figure))
        answer = f"{SYMBOLS[verdict.outcome]} {_safe(values.outcome(verdict))}"
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
    lines = [f"- {_safe(evidence.ran(cases))}"] if cases else []
    for case in cases:
        others = _safe(evidence.ran_otherwise(case, cases))
        lines.append(f"- {_safe(case.scenario)}: {_safe(evidence.how(case))}" + (f"<br>{others}" if others else ""))
        if other := disturbance.beside(case):
            lines.append(f"- {_safe(other)}")
        for warning in evidence.warnings(case):
            last = "".join(f"<br>{_safe(line)}" for line in warning.lines)
            lines.append(f"- ⚠️ {_safe(warning.text)}{last}")
    if not lines:
        return ""
    return "<details><summary>What ran, and how</summary>\n\n" + "\n".join(lines) + "\n\n</details>"


def _safe(text: str) -> str:
    """``text`` that Markdown shows as it stands: no markup, no HTML, no cell border, no link, nobody notified."""
    html = clean(text).strip().replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _LINKED.sub(r"\g<0><!-- -->", _NUMBERED.sub(r"\1\\\2", _MARKUP.sub(r"\\\g<0>", html)))
