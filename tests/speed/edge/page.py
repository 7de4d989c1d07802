"""docs/edge-benchmarks.md, written from the lines."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import date

from bench.units import show
from tests.speed.edge import fleet, link, place, same, tending, there
from tests.speed.lines import Section, lines_of
from tests.speed.page import count, table, where

HOW = """\
`make bench-board` writes this page; do not edit it. **The board is emulated** (qemu, aarch64, {cores} cores,
{memory} MiB; see [Boards over SSH](edge.md)) and shares this machine's cores with benchpact: how fast it is says
nothing of any ARM machine. Whatever the board itself does, a login, a start of Python, an import, takes several times
what it takes on a processor of its own.

**A run over SSH.** `benchpact run` with one case in one process, on a backend that naps for 20 ms in each query (of
calls that take no time at all an emulator cannot say whether they were done). Of its wall time all phases of the
worker are taken off, by the board's clock: from the start of its process to its last answer. What is left is
benchpact's own start and end here, what is asked of the board, and the link. {runs} runs of each kind, in turns, after
one that sent the agent. The login that is up is a `ControlMaster` of the user's; otherwise benchpact makes one that its
connections share. **This machine's own sshd**, which a run over SSH takes for a board like any other, shows what is the
way and not the emulator; a bare start of Python over each login, and the same run on this machine without SSH, stand
beside them.

**The same case here and over SSH.** `benchpact run` of `configs/digits/digits.onnx`, one process of {time} on one core:
started here, and started on this machine's own sshd, {same_rounds} times in turns. No emulator is in it.

**Shipping.** A job is made ready whose samples are {size} of new random bytes: asked for there, sent, hashed there
while they come, synced, renamed. `scp` of as many new bytes over the same login only copies them. {rounds} rounds in
turns.

**The loop alone.** The program behind the first table of [Benchmarks](benchmarks.md), sent there beside the agent's own
code: {processes} processes, in which both sides take turns of {turn} s.

**Looking after a board.** `benchpact device prepare` from a wheelhouse for ONNX Runtime, once where there is no
environment and {again} times where there is, and `benchpact smoke configs/board.yaml` {smokes} times. Whether that
board keeps the contract is not asked here.

**Fifty boards.** One run on {count} hosts at once, one case each, on the same backend. Each is a user of the emulated
board, with a home, an agent and a lock of its own, so that the one machine stands for all: {count} logins and {count}
workers share its {cores} cores. As many bare logins that import numpy, all at once, show how much of the time they are
by themselves. The same run on {count} sshd of this machine, each with a home, an agent and a lock of its own, has no
emulator in it. The agent had been sent before. Memory is the sum of Pss (pages that processes share
are counted once) of benchpact and all its `ssh` processes, looked at twice a second; the highest counts."""


def render(sections: Mapping[str, Section], took_s: float) -> str:
    """The whole page: where and when, what was measured, how."""
    head = f"**{count(sections)}** on {date.today().isoformat()}, on an emulated board."
    cores = len(os.sched_getaffinity(0))
    parts = ["# Benchmarks of the way to a board", head, *busy(os.getloadavg()[0], cores), where(cores, took_s)]
    for title, section in sections.items():
        parts += [f"## {title}", table(lines_of(section))]
    return "\n\n".join([*parts, "## How to read this", how()]) + "\n"


def busy(load: float, cores: int) -> list[str]:
    """What is said where the machine had more to do than this: the emulator's cores, and benchpact."""
    if load <= 2 * cores + 1:
        return []
    words = f"**The machine had other work meanwhile** (load {load:.1f} on {cores} cores)"
    return [f"{words}: times in seconds, and who did not answer in time, say more of that than of benchpact."]


def how() -> str:
    """How all of it was measured, with the numbers that the program uses."""
    return HOW.format(
        cores=place.CORES,
        memory=place.MEMORY_MIB,
        runs=link.RUNS,
        rounds=link.ROUNDS,
        size=show(link.SIZE_BYTES, "bytes"),
        processes=there.PROCESSES,
        turn=f"{there.TURN_S:g}",
        count=fleet.COUNT,
        time=same.TIME,
        same_rounds=same.ROUNDS,
        again=tending.TIMES[tending.AGAIN],
        smokes=tending.TIMES[tending.SMOKE],
    )
