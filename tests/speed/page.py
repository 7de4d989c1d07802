"""docs/benchmarks.md, written from the lines."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping, Sequence
from datetime import date
from importlib import metadata

from bench.contract.scenario_words import ADAPTIVE
from bench.device import machine
from bench.judge.stop import FOUNDED
from bench.stats.pool import needed
from bench.units import show
from tests.judge import by_pool
from tests.judge.populations import EFFECT
from tests.judge.wrong import POOLED, wrong_at_even_odds
from tests.speed import counting_calls, recording, soon, verdicts
from tests.speed.lines import Line, Section, Table, lines_of
from tests.speed.peers import window_search
from tests.speed.under_load import four_scenarios

PACKAGES = ("benchpact", "numpy", "onnxruntime", "openvino", "torch", "mlcommons_loadgen", "polygraphy")
ANSWERS = {True: "kept", False: "**not kept**", None: "–"}
CORE = re.compile(r"pinned to core (\d+)")
TOOK = re.compile(r"- measured in .+\n")
AGAIN = re.compile(r"- measured anew since then \(`--again`\): (.+)\n")
HOW_TITLE = "## How to read this"
HOW = """\
`make bench` writes this page; do not edit it. It installs the peers into an environment of their own
(`.venv-bench`) and measures everything anew on the machine it runs on.

**What.** All but the last sections is the single-stream scenario. Offline and multi-stream share its loop, with larger
queries; cold-start has no loop; server has one of its own ([how numbers are measured](numbers.md)), and stands under
*Under load*.

**How.** All is measured in fresh processes, pinned to core {core}, one thread each. The loop alone takes four
processes, each race of medians six, in which all sides take turns of a tenth of a second, in rotating order, with the
garbage collector off, on the same model and the same samples. Every second process of a race opens the sides in the
opposite order. A figure of a whole run, a start or the time outside measuring is a process, or a run, of its own;
they take turns too. *Ours* and *theirs* are the middle rounds (for a latency: of each round's median); the ratio is
the middle of the rounds' own ratios, in brackets the quartiles. The hand-written loop is there twice: how far it is
from itself is what a comparison here cannot tell.

**The loop alone.** A bound in nanoseconds is held to the quietest round, because whatever disturbs a cost only adds to
it; the median over the rounds stands beside it.

**By hand.** The hand-written loop makes the framework's public call, as most would write it. *Shortest call* is the
fastest that we could write by hand: the call that our adapter makes too, public or not (ONNX Runtime's
`_sess.run_with_iobinding`, the module's `forward`, OpenVINO's request in C++), in a loop with nothing around it.

**Peers.** What a peer reports is taken from the peer: LoadGen's summary, `last_inference_time` of Polygraphy's
runner, the median of `Timer`, benchmark_app's own loop. *MLPerf LoadGen* drives ONNX Runtime's public call; *driving
our adapter*, it drives the `run` of our session. Between these two lies the call, between the latter and ours the
driver. `Timer` and benchmark_app's *time a call* are means over many calls, which other programs on the machine
raise: there the quietest rounds of a process are compared, theirs with ours. benchmark_app's inner clock, the median
that it prints, starts and stops inside OpenVINO's C++ request. It leaves out the call from Python that every Python
caller waits for, benchmark_app's own loop too; *time a call* is that loop's wall time a call. Our recorded latency
has that call in it, so it lies above that clock and no target holds them together; held to one is the same clock,
read while our loop drives the request.

**Wrong verdicts.** Each row draws {runs:,} runs of up to {most} processes at each of seven limits, 0.8 to 1.2 × the
truth, and lets the project's own votes decide. For each limit a process ends where a run would end it, by the
[rule](how-it-decides.md#when-a-process-cannot-tell) that looks at its blocks of 25 ms, and votes by the calls that it
made until then; how many stands in the second table. The truth is the median process's own percentile of *all* its
calls; at the truth itself every answer is wrong. Timings are whole ns, so several processes may have the very median,
and then more than half of all keep a limit equal to it: there *met* is counted of the next lower limit, which at most
half keep. Shown are the most wrong *met* and *missed* at any one limit; *bound* is what they leave possible at 95 %
(Clopper–Pearson). Where half of the processes vote to either side, votes give each wrong answer in {even} of runs of
up to {most} processes, and in 1 % where 52 in 100 vote to one side, as they may: a process votes by a part of the
calls that the truth is made of, and 200 processes are few. The third table has the shares at the truth. Beside the
lines of percentiles stand two rules that take calls as independent, with the pool of {pooled} whole processes each
and held to the percentile of the whole pool, which is what they are about: a 98 % interval that counts calls, and
MLPerf's early stopping, which only ever says *met*.

Simulated: {processes:,} processes of each kind, {calls:,} calls of 1 ms each, as many as a run makes in its 2 s;
those of a dependent kind differ by {effect}. Recorded: {recorded} fresh processes of each model, {tiny:,} calls of
tiny and {digits:,} of digits, half a second each, by `benchpact run`; recordings are kept for a day, and when they
were made stands in the table. Processes are drawn with replacement, so that the stated error rate alone is put to the
test; *in order* takes them as they followed each other, with all that the machine did meanwhile.

*Mean*, *throughput* and all lines of harsh bursts (of ten times the length of a call, or of more calls than a p90
leaves out, each once in 800 calls) are votes with the limit at the truth, where most answers are wrong, of {fewer:,}
simulated processes of each kind and of the recorded ones; *peak memory* is that of processes that hold 100 MiB, 2 %
apart, but one in ten of them twice as much. Accuracy, agreement and artifact size are exact over the validation set:
they have no error rate.

*Pool of calls* is the other promise by its name, held to what it is about: the percentile of all calls of the same
processes, with the limit there. A process measures to its end, and runs are of up to {pool_most} processes for a p50,
p90 and p99. All other lines are of the default, `typical process`, and held to the typical process's truth.

*By calls* are runs of `promise: independent calls` with the limit at the truth, {counted_runs} of each population,
whose processes make {counted_calls:,} calls at most; the votes decide where calls may not be counted, and *decided by
calls* says how often they might. Bursts of 40 calls come once in 800, less often than a verdict has calls: nothing in
them tells, and no target is held; the error rate of this promise is one of independent calls, and its verdicts say
so. *Calls to a verdict* are the median of {compared} runs, beside what the test that takes calls as independent needs
in the median, looked at after each call, at the limit (0.8, 0.95 or 1.2 × the truth) where the ratio is largest. Ours
never makes fewer than {fewest}: such limits are left out. This promise alone is held to 2 times. The default takes
nothing as independent: it needs the votes of 8 processes, which are many times the calls of that test (in the second
table, at the same limits). That is its price, and no target holds it.

**Time to a verdict.** Runs with `processes: adaptive` and nothing else said; the middle of {rounds}. The target is a
fifth of a fixed run of 10 s, for the timed loops of all processes together. No p99 is called met of a process that made
fewer than {founded:,} calls ([why](how-it-decides.md#when-a-process-cannot-tell)). Where those alone take longer than
the target, no target holds the line, and the line says so.

**Outside measuring.** A run's wall time less the phases that run the model to measure it: the timed loop, and the
warm-up and closure audit before it. The line below it takes only the timed loop off.

**Under load.** Here nothing is pinned: the host of a run and the process that serves need a core each, as they have
where a user runs them. In square brackets stands the 95 % interval. Devices of known behaviour are busy for exactly 1
ms.

- *Waiting*: latency less 1 ms, of whole runs at ρ × 1000 queries a second, 4 processes of 4 s. *Theirs* is the same
  queue by arithmetic on the very arrivals of the run, so the ratio holds no luck of arrivals, only what the harness
  adds. The target asks for both: the ratio within 5 %, and what M/D/1 says of all arrivals (Pollaczek and Khinchine's
  mean, Erlang's distribution) within our interval ([the plot](latency-under-load.svg)).
- *Lateness* is from scheduled arrival to issue, of queries that found the model free, from the run's own record.
- *A device that stalls*: who arrives x after a stall of 200 ms began waits for 200 ms - x·(1 - ρ), and 1 % of all
  arrive in the first 10 ms. A closed loop asks one query a stall, and does not see the others that would have waited.
- *The highest rate*: the true one is where Erlang's distribution has its p99 at 10 ms. *LoadGen's runs* are real
  server tests of 2.5 s, kept where LoadGen calls them valid, its early stopping included. Their rate is
  doubled until one is not kept, then halved down to 1 %. *perf_analyzer's binary search* follows its rules and
  defaults (`--request-rate-range 100:1000:10`; a rate is kept if three windows of 5 s in a row, of ten at most, are
  alike within 10 % in throughput and p99, and the p99 of the three is under the limit). It takes minutes and finds
  another rate each time, so it is made {searches} times on the same queue by arithmetic: shown are the middle one, in
  square brackets the lowest and the highest rate, and how long the middle one's windows would take. Ours is a run of a
  contract that says nothing but the line: the default processes, and each one's default search.
- *Beside LoadGen*: the same session of our adapter, one thread, in LoadGen's test and in ours, {beside} processes
  each, in turns, because the machine's speed changes by more than the two differ. The server's arrivals are LoadGen's
  own, recorded and played in ours as a trace. LoadGen's clock starts in its own thread and holds the way into Python
  and back, which our clock does not. How much that is, is told by what LoadGen reports of an *empty* call, in a test of
  its own. In a loop that does nothing else the call is quicker than after LoadGen's own work, which has passed through
  the caches between two calls. That too is measured: in a third test the call is made again right away, 16 times, in
  the same callback on the same thread. The empty call's figure, and in single- and multi-stream the first of these
  calls less the last 8, are taken *off theirs*, percentile by percentile, before the intervals are compared (of our
  server, how late it issued in the median is left in). So what is left of LoadGen's report must be ours, and no part of
  it was used to say how much to take off. A high percentile of a sum is no sum of percentiles: there it is a rough
  account. The last 8 calls stand beside ours in a row of their own, by the median of each side's
  quickest process (beside it the slowest one's), which is kept only within 5 %.
  Offline is the time a sample, one over the throughput."""


def render(sections: Mapping[str, Section], cores: int, core: int, took_s: float) -> str:
    """The whole page: where and when, what was measured, how."""
    parts = ["# Benchmarks", f"**{count(sections)}** on {date.today().isoformat()}.", where(cores, took_s)]
    parts += [_written(title, section) for title, section in sections.items()]
    parts += [HOW_TITLE, how(core)]
    return "\n\n".join(parts) + "\n"


def renewed(text: str, sections: Mapping[str, Section]) -> str:
    """The page with these sections of it measured anew, which it says; the count and the words on how follow."""
    for title, section in sections.items():
        begin = text.index(f"## {title}\n")
        text = text[:begin] + _written(title, section) + "\n\n" + text[text.index("\n## ", begin) + 1 :]
    before = AGAIN.search(text)
    older = [one for one in (before[1].split("; ") if before else ()) if one.partition(" (at")[0] not in sections]
    titles = [*older, *(title + priority() for title in sections)]
    said = f"- measured anew since then (`--again`): {'; '.join(titles)}\n"
    text = AGAIN.sub(said, text) if before else TOOK.sub(lambda took: took[0] + said, text, count=1)
    words = text.index(HOW_TITLE)
    core = CORE.search(text, words)
    assert core is not None
    text = f"{text[:words]}{HOW_TITLE}\n\n{how(int(core[1]))}\n"
    kept, missed = (text.count(f"| {ANSWERS[answer]} |\n") for answer in (True, False))
    return re.sub(r"\*\*\d+ of \d+ targets", f"**{kept} of {kept + missed} targets", text, count=1)


def priority() -> str:
    """Said where this process goes before all ordinary ones: other work on the machine then disturbs less."""
    real = {getattr(os, name, None) for name in ("SCHED_FIFO", "SCHED_RR")}
    return " (at real-time priority)" if real != {None} and os.sched_getscheduler(0) in real else ""


def _written(title: str, section: Section) -> str:
    """One section of the page: its lines, and the plain tables that belong to it."""
    parts = [f"## {title}", table(lines_of(section))]
    parts += [text for one in section if isinstance(one, Table) for text in (f"### {one.title}", _plain(one))]
    return "\n\n".join(parts)


def how(core: int) -> str:
    """How all of it was measured, with the numbers that the program uses."""
    return HOW.format(
        core=core,
        runs=verdicts.RUNS,
        most=ADAPTIVE.high,
        even=f"{wrong_at_even_odds(ADAPTIVE.high) * 100:.2f} %",
        fewer=verdicts.FEWER,
        pool_most=", ".join(f"{one:,}" for one in by_pool.MOST.values()),
        pooled=POOLED,
        processes=verdicts.PROCESSES,
        calls=verdicts.CALLS,
        effect=f"{EFFECT * 100:g} %",
        recorded=recording.PROCESSES,
        tiny=recording.CALLS["tiny"],
        digits=recording.CALLS["digits"],
        rounds=soon.ROUNDS,
        beside=four_scenarios.PROCESSES,
        searches=window_search.SEARCHES,
        founded=FOUNDED * needed(0.99),
        counted_runs=counting_calls.RUNS,
        counted_calls=counting_calls.CALLS,
        compared=counting_calls.COMPARED,
        fewest=counting_calls.FEWEST,
    )


def count(sections: Mapping[str, Section]) -> str:
    """How many of the lines that have a target kept it."""
    kept = [line.kept for section in sections.values() for line in lines_of(section) if line.kept is not None]
    return f"{sum(kept)} of {len(kept)} targets kept"


def where(cores: int, took_s: float) -> str:
    """The machine, and what of it was seen."""
    facts = machine.facts()
    memory = facts.get("memory_bytes")
    told = [
        f"{facts['cpu_model']}, {cores} cores" + (", virtual" if facts.get("virtual") else ""),
        f"{show(memory, 'bytes')} of memory" if memory else "",
        f"{facts['os']}, Linux {facts['kernel']}" if platform.system() == "Linux" else str(facts["os"]),
        f"governor {facts['governor']}" if facts.get("governor") else "no frequency governor to read",
        f"load {facts['load_1m']:.2f} at the end",
        f"Python {facts['python']}",
        ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES if _is_installed(name)),
        f"measured in {took_s:.0f} s{priority()}",
    ]
    return "\n".join(f"- {one}" for one in told if one)


def _is_installed(name: str) -> bool:
    return any(True for _ in metadata.distributions(name=name))


def table(lines: Sequence[Line]) -> str:
    """The lines as a table of Markdown."""
    rows = ["| what | ours | theirs | ratio (quartiles) | target | |", "| --- | ---: | ---: | ---: | ---: | --- |"]
    for line in lines:
        cells = [line.what, line.ours, line.theirs, _ratio(line), line.target, ANSWERS[line.kept]]
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows)


def _plain(table: Table) -> str:
    rows = [table.head, ("---", *("---:" for _ in table.head[1:])), *table.rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _ratio(line: Line) -> str:
    if line.ratio is None:
        return ""
    return f"{line.ratio.value:.3f} ({line.ratio.low:.3f}–{line.ratio.high:.3f})"
