"""The ``limits`` of a contract or a target: requirements by block, and how each scenario is to be run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bench import units
from bench.contract.kinds import Kind, Range, ScalarKind, Schema, shape_of
from bench.contract.metric_names import right_metric
from bench.contract.model import Place, Requirement
from bench.contract.nodes import Node, Pairs, Scalar
from bench.contract.problems import Problems, meant, quoted
from bench.contract.scenario_words import ERROR_RATE, INSTEAD, PROCESSES, SETTINGS, WITHOUT_RANGE
from bench.contract.tables import shared
from bench.metrics import (
    ARTIFACT_SIZE,
    BLOCKS,
    BY_BLOCK,
    MAX_RATE,
    TIMED,
    Direction,
    Metric,
    find,
    is_user_metric,
    max_rate_of,
    percentile_of,
)

DIRECTIONS: Mapping[str, Direction] = {
    "at most": "at most",
    "<=": "at most",
    "≤": "at most",
    "at least": "at least",
    ">=": "at least",
    "≥": "at least",
}
_WRITTEN = re.compile(r"(at most|at least|<=|>=|≤|≥)[ \u00a0\u202f]*(.*)", re.DOTALL)


@dataclass(frozen=True)
class Setting:
    """A scenario word's value (durations in ns) and where it stands."""

    value: float | str | Range
    place: Place


@dataclass(frozen=True)
class Block:
    """One block as it was written."""

    place: Place
    settings: Mapping[str, Setting]
    requirements: Mapping[str, Requirement]
    words: frozenset[str] = frozenset()
    """Every key that was written, those with a wrong value too."""
    strange: bool = False
    """Whether one of them is none of the block's: what it lacks may stand under that."""

    def may_say(self, word: str) -> bool:
        """Whether something that could not be read may have said it: then nothing follows from its absence."""
        said = word in self.settings or word in self.requirements
        return not said and (self.strange or word in self.words)


class Limit(ScalarKind[Requirement]):
    """The limit of one metric: a quantity, after a direction where one is written."""

    def __init__(self, block: str, metric: Metric) -> None:
        self.block, self.metric = block, metric
        self.free = is_user_metric(metric.name)
        direction = f"{metric.direction} " if self.free else ""
        self.what = units.what(metric.unit)
        self.example = f"{direction}{_example(metric)}"

    def value(self, node: Scalar) -> Requirement:
        metric, written = self.metric, _WRITTEN.fullmatch(node.text.strip())
        amount = written[2] if written else node.text.strip()
        if amount[:1] in ("<", ">", "="):
            raise ValueError(f"{quoted(node.text)}: write `{metric.direction} …`, or the limit alone")
        limit = units.parse(amount, metric.unit)
        direction = DIRECTIONS[written[1]] if written else metric.direction
        if self.free and not written:
            raise ValueError(f"your own metric needs a direction: write `at most {amount}` or `at least {amount}`")
        if not self.free and direction != metric.direction:
            better = "less" if metric.direction == "at most" else "more"
            raise ValueError(f"{better} is better here, so `{written[1] if written else ''}` is not its direction: "
                             f"write `{metric.direction} {amount}`, or `{amount}` alone")  # fmt: skip
        if metric.unit == "per_s" and limit <= 0:
            raise ValueError(
                f"{quoted(node.text)} is a limit that everything keeps: write more than 0, or leave it out"
            )
        if metric.unit in ("ns", "bytes", "bytes_per_h", "uj") and limit <= 0:
            raise ValueError(
                f"{quoted(node.text)} is a limit that nothing keeps: write more than 0, like `{_example(metric)}`"
            )
        text = " ".join(node.text.split())
        return Requirement(self.block, metric.name, metric.unit, direction, limit, text, node.place)

    def schema(self, defs: dict[str, Schema]) -> Schema:
        words = [word for word, way in DIRECTIONS.items() if self.free or way == self.metric.direction]
        prefix = rf"(?:(?:{'|'.join(words)})[ \u00a0\u202f]*){'' if self.free else '?'}"
        text: Schema = {"type": "string", "pattern": f"^{prefix}{units.pattern(self.metric.unit)}$"}
        number: Schema = {"type": "number", "minimum": 0} | ({"maximum": 1} if self.metric.unit == "ratio" else {})
        bare = not self.free and self.metric.unit in ("ratio", "number")
        kinds: Schema = {"anyOf": [text, number]} if bare else text
        return kinds | {"examples": [self.example]}


def _is_same_percentile(one: str, other: str) -> bool:
    """Whether two words are one: ``latency p50`` and ``latency p50.0``, which would be asked for twice."""
    return any(of(one) is not None and of(one) == of(other) for of in (percentile_of, max_rate_of))


def _example(metric: Metric) -> str:
    return {"cosine": "0.9999", "max abs difference": "1e-4"}.get(metric.name) or units.example(metric.unit)


class BlockKind(Kind[Block]):
    """One block: a scenario's words and metrics, or only metrics."""

    def __init__(self, block: str) -> None:
        self.block = block
        self.fields = {field.name: field for field in SETTINGS[block]}
        first = BY_BLOCK[block][0]
        name = {"offline": "throughput", "soak": first.name}.get(block, "latency p99" if block in TIMED else first.name)
        metric = find(block, name) or first
        self.what = f"limits like `{{{name}: {Limit(block, metric).example}}}`"

    def read(self, node: Node, name: str, problems: Problems) -> Block | None:
        if not isinstance(node, Pairs):
            is_what = "has no value" if isinstance(node, Scalar) and node.empty else f"is {shape_of(node)}"
            problems.add(node.place, f"{quoted(name)} {is_what}: write {self.what}")
            return None
        settings: dict[str, Setting] = {}
        requirements: dict[str, Requirement] = {}
        for key, value in node.pairs:
            metric = find(self.block, key.text)
            if key.text in self.fields:
                number = self.fields[key.text].kind.read(value, key.text, problems)
                if number is not None:
                    settings[key.text] = Setting(number, value.place)
            elif metric is not None:
                requirement = Limit(self.block, metric).read(value, key.text, problems)
                twin = next((one for one in requirements if _is_same_percentile(one, key.text)), None)
                if twin is not None:
                    problems.add(key.place, f"{quoted(key.text)} is {quoted(twin)} once more: leave one out")
                elif requirement is not None:
                    requirements[key.text] = requirement
            else:
                problems.add(key.place, right_metric(self.block, key.text, self.fields))
        words = frozenset(key.text for key, _ in node.pairs)
        strange = any(word not in self.fields and find(self.block, word) is None for word in words)
        rate, processes = settings.get(ERROR_RATE.name), settings.get(PROCESSES.name)
        if rate is not None and processes is not None and not isinstance(processes.value, Range):
            problems.add(rate.place, WITHOUT_RANGE)
        for word in INSTEAD["trace"]:
            if word in settings and "trace" in settings:
                problems.add(settings[word].place, f"the trace says when queries arrive: leave {quoted(word)} out")
        return Block(node.place, settings, requirements, words, strange)

    def schema(self, defs: dict[str, Schema]) -> Schema:
        properties: Schema = {}
        for field in self.fields.values():
            properties[field.name] = field.kind.schema(defs) | {"description": field.help}
        patterns: Schema = {}
        for metric in BY_BLOCK[self.block]:
            if metric.name != "top-k":
                properties[metric.name] = _described(self.block, metric)
        if self.block in TIMED:
            p99 = Metric(
                "latency p99", "ns", "at most", "a percentile of query latency (p50, p99, p99.9), nearest rank"
            )
            properties["latency p50"] = properties["latency p99"] = _described(self.block, p99)
            patterns[r"^latency p(?!00(?:\.0*)?$)[0-9]{2}(?:\.[0-9]{1,3})?$"] = _described(self.block, p99)
        if self.block == "server":
            highest = Metric(
                "max rate", "per_s", "at least", "highest rate of arrivals that keeps a percentile of latency"
            )
            patterns[f"^{MAX_RATE}$"] = _described(self.block, highest)
        if self.block == "accuracy":
            top = next(metric for metric in BY_BLOCK[self.block] if metric.name == "top-k")
            patterns["^top-[1-9][0-9]{0,4}$"] = _described(self.block, top)
            own = Metric("metrics:score", "number", "at most", "your own metric, `module:function`, with its direction")
            patterns[r"^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*$"] = _described(self.block, own)
        schema = {"type": "object", "properties": properties, "patternProperties": patterns}
        return shared(schema | {"additionalProperties": False}, self.block, defs)


def _described(block: str, metric: Metric) -> Schema:
    return Limit(block, metric).schema({}) | {"description": f"{metric.meaning} ({metric.direction})"}


class LimitsKind(Kind[Mapping[str, Block]]):
    """All limits of a contract or a target, by block; the artifact size stands in the block ``""``."""

    what = "limits by scenario, like `single-stream: {latency p99: 5 ms}`"

    def read(self, node: Node, name: str, problems: Problems) -> Mapping[str, Block] | None:
        if not isinstance(node, Pairs):
            is_what = "has no value" if isinstance(node, Scalar) and node.empty else f"is {shape_of(node)}"
            problems.add(node.place, f"{quoted(name)} {is_what}: write {self.what}")
            return None
        blocks = {}
        for key, value in node.pairs:
            if key.text in BLOCKS:
                block = BlockKind(key.text).read(value, key.text, problems)
                if block is not None:
                    blocks[key.text] = block
            elif key.text == ARTIFACT_SIZE.name:
                size = Limit("", ARTIFACT_SIZE).read(value, key.text, problems)
                if size is not None:
                    blocks[""] = Block(value.place, {}, {key.text: size})
            else:
                problems.add(key.place, _right_block(key.text, name))
        return blocks if blocks or not node.pairs else None

    def schema(self, defs: dict[str, Schema]) -> Schema:
        properties = {block: BlockKind(block).schema(defs) | {"description": HELP[block]} for block in BLOCKS}
        properties[ARTIFACT_SIZE.name] = _described("", ARTIFACT_SIZE)
        return shared({"type": "object", "properties": properties, "additionalProperties": False}, "limits", defs)


HELP: Mapping[str, str] = {
    "single-stream": "One query after the other, each issued when the last is answered: what a waiting caller feels",
    "multi-stream": "Queries of several samples, one after the other: what a caller with several cameras feels",
    "server": "Queries arrive when they like, whether or not the model is free, and wait in a queue: what callers of a "
    "service feel. Latency counts from the scheduled arrival; issued in order by one thread, or several `workers`",
    "offline": "All samples are there at once, in batches: how much a machine can do in a second. `batch: best` looks"
    " for the best batch size; the best number of threads or streams is looked for by `benchpact sweep contract.yaml"
    " --over threads=1,2,4 streams=1,2`",
    "cold-start": "Several fresh processes: from process start to the first answer, and each phase of it",
    "soak": "Queries arrive at a rate for hours: what only shows then, such as memory that grows, or heat. "
    "Latency counts from the scheduled arrival, as in `server`",
    "accuracy": "Outputs against the labels, over the whole validation set",
    "agreement": "Outputs against the reference predictions, over the whole validation set",
}
"""What each block is about."""


def _right_block(name: str, where: str) -> str:
    homes = [block for block in BLOCKS if find(block, name)]
    if homes:
        return f"{quoted(name)} belongs into a block: write `{homes[0]}: {{{name}: …}}`"
    synonyms = {"latency": "single-stream", "throughput": "offline", "batch": "offline", "rate": "server"}
    synonyms |= {"endurance": "soak", "stability": "soak", "burn-in": "soak", "leak": "soak"}
    hint = meant(name, (*BLOCKS, ARTIFACT_SIZE.name), synonyms)
    return f"{quoted(name)} is no block of {quoted(where)}: {hint}"
