"""Each target's backend: whether it is installed, takes the model, and knows the options. No framework is imported."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from importlib.util import find_spec

from bench import metrics, registry
from bench.contract.findings import Findings
from bench.contract.model import Contract, Place, Target
from bench.contract.problems import meant, quoted
from bench.device.adapter import STATES, Adapter
from bench.errors import BackendNotFound


def check(contract: Contract, targets: Sequence[Target], findings: Findings) -> None:
    """Note all that is wrong with the targets, and what is only missing on this machine."""
    for target in targets:
        try:
            adapter = registry.load(target.backend)
        except BackendNotFound as error:
            findings.missing.add(target.place, f"target {quoted(target.name)}: {error}")
            continue
        _installed(target, adapter, findings)
        _takes(contract, target, adapter, findings)
        for name in target.options:
            if name not in adapter.options:
                message = f"{quoted(target.backend)} has no option {quoted(name)}: {meant(name, adapter.options)}"
                findings.problems.add(target.option_places.get(name, target.place), message)
    _code(contract, targets, findings)


def _installed(target: Target, adapter: Adapter, findings: Findings) -> None:
    missing = [package for package in adapter.packages if not is_installed(package)]
    if missing:
        message = f"target {quoted(target.name)} needs {' and '.join(missing)}, which is not installed here"
        findings.missing.add(target.place, f"{message}: `benchpact doctor` says how to install it")


def is_installed(package: str) -> bool:
    """Whether the distribution, or an import package of its name, is there; nothing is imported."""
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return _is_importable(package.replace("-", "_"))
    return True


def _is_importable(module: str) -> bool:
    """Whether a top-level module can be found; a mere folder of that name is none."""
    try:
        spec = find_spec(module) if module.isidentifier() else None
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin is not None


def _takes(contract: Contract, target: Target, adapter: Adapter, findings: Findings) -> None:
    kinds = adapter.artifact_kinds
    own = [artifact.kind for artifact in contract.artifacts]
    builds = contract.factory is not None and any(kind in kinds for kind in STATES)  # the user's code makes the model
    if not kinds or builds:
        return
    states = [kind for kind in own if kind in kinds and kind in STATES]
    needs = "name the function that builds its module as `factory` under `model`"
    if any(kind in kinds and kind not in STATES for kind in own):
        for kind in states:
            findings.notice(f"the `{kind}` artifact is not used: {needs}")
        return
    if states:
        message = f"target {quoted(target.name)}: a `{states[0]}` artifact cannot run by itself: {needs}"
        findings.problems.add(target.place, message)
        return
    wanted = " or ".join(f"`{kind}`" for kind in kinds if kind not in STATES)
    has = ", ".join(f"`{kind}`" for kind in own) or "none"
    message = f"target {quoted(target.name)}: {target.backend} takes {wanted}; the contract's artifacts are {has}"
    findings.problems.add(target.place, f"{message}: add one it takes, or leave the target out")


def _code(contract: Contract, targets: Sequence[Target], findings: Findings) -> None:
    """The user's own code must be there, and it runs only if the user says so."""
    entries: list[tuple[str, Place]] = []
    if contract.factory is not None:
        entries.append((contract.factory.entry, contract.factory.place))
    for target in targets:
        found = [one for one in target.limits.requirements if metrics.is_user_metric(one.metric)]
        entries += [(requirement.metric, requirement.place) for requirement in found]
    for entry, place in dict.fromkeys(entries):
        module = entry.split(":")[0].split(".")[0]
        beside = contract.folder / module
        if not (beside.with_suffix(".py").is_file() or beside.is_dir() or _is_importable(module)):
            message = f"{quoted(entry)}: there is no module {quoted(module)}: put {module}.py beside the contract"
            findings.problems.add(place, message)
        else:
            findings.notice(f"`{entry}` is code that comes with the contract: it runs only with --allow-code")
