"""The command line: arguments in, exit code out. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench import __version__
from bench.commands.output import RESULTS

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

FORMATS = ("console", "markdown", "json", "junit", "csv")
FILE = click.Path(path_type=Path)
NAMED_FORMATS = FORMATS[1:]
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


def _examples(*lines: str) -> str:
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


@click.group(
    context_settings=CONTEXT,
    epilog=_examples(
        "benchpact init model.onnx -o contract.yaml    write a contract from a model",
        "benchpact check contract.yaml                 validate it, measure nothing",
        "benchpact run contract.yaml                   measure, judge, and say so by the exit code",
        "benchpact report latest --format markdown     show a stored run again",
    )
    + "\n\n\b\nExit codes:\n  0  every requirement is met\n  1  at least one is missed"
    "\n  2  the input is wrong: nothing was measured\n  3  none missed, but something could not be measured or decided",
)
@click.version_option(__version__, prog_name="benchpact")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Does this model keep its contract on this hardware?

    One file says what a model owes; one command says whether it keeps it on each piece of hardware.
    """


def _complete_targets(context: click.Context, _: click.Parameter, start: str) -> list[CompletionItem]:
    """Target names for ``--on``, from the contract on the line or the site's targets file."""
    from click.shell_completion import CompletionItem

    from bench.commands.listings import target_names

    # An option that still lacks its value ends click's reading of the line, so the contract is looked for in it.
    words = os.environ.get("COMP_WORDS", "").split()
    contract = next((word for word in words if word.endswith((".yaml", ".yml"))), None)
    names = target_names(Path(contract) if contract else None, context.params.get("targets"))
    return [CompletionItem(name) for name in names if name.startswith(start)]


def _complete_runs(context: click.Context, _: click.Parameter, start: str) -> list[CompletionItem]:
    """Run ids under the results folder, the newest first, and ``latest``."""
    from click.shell_completion import CompletionItem

    folder = Path(context.params.get("results") or RESULTS)
    found = sorted((one.parent.name for one in folder.glob("*/run.json")), reverse=True)
    return [CompletionItem(name) for name in ["latest", *found] if name.startswith(start)]


@cli.command(
    epilog=_examples(
        "benchpact run contract.yaml",
        "benchpact run contract.yaml --on ort-1 --only 'single-stream*' --time-budget 20s",
        "benchpact run contract.yaml --junit report.xml --markdown -",
        "benchpact run contract.yaml --resume 20251124-060000-a1b2c3",
    )
)
@click.argument("contract", type=FILE)
@click.option("--targets", type=FILE, help="The site's targets file, for targets that the contract only names.")
@click.option("--on", multiple=True, metavar="TARGET", shell_complete=_complete_targets, help="Only these targets.")
@click.option("--only", multiple=True, metavar="REQUIREMENT", help="Only these: an id, a block, a metric, a pattern.")
@click.option("--results", type=FILE, default=RESULTS, show_default=True, help="The folder that runs are kept in.")
@click.option("--resume", metavar="RUN", shell_complete=_complete_runs, help="Measure only what this run lacks.")
@click.option("--time-budget", metavar="TIME", help="Longest the whole run may take, such as 60s.")
@click.option("--timeout", metavar="TIME", help="Longest a process may take beyond its measuring: 4min if left out.")
@click.option("--allow-code", is_flag=True, help="Run the contract's own Python code; read it first.")
@click.option("--json", "json_file", type=FILE, metavar="F", help="Write the report as JSON; - is standard output.")
@click.option("--junit", "junit_file", type=FILE, metavar="F", help="… as JUnit XML, for a CI server.")
@click.option("--markdown", "markdown_file", type=FILE, metavar="F", help="… as Markdown, for a pull request.")
@click.option("--csv", "csv_file", type=FILE, metavar="F", help="… as CSV, one row a requirement.")
@click.option("-v", "--verbose", is_flag=True, help="Every fact, each process's value, histograms.")
@click.option("-q", "--quiet", is_flag=True, help="No progress and no table: one sentence.")
def run(**given: Any) -> int:
    """Measure a contract's model on its targets and judge every requirement."""
    from bench.commands.run import run_contract

    files = {name: given.pop(f"{name}_file") for name in NAMED_FORMATS}
    return run_contract(files={name: path for name, path in files.items() if path is not None}, **given)


@cli.command(epilog=_examples("benchpact check contract.yaml", "benchpact check contract.yaml --targets lab.yaml"))
@click.argument("contract", type=FILE)
@click.option("--targets", type=FILE, help="The site's targets file.")
def check(contract: Path, targets: Path | None) -> int:
    """Validate a contract and its files; measure nothing.

    Every problem is named at once, with file:line:column, what is wrong and what would be right.
    """
    from bench.commands.contracts import check_contract

    return check_contract(contract, targets)


@cli.command(
    epilog=_examples(
        "benchpact init model.onnx -o contract.yaml",
        "benchpact init model.onnx --samples validation.npz --dim height=640 --dim input:2=48",
    )
)
@click.argument("model", type=FILE)
@click.option("--samples", type=FILE, help="An .npz with one array an input.")
@click.option("-o", "--output", type=FILE, help="Where to write the contract; standard output if left out.")
@click.option("--dim", "dims", multiple=True, metavar="NAME=VALUE", help="The value of a free dimension.")
@click.option("--no-measure", is_flag=True, help="Propose no limits: measure nothing.")
@click.option("--force", is_flag=True, help="Write over an existing file.")
def init(**given: Any) -> int:
    """Write a commented contract from a model: what can be known is filled in, limits are proposed."""
    from bench.commands.contracts import init_contract

    return init_contract(**given)


@cli.command(
    epilog=_examples(
        "benchpact report latest",
        "benchpact report 20251124-060000-a1b2c3 --format junit -o report.xml",
    )
)
@click.argument("run", shell_complete=_complete_runs)
@click.option("--results", type=FILE, default=RESULTS, show_default=True, help="The folder that runs are kept in.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="console", show_default=True)
@click.option("-o", "--output", type=FILE, help="Write to a file instead of standard output.")
@click.option("-v", "--verbose", is_flag=True, help="Every fact, each process's value, histograms.")
def report(run: str, results: Path, form: str, output: Path | None, verbose: bool) -> int:
    """Render a stored run again, in any format, without measuring. RUN is an id, a folder, or `latest`."""
    from bench.commands.report import report_run

    return report_run(run, results, form, output, verbose)


@cli.command(epilog=_examples("benchpact doctor", "benchpact doctor --json machine.json"))
@click.option("--json", "json_file", type=FILE, metavar="F", help="Write it as JSON; - is standard output.")
def doctor(json_file: Path | None) -> int:
    """Say what this machine is, which backends work on it, and what would disturb a measurement."""
    from bench.commands.listings import show_doctor

    return show_doctor(json_file)


@cli.command(epilog=_examples("benchpact targets", "benchpact targets contract.yaml --targets lab.yaml"))
@click.argument("contract", type=FILE, required=False)
@click.option("--targets", type=FILE, help="The site's targets file.")
def targets(contract: Path | None, targets: Path | None) -> int:
    """List the targets of a contract, or of the site's targets file."""
    from bench.commands.listings import list_targets

    return list_targets(contract, targets)


@cli.command(epilog=_examples("benchpact backends"))
def backends() -> int:
    """List the backends that installed packages offer, and whether each works here."""
    from bench.commands.listings import list_backends

    return list_backends()


@cli.command(epilog=_examples("benchpact schema > contract.schema.json"))
def schema() -> int:
    """Print the contract's JSON Schema, so that editors complete and check contracts."""
    import json

    from bench.contract.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
    return 0


@cli.command(
    epilog=_examples(
        'eval "$(benchpact completion bash)"           for this shell',
        "benchpact completion zsh > ~/.benchpact.zsh   then source it in ~/.zshrc",
    )
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> int:
    """Print the script that completes commands, options, targets and runs in a shell."""
    from click.shell_completion import get_completion_class

    complete = get_completion_class(shell)
    assert complete is not None
    click.echo(complete(cli, {}, "benchpact", "_BENCHPACT_COMPLETE").source())
    return 0
