"""The contract's JSON Schema, from the grammar that ``load`` reads by; editors complete and check by it."""

from __future__ import annotations

from typing import Any

from bench.contract.grammar import CONTRACT
from bench.contract.kinds import Schema


def json_schema() -> dict[str, Any]:
    """The schema (draft 2020-12) of a contract as an editor sees it: YAML read by YAML 1.2's core rules.

    It accepts every contract that ``load`` accepts. What only ``load`` can tell (one part against
    another, files) it does not know.
    """
    defs: dict[str, Schema] = {}
    schema = CONTRACT.schema(defs)
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "benchpact contract",
        "description": "What a model is, and what it may cost where it runs.",
    }
    return {**head, **schema, "$defs": dict(sorted(defs.items()))}
