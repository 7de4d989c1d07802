"""What would disturb a measurement on a GPU: readings in, findings out; pure. Commands are shown, never run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.doctor.diagnosis import Finding, Gpu, Severity
from bench.report.text import plural
from bench.units import show

OK, NOTE, WARN = Severity.OK, Severity.NOTE, Severity.WARN
HOT_C = 85
NAMED = 4


def gpu_findings(gpus: Sequence[Gpu], why_not: str = "", remedy: str = "") -> tuple[Finding, ...]:
    """Everything that was looked at, GPU by GPU; nothing on a machine that has none."""
    if why_not:
        why = "energy, memory, clocks and heat of the GPU are then not measured"
        return (Finding("GPU", NOTE, why_not, why, remedy),)
    return tuple(finding for one in gpus for finding in _of(one))


def _of(gpu: Gpu) -> Iterator[Finding]:
    if gpu.unreachable:
        yield _unreachable(gpu)
        return
    yield _others(gpu)
    yield _clocks(gpu)
    yield _power(gpu)
    yield _heat(gpu)
    why = "the driver is set up anew when nobody uses the GPU: each process's first query takes seconds longer"
    yield _switch(gpu, "persistence", gpu.persistence, "on", why, f"sudo nvidia-smi -i {gpu.index} -pm 1")
    why = "only a part of the GPU is measured, and its power and energy are told of the whole or not at all"
    yield _switch(gpu, "MIG", gpu.mig, "off", why, f"sudo nvidia-smi -i {gpu.index} -mig 0")
    why = "an error in its memory goes unseen; on, it takes some memory and bandwidth: compare only like with like"
    yield _switch(gpu, "ECC", gpu.ecc, "on", why, f"sudo nvidia-smi -i {gpu.index} -e 1  (then restart the machine)")


def _unreachable(gpu: Gpu) -> Finding:
    why = "nothing can be measured on it, and what runs on it fails"
    remedy = (
        f"look at nvidia-smi -i {gpu.index} -q and at dmesg (Xid); then sudo nvidia-smi -i {gpu.index} -r, or restart "
    )
    return Finding(f"GPU {gpu.index}", WARN, gpu.unreachable, why, remedy + "the machine")


def _named(gpu: Gpu, what: str) -> str:
    return f"GPU {gpu.index} {what}"


def _switch(gpu: Gpu, what: str, told: str | None, well: str, why: str, remedy: str) -> Finding:
    if told is None or told == well:
        return Finding(_named(gpu, what), OK, told)
    return Finding(_named(gpu, what), NOTE, told, why, remedy)


def _others(gpu: Gpu) -> Finding:
    name, refused = _named(gpu, "processes"), gpu.why_not.get("others")
    if gpu.others is None and refused:
        why = "whoever else computes on the GPU goes unseen, and is in its latencies and its energy"
        return Finding(name, NOTE, f"not told: {refused}", why, f"nvidia-smi -i {gpu.index}")
    if not gpu.others:
        return Finding(name, OK, None if gpu.others is None else "none")
    pids = ", ".join(map(str, gpu.others[:NAMED])) + (" …" if len(gpu.others) > NAMED else "")
    held = "" if gpu.used_bytes is None else f", {show(gpu.used_bytes, 'bytes')} of its memory in use"
    found = f"{plural(len(gpu.others), 'process', 'processes')} ({pids}){held}"
    why = "they take turns with the model on the GPU, and their energy counts as its own"
    return Finding(name, WARN, found, why, f"stop them, or take another GPU: nvidia-smi -i {gpu.index}")


def _clocks(gpu: Gpu) -> Finding:
    name, most = _named(gpu, "clocks"), gpu.max_sm_mhz
    if gpu.clocks_set is None:
        return Finding(name, OK, None)
    if gpu.clocks_set:
        return Finding(name, OK, "set by hand")
    now = "" if gpu.sm_mhz is None else f": {gpu.sm_mhz} MHz now"
    found = f"no setting is told{now}{'' if most is None else f', {most} MHz at most'}"
    why = (
        "unless they are locked, which NVML has no call to tell, the driver moves them with load and heat: figures "
        "differ from hour to hour"
    )
    remedy = f"sudo nvidia-smi -i {gpu.index} -lgc {most or 'MHZ'}  (back with: sudo nvidia-smi -i {gpu.index} -rgc)"
    return Finding(name, NOTE, found, why, remedy)


def _power(gpu: Gpu) -> Finding:
    name, limit, usual = _named(gpu, "power limit"), gpu.power_limit_mw, gpu.default_power_limit_mw
    if limit is None or usual is None or limit >= usual:
        return Finding(name, OK, None if limit is None else f"{limit // 1000} W")
    why = "under load the GPU is slower than one with its usual limit"
    found = f"{limit // 1000} W, {usual // 1000} W by default"
    return Finding(name, NOTE, found, why, f"sudo nvidia-smi -i {gpu.index} -pl {usual // 1000}")


def _heat(gpu: Gpu) -> Finding:
    name = _named(gpu, "temperature")
    found = None if gpu.temperature_c is None else f"{gpu.temperature_c} °C"
    if gpu.temperature_c is None or gpu.temperature_c < HOT_C:
        return Finding(name, OK, found)
    return Finding(name, WARN, found, "a GPU this hot is about to slow itself down", "let it cool; look at its fans")
