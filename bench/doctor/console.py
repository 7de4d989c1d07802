"""A diagnosis as text for a terminal: the machine, the backends, what would disturb, and one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.doctor.diagnosis import Backend, Diagnosis, Finding, Gpu, Machine, Severity
from bench.report.text import clean, plural
from bench.units import show

MARKS = {Severity.OK: ("✓", "green"), Severity.NOTE: ("·", "cyan"), Severity.WARN: ("!", "bold yellow")}
WORKS, BROKEN, HARNESS = ("✓", "green"), ("✗", "bold red"), ("·", "cyan")
NOT_TOLD = "not told"
LONGEST_NAME = 20


def render(diagnosis: Diagnosis, colour: bool = False, width: int = 100) -> str:
    """The diagnosis as text of at most ``width`` columns; escapes are in it only where ``colour`` is set."""
    out = StringIO()
    console = Console(
        file=out, width=max(width, 60), force_terminal=colour, no_color=not colour, legacy_windows=False,
        color_system="standard" if colour else None, markup=False, emoji=False, highlight=False,
    )  # fmt: skip
    names = [one.name for one in diagnosis.backends] + [one.name for one in diagnosis.findings]
    column = min(LONGEST_NAME, max(len("system"), *(len(clean(name)) for name in names)))
    console.print(Text("this machine", "bold"))
    for name, words in [*_machine(diagnosis.machine), *map(_gpu, diagnosis.gpus)]:
        _entry(console, column, (" ", ""), name, words)
    console.print(Text("\nbackends", "bold"))
    for backend in diagnosis.backends:
        _backend(console, column, backend)
    console.print(Text("\nwhat would disturb a measurement", "bold"))
    _findings(console, column, diagnosis.findings)
    console.print()
    console.print(Text(sentence(diagnosis), "bold"))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def sentence(diagnosis: Diagnosis) -> str:
    """``2 of 3 backends work here; 1 thing would disturb a measurement``: as many work as are ticked."""
    real = [one for one in diagnosis.backends if one.runs_models or not one.usable]
    works = sum(one.usable for one in real)
    warned = sum(one.severity is Severity.WARN for one in diagnosis.findings)
    disturbed = f"{plural(warned, 'thing')} would disturb a measurement" if warned else "nothing disturbs a measurement"
    return f"{works} of {plural(len(real), 'backend')} {'works' if works == 1 else 'work'} here; {disturbed}"


def _machine(machine: Machine) -> list[tuple[str, str]]:
    cores = _cores(machine)
    memory = _size(machine.memory_bytes)
    swap = "no swap" if machine.swap_bytes == 0 else f"swap {_size(machine.swap_bytes)}"
    return [
        ("machine", " · ".join(filter(None, (machine.product, _kind(machine))))),
        ("CPU", " · ".join(filter(None, (machine.cpu_model or NOT_TOLD, machine.arch, cores)))),
        ("memory", f"{memory} · {swap}"),
        ("limits", _limits(machine)),
        ("system", " · ".join(filter(None, (machine.os, f"kernel {machine.kernel or NOT_TOLD}", machine.libc)))),
        ("Python", f"{machine.python or NOT_TOLD} ({machine.executable or NOT_TOLD})"),
    ]


def _gpu(gpu: Gpu) -> tuple[str, str]:
    driver = f"driver {gpu.driver or NOT_TOLD}" + (f", CUDA up to {gpu.cuda}" if gpu.cuda else "")
    name = gpu.name or gpu.unreachable or gpu.why_not.get("name") or NOT_TOLD
    size = () if gpu.unreachable and gpu.memory_bytes is None else (_size(gpu.memory_bytes),)
    return f"GPU {gpu.index}", " · ".join((name, *size, driver))


def _kind(machine: Machine) -> str:
    words = {True: "virtual machine", False: "not virtual", None: "virtual or not: not told"}[machine.virtual]
    return f"{words}, in a container ({machine.container})" if machine.container else words


def _cores(machine: Machine) -> str:
    """The system counts hardware threads; with several on a core it is said so."""
    count, usable, each = machine.cores, machine.usable_cores, machine.threads_per_core
    if not count:
        return f"cores {NOT_TOLD}"
    words = plural(count, "core")
    if each is not None and each > 1:
        words = f"{plural(count, 'hardware thread')} on {plural(max(1, count // each), 'core')}"
    return f"{words}, {usable} usable" if usable is not None and usable != count else words


def _limits(machine: Machine) -> str:
    cpu, memory = machine.cpu_limit, machine.memory_limit_bytes
    quota = f"CPU quota {cpu:g} cores" if cpu is not None else "no CPU quota"
    return f"{quota} · {f'memory {_size(memory)}' if memory is not None else 'no memory limit'}"


def _size(value: int | None) -> str:
    return NOT_TOLD if value is None else show(value, "bytes")


def _backend(console: Console, column: int, one: Backend) -> None:
    versions = ", ".join(f"{package} {version}" for package, version in one.versions.items())
    if not one.usable:
        reason = one.reason or "does not work, and its probe does not say why"
        _entry(console, column, BROKEN, one.name, reason, versions)
        lines = "\n".join(f"│ {clean(line)}" for line in one.last_words)
        _more(console, column, lines, one.remedy)
        return
    devices = f"on {', '.join(one.devices)}" if one.devices else f"devices {NOT_TOLD}"
    kind = "" if one.runs_models else "no framework stands behind it"
    _entry(
        console,
        column,
        WORKS if one.runs_models else HARNESS,
        one.name,
        " · ".join(filter(None, (versions, devices, kind))),
        f"no other device: {one.reason}" if one.reason else "",
    )
    _more(console, column, "", one.remedy if one.reason else "")


def _findings(console: Console, column: int, findings: Sequence[Finding]) -> None:
    """What is wrong first, then what is worth knowing, then in two lines all that is well or not told."""
    for severity in (Severity.WARN, Severity.NOTE):
        for one in findings:
            if one.severity is severity:
                _entry(console, column, MARKS[severity], one.name, one.found or NOT_TOLD, one.why)
                _more(console, column, "", one.remedy)
    well = [f"{one.name}: {one.found}" for one in findings if one.severity is Severity.OK and one.found]
    silent = [one.name for one in findings if one.severity is Severity.OK and not one.found]
    if well:
        _entry(console, column, MARKS[Severity.OK], "fine", " · ".join(well))
    if silent:
        _entry(console, column, ("–", "dim"), NOT_TOLD, ", ".join(silent))


def _entry(console: Console, column: int, mark: tuple[str, str], name: str, text: str, why: str = "") -> None:
    """A marked, named entry; where it wraps, it goes on under its own text."""
    body = Text.assemble(clean(text), (f"\n{clean(why)}" if why else "", "dim"))
    console.print(_grid(column, Text(*mark), Text(clean(name)), body))


def _more(console: Console, column: int, lines: str, remedy: str) -> None:
    """A dead probe's last words, and the command that mends, which is never folded: it is there to be copied."""
    if lines:
        console.print(_grid(column, Text(), Text(), Text(lines, "dim")))
    if remedy:
        indent = " " * (column + 5)
        console.print(Text.assemble(indent, ("→ ", "dim"), (clean(remedy), "cyan")), soft_wrap=True)


def _grid(column: int, mark: Text, name: Text, body: Text) -> Table:
    grid = Table.grid(padding=(0, 1, 0, 0), pad_edge=False)
    grid.add_column(width=3)
    grid.add_column(width=column, overflow="fold")
    grid.add_column(overflow="fold")
    grid.add_row(Text.assemble("  ", mark), name, body)
    return grid
