"""From what was read to a Contract: names resolved, paths inside the folder, defaults filled in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from bench.contract import grammar as words
from bench.contract.model import Artifact, Contract, Factory, Input, Place, Target, Validation
from bench.contract.paths import inside
from bench.contract.problems import Problems
from bench.contract.tables import Field, Found, Named
from bench.contract.targets import Site, read_site, target_of
from bench.contract.traces import with_traces
from bench.device.adapter import TensorSpec


def build(path: Path, root: Found, site: Site, on: Collection[str], problems: Problems) -> Contract:
    """The contract; where problems were noted, parts of it may be missing.

    A target of the site's that is not among the contract's own is one of it where it is asked for (``on``).
    """
    folder = path.resolve().parent
    model = root.get(words.MODEL_FIELD) or Found(root.place, {}, {})
    factory = model.get(words.FACTORY)
    return Contract(
        path=path,
        name=model.get(words.NAME) or "",
        version=model.get(words.VERSION) or "",
        framework=model.get(words.FRAMEWORK),
        framework_version=model.get(words.FRAMEWORK_VERSION),
        parameters=model.get(words.PARAMETERS),
        artifacts=_artifacts(root, folder, problems),
        inputs=tuple(_input(entry, problems) for entry in root.get(words.INPUTS) or () if _is_whole(entry)),
        outputs=tuple(_spec(entry) for entry in root.get(words.OUTPUTS) or () if _is_whole(entry)),
        dims={entry.name: entry.value for entry in root.get(words.DIMS) or ()},
        batch_dim=root.get(words.BATCH),
        state={entry.name: entry.value for entry in root.get(words.STATE) or ()},
        validation=_validation(root.get(words.VALIDATION_FIELD), folder, problems),
        targets=_targets(root, folder, site, on, problems),
        factory=Factory(factory, model.at(words.FACTORY)) if factory else None,
        places=_places(root),
    )


def _artifacts(root: Found, folder: Path, problems: Problems) -> tuple[Artifact, ...]:
    found = [_artifact(entry, folder, problems) for entry in root.get(words.ARTIFACTS) or ()]
    return tuple(artifact for artifact in found if artifact is not None)


def _artifact(entry: Named[Found], folder: Path, problems: Problems) -> Artifact | None:
    """None where a path of it cannot be used: what it says would be compared with half a model."""
    found = entry.value
    files = found.get(words.FILES) or ()
    path = _path(found, words.PATH, folder, problems)
    companions = [(_path(file, words.PATH, folder, problems), file.get(words.SHA256)) for file in files]
    known = tuple((file, sha256) for file, sha256 in companions if file is not None)
    if path is None or len(known) < len(companions):
        return None
    return Artifact(entry.name, path, found.get(words.SHA256), found.at(words.PATH), known)


def _path(found: Found, field: Field[str], folder: Path, problems: Problems) -> Path | None:
    text = found.get(field)
    return None if text is None else inside(folder, text, found.at(field), problems)


def _is_whole(entry: Named[Found]) -> bool:
    """Whether dtype and shape were read; where they were not, that is noted as a problem already."""
    return entry.value.get(words.DTYPE) is not None and entry.value.get(words.SHAPE) is not None


def _spec(entry: Named[Found]) -> TensorSpec:
    found = entry.value
    shape = tuple(int(size) if size.isdecimal() else size for size in found.get(words.SHAPE) or ())
    return TensorSpec(entry.name, found.get(words.DTYPE) or "float32", shape)


def _input(entry: Named[Found], problems: Problems) -> Input:
    found, spec = entry.value, _spec(entry)
    low, high = found.get(words.RANGE) or (0.0, 1.0)
    place = found.at(words.RANGE)
    if low > high:
        problems.add(place, f"`range` begins at {low:g} and ends at {high:g}: write the lower value first")
    if not spec.dtype.startswith("float") and (low != int(low) or high != int(high)):
        problems.add(place, f"`range` of {spec.dtype} takes whole numbers: write [{int(low)}, {int(high)}]")
    least, most = bounds_of(spec.dtype)
    if low < least or high > most:
        problems.add(place, f"`range` leaves {spec.dtype}, which holds {least:.6g} to {most:.6g}: write values between")
    return Input(spec, low, high)


_LARGEST = {"float16": 65504.0, "float32": 3.4028234663852886e38, "float64": float("inf")}


def bounds_of(dtype: str) -> tuple[float, float]:
    """The least and the greatest value that a dtype of the grammar holds."""
    if dtype in _LARGEST:
        return -_LARGEST[dtype], _LARGEST[dtype]
    if dtype == "bool":
        return 0, 1
    bits = int(dtype.lstrip("uint"))
    return (0, 2**bits - 1) if dtype.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _validation(found: Found | None, folder: Path, problems: Problems) -> Validation:
    if found is None:
        return Validation()
    return Validation(
        samples=_path(found, words.SAMPLES, folder, problems),
        labels=_path(found, words.LABELS, folder, problems),
        predictions=_path(found, words.PREDICTIONS, folder, problems),
        output=found.get(words.OUTPUT_NAME),
    )


def site_of(path: Path, root: Found, targets_file: Path | None, on: Collection[str], problems: Problems) -> Site:
    """The targets file, where one is named or a target needs one."""
    own = root.get(words.TARGETS) or ()
    unsaid = any(not entry.value.has(words.BACKEND) for entry in own)
    wanted = targets_file is not None or unsaid or not {entry.name for entry in own}.issuperset(on)
    return read_site(targets_file, path.resolve().parent, problems) if wanted else Site((), None, {})


def _targets(root: Found, folder: Path, site: Site, on: Collection[str], problems: Problems) -> tuple[Target, ...]:
    unread = root.strange or root.has(words.LIMITS)
    common = root.get(words.LIMITS) or (None if unread and root.get(words.LIMITS) is None else {})
    own = root.get(words.TARGETS) or ()
    names = dict.fromkeys(name for name in on if name in site.targets and name not in {entry.name for entry in own})
    asked = [Named(name, site.targets[name].place, site.targets[name]) for name in names]
    targets = [target_of(entry, site, common, problems) for entry in (*own, *asked)]
    return with_traces([target for target in targets if target is not None], folder, problems)


def _places(root: Found) -> Mapping[tuple[str, ...], Place]:
    places: dict[tuple[str, ...], Place] = {(): root.place}
    for field in words.CONTRACT.fields:
        if not root.has(field):
            continue
        places[(field.name,)] = root.at(field)
        value: Any = root.get(field)
        if isinstance(value, Found):
            record = words.MODEL if field is words.MODEL_FIELD else words.VALIDATION
            places.update({(field.name, one.name): value.at(one) for one in record.fields if value.has(one)})
        elif isinstance(value, tuple):
            places.update({(field.name, entry.name): entry.place for entry in value})
    for tensor in root.get(words.INPUTS) or ():
        if tensor.value is not None and tensor.value.has(words.RANGE):
            places["inputs", tensor.name, "range"] = tensor.value.at(words.RANGE)
    for entry in root.get(words.ARTIFACTS) or ():
        files: tuple[Found, ...] = entry.value.get(words.FILES) or ()
        places["artifacts", entry.name, "sha256"] = entry.value.at(words.SHA256)
        for index, file in enumerate(files):
            places["artifacts", entry.name, "files", str(index)] = file.at(words.PATH)
            places["artifacts", entry.name, "files", str(index), "sha256"] = file.at(words.SHA256)
    return places
