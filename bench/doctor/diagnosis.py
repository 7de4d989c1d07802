"""What an examination found: frozen records. A fact that is None was not told by the system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from bench.device.nvml_refusals import LOST


class Severity(str, Enum):
    """How much something found would disturb a measurement."""

    OK = "ok"
    NOTE = "note"
    """Worth knowing when figures are compared; nothing may have to be done."""
    WARN = "warn"
    """Figures taken now would be wrong or unsteady."""


@dataclass(frozen=True)
class Busy:
    """Another process that computes: ``cores`` is how many cores' time it took."""

    pid: int
    name: str
    cores: float


@dataclass(frozen=True)
class Machine:
    """What this machine is. Sizes in bytes, frequency in MHz, CPU limit in cores."""

    product: str | None = None
    cpu_model: str | None = None
    arch: str | None = None
    cores: int | None = None
    usable_cores: int | None = None
    threads_per_core: int | None = None
    memory_bytes: int | None = None
    swap_bytes: int | None = None
    os: str | None = None
    kernel: str | None = None
    libc: str | None = None
    python: str | None = None
    executable: str | None = None
    virtual: bool | None = None
    container: str | None = None
    """``docker``, ``podman``, ``kubernetes`` …; None where no sign of one was seen."""
    cpu_limit: float | None = None
    memory_limit_bytes: int | None = None


@dataclass(frozen=True)
class State:
    """What may disturb a measurement, as it was during ``interval_ns``. Shares are of one, pressure in percent."""

    interval_ns: int = 0
    governors: tuple[str, ...] = ()
    """The frequency governors in use, each once; empty: not told."""
    frequency_mhz: float | None = None
    turbo: bool | None = None
    smt: bool | None = None
    load_1m: float | None = None
    busy: tuple[Busy, ...] | None = None
    steal_share: float | None = None
    """Share of CPU time that the hypervisor gave to others, during the interval."""
    steal_share_since_boot: float | None = None
    memory_available_bytes: int | None = None
    swap_used_bytes: int | None = None
    swapped_pages: int | None = None
    """Pages moved to or from swap during the interval."""
    memory_pressure: float | None = None
    """Percent of the last 10 s in which some task waited for memory."""
    throttled: int | None = None
    """Times a core was slowed for heat or power since boot."""
    throttled_now: int | None = None
    """The same, during the interval."""
    temperature_c: float | None = None
    quota_stops: int | None = None
    """Times the container's CPU quota stopped its processes since it was made."""
    clock_source: str | None = None
    huge_pages: str | None = None
    on_battery: bool | None = None


@dataclass(frozen=True)
class Backend:
    """One backend: whether it works here, and if not, why and what would mend it."""

    name: str
    adapter: str
    """``module:Class``."""
    usable: bool
    versions: Mapping[str, str] = field(default_factory=dict)
    devices: tuple[str, ...] = ()
    reason: str = ""
    remedy: str = ""
    packages: tuple[str, ...] = ()
    artifact_kinds: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    last_words: tuple[str, ...] = ()
    """The last lines its probe wrote, where it died."""

    @property
    def runs_models(self) -> bool:
        """Whether a framework stands behind it; none does where it measures the harness, or runs the user's program."""
        return bool(self.packages)


@dataclass(frozen=True)
class Gpu:
    """One NVIDIA GPU, by its number in NVML's order. Sizes in bytes, power in mW, clocks in MHz."""

    index: int
    name: str | None = None
    uuid: str | None = None
    driver: str | None = None
    cuda: str | None = None
    """The newest CUDA that the driver runs."""
    memory_bytes: int | None = None
    used_bytes: int | None = None
    ecc: str | None = None
    mig: str | None = None
    persistence: str | None = None
    power_limit_mw: int | None = None
    default_power_limit_mw: int | None = None
    sm_mhz: int | None = None
    max_sm_mhz: int | None = None
    temperature_c: int | None = None
    clocks_set: bool | None = None
    """Whether a person locked the clocks or set an application's."""
    others: tuple[int, ...] | None = None
    """The processes on it, by number."""
    why_not: Mapping[str, str] = field(default_factory=dict)
    """Of what is not told: why; ``it`` is the GPU itself."""

    @property
    def unreachable(self) -> str:
        """Why the driver cannot reach the GPU at all, or has lost it meanwhile; "" where it does."""
        lost = (reason for reason in self.why_not.values() if LOST in reason)
        return self.why_not.get("it") or next(lost, "")


@dataclass(frozen=True)
class Finding:
    """One thing looked at: what was found, why it matters, and the command that mends it."""

    name: str
    severity: Severity
    found: str | None
    """None: the system does not tell."""
    why: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """All of it."""

    machine: Machine
    state: State
    backends: tuple[Backend, ...]
    findings: tuple[Finding, ...]
    gpus: tuple[Gpu, ...] = ()


def exit_code(diagnosis: Diagnosis) -> int:
    """0 where at least one framework works here, else 3: nothing could be measured."""
    return 0 if any(one.usable and one.runs_models for one in diagnosis.backends) else 3
