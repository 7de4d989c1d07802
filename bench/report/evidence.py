"""What stands behind a case's figures, in short plain sentences: what really ran, how, and what went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench import units
from bench.judge.serving import MEDIAN, TOLD_BY, lateness
from bench.report import metering
from bench.report.text import clean, plural, shortened
from bench.results import CaseResult, Crew, Failure, Json, ProcessRun, Serving

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


def ran_in(process: ProcessRun) -> str:
    """What really ran in one process: versions, device, precision, threads, artifact; "" where it told nothing."""
    words = [f"{name} {version}" for name, version in process.versions.items()] + _facts(process.facts, False)
    return " · ".join(shortened(word, 160) for word in words)


def _tells(case: CaseResult) -> bool:
    return any(one.facts for one in case.process_runs)


def _ran(case: CaseResult, everything: bool) -> str:
    process = next((one for one in case.process_runs if one.facts), None)
    versions = next((one.versions for one in case.process_runs if one.versions), {})
    where = {"on": case.settings.get("host"), "cores": case.settings.get("cores")}
    words = [f"{name} {value}" for name, value in where.items() if value]
    words += [f"{name} {version}" for name, version in versions.items()] or [case.backend]
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
    done = [one for one in case.process_runs if one.is_whole]
    total = max(len(case.process_runs), _owed(case))
    count = plural(total, "process", "processes")
    words = [count if len(done) == total else f"{len(done)} of {count} finished"]
    batches = sorted({one.batch for one in done})
    if batches and batches != [1]:
        words.append("batch " + ", ".join(map(str, batches)))
    timings = sum(one.timings_count for one in case.process_runs)
    if timings:
        calls = max(one.calls_per_timing for one in case.process_runs)
        words.append(plural(timings, "timing") + (f", each the mean of {calls} queries" if calls > 1 else ""))
    words += [*_arrivals(done), *_search(done), *_device_times(done), *metering.words(done)]
    words += [*_warm_ups(done), *_audits(done), *_disturbed(done), *_samples(case.process_runs)]
    return " · ".join(words)


def _owed(case: CaseResult) -> int:
    """How many processes were asked for; the least that may decide, where it goes on until they do."""
    asked = case.settings.get("least_processes" if case.settings.get("error_rate") else "processes")
    return asked if isinstance(asked, int) else 0


def preset(case: CaseResult) -> str:
    """The preset, and the rules that it stood for when this was measured; "" without one."""
    name, rules = case.settings.get("preset"), case.settings.get("preset_rules")
    return clean(f"preset {name}: {rules}") if name else ""


def batches_tried(case: CaseResult) -> str:
    """Each batch size that was tried to find the best, with its throughput; "" where none was."""
    tried = next((one.batches_tried for one in case.process_runs if one.batches_tried), ())
    return ", ".join(f"{size}: {units.show(rate, 'per_s')}" for size, rate in tried)


def _device_times(processes: Sequence[ProcessRun]) -> list[str]:
    """What the device says by its own clock: the median of each time, of the slowest process."""
    slowest: dict[str, int] = {}
    for one in (time for process in processes for time in process.device_times):
        slowest[one.name] = max(one.p50_ns, slowest.get(one.name, 0))
    told = [f"{clean(name)} {units.show(ns, 'ns')}" for name, ns in slowest.items()]
    return [f"by the device's clock, in the median: {', '.join(told)}"] if told else []


def _arrivals(processes: Iterable[ProcessRun]) -> list[str]:
    """The open loop: rate, longest queue, and how late queries were issued that found the model free."""
    served = [(one, one.serving) for one in processes if one.serving is not None]
    if not served:
        return []
    rate = units.show(served[0][1].rate_per_s, "per_s")
    longest = max((block.queue_max or 0 for one, _ in served for block in one.blocks), default=0)
    words = _crew([one.crew for _, one in served])
    words += [f"{_kind(served[0][1].arrivals)} at {rate}", f"{longest} in the system at most"]
    words.append(_late([one for _, one in served]))
    unanswered = sum(one.unanswered for _, one in served)
    return [*words, *([f"{unanswered} unanswered"] if unanswered else [])]


def _late(served: Sequence[Serving]) -> str:
    """``issued 5 µs late in the median, 18 µs at p90``: of the worst process each, as far as the queries tell."""
    told = [lateness(one) for one in served]
    worst = {
        where: max(one[where] for one in told if where in one) for where in TOLD_BY if any(where in o for o in told)
    }
    if not worst:
        most = max(one.found_free for one in served)
        return f"{plural(most, 'query', 'queries')} found it free: too few to tell how late they were issued"
    late = [f"{units.show(ns, 'ns')} {'late ' if where == MEDIAN else ''}{where}" for where, ns in worst.items()]
    leads = [one.lead_ns for one in served if one.lead_ns is not None]
    polled = f", polled for up to {units.show(max(leads), 'ns')} before it" if leads else ""
    return "issued " + ", ".join(late) + polled


def _crew(crews: Sequence[Crew]) -> list[str]:
    """Who answered: workers, sessions, cores, batches, what was lost."""
    first = crews[0]
    words = [_workers(first) if first.workers > 1 else "one thread issues and answers"]
    issues, most = sum(one.issues or 0 for one in crews), max(one.batch_max for one in crews)
    if most > 1:
        mean = sum(one.answered or 0 for one in crews) / max(1, issues)
        words.append(f"batches of {mean:.3g} in the mean, {most} at most")
    lost = {"dropped": sum(one.dropped for one in crews), "timed out": sum(one.timed_out for one in crews)}
    return words + [f"{count:,} {what}" for what, count in lost.items() if count]


def _workers(crew: Crew) -> str:
    """How many threads, on what, and where."""
    if crew.workers == 1:
        return "one thread"
    where = "one session" if crew.sessions == 1 else plural(crew.sessions, "session")
    pinned = f"pinned to cores {', '.join(map(str, crew.cores))}" if crew.cores else "not pinned"
    return f"{crew.workers} workers on {where}, {pinned}"


def _search(processes: Iterable[ProcessRun]) -> list[str]:
    """The search for the highest rate: its trials, who answered them, how late they were issued."""
    found = [one.searched for one in processes if one.searched is not None and one.searched.tried]
    if not found:
        return []
    late = [one.late_p50_ns for one in found if one.late_p50_ns is not None]
    told = f"issued {units.show(max(late), 'ns')} late in the median" if late else "their lateness not known"
    return [f"{plural(sum(len(one.tried) for one in found), 'trial')} of rates by {_workers(found[0].crew)}, {told}"]


def _kind(arrivals: str) -> str:
    """``poisson arrivals``, ``arrivals in bursts of 8``, ``arrivals of the trace``."""
    if arrivals == "trace":
        return "arrivals of the trace"
    return f"arrivals in {arrivals}" if arrivals.startswith("bursts") else f"{arrivals} arrivals"


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


def _disturbed(processes: Sequence[ProcessRun]) -> list[str]:
    """How many blocks were disturbed, and by what, the most frequent first."""
    reasons = Counter(why for one in processes for block in one.disturbed for why in block.why)
    marked, blocks = sum(len(one.disturbed) for one in processes), sum(len(one.blocks) for one in processes)
    words = ", ".join(f"{clean(why)} {count}" for why, count in reasons.most_common())
    return [f"{marked} of {plural(blocks, 'block')} disturbed ({words})"] if marked else []


def _samples(processes: Iterable[ProcessRun]) -> list[str]:
    told = next((one for one in processes if one.samples_source), None)
    if told is None:
        return []
    origin = "from file" if told.samples_source == "file" else clean(told.samples_source)
    return [f"{plural(told.samples_count, 'sample')} {origin}"]


def warnings(case: CaseResult, *, everything: bool = False) -> tuple[Warning, ...]:
    """Everything a reader must know before trusting the figures, each once.

    A worker's last lines are told of what broke; of a refusal only if ``everything`` is asked for.
    """
    failures = [] if case.failure is None else [(case.scenario, case.failure)]
    failures += _process_failures(case)
    found = [
        Warning(f"{where}: {_told(one)}", _last(one) if everything or not one.refused else ())
        for where, one in failures
    ]
    unsettled = [one for one in case.process_runs if one.warm_up is not None and not one.warm_up.settled]
    if unsettled:
        many = plural(len(unsettled), "process", "processes")
        found.append(Warning(f"{case.scenario}: timings never became steady in {many}"))
    if any(one.samples_source == "generated" for one in case.process_runs):
        found.append(Warning("inputs were generated, there are no samples: accuracy is not measured"))
    notes = [note for one in case.process_runs for note in one.notes]
    found += [Warning(f"{case.scenario}: {clean(note)}") for note in dict.fromkeys([*case.notes, *notes])]
    return tuple(Warning(clean(one.text), one.lines) for one in found)


def _process_failures(case: CaseResult) -> list[tuple[str, Failure]]:
    """Where processes failed, and the last failure of each kind; without what is said of the whole case."""
    by_failure: dict[str, list[tuple[int, Failure]]] = {}
    for one in case.process_runs:
        if one.failure is not None:
            by_failure.setdefault(_told(one.failure), []).append((one.index, one.failure))
    found = []
    for told, failed in by_failure.items():
        if case.failure is None or told != _told(case.failure):
            which = ", ".join(str(index + 1) for index, _ in failed)
            noun = "process" if len(failed) == 1 else "processes"
            found.append((f"{case.scenario}, {noun} {which}", failed[-1][1]))
    return found


def _told(failure: Failure) -> str:
    where = f" in {failure.phase}" if failure.phase else ""
    ended = f", {failure.signal}" if failure.signal else ""
    return clean(f"failed{where} ({failure.error}{ended}): {failure.message}")


def _last(failure: Failure) -> tuple[str, ...]:
    return tuple(line for line in map(clean, failure.stderr) if line.strip())[-STDERR_LINES:]
