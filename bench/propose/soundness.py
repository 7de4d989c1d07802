"""No contract is handed out that would be refused as it stands."""

from __future__ import annotations

from bench.contract.check import check
from bench.contract.load import parse
from bench.contract.problems import ContractProblems
from bench.errors import ContractError
from bench.propose.text import Page


def refuse_unsound(text: str, page: Page, *, whole: bool) -> None:
    """ContractError, in one line, where the text would not load, or, once ``whole``, would not pass ``check``.

    A text with parts left to be written by hand is only asked to load.
    """
    try:
        contract = parse(text.encode(), page.folder / page.name)
        problems = check(contract).problems if whole else ()
    except ContractProblems as error:
        problems = error.problems
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise ContractError(f"{page.draft.path}: no contract can be written for it: {problems[0].message}{more}")
