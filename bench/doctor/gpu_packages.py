"""Whether installed wheels fit NVIDIA's driver and each other, by what they require; nothing is imported."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import distributions

from packaging.utils import canonicalize_name

from bench.doctor.diagnosis import Finding, Severity

OLDEST_DRIVER = {12: 525, 13: 580}
"""CUDA's major version -> the first driver for it on Linux (CUDA's release notes, table "CUDA toolkit and driver")."""
WANTS_TENSORRT = {"onnxruntime-gpu": 10}
"""Whose TensorRT provider loads which major version (``libnvinfer.so.10``)."""
OURS = "benchpact"
"""Its extras name wheels for CUDA; it is built for none."""
OF_THE_DRIVER = ("cuda-bindings", "cuda-core", "cuda-python")
"""They call the driver's own library: what their extras bring is for parts that no backend here uses."""
_WORDS = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*\(?([^;)]*)\)?\s*(?:;(.*))?")
_CUDA = re.compile(r"(?:nvidia-.+|tensorrt)-cu(\d+)")
_OF_CUDA = ("nvidia-cuda-runtime", "cuda-toolkit")


@dataclass(frozen=True)
class Wheel:
    """An installed distribution: its name, version and what it requires, as its metadata writes it."""

    name: str
    version: str
    requires: tuple[str, ...] = ()


def installed() -> tuple[Wheel, ...]:
    """All that this interpreter finds."""
    return tuple(
        Wheel(canonicalize_name(one.metadata["Name"]), one.version, tuple(one.requires or ()))
        for one in distributions()
    )


def fit(wheels: Iterable[Wheel], driver: str | None, cuda: str | None) -> tuple[Finding, ...]:
    """One finding for each wheel that uses CUDA, and for a TensorRT of another version than is loaded.

    ``driver`` and ``cuda`` are the driver's version and the newest CUDA that it runs, as it tells them.
    """
    every = {one.name: one for one in wheels if one.name != OURS}
    found = [_cuda_of(one, every, driver, cuda) for one in every.values() if major_of(one) is not None]
    return (*sorted(found, key=lambda one: one.name), *_tensorrt(every))


def major_of(wheel: Wheel) -> int | None:
    """The major version of CUDA that the wheel was built for; None where it does not say, or uses none."""
    for name, version, _ in _required(wheel):
        match = _CUDA.fullmatch(name)
        if match:
            return int(match[1])
        number = re.search(r"\d+", version)
        if name in _OF_CUDA and number:
            return int(number[0])
    return None


def _cuda_of(wheel: Wheel, every: Mapping[str, Wheel], driver: str | None, cuda: str | None) -> Finding:
    name, wants = f"wheel {wheel.name}", major_of(wheel) or 0
    found = f"{wheel.version}, for CUDA {wants}"
    runs = int(cuda.partition(".")[0]) if cuda else None
    if runs is not None and runs < wants:
        why = f"the driver {driver or ''} runs CUDA up to {cuda}: the GPU cannot be used".replace("  ", " ")
        oldest = f" {OLDEST_DRIVER[wants]} or newer" if wants in OLDEST_DRIVER else ""
        return Finding(name, Severity.WARN, found, why, f"install NVIDIA's driver{oldest}")
    missing = {extra for extra, library in _libraries(wheel) if library not in every}
    extras = [] if wheel.name in OF_THE_DRIVER else sorted(missing)
    if extras:
        why = "CUDA's libraries for it are not installed beside it: it takes the system's, which must fit"
        return Finding(name, Severity.NOTE, found, why, f"pip install '{wheel.name}[{','.join(extras)}]'")
    versions = [f"{one} {every[one].version}" for _, one in _libraries(wheel) if one in every and "cudnn" in one]
    return Finding(name, Severity.OK, ", ".join([found, *versions]))


def _tensorrt(every: Mapping[str, Wheel]) -> Iterator[Finding]:
    for name, wants in WANTS_TENSORRT.items():
        for one in every.values():
            is_it = re.fullmatch(r"tensorrt(?:-cu\d+)?", one.name)
            if is_it and name in every and not one.version.startswith(f"{wants}."):
                why = f"{name} loads version {wants}, so that its targets with tensorrt are not measured"
                remedy = f"pip install 'tensorrt-cu{major_of(every[name]) or 13}<{wants + 1}'"
                yield Finding(f"wheel {one.name}", Severity.NOTE, one.version, why, remedy)


def _libraries(wheel: Wheel) -> Iterator[tuple[str, str]]:
    """NVIDIA's packages that an extra of the wheel names: (extra, package)."""
    for name, _, marker in _required(wheel):
        extra = re.search(r"extra\s*==\s*['\"]([\w.-]+)['\"]", marker)
        if extra and name.startswith("nvidia-"):
            yield extra[1], name


def _required(wheel: Wheel) -> Iterator[tuple[str, str, str]]:
    """Name, version and marker of each requirement."""
    for text in wheel.requires:
        match = _WORDS.fullmatch(text.strip())
        if match:
            yield canonicalize_name(match[1]), match[2] or "", match[3] or ""
