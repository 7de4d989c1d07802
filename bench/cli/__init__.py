"""The command line: arguments in, exit code out. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import click

from bench import __version__
from bench.cli.boards import device
from bench.cli.contracts import check, init, schema, targets
from bench.cli.measuring import profile, run, smoke, sweep
from bench.cli.options import examples
from bench.cli.showing import backends, completion, doctor, report

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


@click.group(
    context_settings=CONTEXT,
    epilog=examples(
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


for command in (run, smoke, sweep, profile, check, init, schema, targets, report, doctor, device, backends, completion):
    cli.add_command(command)
