"""A target's settings against what its adapter declares: what ``open`` would refuse is told before anything starts.

Nothing here knows a backend: options, devices, precisions and what does not go together are the adapter's own words.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from bench import registry
from bench.artifacts import KINDS
from bench.contract.findings import Findings
from bench.contract.model import Artifact, Contract, Place, Target
from bench.contract.problems import meant, quoted
from bench.device import pinning
from bench.device.adapter import CHOICE, EAGER, STATES, Adapter, ModelFiles, Settings
from bench.device.declared import listed, refusal
from bench.errors import BackendNotFound


def check(contract: Contract, target: Target, adapter: Adapter, whole: Sequence[Artifact], findings: Findings) -> None:
    """Note every setting that the adapter refuses; ``whole`` are the artifacts that could be read."""
    sound = [
        _options(target, adapter, findings),
        _word(contract, target, "device", target.device, adapter, findings),
        _word(contract, target, "precision", target.precision, adapter, findings),
        _choice(contract, target, adapter, findings),
    ]
    _threads(target, findings)
    _cores(target, findings)
    if hasattr(adapter, "conflict") and all(sound) and _is_told(contract, target):
        _conflict(target, adapter.conflict, _model(contract, whole), findings)


def _conflict(target: Target, conflict: Callable[..., Any], model: ModelFiles, findings: Findings) -> None:
    """What does not go together. A ``conflict`` that fails itself is no mistake of the contract's."""
    try:
        found = conflict(model, _settings(target))
        name, why = ("", "") if found is None else map(str, found)
    except Exception as error:  # noqa: BLE001 - a third party's code: `open` will say what it does not take
        told = f"{type(error).__name__}: {' '.join(str(error).split())}"
        message = f"{quoted(target.backend)} cannot tell whether it takes what target {quoted(target.name)} asks for"
        findings.notice(f"{message}: its `conflict` failed: {told:.300}", target.place)
        return
    if found is not None:
        findings.problems.add(_place(target, name), f"`{name}` of target {quoted(target.name)}: {why}")


def kinds_of(contract: Contract, adapter: Adapter) -> list[str] | None:
    """The kinds of artifact that were written, also where no more of one could be read; None where one may be amiss."""
    own = [artifact.kind for artifact in contract.artifacts]
    faulty = [path[1] for path in contract.faults.paths if path[0] == "artifacts" and len(path) > 1]
    known = (*KINDS, *adapter.artifact_kinds)
    if any(kind not in known for kind in faulty) or (not own and not faulty and contract.hides("artifacts")):
        return None
    return [*own, *sorted(set(faulty) - set(own))]


def chooses_code(target: Target) -> bool:
    """Whether the target chooses the user's own module, whatever artifacts there are."""
    return target.options.get(CHOICE) == EAGER


def own_code(target: Target) -> list[str]:
    """The target's options that name a program of the user's own; none where its backend does not load."""
    try:
        adapter = registry.load(target.backend)
    except BackendNotFound:
        return []
    return [name for name in getattr(adapter, "code_options", ()) if name in target.options]


def usable_cores() -> int:
    """How many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _place(target: Target, name: str) -> Place:
    return target.option_places.get(name) or target.places.get(name) or target.place


def _options(target: Target, adapter: Adapter, findings: Findings) -> bool:
    sound = True
    for name, value in target.options.items():
        if name not in adapter.options:
            why = f"{quoted(target.backend)} has no option {quoted(name)}: {meant(name, adapter.options)}"
        elif refused := refusal(adapter.options, name, value):
            why = f"option {quoted(name)} of {quoted(target.backend)}: {refused}"
        else:
            continue
        sound = False
        findings.problems.add(_place(target, name), why)
    return sound


def _word(contract: Contract, target: Target, what: str, word: str, adapter: Adapter, findings: Findings) -> bool:
    """Whether a device or a precision is one that the adapter takes, on any machine; all are where it does not say."""
    taken = getattr(adapter, f"{what}s", None)
    if taken is None or word in taken or _is_unread(contract, target, what):
        return True
    message = f"{quoted(target.backend)} has no {what} {quoted(word)}: it takes {listed(taken, '`')}"
    findings.problems.add(_place(target, what), f"target {quoted(target.name)}: {message}")
    return False


def _choice(contract: Contract, target: Target, adapter: Adapter, findings: Findings) -> bool:
    """What the target chooses to run must be in the contract."""
    chosen, own = target.options.get(CHOICE), kinds_of(contract, adapter)
    if chosen is None or CHOICE not in adapter.options or refusal(adapter.options, CHOICE, chosen):
        return True  # nothing chosen, or told with the options
    runnable = [kind for kind in own or () if kind in adapter.artifact_kinds and kind not in STATES]
    place, head = _place(target, CHOICE), f"target {quoted(target.name)} is to run {quoted(str(chosen))}"
    if chosen == EAGER and contract.factory is None and contract.hides("model", "factory"):
        return False
    if chosen == EAGER and contract.factory is None:
        needs = "name the function that builds its module as `factory` under `model`"
        findings.problems.add(place, f"{head}, which is a module that your own code builds: {needs}")
    elif chosen in adapter.artifact_kinds and own is not None and chosen not in own:
        has = ", ".join(quoted(kind) for kind in runnable) or "none that it could run"
        findings.problems.add(place, f"{head}, which the contract has not: add it under `artifacts`; it has {has}")
    else:
        return True
    return False


def _is_unread(contract: Contract, target: Target, setting: str) -> bool:
    """Whether the setting that the target has is only what stands for one that could not be read."""
    faults, here = contract.faults, ("targets", target.name)
    return faults.within(*here, setting) or (here in faults.strange and setting in target.defaults)


def _is_told(contract: Contract, target: Target) -> bool:
    """Whether all was read that an adapter may find a conflict in."""
    tensors = any(contract.hides(part) for part in ("inputs", "outputs", "state", "dims"))
    paths = [path for path in contract.faults.paths if path[:2] == ("targets", target.name) and len(path) > 2]
    return not (tensors or contract.hides("model", "factory") or any(path[2] != "limits" for path in paths))


def _threads(target: Target, findings: Findings) -> None:
    """More threads than cores: a notice, for the contract may be meant for another machine."""
    if target.host is not None and not target.cores:
        return
    cores = len(target.cores) or usable_cores()
    if target.threads > cores:
        where = "and is given" if target.cores else "and this machine has"
        usable = "" if target.cores else " usable"
        message = f"target {quoted(target.name)} asks for {target.threads} threads, {where} {cores}{usable}"
        fix = "threads that share a core wait for each other"
        findings.notice(f"{message} core{'s' if cores != 1 else ''}: {fix}", _place(target, "threads"))


def _cores(target: Target, findings: Findings) -> None:
    """Cores that this machine has not: another one that the contract is meant for may have them."""
    reason = pinning.refusal(target.cores) if target.cores and target.host is None else ""
    if reason:
        findings.missing.add(_place(target, "cores"), f"target {quoted(target.name)}: {reason}")


def _model(contract: Contract, whole: Sequence[Artifact]) -> ModelFiles:
    return ModelFiles(
        artifacts={artifact.kind: artifact.path for artifact in whole},
        inputs=tuple(one.spec for one in contract.inputs),
        outputs=contract.outputs,
        state=contract.state,
        dims=contract.dims,
        factory=contract.factory.entry if contract.factory else None,
        code_dir=contract.folder,
    )


def _settings(target: Target) -> Settings:
    return Settings(target.device, target.threads, target.precision, target.residency, extra=dict(target.options))
