"""What this machine is, which backends work on it and what mends the others, what would disturb a measurement."""

from __future__ import annotations

from bench.doctor.console import render
from bench.doctor.diagnosis import Backend, Diagnosis, Finding, Machine, Severity, State, exit_code
from bench.doctor.document import as_json

__all__ = (
    "Backend", "Diagnosis", "Finding", "Machine", "Severity", "State",
    "as_json", "examine", "exit_code", "probe_all", "render",
)  # fmt: skip


def examine() -> Diagnosis:
    """Look at the machine for half a second, then probe every backend in a process of its own."""
    from bench.doctor import findings, gpu_findings, gpu_packages, gpus, packages, probing, readings

    machine, state = readings.read_machine(), readings.read_state()
    backends = probing.backends()
    seen = gpus.read_gpus()
    found = [*packages.conflicts(backends), *findings.findings(machine, state)]
    found += gpu_findings.gpu_findings(seen.gpus, seen.why_not, seen.remedy)
    if seen.gpus:
        found += gpu_packages.fit(gpu_packages.installed(), seen.gpus[0].driver, seen.gpus[0].cuda)
    return Diagnosis(machine, state, backends, tuple(found), seen.gpus)


def probe_all() -> tuple[Backend, ...]:
    """Every backend, and whether it works here; sorted by name. A probe that crashes or hangs is an answer too."""
    from bench.doctor import probing

    return probing.backends()
