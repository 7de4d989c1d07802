"""The commands that show what is there: report, doctor, backends, completion."""

from __future__ import annotations

from pathlib import Path

import click

from bench.cli.options import FILE, FORMATS, completed, examples
from bench.commands.output import RESULTS


@click.command(
    epilog=examples(
        "benchpact report latest",
        "benchpact report 20251124-060000-a1b2c3 --format junit -o report.xml",
    )
)
@click.argument("run", shell_complete=completed("runs"))
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


@click.command(epilog=examples("benchpact doctor", "benchpact doctor --json machine.json"))
@click.option("--json", "json_file", type=FILE, metavar="F", help="Write it as JSON; - is standard output.")
def doctor(json_file: Path | None) -> int:
    """Say what this machine is, which backends work on it, and what would disturb a measurement."""
    from bench.commands.listings import show_doctor

    return show_doctor(json_file)


@click.command(epilog=examples("benchpact backends"))
def backends() -> int:
    """List the backends that installed packages offer, and whether each works here."""
    from bench.commands.listings import list_backends

    return list_backends()


@click.command(
    epilog=examples(
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
    whole = click.get_current_context().find_root().command
    click.echo(complete(whole, {}, "benchpact", "_BENCHPACT_COMPLETE").source())
    return 0
