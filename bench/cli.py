"""The command line: arguments in, exit code out. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
        "benchpact smoke contract.yaml --on pi4        a first answer from a board",
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


def _completed(what: str) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """What the shell offers, by a function of ``commands.completion``, imported when a shell asks."""

    def complete(context: click.Context, parameter: click.Parameter, start: str) -> list[CompletionItem]:
        from bench.commands import completion

        found: list[CompletionItem] = getattr(completion, what)(context, parameter, start)
        return found

    return complete


def _files(given: dict[str, Any], names: Sequence[str]) -> dict[str, Path]:
    """The report files that were asked for, by form; taken out of what the command was ``given``."""
    found = {name: given.pop(f"{name}_file") for name in names}
    return {name: path for name, path in found.items() if path is not None}


def _with(command: Callable[..., int], *options: Callable[..., Any]) -> Callable[..., int]:
    """The command with these options, in this order in its help."""
    for option in reversed(options):
        command = option(command)
    return command


def _aimed(command: Callable[..., int]) -> Callable[..., int]:
    """The options that say which of a contract's targets are meant."""
    options = (
        click.option("--targets", type=FILE, help="The site's targets file, for targets that the contract only names."),
        click.option(
            "--on",
            multiple=True,
            metavar="TARGET",
            shell_complete=_completed("targets"),
            help="Only these targets, of the contract or of the site's file.",
        ),
    )
    return _with(command, *options)


def _chosen(command: Callable[..., int]) -> Callable[..., int]:
    """The options that say what of a contract is measured and where its runs are kept."""
    options = (
        _aimed,
        click.option(
            "--only",
            multiple=True,
            metavar="REQUIREMENT",
            shell_complete=_completed("requirements"),
            help="Only these: an id, a block, a metric, a pattern.",
        ),
        click.option(
            "--results", type=FILE, default=RESULTS, show_default=True, help="The folder that runs are kept in."
        ),
    )
    return _with(command, *options)


TIMEOUT = "Longest a process may take beside twice its longest warm-up and measuring: 4min if left out."


@cli.command(
    epilog=_examples(
        "benchpact run contract.yaml",
        "benchpact run contract.yaml --on ort-1 --only 'single-stream*' --time-budget 20s",
        "benchpact run contract.yaml --junit report.xml --markdown -",
        "benchpact run contract.yaml --resume 20251124-060000-a1b2c3",
    )
)
@click.argument("contract", type=FILE)
@_chosen
@click.option("--resume", metavar="RUN", shell_complete=_completed("runs"), help="Measure only what this run lacks.")
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
    return run_contract(Asked(files=_files(given, NAMED_FORMATS), **given), without_disturbed)


@cli.command(
    epilog=_examples(
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
@click.argument("more", nargs=-1, metavar="[KEY=VALUES]...", shell_complete=_completed("axes"))
@click.option("--over", multiple=True, metavar="KEY=VALUES", shell_complete=_completed("axes"), help="What to vary.")
@_chosen
@click.option("--resume", metavar="RUN", shell_complete=_completed("runs"), help="Measure only what this sweep lacks.")
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
    return sweep_contract(Asked(contract, files=_files(given, ("json", "csv")), **given), over)


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
@click.argument("run", shell_complete=_completed("runs"))
@click.option("--results", type=FILE, default=RESULTS, show_default=True, help="The folder that runs are kept in.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="console", show_default=True)
@click.option("-o", "--output", type=FILE, help="Write to a file instead of standard output.")
@click.option("-v", "--verbose", is_flag=True, help="Every fact, each process's value, histograms.")
def report(run: str, results: Path, form: str, output: Path | None, verbose: bool) -> int:
    """Render a stored run again, in any format, without measuring. RUN is an id, a folder, or `latest`.

    Exits with 0 once it is rendered, whatever its verdicts: those were the exit code of the run itself.
    """
    from bench.commands.report import report_run

    return report_run(run, results, form, output, verbose)


@cli.command(epilog=_examples("benchpact doctor", "benchpact doctor --json machine.json"))
@click.option("--json", "json_file", type=FILE, metavar="F", help="Write it as JSON; - is standard output.")
def doctor(json_file: Path | None) -> int:
    """Say what this machine is, which backends work on it, and what would disturb a measurement."""
    from bench.commands.listings import show_doctor

    return show_doctor(json_file)


def _host(command: Callable[..., int]) -> Callable[..., int]:
    """HOST, and how it is found and looked at."""
    options = (
        click.argument("host"),
        click.option("--targets", type=FILE, help="The site's targets file."),
        click.option("--python", metavar="PATH", help="The interpreter there; python3 if left out."),
    )
    return _with(command, *options)


@cli.group(
    epilog=_examples(
        "benchpact device probe pi4                         what it is, and what it lacks",
        "benchpact device prepare pi4 --backend onnxruntime   nothing installed by hand, no internet there",
        "benchpact device clean pi4                         nothing of ours is left",
    )
)
def device() -> None:
    """Look at a board, make it ready, leave it clean. HOST is a target of the site's, or what `ssh HOST` reaches."""


@device.command("probe", epilog=_examples("benchpact device probe pi4", "benchpact device probe pi4 --json pi4.json"))
@_host
@click.option("--json", "json_file", type=FILE, metavar="F", help="Write it as JSON; - is standard output.")
def device_probe(host: str, **given: Any) -> int:
    """Say what a board is, which backends it can run, and what it lacks."""
    from bench.commands.device import probe_device

    return probe_device(host, **given)


@device.command(
    "prepare",
    epilog=_examples(
        "benchpact device prepare pi4",
        "benchpact device prepare bench@192.0.2.7 --backend onnxruntime --wheelhouse wheels",
    ),
)
@_host
@click.option("--wheelhouse", type=FILE, metavar="DIR", help="Take wheels from this folder only, not from an index.")
@click.option(
    "--backend", "backends", multiple=True, metavar="NAME", help="What it is to run; else its targets' backends."
)
def device_prepare(host: str, **given: Any) -> int:
    """Make an environment of its own on a board, without internet there, without root.

    Wheels that fit its Python, C library and machine are chosen here, sent once and unpacked under its user's cache.
    """
    from bench.commands.device import prepare_device

    return prepare_device(host, **given)


@device.command("clean", epilog=_examples("benchpact device clean pi4"))
@_host
def device_clean(host: str, **given: Any) -> int:
    """Remove all that is ours from a board."""
    from bench.commands.device import clean_device

    return clean_device(host, **given)


@device.command("wheels", epilog=_examples("benchpact device wheels pi4.json wheels --backend onnxruntime"))
@click.argument("board", type=FILE)
@click.argument("folder", type=FILE)
@click.option("--backend", "backends", multiple=True, required=True, metavar="NAME", help="What it is to run.")
def device_wheels(board: Path, folder: Path, backends: tuple[str, ...]) -> int:
    """Fetch the wheels for a board into a folder, on a machine with internet, for a lab that has none.

    BOARD is what `benchpact device probe HOST --json BOARD` wrote.
    """
    from bench.commands.device import fetch_wheels

    return fetch_wheels(board, folder, backends)


@cli.command(
    epilog=_examples(
        "benchpact smoke contract.yaml --on pi4", "benchpact smoke contract.yaml --on pi4 --only 'latency*'"
    )
)
@click.argument("contract", type=FILE)
@_chosen
@click.option("--allow-code", is_flag=True, help="Run the contract's own Python code; read it first.")
@click.option("-v", "--verbose", is_flag=True, help="Every fact, each process's value, histograms.")
def smoke(**given: Any) -> int:
    """Answer within about a minute: one short process a case, outputs compared, every requirement judged."""
    from bench.commands.smoke import smoke_contract

    return smoke_contract(**given)


@cli.command(
    epilog=_examples(
        "benchpact profile contract.yaml --on ort-1",
        "benchpact profile contract.yaml --on ort-1 --on openvino-1 --top 3 --batch 64 --json profile.json",
    )
    + "\n\n\b\nExit codes:\n  0  every target has its profile\n  2  the input is wrong: nothing was begun"
    "\n  3  a target could not be profiled"
)
@click.argument("contract", type=FILE)
@_aimed
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
