"""Limits in layers: the common ones below, the site's and the target's own above; then as requirements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bench import units
from bench.contract.kinds import Range
from bench.contract.limits import Block, BlockKind
from bench.contract.model import Limits, Requirement, ScenarioSettings, Trace
from bench.contract.presets import with_preset
from bench.contract.problems import Problems, quoted
from bench.contract.scenario_words import (
    ADAPTIVE,
    ADAPTIVE_MIN_NS,
    CALLS_ALONE,
    COUNTED_IN,
    COUNTED_MIN_NS,
    DAY_NS,
    HOW_MANY,
    INSTEAD,
    LEAVE_OUT,
    MIN_SEARCH_NS,
    MOST_PROCESSES,
    MOST_SOAKED,
    POOL,
    PROMISE_OF_CALLS,
    PROMISE_WITHOUT_RANGE,
    SEARCH_NS,
    SETTINGS,
    SOAK_NS,
    STREAMS,
    WITHOUT_RANGE,
)
from bench.device.records import OPEN_LOOPS
from bench.metrics import BLOCKS, SCENARIOS, max_rate_of, percentile_of
from bench.stats import betting
from bench.stats.sequential import fewest


def merged(layers: Iterable[Mapping[str, Block]]) -> dict[str, Block]:
    """The layers' blocks, word by word and metric by metric; a later layer's stands."""
    blocks: dict[str, Block] = {}
    for layer in layers:
        for name, block in layer.items():
            below = blocks.get(name)
            blocks[name] = block if below is None else _over(below, block)
    return blocks


def _over(below: Block, block: Block) -> Block:
    gone = {word for later in block.words for word in INSTEAD.get(later, ())}
    settings = {word: one for word, one in below.settings.items() if word not in gone} | dict(block.settings)
    requirements = {**below.requirements, **block.requirements}
    words = (below.words - gone) | block.words
    return Block(block.place, settings, requirements, words, below.strange or block.strange)


def limits_of(blocks: Mapping[str, Block], problems: Problems) -> Limits:
    """The merged blocks as limits, in the order of the catalogue; a block that asks for nothing is a problem."""
    requirements: list[Requirement] = []
    scenarios = []
    for name in (*BLOCKS, ""):
        block = blocks.get(name)
        if block is None:
            continue
        if not block.requirements and block.words <= {field.name for field in SETTINGS.get(name, ())}:
            problems.add(block.place, f"{quoted(name)} asks for nothing: write {BlockKind(name).what}")
        requirements += block.requirements.values()
        if name in SCENARIOS:
            scenarios.append(_settings(name, block, problems))
    return Limits(tuple(requirements), tuple(scenarios))


def _settings(name: str, block: Block, problems: Problems) -> ScenarioSettings:
    written = {word: setting.value for word, setting in block.settings.items()}
    processes, error_rate = _processes(name, written), written.get("error rate")
    indifference = written.get("indifference")
    rate, preset = written.get("rate"), written.get("preset")
    usual = _usual(name, preset if isinstance(preset, str) else None, rate if isinstance(rate, float) else 0.0)
    found = {word: int(value) for word, value in written.items() if isinstance(value, int | float)}
    least_ns = ADAPTIVE_MIN_NS if isinstance(processes, Range) and preset is None else usual.min_ns
    counts_calls = written.get("promise") == CALLS_ALONE
    least_ns = min(least_ns, COUNTED_MIN_NS) if counts_calls and preset is None else least_ns
    trace = block.settings.get("trace")
    max_ns = found.get("time", usual.max_ns if trace is None else int(DAY_NS))
    searches = [one for word, one in block.requirements.items() if max_rate_of(word)] if name == "server" else []
    if name in OPEN_LOOPS:
        _check_arrivals(name, block, searches, problems)
    settings = replace(
        usual,
        batch=found.get("batch", found.get("samples", usual.batch)),
        processes=processes.high if isinstance(processes, Range) else found.get("processes", usual.processes),
        least_processes=processes.low if isinstance(processes, Range) else None,
        by_default=isinstance(processes, Range) and not block.words & HOW_MANY,
        error_rate=error_rate if isinstance(error_rate, float) else usual.error_rate,
        indifference=indifference if isinstance(indifference, float) else usual.indifference,
        pooled=written.get("promise") == POOL,
        counts_calls=counts_calls,
        max_ns=max_ns,
        min_ns=found.get("min time", min(least_ns, max_ns)),
        max_queries=found.get("queries", usual.max_queries),
        calls_per_timing=found.get("calls per timing", usual.calls_per_timing),
        rate_per_s=rate if isinstance(rate, float) else usual.rate_per_s,
        search_ns=found.get("search time", SEARCH_NS) if searches else 0,
        min_search_ns=found.get("search time", MIN_SEARCH_NS) if searches else 0,
        arrivals=str(written.get("arrivals", usual.arrivals)) if trace is None else "trace",
        trace=None if trace is None else Trace(Path(str(trace.value)), trace.place),
        workers=found.get("workers", usual.workers),
        max_batch=found.get("max batch", usual.max_batch),
        max_wait_ns=found.get("max wait", usual.max_wait_ns),
        queue=found.get("queue", usual.queue),
        timeout_ns=found.get("timeout", usual.timeout_ns),
        leave_out_disturbed=written.get("disturbed blocks") == LEAVE_OUT,
    )
    if settings.min_ns > max_ns and not (block.may_say("time") or block.may_say("trace")):
        least, most = units.show(settings.min_ns, "ns"), units.show(max_ns, "ns")
        message = f"`min time` ({least}) is longer than `time` ({most}): write `time: {least}` or more beside it"
        problems.add(block.settings["min time"].place, message)
    if settings.trace is None and "queries" not in found and not (block.may_say("time") or block.may_say("queries")):
        _check_count(settings, block, problems)
    if not (block.may_say("processes") or block.may_say("error rate")):
        _check_processes(settings, block, problems)
    _check_needed(block, problems)
    return settings


def _check_count(settings: ScenarioSettings, block: Block, problems: Problems) -> None:
    """The arrivals of the whole time are no more than a process measures, unless the contract says how many."""
    most = settings.max_queries
    if settings.rate_per_s * settings.max_ns / 1e9 <= most:
        return
    rate, time = units.show(settings.rate_per_s, "per_s"), units.show(settings.max_ns, "ns")
    many = f"{rate} for {time} are more than {most:,} queries"
    mend = "write a lower `rate` or a shorter `time`"
    if settings.scenario != "soak":
        ends = units.show(most / settings.rate_per_s * 1e9, "ns")
        many += f", which end a process after {ends}"
        mend += f", or `queries: {most}` to have it so"
    problems.add(block.place, f"{many}: {mend}")


def _processes(name: str, written: Mapping[str, object]) -> object:
    """As many as is written; else as many as decide, but for a soak and a preset, which have a number of their own."""
    fixed = name == "soak" or "preset" in written
    return written.get("processes", None if fixed else ADAPTIVE)


def _usual(name: str, preset: str | None, rate_per_s: float) -> ScenarioSettings:
    if name == "soak":
        return ScenarioSettings(name, processes=1, max_ns=SOAK_NS, max_queries=MOST_SOAKED)
    return with_preset(ScenarioSettings(name, batch=STREAMS if name == "multi-stream" else 1), preset, rate_per_s)


NEEDED = {"max wait": "max batch: 8", "dropped": "queue: 100", "timed out": "timeout: 50 ms"}
"""Words of ``server`` that are about nothing without another."""


def _check_needed(block: Block, problems: Problems) -> None:
    for word, example in NEEDED.items():
        needed = example.partition(":")[0]
        there = block.settings.get(word) or block.requirements.get(word)
        if there is not None and needed not in block.words and not block.may_say(needed):
            problems.add(there.place, f"{quoted(word)} is about nothing without {quoted(needed)}: write `{example}`")


def _check_arrivals(name: str, block: Block, searches: Sequence[Requirement], problems: Problems) -> None:
    """Something says when queries arrive, unless only rates are asked for; a trace has the one rate it has."""
    asked = block.words - {field.name for field in SETTINGS[name]}
    is_told = bool({"rate", "trace"} & block.words) or block.may_say("rate")
    if not is_told and not (asked and all(word.startswith("max") for word in asked)):
        problems.add(
            block.place, f"{quoted(name)} does not say how often queries arrive: write `rate: 200/s` beside its limits"
        )
    if searches and "trace" in block.words:
        problems.add(searches[0].place, "a trace has one rate: to search for the highest, leave `trace` out")
    if searches and "queue" in block.words:
        message = "a highest rate is searched for with a free queue, in which nothing is lost: leave `queue` out"
        problems.add(searches[0].place, message)


def _check_processes(settings: ScenarioSettings, block: Block, problems: Problems) -> None:
    """A range can be decided; an error rate is about a range."""
    rate = block.settings.get("error rate")
    promise = block.settings.get("promise")
    if promise is not None and not settings.adaptive:
        problems.add(promise.place, PROMISE_WITHOUT_RANGE)
    elif promise is not None and settings.counts_calls and settings.scenario not in COUNTED_IN:
        problems.add(promise.place, PROMISE_OF_CALLS)
    if not settings.adaptive:
        if rate is not None and "processes" not in block.settings:
            problems.add(rate.place, WITHOUT_RANGE)
        return
    least = fewest(settings.error_rate / 2 if settings.counts_calls else settings.error_rate)
    if settings.processes < least:
        shown = units.show(settings.error_rate, "ratio")
        message = f"`processes` ends at {settings.processes}, but an error rate of {shown} takes at least {least} "
        message += f"that agree: write `{least}..{ADAPTIVE.high}`, or a number alone"
        problems.add(block.settings["processes"].place, message)
    elif settings.pooled:
        _check_pool(settings, block, problems)


def _check_pool(settings: ScenarioSettings, block: Block, problems: Problems) -> None:
    """The pool's promise can be kept: so many processes may be started as its strictest percentile takes at least."""
    quantiles = [q for metric in block.requirements if (q := percentile_of(metric)) is not None]
    least = betting.fewest(max(quantiles), settings.error_rate) if quantiles else 0
    if least <= settings.processes:
        return
    name, rate = f"p{max(quantiles) * 100:.9g}", units.show(settings.error_rate, "ratio")
    message = f"`promise: {POOL}` of a {name} can never be met: at an error rate of {rate} it takes at least {least:,} "
    ends = f"and `processes` ends at {settings.processes}" + ("" if "processes" in block.settings else " by default")
    message += f"processes without one call over the limit, {ends}: "
    enough = min(MOST_PROCESSES, -(-least * 6 // 50) * 10)
    reach = f"write `processes: 1..{enough}`, or " if least <= enough else f"more than {MOST_PROCESSES} cannot be: "
    said = block.settings.get("processes") or block.settings["promise"]
    problems.add(said.place, f"{message}{reach}leave `promise` out")
