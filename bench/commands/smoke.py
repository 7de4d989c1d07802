"""``benchpact smoke``: a first answer from a target, within about a minute."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.commands.report import show
from bench.commands.run import say_interrupted

if TYPE_CHECKING:
    from bench.contract.model import Target
    from bench.edge.steps import Steps


def smoke_contract(
    contract: Path,
    targets: Path | None,
    on: Sequence[str],
    only: Sequence[str],
    results: Path,
    allow_code: bool,
    verbose: bool,
) -> int:
    """Check, look at each host, measure shortly, judge; the exit code as of ``run``."""
    from bench.contract.check import check, read_whole
    from bench.edge.smoke import cut_down, notices
    from bench.edge.steps import Steps
    from bench.judge.verdict import exit_code
    from bench.plan import plan
    from bench.report.rows import verdicts
    from bench.run import Interrupted, RunOptions, execute

    loaded = read_whole(contract, targets, on)
    whole = plan(loaded, on, only)
    chosen = cut_down(whole, loaded)
    checked = check(loaded, {case.target.name for case in chosen.cases})
    checked.refuse()
    steps = Steps(sys.stderr, {case.id: case.target.name for case in chosen.cases})
    for target in {case.target.name: case.target for case in chosen.cases}.values():
        if target.host is not None:
            _look(target, target.host, steps)
    options = RunOptions(results, targets, tuple(on), tuple(only), allow_code=allow_code, smoke=True)
    try:
        stored = execute(loaded, chosen, options, steps, (*checked.notices, *notices(whole)))
    except Interrupted as interrupted:
        return say_interrupted("run", contract, results, interrupted.run)
    show(stored, results, {}, verbose=verbose, quiet=False)
    return exit_code(verdicts(stored))


def _look(target: Target, host: str, steps: Steps) -> None:
    """Whether the host answers, what it is and whether it can run the backend; LaunchError where not."""
    from bench.edge.findings import findings, has
    from bench.edge.places import packages_of
    from bench.edge.sheet import headline
    from bench.edge.tended import Tended
    from bench.edge.wheels import ALWAYS
    from bench.errors import LaunchError

    wanted = packages_of([target.backend])
    with Tended(host, target.python) as board:
        facts = board.look([*wanted[target.backend], *ALWAYS])
    steps.say(target.name, f"reached: {headline(facts)}")
    for one in findings(facts, target.name, wanted):
        if one.blocks and target.python is None:
            raise LaunchError(f"{target.name}: {one.what}: {one.remedy}")
        steps.say(target.name, f"note: {one.what}: {one.remedy}")
    steps.say(target.name, "ready: " + ", ".join(f"{name} {version}" for name, version in has(facts).items()))
