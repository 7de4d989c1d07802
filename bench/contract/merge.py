"""Limits in layers: the common ones below, the site's and the target's own above; then as requirements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from bench import units
from bench.contract.limits import STREAMS, Block, BlockKind
from bench.contract.model import Limits, Requirement, ScenarioSettings
from bench.contract.problems import Problems, quoted
from bench.metrics import BLOCKS, SCENARIOS


def merged(layers: Iterable[Mapping[str, Block]]) -> dict[str, Block]:
    """The layers' blocks, word by word and metric by metric; a later layer's stands."""
    blocks: dict[str, Block] = {}
    for layer in layers:
        for name, block in layer.items():
            below = blocks.get(name)
            blocks[name] = block if below is None else _over(below, block)
    return blocks


def _over(below: Block, block: Block) -> Block:
    settings = {**below.settings, **block.settings}
    requirements = {**below.requirements, **block.requirements}
    return Block(block.place, settings, requirements, below.words | block.words)


def limits_of(blocks: Mapping[str, Block], problems: Problems) -> Limits:
    """The merged blocks as limits, in the order of the catalogue; a block that asks for nothing is a problem."""
    requirements: list[Requirement] = []
    scenarios = []
    for name in (*BLOCKS, ""):
        block = blocks.get(name)
        if block is None:
            continue
        if not block.requirements:
            problems.add(block.place, f"{quoted(name)} asks for nothing: write {BlockKind(name).what}")
        requirements += block.requirements.values()
        if name in SCENARIOS:
            scenarios.append(_settings(name, block, problems))
    return Limits(tuple(requirements), tuple(scenarios))


def _settings(name: str, block: Block, problems: Problems) -> ScenarioSettings:
    written = {word: setting.value for word, setting in block.settings.items()}
    found = {word: int(value) for word, value in written.items() if not isinstance(value, str)}
    usual = ScenarioSettings(name, batch=STREAMS if name == "multi-stream" else 1)
    max_ns = found.get("time", usual.max_ns)
    if name == "server" and "rate" not in block.words:
        problems.add(
            block.place, "`server` does not say how often queries arrive: write `rate: 200/s` beside its limits"
        )
    settings = replace(
        usual,
        batch=found.get("batch", found.get("samples", usual.batch)),
        processes=found.get("processes", usual.processes),
        max_ns=max_ns,
        min_ns=found.get("min time", min(usual.min_ns, max_ns)),
        max_queries=found.get("queries", usual.max_queries),
        rate_per_s=float(written.get("rate", usual.rate_per_s)),
        arrivals=str(written.get("arrivals", usual.arrivals)),
    )
    if settings.min_ns > max_ns:
        least, most = units.show(settings.min_ns, "ns"), units.show(max_ns, "ns")
        message = f"`min time` ({least}) is longer than `time` ({most}): write `time: {least}` or more beside it"
        problems.add(block.settings["min time"].place, message)
    return settings
