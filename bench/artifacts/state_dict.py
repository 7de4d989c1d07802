"""State dicts: what ``torch.save(module.state_dict(), file)`` writes; tensors by name, told without unpickling."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.artifacts import pickle_words
from bench.artifacts.facts import ArtifactError, ArtifactFacts, shape_of, size_of
from bench.artifacts.parameters import Count, Saved, elements, in_state, is_running_figure
from bench.artifacts.pickle_words import Made, Name, Storage
from bench.artifacts.torch_archive import TorchArchive, opened
from bench.artifacts.torchscript import WEIGHTS

_TABLE = "collections.OrderedDict"
_TENSORS = frozenset(f"torch._utils._rebuild_{what}" for what in ("tensor_v2", "tensor_v3", "qtensor"))
_HARMLESS = _TENSORS | {_TABLE, "torch._utils._rebuild_parameter"}
"""All that a state dict is made of; anything else is a pickle that would run code of its own."""
_ZIP = b"PK\x03\x04"
_BEFORE_1_6 = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""The magic number that ``torch.save`` wrote before it wrote zip archives, as it is pickled."""
_MEND = "save it by torch.save(module.state_dict(), file)"


def read(path: Path, companions: tuple[Path, ...]) -> ArtifactFacts:
    """The facts of a state dict; it does not tell parameters from buffers."""
    _check_beginning(path)
    with opened(path) as archive:
        if "constants.pkl" in archive.names:
            raise ArtifactError(f"{path}: is a TorchScript archive and no state dict: call it `torchscript`")
        entries = _entries(path, pickle_words.read(archive.read("data.pkl"), path))
        parameters = _count(archive, entries)
    return ArtifactFacts(
        kind="state-dict",
        inputs=None,
        outputs=None,
        parameters=parameters,
        producer="pytorch",
        producer_version=None,
        opset=None,
        size_bytes=size_of(path, companions),
    )


def _check_beginning(path: Path) -> None:
    """Torch decides by the first bytes how it reads a file; only its zip archives are taken."""
    with path.open("rb") as file:
        beginning = file.read(len(_BEFORE_1_6))
    if beginning == _BEFORE_1_6:
        raise ArtifactError(
            f"{path}: is in the format that PyTorch had before 1.6: load it with a newer one and {_MEND}"
        )
    if not beginning.startswith(_ZIP):
        raise ArtifactError(f"{path}: is not a whole PyTorch archive: it is cut off or damaged")


def _entries(path: Path, drawing: Any) -> dict[object, Any]:
    """The state by its names; ArtifactError for a whole module, a checkpoint, or whatever else was pickled."""
    if isinstance(drawing, Made) and drawing.kind not in _HARMLESS:
        raise ArtifactError(f"{path}: holds a whole `{drawing.kind:.80}` and no state dict: {_MEND}")
    table = drawing.fields if isinstance(drawing, Made) and drawing.kind == _TABLE else drawing
    if not isinstance(table, dict):
        raise ArtifactError(f"{path}: holds no dictionary of tensors: {_MEND}")
    strange = {made.kind for made in pickle_words.objects(drawing)} - _HARMLESS
    if strange:
        raise ArtifactError(f"{path}: holds `{min(strange):.80}` and not only tensors: {_MEND}")
    entries = {name: one for name, one in table.items() if name != "_metadata"}  # the module's, beside its tensors
    for name, one in entries.items():
        if isinstance(one, dict | list) or (isinstance(one, Made) and one.kind == _TABLE):
            raise ArtifactError(f"{path}: is a checkpoint, its `{name!s:.80}` is no tensor: {_MEND}")
    return entries


def _count(archive: TorchArchive, entries: Mapping[object, Any]) -> Count:
    """What the state's tensors tell. Views of one storage count at most what it holds."""
    views: dict[str, dict[object, int]] = {}
    held: dict[str, int] = {}
    saved = []
    for name, entry in entries.items():
        if is_running_figure(str(name)):
            continue
        for made in pickle_words.objects(entry):
            if made.kind not in _TENSORS:
                continue
            storage, offset, shape = _view(archive.path, made)
            views.setdefault(storage.key, {})[offset, shape] = elements(_dtype(made), shape)
            held[storage.key] = storage.elements
            saved.append(Saved(_name(name, made), _dtype(made), shape, archive.content(f"data/{storage.key}")))
    most = sum(min(held[key], sum(seen.values())) for key, seen in views.items())
    return Count(min(in_state(saved).least, most), most, most)


def _view(path: Path, made: Made) -> tuple[Storage, int, tuple[int, ...]]:
    match made.arguments:
        case (Storage() as storage, int() as offset, tuple() as size, *_):
            return storage, offset, shape_of(path, "a tensor", size)
    raise ArtifactError(f"{path}: a tensor in it is not written as torch.save writes one")


def _name(name: object, made: Made) -> str:
    """The tensor's name; none for a quantized one, which a module keeps as it is and not as a parameter."""
    return "" if made.kind.endswith("_rebuild_qtensor") else str(name)


def _dtype(made: Made) -> str:
    """The dtype's name as far as weights have it; types newer than torch's storages stand beside the tensor."""
    beside = made.arguments[6] if len(made.arguments) > 6 else None
    if made.kind.endswith("_v3") and isinstance(beside, Name):
        return beside.text.rpartition(".")[2]
    return WEIGHTS.get(made.arguments[0].kind, "")
