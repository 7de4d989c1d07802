"""What would disturb a measurement: readings in, findings out; pure. Each says why it matters and what mends it."""

from __future__ import annotations

from collections.abc import Iterator

from bench.doctor.diagnosis import Finding, Machine, Severity, State
from bench.report.text import plural
from bench.units import show

LOAD_A_CORE, LOAD_AT_LEAST = 0.25, 0.7
"""A load above this a core, and above this in all, means that something else computes."""
STEAL_SHARE = 0.01
STEAL_SHARE_SINCE_BOOT = 0.005
PRESSURE_PERCENT = 1.0
SWAP_SHARE = 0.05
LOW_MEMORY_SHARE = 0.1
HOT_C = 85.0
BUSY_NAMED = 3
STEADY_CLOCKS = ("tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page", "riscv_clocksource")
"""Clock sources that are read without a system call."""
OK, NOTE, WARN = Severity.OK, Severity.NOTE, Severity.WARN


def findings(machine: Machine, state: State) -> tuple[Finding, ...]:
    """Everything that was looked at, in a fixed order; what is not told is named too."""
    return (
        *_clock_speed(machine, state),
        *_others(machine, state),
        *_memory(machine, state),
        *_limits(machine, state),
        *_surroundings(machine, state),
    )


def _clock_speed(machine: Machine, state: State) -> Iterator[Finding]:
    yield _governor(machine, state)
    why = "the clock's speed then depends on heat and on how many cores are busy: figures differ from hour to hour"
    remedy = "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo  (AMD: echo 0 | sudo tee "
    remedy += "/sys/devices/system/cpu/cpufreq/boost)"
    yield _switch("turbo", state.turbo, NOTE, why, remedy)
    why = "a busy neighbour thread on the same core halves the speed of this one, unforeseeably"
    yield _switch("SMT", state.smt, NOTE, why, "echo off | sudo tee /sys/devices/system/cpu/smt/control")
    yield _throttling(state)
    if state.temperature_c is None or state.temperature_c < HOT_C:
        told = None if state.temperature_c is None else f"{state.temperature_c:.0f} °C"
        yield Finding("temperature", OK, told)
    else:
        why = "a processor this hot is about to slow itself down"
        yield Finding("temperature", WARN, f"{state.temperature_c:.0f} °C", why, "let it cool; look at its fan")


def _governor(machine: Machine, state: State) -> Finding:
    slow = [one for one in state.governors if one != "performance"]
    if slow:
        why = "the clock is slowed between queries, so latencies are longer and less steady than under load"
        remedy = "sudo cpupower frequency-set -g performance"
        return Finding("governor", WARN, ", ".join(state.governors), why, remedy)
    if state.governors:
        return Finding("governor", OK, "performance")
    if machine.virtual:
        why = "the host of this virtual machine sets the clock's speed, and it may change unseen"
        return Finding("governor", NOTE, None, why, "measure several times; compare only runs from this machine")
    return Finding("governor", OK, None)


def _throttling(state: State) -> Finding:
    if state.throttled is None:
        return Finding("throttling", OK, None)
    why = "a core was slowed down for heat or power: figures taken then are worse than the machine can do"
    since = f"{plural(state.throttled, 'time')} since boot"
    if state.throttled_now:
        found = f"{plural(state.throttled_now, 'time')} just now, {since}"
        return Finding("throttling", WARN, found, why, "let it cool; look at its fan and power supply")
    if state.throttled:
        return Finding("throttling", NOTE, since, why, "watch it during a run: each run records this count")
    return Finding("throttling", OK, "never since boot")


def _switch(name: str, on: bool | None, severity: Severity, why: str, remedy: str) -> Finding:
    if on:
        return Finding(name, severity, "on", why, remedy)
    return Finding(name, OK, None if on is None else "off")


def _others(machine: Machine, state: State) -> Iterator[Finding]:
    """Who else computes here."""
    cores = machine.usable_cores or machine.cores or 1
    found = None if state.load_1m is None else f"{state.load_1m:.2f} on {plural(cores, 'core')}"
    if state.load_1m is not None and state.load_1m > max(LOAD_AT_LEAST, LOAD_A_CORE * cores):
        why = "other work takes the cores and caches that are measured"
        yield Finding("load", WARN, found, why, "wait until it is done, or stop it: top")
    else:
        yield Finding("load", OK, found)
    yield _busy(state)
    yield _steal(state)


def _busy(state: State) -> Finding:
    if not state.busy:
        return Finding("busy processes", OK, None if state.busy is None else "none")
    named = ", ".join(f"{one.name} ({one.pid}) {one.cores:.1f} cores" for one in state.busy[:BUSY_NAMED])
    more = len(state.busy) - BUSY_NAMED
    remedy = "stop them while measuring, or hold them off: kill -STOP PID, later kill -CONT PID"
    why = "they take turns with the worker on its core: the slowest latencies are theirs"
    return Finding("busy processes", WARN, named + (f", {more} more" if more > 0 else ""), why, remedy)


def _steal(state: State) -> Finding:
    now, boot = state.steal_share, state.steal_share_since_boot
    if now is None or boot is None:
        return Finding("steal", OK, None)
    found = f"{now:.1%} now, {boot:.1%} since boot".replace("%", " %")
    why = "the hypervisor gives this machine's cores to others: queries stand still meanwhile"
    remedy = "use a machine with cores of its own (dedicated, not burstable), or measure longer"
    if now > STEAL_SHARE:
        return Finding("steal", WARN, found, why, remedy)
    if boot > STEAL_SHARE_SINCE_BOOT:
        return Finding("steal", NOTE, found, why, remedy)
    return Finding("steal", OK, found)


def _memory(machine: Machine, state: State) -> Iterator[Finding]:
    yield _swap(machine, state)
    if state.memory_pressure is not None and state.memory_pressure > PRESSURE_PERCENT:
        why = "tasks wait for memory, and a model's pages may be thrown out between two queries"
        found = f"{state.memory_pressure:.1f} % of the last 10 s"
        yield Finding("memory pressure", WARN, found, why, "close what holds memory: ps aux --sort=-rss | head")
    else:
        told = None if state.memory_pressure is None else f"{state.memory_pressure:.1f} %"
        yield Finding("memory pressure", OK, told)
    free, whole = state.memory_available_bytes, machine.memory_bytes
    available = None if free is None else f"{show(free, 'bytes')} available"
    if free is not None and whole and free < LOW_MEMORY_SHARE * whole:
        why = "a model that does not fit is killed, or pushes others into swap"
        yield Finding("free memory", WARN, available, why, "close what holds memory: ps aux --sort=-rss | head")
    else:
        yield Finding("free memory", OK, available)


def _swap(machine: Machine, state: State) -> Finding:
    used = state.swap_used_bytes
    if used is None:
        return Finding("swap", OK, None)
    found = f"{show(used, 'bytes')} in use" if used else "none in use"
    why = "a page that must be read back from disk makes one query thousands of times slower"
    remedy = "sudo swapoff -a  (back on with: sudo swapon -a)"
    if state.swapped_pages:
        return Finding("swap", WARN, f"{found}, {plural(state.swapped_pages, 'page')} moved just now", why, remedy)
    if machine.swap_bytes and used > SWAP_SHARE * machine.swap_bytes:
        return Finding("swap", NOTE, found, why, remedy)
    return Finding("swap", OK, found)


def _limits(machine: Machine, state: State) -> Iterator[Finding]:
    yield _quota(machine, state)
    if machine.cores and machine.usable_cores and machine.usable_cores < machine.cores:
        found = f"{machine.usable_cores} of {plural(machine.cores, 'core')} usable"
        why = "a backend that counts the machine's cores starts more threads than may run at once"
        yield Finding("affinity", NOTE, found, why, "say `threads` for each target in the contract")
    else:
        yield Finding("affinity", OK, "all cores usable" if machine.usable_cores else None)


def _quota(machine: Machine, state: State) -> Finding:
    if machine.cpu_limit is None:
        return Finding("CPU quota", OK, "none")
    found = f"{machine.cpu_limit:g} cores"
    if state.quota_stops:
        found += f", stopped {plural(state.quota_stops, 'time')} so far"
    cores = machine.usable_cores or machine.cores
    if cores is not None and machine.cpu_limit >= cores and not state.quota_stops:
        return Finding("CPU quota", OK, found)
    why = "once a period's share is spent, every thread waits for the next: the slowest latencies are the quota's"
    remedy = "start the container without --cpus, and pin it instead: docker run --cpuset-cpus=0,1 …"
    return Finding("CPU quota", WARN, found, why, remedy)


def _surroundings(machine: Machine, state: State) -> Iterator[Finding]:
    if machine.virtual:
        why = "neighbours on the same host share its caches, memory and clock: figures may differ from day to day"
        yield Finding("virtual machine", NOTE, "yes", why, "compare only runs from one kind of machine")
    else:
        yield Finding("virtual machine", OK, None if machine.virtual is None else "no")
    yield _clock(state)
    if state.huge_pages == "always":
        why = "memory comes in steps of 2 MiB, so peak memory differs between processes that do the same"
        remedy = "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled"
        yield Finding("huge pages", NOTE, "always", why, remedy)
    else:
        yield Finding("huge pages", OK, state.huge_pages)
    why = "on battery the processor is slowed down"
    if state.on_battery:
        yield Finding("power", WARN, "on battery", why, "plug it in")
    else:
        yield Finding("power", OK, None if state.on_battery is None else "plugged in")


def _clock(state: State) -> Finding:
    if state.clock_source is None or state.clock_source in STEADY_CLOCKS:
        return Finding("clock source", OK, state.clock_source)
    why = "each reading of this clock takes a microsecond or more, which is in every latency"
    remedy = "echo tsc | sudo tee /sys/devices/system/clocksource/clocksource0/current_clocksource"
    return Finding("clock source", WARN, state.clock_source, why, remedy)
