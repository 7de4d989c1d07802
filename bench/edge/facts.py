"""What a board says of itself (``device.hardware``), checked: a board may say anything."""

from __future__ import annotations

from dataclasses import dataclass, field

from bench.results import Json


@dataclass(frozen=True)
class Cluster:
    """Cores that are alike."""

    cores: tuple[int, ...]
    name: str | None
    max_mhz: float | None


@dataclass(frozen=True)
class Frequency:
    """A device with a frequency of its own, in MHz."""

    mhz: float
    max_mhz: float
    governor: str | None = None


@dataclass(frozen=True)
class Prepared:
    """The environment in use: what was asked for, for which Python, and which of the backends' packages it has."""

    key: str
    requirements: tuple[str, ...] = ()
    python: str = ""
    wheels: tuple[str, ...] = ()
    bytes: int = 0
    packages: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class BoardFacts:
    """A board. Sizes in bytes, frequencies in MHz, temperatures in °C; None and empty: not told."""

    model: str | None
    soc: str | None
    emulated: bool
    machine: str
    bits: int
    clusters: tuple[Cluster, ...]
    memory_bytes: int | None
    memory_available_bytes: int | None
    swap_used_bytes: int | None
    os: str | None
    kernel: str | None
    libc: dict[str, str] | None
    python: str
    implementation: str
    pythons: tuple[str, ...]
    governors: tuple[str, ...]
    frequencies_mhz: dict[str, float]
    temperatures_c: dict[str, float]
    throttled_now: tuple[str, ...] | None
    throttled_since_boot: tuple[str, ...] | None
    held_down: bool
    devfreq: dict[str, Frequency]
    load_1m: float | None
    free_bytes: int | None
    cache: str
    cache_bytes: int
    packages: dict[str, str]
    prepared: Prepared | None

    def tags(self) -> dict[str, Json]:
        """What wheels are chosen by (``tags.board_python``)."""
        libc: Json = None if self.libc is None else dict(self.libc)
        return {
            "implementation": self.implementation, "python": self.python, "machine": self.machine, "bits": self.bits,
            "libc": libc,
        }  # fmt: skip
