"""The commands that measure: run, smoke, sweep, profile."""

from __future__ import annotations

from typing import Any

import click

from bench.cli.options import FILE, NAMED_FORMATS, TIMEOUT, aimed, chosen, completed, examples, files


@click.command(
    epilog=examples(
        "benchpact run contract.yaml",
        "benchpact run contract.yaml --on ort-1 --only 'single-stream*' --time-budget 20s",
        "benchpact run contract.yaml --junit report.xml --markdown -",
        "benchpact run contract.yaml --resume 20251124-060000-a1b2c3",
    )
)
@click.argument("contract", type=FILE)
@chosen
@click.option("--resume", metavar="RUN", shell_complete=completed("runs"), help="Measure only what this run lacks.")
@click.option("--time-budget", metavar="TIME", help="Longest the whole run may take, such as 60s.")
@click.option("--timeout", metavar="TIME", help=TIMEOUT)
@click.option("--allow-code", is_flag=True, help="Run the contract's own Python code; read it first.")
@click.option("--without-disturbed", is_flag=True, help="Judge without the blocks that other work disturbed.")
@click.option("--json", "json_file", type=FILE, metavar="F", help="Write the report as JSON; - is standard output.")
@click.option("--junit", "junit_file", type=FILE, metavar="F", help="… as JUnit XML, for a CI server.")
@click.option("--markdown", "markdown_file", type=FILE, metavar="F", help="… as Markdown, for a pull request.")
@click.option("--csv", "csv_file", type=FILE, metavar="F", help="… as CSV, one row a requirement.")
@click.option("-v", "--verbose", is_flag=True, help="Every fact, each process's value, histograms.")
@click.option("-q", "--quiet", is_flag=True, help="No progress and no table: one sentence.")
def run(**given: Any) -> int:
    """Measure a contract's model on its targets and judge every requirement."""
    from bench.commands.run import Asked, run_contract

    without_disturbed = given.pop("without_disturbed")
    return run_contract(Asked(files=files(given, NAMED_FORMATS), **given), without_disturbed)


@click.command(
    epilog=examples(
        "benchpact smoke contract.yaml --on pi4", "benchpact smoke contract.yaml --on pi4 --only 'latency*'"
    )
)
@click.argument("contract", type=FILE)
@chosen
@click.option("--allow-code", is_flag=True, help="Run the contract's own Python code; read it first.")
@click.option("-v", "--verbose", is_flag=True, help="Every fact, each process's value, histograms.")
def smoke(**given: Any) -> int:
    """Answer within about a minute: one short process a case, outputs compared, every requirement judged."""
    from bench.commands.smoke import smoke_contract

    return smoke_contract(**given)


@click.command(
    epilog=examples(
        "benchpact sweep contract.yaml --over threads=1,2,4 --over batch=1..64",
        "benchpact sweep contract.yaml --over threads=1,2,4 batch=1..64 --on ort-1 --csv sweep.csv",
        "benchpact sweep contract.yaml --over rate=100..1600 --only server --time-budget 2min",
        "benchpact sweep contract.yaml --resume latest",
    )
    + "\n\n\b\nWhat can be varied (a..b doubles from a as long as it stays within b):\n"
    "  threads  threads of one query, in every scenario\n"
    "  batch    samples a query, offline\n"
    "  rate     queries a second, server\n"
    "  streams  the backend's option of that name, where it has one"
    "\n\n\b\nExit codes:\n  0  some configuration keeps the contract\n  1  each of them misses it"
    "\n  2  the input is wrong: nothing was measured\n  3  none is known to keep it, and not each was decided",
)
@click.argument("contract", type=FILE)
@click.argument("more", nargs=-1, metavar="[KEY=VALUES]...", shell_complete=completed("axes"))
@click.option("--over", multiple=True, metavar="KEY=VALUES", shell_complete=completed("axes"), help="What to vary.")
@chosen
@click.option("--resume", metavar="RUN", shell_complete=completed("runs"), help="Measure only what this sweep lacks.")
@click.option("--time-budget", metavar="TIME", help="Longest the whole sweep may take, such as 60s.")
@click.option("--timeout", metavar="TIME", help=TIMEOUT)
@click.option("--allow-code", is_flag=True, help="Run the contract's own Python code; read it first.")
@click.option("--json", "json_file", type=FILE, metavar="F", help="Write the sweep as JSON; - is standard output.")
@click.option("--csv", "csv_file", type=FILE, metavar="F", help="… as CSV, one row a configuration.")
@click.option("-v", "--verbose", is_flag=True, help="Each configuration's whole report before the table.")
@click.option("-q", "--quiet", is_flag=True, help="No progress and no table: one sentence.")
def sweep(**given: Any) -> int:
    """Find the cheapest configuration that keeps a contract.

    Every combination of the values after --over is measured on every target, and judged by the contract.
    """
    from bench.commands.run import Asked
    from bench.commands.sweep import sorted_out, sweep_contract

    contract, over = sorted_out([str(given.pop("contract")), *given.pop("more")], given.pop("over"))
    return sweep_contract(Asked(contract, files=files(given, ("json", "csv")), **given), over)


@click.command(
    epilog=examples(
        "benchpact profile contract.yaml --on ort-1",
        "benchpact profile contract.yaml --on ort-1 --on openvino-1 --top 3 --batch 64 --json profile.json",
    )
    + "\n\n\b\nExit codes:\n  0  every target has its profile\n  2  the input is wrong: nothing was begun"
    "\n  3  a target could not be profiled"
)
@click.argument("contract", type=FILE)
@aimed
@click.option("--top", type=click.IntRange(min=1), default=10, show_default=True, help="How many operators to show.")
@click.option("--batch", type=click.IntRange(min=1), default=1, show_default=True, help="Samples a query.")
@click.option("--allow-code", is_flag=True, help="Run the contract's own Python code; read it first.")
@click.option("--json", "json_file", type=FILE, metavar="F", help="Write it as JSON; - is standard output.")
def profile(**given: Any) -> int:
    """Say where a model's time goes: its costliest operators, by the framework's own profiler.

    Each target is profiled in a process of its own. Nothing is timed or judged: a profiler slows a model down.
    """
    from bench.commands.profile import profile_contract

    return profile_contract(**given)
