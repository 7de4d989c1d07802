"""docs/benchmarks.md, written from the lines."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from datetime import date
from importlib import metadata

from bench.device import machine
from bench.units import show
from tests.speed.lines import Line

PACKAGES = ("benchpact", "numpy", "onnxruntime", "openvino", "torch", "mlcommons_loadgen", "polygraphy")
ANSWERS = {True: "kept", False: "**not kept**", None: "–"}
HOW = """\
`make bench` writes this page; do not edit it. It installs the peers into an environment of their own
(`.venv-bench`) and measures everything anew on the machine it runs on.

How: each comparison runs in a few fresh processes, pinned to core {core}, one thread each. In a process all
sides take turns of a tenth of a second, in rotating order, with the garbage collector off, on the same model
and the same samples. *Ours* and *theirs* are the middle rounds (for a latency: of each round's median); the
ratio is the middle of the rounds' own ratios, in brackets the quartiles. Every second process opens the sides
in the opposite order. The hand-written loop is there twice: how far it is from itself is what a comparison
here cannot tell. What a peer reports is taken from the peer: LoadGen's summary, `last_inference_time` of
Polygraphy's runner, the median of `Timer`, benchmark_app's own loop. `Timer` and benchmark_app's *time a call*
are means over many calls, which other programs on the machine raise: of each process, their quietest round stands
for all.

benchmark_app's inner clock, the median that it prints, starts and stops inside OpenVINO's C++ request. It leaves
out the call from Python that every Python caller waits for, benchmark_app's own loop too; *time a call* is that
loop's wall time a call."""


def render(sections: Mapping[str, Sequence[Line]], cores: int, core: int, took_s: float) -> str:
    """The whole page: where and when, what was measured, how."""
    parts = ["# Benchmarks", f"**{count(sections)}** on {date.today().isoformat()}.", _where(cores, took_s)]
    for title, section in sections.items():
        parts += [f"## {title}", _table(section)]
    parts += ["## How to read this", HOW.format(core=core)]
    return "\n\n".join(parts) + "\n"


def count(sections: Mapping[str, Sequence[Line]]) -> str:
    """How many of the lines that have a target kept it."""
    kept = [line.kept for section in sections.values() for line in section if line.kept is not None]
    return f"{sum(kept)} of {len(kept)} targets kept"


def _where(cores: int, took_s: float) -> str:
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
        f"measured in {took_s:.0f} s",
    ]
    return "\n".join(f"- {one}" for one in told if one)


def _is_installed(name: str) -> bool:
    return any(True for _ in metadata.distributions(name=name))


def _table(lines: Sequence[Line]) -> str:
    rows = ["| what | ours | theirs | ratio (quartiles) | target | |", "| --- | ---: | ---: | ---: | ---: | --- |"]
    for line in lines:
        cells = [line.what, line.ours, line.theirs, _ratio(line), line.target, ANSWERS[line.kept]]
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows)


def _ratio(line: Line) -> str:
    if line.ratio is None:
        return ""
    return f"{line.ratio.value:.3f} ({line.ratio.low:.3f}–{line.ratio.high:.3f})"
