"""What stands behind a case's figures, in short plain sentences: what really ran, how, and what went wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench import units
from bench.report.text import clean, plural, shortened
from bench.results import CaseResult, Failure, Json, ProcessRun

STDERR_LINES = 3
_FIRST = ("device", "precision", "threads", "artifact")
"""The facts every session tells; the others are named."""


@dataclass(frozen=True)
class Warning:
    """Something that limits what the figures mean; ``lines`` are the worker's last words, if any."""

    text: str
    lines: tuple[str, ...] = ()


def ran(cases: Sequence[CaseResult], *, everything: bool = False) -> str:
    """What really ran on a target: versions, device, precision, threads, artifact, and which were defaults.

    Of its first case that tells; "" without a case.
    """
    told = next((case for case in cases if _tells(case)), cases[0] if cases else None)
    return _ran(told, everything) if told else ""


def ran_otherwise(case: CaseResult, cases: Sequence[CaseResult], *, everything: bool = False) -> str:
    """What ran in this case where that differs from what ``ran`` says of all; "" where it does not."""
    own = _ran(case, everything)
    return own if _tells(case) and own != ran(cases, everything=everything) else ""


def _tells(case: CaseResult) -> bool:
    return any(one.facts for one in case.process_runs)


def _ran(case: CaseResult, everything: bool) -> str:
    process = next((one for one in case.process_runs if one.facts), None)
    versions = next((one.versions for one in case.process_runs if one.versions), {})
    words = [f"{name} {version}" for name, version in versions.items()] or [case.backend]
    words += _facts(process.facts, everything) if process else [f"device {case.device} (asked for)"]
    if case.defaults:
        words.append("by default: " + ", ".join(case.defaults))
    return " · ".join(shortened(word, 160) for word in words)


def _facts(facts: dict[str, Json], everything: bool) -> list[str]:
    words = [_fact(name, facts[name]) for name in _FIRST if name in facts]
    others = [name for name in facts if name not in _FIRST and (everything or name.startswith("provider"))]
    return words + [_fact(name, facts[name]) for name in others]


def _fact(name: str, value: Json) -> str:
    if name == "threads" and isinstance(value, int):
        return plural(value, "thread")
    if name in ("device", "precision", "artifact") and isinstance(value, str):
        return value
    return f"{name.replace('_', ' ')} {_value(value)}"


def _value(value: Json) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return ", ".join(_value(one) for one in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_value(one)}" for name, one in value.items()) or "none"
    return "none" if value is None else str(value)


def how(case: CaseResult) -> str:
    """How it was measured: processes, batch, timings, warm-up, audit, samples."""
    done = [one for one in case.process_runs if one.failure is None]
    count = plural(len(case.process_runs), "process", "processes")
    words = [count if len(done) == len(case.process_runs) else f"{len(done)} of {count} finished"]
    batches = sorted({one.batch for one in done})
    if batches and batches != [1]:
        words.append("batch " + ", ".join(map(str, batches)))
    timings = sum(one.timings_count for one in case.process_runs)
    if timings:
        words.append(plural(timings, "timing"))
    words += _arrivals(done)
    words += [*_warm_ups(done), *_audits(done), *_samples(case.process_runs)]
    return " · ".join(words)


def _arrivals(processes: Iterable[ProcessRun]) -> list[str]:
    """The open loop: rate, longest queue, and how late queries were issued that found the model free."""
    served = [(one, one.serving) for one in processes if one.serving is not None]
    if not served:
        return []
    rate = units.show(served[0][1].rate_per_s, "per_s")
    longest = max((block.queue_max or 0 for one, _ in served for block in one.blocks), default=0)
    words = [f"{served[0][1].arrivals} arrivals at {rate}", f"queue {longest} at most"]
    late = [(one.late_p50_ns, one.late_p99_ns) for _, one in served if one.late_p50_ns is not None]
    if late:
        median, p99 = (units.show(max(one or 0 for one in kind), "ns") for kind in zip(*late, strict=True))
        words.append(f"issued {median} late in the median, {p99} at p99")
    unanswered = sum(one.unanswered for _, one in served)
    return [*words, *([f"{unanswered} unanswered"] if unanswered else [])]


def _warm_ups(processes: Iterable[ProcessRun]) -> list[str]:
    ended = [one.warm_up for one in processes if one.warm_up is not None]
    if not ended:
        return []
    settled = sum(one.settled for one in ended)
    if settled == len(ended):
        return [f"warm-up settled after {plural(max(one.queries for one in ended), 'query', 'queries')}"]
    return [f"warm-up settled in {settled} of {len(ended)}"]


def _audits(processes: Iterable[ProcessRun]) -> list[str]:
    ratios = [one.audit.ratio for one in processes if one.audit is not None]
    return [f"closure audit {min(ratios):.3f}"] if ratios else []


def _samples(processes: Iterable[ProcessRun]) -> list[str]:
    told = next((one for one in processes if one.samples_source), None)
    if told is None:
        return []
    origin = "from file" if told.samples_source == "file" else clean(told.samples_source)
    return [f"{plural(told.samples_count, 'sample')} {origin}"]


def warnings(case: CaseResult) -> tuple[Warning, ...]:
    """Everything a reader must know before trusting the figures, each once."""
    found = [Warning(f"{case.scenario}: {_told(case.failure)}", _last(case.failure))] if case.failure else []
    found += _process_failures(case)
    unsettled = [one for one in case.process_runs if one.warm_up is not None and not one.warm_up.settled]
    if unsettled:
        many = plural(len(unsettled), "process", "processes")
        found.append(Warning(f"{case.scenario}: timings never became steady in {many}"))
    if any(one.samples_source == "generated" for one in case.process_runs):
        found.append(Warning("inputs were generated, there are no samples: accuracy is not measured"))
    notes = [note for one in case.process_runs for note in one.notes]
    found += [Warning(f"{case.scenario}: {clean(note)}") for note in dict.fromkeys([*case.notes, *notes])]
    return tuple(Warning(clean(one.text), one.lines) for one in found)


def _process_failures(case: CaseResult) -> list[Warning]:
    by_failure: dict[str, list[ProcessRun]] = {}
    for one in case.process_runs:
        if one.failure is not None:
            by_failure.setdefault(_told(one.failure), []).append(one)
    found = []
    for told, processes in by_failure.items():
        if case.failure is None or told != _told(case.failure):
            which = ", ".join(str(one.index + 1) for one in processes)
            noun = "process" if len(processes) == 1 else "processes"
            found.append(Warning(f"{case.scenario}, {noun} {which}: {told}", _last(processes[-1].failure)))
    return found


def _told(failure: Failure) -> str:
    where = f" in {failure.phase}" if failure.phase else ""
    ended = f", {failure.signal}" if failure.signal else ""
    return clean(f"failed{where} ({failure.error}{ended}): {failure.message}")


def _last(failure: Failure | None) -> tuple[str, ...]:
    lines = [clean(line) for line in failure.stderr] if failure else []
    return tuple(line for line in lines if line.strip())[-STDERR_LINES:]
