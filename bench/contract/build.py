"""From what was read to a Contract: names resolved, paths inside the folder, defaults filled in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.contract import grammar as words
from bench.contract.model import Artifact, Contract, Factory, Input, Place, Target, Validation
from bench.contract.paths import inside
from bench.contract.problems import Problems
from bench.contract.tables import Field, Found, Named
from bench.contract.targets import Site, read_site, target_of
from bench.device.adapter import TensorSpec


def build(path: Path, root: Found, targets_file: Path | None, problems: Problems) -> Contract:
    """The contract; where problems were noted, parts of it may be missing."""
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
        artifacts=tuple(_artifact(entry, folder, problems) for entry in root.get(words.ARTIFACTS) or ()),
        inputs=tuple(_input(entry, problems) for entry in root.get(words.INPUTS) or () if _is_whole(entry)),
        outputs=tuple(_spec(entry) for entry in root.get(words.OUTPUTS) or () if _is_whole(entry)),
        dims={entry.name: entry.value for entry in root.get(words.DIMS) or ()},
        batch_dim=root.get(words.BATCH),
        state={entry.name: entry.value for entry in root.get(words.STATE) or ()},
        validation=_validation(root.get(words.VALIDATION_FIELD), folder, problems),
        targets=_targets(root, folder, targets_file, problems),
        factory=Factory(factory, model.at(words.FACTORY)) if factory else None,
        places=_places(root),
    )


def _artifact(entry: Named[Found], folder: Path, problems: Problems) -> Artifact:
    found = entry.value
    files = found.get(words.FILES) or ()
    return Artifact(
        kind=entry.name,
        path=_path(found, words.PATH, folder, problems) or folder,
        sha256=found.get(words.SHA256),
        place=found.at(words.PATH),
        companions=tuple(
            (_path(file, words.PATH, folder, problems) or folder, file.get(words.SHA256)) for file in files
        ),
    )


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


def _targets(root: Found, folder: Path, targets_file: Path | None, problems: Problems) -> tuple[Target, ...]:
    entries = root.get(words.TARGETS) or ()
    unsaid = any(not entry.value.has(words.BACKEND) for entry in entries)
    wanted = targets_file is not None or unsaid
    site = read_site(targets_file, folder, problems) if wanted else Site((), None, {})
    common = root.get(words.LIMITS) or {}
    targets = [target_of(entry, site, common, problems) for entry in entries]
    return tuple(target for target in targets if target is not None)


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
    for entry in root.get(words.ARTIFACTS) or ():
        files: tuple[Found, ...] = entry.value.get(words.FILES) or ()
        for index, file in enumerate(files):
            places["artifacts", entry.name, "files", str(index)] = file.at(words.PATH)
    return places
