"""The reference page is the program's own, and its example is a contract."""

from __future__ import annotations

from pathlib import Path

from bench import metrics
from bench.contract import grammar
from bench.contract.load import parse
from bench.contract.reference import EXAMPLE, render

PAGE = Path(__file__).parents[2] / "docs" / "contract.md"


def test_the_page_in_the_docs_is_what_the_program_writes() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "write it anew: python -m bench.contract.reference"


def test_the_example_is_a_contract() -> None:
    contract = parse(EXAMPLE.encode(), Path("folder/contract.yaml"))
    assert contract.version == "1.10"
    assert {one.block for one in contract.targets[0].limits.requirements} == {*metrics.BLOCKS, ""}


def test_the_example_uses_every_key_of_a_contract() -> None:
    for field in grammar.CONTRACT.fields:
        assert f"\n{field.name}:" in f"\n{EXAMPLE}"
    for record in (grammar.ARTIFACT, grammar.INPUT, grammar.VALIDATION, grammar.TARGET):
        for field in record.fields:
            assert f"{field.name}:" in EXAMPLE


def test_every_metric_is_in_the_page() -> None:
    page = render()
    for block in metrics.BLOCKS:
        for metric in metrics.BY_BLOCK[block]:
            assert f"| `{metric.name}` |" in page
            assert metric.meaning in page
