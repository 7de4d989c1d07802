"""The JSON Schema and ``load`` have one source: what one accepts, the other does too."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench import artifacts, metrics, registry
from bench.contract import grammar
from bench.contract.load import parse
from bench.contract.problems import ContractProblems
from bench.contract.schema import json_schema
from bench.device.arrivals import CONSTANT, POISSON
from bench.units import known_units
from tests.contract.contracts import WHOLE

SCHEMA = json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


class EditorLoader(yaml.SafeLoader):
    """YAML 1.2's core rules, by which editors read: ``on`` is a word, ``1.10`` and ``1e-4`` are numbers."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - as PyYAML declares it


for tag, pattern, first in (
    ("null", r"^(?:~|null|)$", ["~", "n", ""]),
    ("bool", r"^(?:true|false)$", ["t", "f"]),
    ("int", r"^[-+]?[0-9]+$", list("-+0123456789")),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", list("-+.0123456789")),
):
    EditorLoader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), first)


def as_editor(text: str) -> Any:
    return yaml.load(text, Loader=EditorLoader)


def complaints(document: object) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(document)]


def test_it_is_a_schema_of_the_draft_that_editors_know() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_it_accepts_the_whole_contract() -> None:
    assert complaints(as_editor(WHOLE)) == []


@pytest.mark.parametrize("name", ["demo.yaml", "streaming.yaml"])
def test_it_accepts_the_contracts_of_the_project(name: str) -> None:
    text = (Path(__file__).parents[2] / "configs" / name).read_text()
    assert complaints(as_editor(text)) == []


def test_every_key_has_a_line_of_help() -> None:
    def properties(schema: object) -> list[tuple[str, Any]]:
        if isinstance(schema, list):
            return [one for item in schema for one in properties(item)]
        if not isinstance(schema, dict):
            return []
        own = schema.get("properties", {}) if schema.get("additionalProperties") is False else {}
        inner = [one for value in schema.values() for one in properties(value)]
        return [*own.items(), *inner]

    found = properties(SCHEMA)
    assert len(found) > 60
    kinds = set(artifacts.KINDS)
    assert [name for name, one in found if not one.get("description") and name not in kinds] == []


def test_backends_dtypes_and_kinds_are_offered() -> None:
    text = str(SCHEMA)
    for word in (*registry.names(), *grammar.DTYPES, *grammar.PRECISIONS, *artifacts.KINDS):
        assert f"'{word}'" in text


def test_every_metric_of_the_catalogue_is_offered() -> None:
    for block in metrics.BLOCKS:
        offered = SCHEMA["$defs"][block]["properties"]
        assert [one.name for one in metrics.BY_BLOCK[block] if one.name not in (*offered, "top-k")] == []


KINDS = (POISSON, CONSTANT, "bursts of 8", "bursts of 9999")


def limit(metric: metrics.Metric) -> st.SearchStrategy[object]:
    signs = {"at most": ["", "at most ", "<= ", "≤"], "at least": ["", "at least ", ">= ", "≥ "]}[metric.direction]
    bare = [""] if metric.unit in ("ratio", "number") else []
    signed = st.builds("{}{}".format, st.sampled_from(signs), st.sampled_from(["1", "0.5", "1e-3", "0.25"]))
    suffixes = [*bare, *(f"{gap}{name}" for name in known_units(metric.unit) for gap in ("", " "))]
    texts = st.builds("{}{}".format, signed, st.sampled_from(suffixes)) if suffixes else signed
    return texts | st.sampled_from([0.5, 1, 0]) if bare else texts


@st.composite
def blocks(draw: st.DrawFn, block: str) -> dict[str, object]:
    names = [one.name for one in metrics.BY_BLOCK[block] if one.name != "top-k"]
    names += ["latency p50", "latency p99.9", "latency p00.01"] if block in metrics.TIMED else []
    names += ["top-1", "top-10"] if block == "accuracy" else []
    found: dict[str, object] = {}
    for name in draw(st.lists(st.sampled_from(names), min_size=1, max_size=4, unique=True)):
        metric = metrics.find(block, name)
        assert metric is not None
        found[name] = draw(limit(metric))
    if block in metrics.SCENARIOS and draw(st.booleans()):
        found["processes"] = draw(st.integers(1, 100))
    if block == "soak":
        found |= {"rate": "50/s", "arrivals": draw(st.sampled_from(KINDS))}
        found |= draw(st.sampled_from([{}, {"time": "2 h"}, {"workers": 2}]))
    elif block in metrics.TIMED and draw(st.booleans()):
        found |= {"time": "1.5 s", "min time": "10 ms", "queries": draw(st.integers(1, 10**7))}
    if block == "multi-stream" and draw(st.booleans()):
        found["samples"] = draw(st.integers(1, 64))
    if block == "server":
        found |= {"rate": draw(st.sampled_from(["200/s", "1.5 k/s"])), "arrivals": draw(st.sampled_from(KINDS))}
    if block == "server":
        found |= {"queue": 9, "timeout": "9 ms"}  # what `dropped` and `timed out` are about
        found |= draw(st.sampled_from([{}, {"workers": 4}, {"max wait": "1 ms", "max batch": 1}]))
    if block == "offline":
        found["batch"] = draw(st.sampled_from([1, 64, "best", "1_000"]))
    if block == "accuracy" and draw(st.booleans()):
        found["my.code:score"] = draw(st.sampled_from(["at most 1", ">= 0.5", "≤ 1e-3"]))
    return found


@st.composite
def limits(draw: st.DrawFn) -> dict[str, object]:
    chosen = draw(st.lists(st.sampled_from(metrics.BLOCKS), min_size=1, unique=True))
    found: dict[str, object] = {block: draw(blocks(block)) for block in chosen}
    return found | ({"artifact size": "at most 1.5 MiB"} if draw(st.booleans()) else {})


names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.:/ -]{0,10}[A-Za-z0-9]", fullmatch=True)
sizes = st.integers(1, 64) | st.just("batch")
versions = st.sampled_from(["1.0.0", 1.5, 2, True, "1.10", "2024-01-01", "on"])


@st.composite
def tensors(draw: st.DrawFn) -> dict[str, object]:
    rest = draw(st.lists(st.integers(1, 64), max_size=3))
    return {"dtype": draw(st.sampled_from(grammar.DTYPES)), "shape": ["batch", *rest] if draw(st.booleans()) else rest}


targets = st.fixed_dictionaries(
    {"backend": st.sampled_from(registry.names())},
    optional={
        "device": st.sampled_from(["cpu", "cuda:0", "GPU.1"]),
        "threads": st.integers(1, 64),
        "precision": st.sampled_from(grammar.PRECISIONS),
        "residency": st.sampled_from(grammar.RESIDENCIES),
        "options": st.dictionaries(
            names, st.booleans() | st.integers(0, 9) | st.just("all") | st.just(0.5), max_size=3
        ),
        "limits": limits(),
    },
)
contracts = st.fixed_dictionaries(
    {
        "benchpact": st.just(1),
        "model": st.fixed_dictionaries(
            {"name": names | versions, "version": versions},
            optional={
                "framework": names,
                "framework version": versions,
                "parameters": st.integers(0, 10**15) | st.just("12_000"),
                "factory": st.just("my.module:build"),
            },
        ),
        "inputs": st.dictionaries(names, tensors(), min_size=1, max_size=3),
        "outputs": st.dictionaries(names, tensors(), min_size=1, max_size=3),
        "limits": limits(),
        "targets": st.dictionaries(names, targets | st.sampled_from(registry.names()), min_size=1, max_size=3),
    },
    optional={
        "artifacts": st.dictionaries(
            st.sampled_from(sorted(artifacts.KINDS)),
            st.sampled_from(["m.onnx", {"path": "a/b.bin", "sha256": "aB" * 32, "files": ["c", {"path": "d..e"}]}]),
        ),
        "validation": st.just({"samples": "v.npz", "labels": "l.npy", "predictions": "p.npz"}),
    },
)


def with_batch(document: dict[str, Any]) -> dict[str, Any]:
    """The document with ``batch`` said, and one input that has it."""
    return document | {
        "inputs": {**document["inputs"], "x0": {"dtype": "float32", "shape": ["batch", 4]}},
        "batch": "batch",
    }


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(contracts)
def test_a_valid_contract_is_accepted_by_both(document: dict[str, Any]) -> None:
    text = yaml.safe_dump(json.loads(json.dumps(with_batch(document))), allow_unicode=True, sort_keys=False)
    contract = parse(text.encode(), Path("folder/contract.yaml"))
    assert len(contract.targets) == len(document["targets"])
    assert complaints(as_editor(text)) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("benchpact: 1", "benchpact: 2"),
        ("  name: digits-cnn\n", ""),
        ("model:\n", "modle: 1\nmodel:\n"),
        ("dtype: int64", "dtype: string"),
        ("shape: [batch, 1, height, 8]", "shape: [batch, 0, height, 8]"),
        ("range: [-1, 1e0]", "range: [1]"),
        ("digits.ts.pt", "../digits.ts.pt"),
        ("digits.ts.pt", "/digits.ts.pt"),
        ("sha256: 9F86", "sha256: XX86"),
        ("latency p50: 1 ms", "p9: 1 ms"),
        ("latency p50: 1 ms", "latency p100: 1 ms"),
        ("latency p50: 1 ms", "latency p50: 1"),
        ("latency p50: 1 ms", "latency p50: 1 MiB"),
        ("latency p50: 1 ms", "latency p50: -1 ms"),
        ("latency p50: 1 ms", "latency p50: at least 1 ms"),
        ("1200/s", "1200"),
        ("top-1: 97 %", "top-1: 97"),
        ("top-1: 97 %", "top-k: 97 %"),
        ("at most 0.1", "0.1"),
        ("max abs difference: 1e-4", "max abs difference: 1 ms"),
        ("processes: 3", "processes: 0"),
        ("batch: 64", "batch: bets"),
        ("precision: fp32", "precision: float32"),
        ("threads: 2\n", "threads: two\n"),
        ("torch-ts: pytorch", "torch-ts: pytorhc"),
        ("  output: logits", "  outptu: logits"),
    ],
)
def test_what_an_editor_can_tell_is_refused_by_both(old: str, new: str) -> None:
    assert WHOLE.count(old) == 1
    text = WHOLE.replace(old, new)
    with pytest.raises(ContractProblems):
        parse(text.encode(), Path("folder/contract.yaml"))
    assert complaints(as_editor(text))
