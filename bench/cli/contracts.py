"""The commands about contracts and what they may name: init, check, schema, targets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bench.cli.options import FILE, examples


@click.command(
    epilog=examples(
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


@click.command(epilog=examples("benchpact check contract.yaml", "benchpact check contract.yaml --targets lab.yaml"))
@click.argument("contract", type=FILE)
@click.option("--targets", type=FILE, help="The site's targets file.")
def check(contract: Path, targets: Path | None) -> int:
    """Validate a contract and its files; measure nothing.

    Every problem is named at once, with file:line:column, what is wrong and what would be right.
    """
    from bench.commands.contracts import check_contract

    return check_contract(contract, targets)


@click.command(epilog=examples("benchpact schema > contract.schema.json"))
def schema() -> int:
    """Print the contract's JSON Schema, so that editors complete and check contracts."""
    import json

    from bench.contract.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
    return 0


@click.command(epilog=examples("benchpact targets", "benchpact targets contract.yaml --targets lab.yaml"))
@click.argument("contract", type=FILE, required=False)
@click.option("--targets", type=FILE, help="The site's targets file.")
def targets(contract: Path | None, targets: Path | None) -> int:
    """List the targets of a contract, or of the site's targets file."""
    from bench.commands.listings import list_targets

    return list_targets(contract, targets)
