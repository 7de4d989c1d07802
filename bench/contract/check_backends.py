"""Each target's backend: whether it is installed, takes the model, and knows the options. No framework is imported."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from importlib.util import find_spec

from bench import registry
from bench.contract import check_settings
from bench.contract.findings import Findings
from bench.contract.model import Artifact, Contract, Target
from bench.contract.problems import quoted
from bench.device import gpu_named
from bench.device.adapter import STATES, Adapter
from bench.errors import BackendNotFound


def check(contract: Contract, targets: Sequence[Target], whole: Sequence[Artifact], findings: Findings) -> None:
    """Note all that is wrong with the targets, and what is only missing on this machine.

    ``whole`` are the artifacts that could be read.
    """
    for target in targets:
        try:
            adapter = registry.load(target.backend)
        except BackendNotFound as error:
            findings.missing.add(target.place, f"target {quoted(target.name)}: {error}")
            continue
        _named(target, findings)
        _installed(target, adapter, findings)
        _takes(contract, target, adapter, findings)
        _vouched(contract, target, adapter, findings)
        check_settings.check(contract, target, adapter, whole, findings)


def _named(target: Target, findings: Findings) -> None:
    """Notice a target on a CPU that goes by a GPU's name: its numbers would, too."""
    if gpu_named.is_cpu(target.device) and gpu_named.is_named(target.name):
        message = f"target {quoted(target.name)} runs on `{target.device}`, whatever its name says: no GPU computes it"
        findings.notice(message, target.place)


def _installed(target: Target, adapter: Adapter, findings: Findings) -> None:
    if target.host is not None:
        return  # what is installed there is told there
    missing = [package for package in adapter.packages if not is_installed(package)]
    if missing:
        message = f"target {quoted(target.name)} needs {' and '.join(missing)}, which is not installed here"
        findings.missing.add(target.place, f"{message}: `benchpact doctor` says how to install it")
        return
    why = gpu_named.without_driver(target.device)
    if why:
        message = f"target {quoted(target.name)} runs on `{target.device}`, and {why}"
        findings.missing.add(target.places.get("device", target.place), f"{message}: `benchpact doctor` says more")


def is_installed(package: str) -> bool:
    """Whether the distribution, or an import package of its name, is there; nothing is imported."""
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return is_importable(package.replace("-", "_"))
    return True


def is_importable(module: str) -> bool:
    """Whether a top-level module can be found; a mere folder of that name is none."""
    try:
        spec = find_spec(module) if module.isidentifier() else None
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin is not None


def _vouched(contract: Contract, target: Target, adapter: Adapter, findings: Findings) -> None:
    """Note artifacts whose loading may run what is in them, where the contract does not say which file it means."""
    for artifact in contract.artifacts:
        if artifact.kind not in getattr(adapter, "code_kinds", ()) or artifact.sha256 is not None:
            continue
        if contract.faults.within("artifacts", artifact.kind):
            continue  # a hash may be there that could not be read
        name = quoted(artifact.path.name)
        why = f"loading it may run what is in it, so {target.backend} takes it only with its `sha256` in the contract"
        where = f"where you trust the file, add what `sha256sum {artifact.path.name}` prints"
        findings.problems.add(artifact.place, f"{name} is a `{artifact.kind}`: {why}: {where}")


def _takes(contract: Contract, target: Target, adapter: Adapter, findings: Findings) -> None:
    kinds = adapter.artifact_kinds
    own = check_settings.kinds_of(contract, adapter)
    builds = contract.factory is not None and any(kind in kinds for kind in STATES)  # the user's code makes the model
    if not kinds or builds or own is None:
        return
    states = [kind for kind in own if kind in kinds and kind in STATES]
    needs = "name the function that builds its module as `factory` under `model`"
    if any(kind in kinds and kind not in STATES for kind in own):
        for kind in states:
            findings.notice(f"the `{kind}` artifact is not used: {needs}", contract.place("artifacts", kind))
        return
    if any(kind in kinds for kind in STATES) and contract.hides("model", "factory"):
        return
    if states:
        message = f"target {quoted(target.name)}: a `{states[0]}` artifact cannot run by itself: {needs}"
        findings.problems.add(target.place, message)
        return
    wanted = " or ".join(f"`{kind}`" for kind in kinds if kind not in STATES)
    built = " or ".join(f"`{kind}`" for kind in kinds if kind in STATES)
    wanted += f", and {built} with a `factory` under `model`" if built else ""
    has = ", ".join(f"`{kind}`" for kind in own) or "none"
    message = f"target {quoted(target.name)}: {target.backend} takes {wanted}; the contract's artifacts are {has}"
    findings.problems.add(target.place, f"{message}: add one it takes, or leave the target out")
