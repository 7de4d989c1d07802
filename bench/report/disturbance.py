"""What disturbed blocks made of a case's figures: each with them, and without."""

from __future__ import annotations

from bench.report import values
from bench.report.text import clean
from bench.results import CaseResult, Figure


def undisturbed(case: CaseResult) -> list[str]:
    """Each figure of all blocks, and beside it without the disturbed ones; where too little is left, that."""
    both = [(one, rest) for one in case.figures if (rest := _without(one)) is not None]
    told = [
        f"{clean(one.metric)}: {values.measured(one)}; without the disturbed blocks {values.measured(rest)}"
        for one, rest in both
        if rest.value is not None
    ]
    gone = ", ".join(clean(one.metric) for one, rest in both if rest.value is None)
    return told + ([f"without the disturbed blocks too little is left of {gone}"] if gone else [])


def beside(case: CaseResult) -> str:
    """What the table does not show of the figures that are judged: without the disturbed blocks, or with them.

    With them where the contract leaves them out; "" where no block was disturbed.
    """
    figures = {one.metric: (one, rest) for one in case.figures if (rest := _without(one)) is not None}
    wanted = dict.fromkeys(one.metric for one in case.verdicts if one.block == case.scenario and one.metric in figures)
    if not wanted:
        return ""
    left_out = bool(case.settings.get("leave_out_disturbed"))
    other = [figures[metric][0 if left_out else 1] for metric in wanted]
    told = [f"{clean(one.metric)} {values.measured(one) if one.value is not None else 'too few'}" for one in other]
    return f"{'with' if left_out else 'without'} the disturbed blocks: {', '.join(told)}"


def _without(figure: Figure) -> Figure | None:
    """The figure without the disturbed blocks; None where none was disturbed."""
    return Figure(figure.metric, figure.unit, **vars(figure.undisturbed)) if figure.undisturbed else None
