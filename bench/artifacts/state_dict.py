"""State dicts: what ``torch.save(module.state_dict(), file)`` writes; tensors by name, told without unpickling."""

from __future__ import annotations

from pathlib import Path

from bench.artifacts import pickle_words
from bench.artifacts.facts import ArtifactError, ArtifactFacts, count_parameters, size_of
from bench.artifacts.pickle_words import Made, Storage
from bench.artifacts.torch_archive import opened
from bench.artifacts.torchscript import WEIGHTS

_HARMLESS = ("collections.OrderedDict", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter")
"""All that a state dict is made of; anything else is a pickle that would run code of its own."""


def read(path: Path, companions: tuple[Path, ...]) -> ArtifactFacts:
    """The facts of a state dict: its parameters are the elements of every stored tensor of weights."""
    with opened(path) as archive:
        if "constants.pkl" in archive.names:
            raise ArtifactError(f"{path}: is a TorchScript archive and no state dict; call it `torchscript`")
        drawing = pickle_words.read(archive.read("data.pkl"), path)
    strange = {made.kind for made in pickle_words.objects(drawing)} - set(_HARMLESS)
    if strange:
        raise ArtifactError(
            f"{path}: holds `{min(strange)}` and not only tensors; save it by torch.save(module.state_dict(), file)"
        )
    tensors = {one.key: one for one in _tensors(drawing)}
    return ArtifactFacts(
        kind="state-dict",
        inputs=None,
        outputs=None,
        parameters=count_parameters((WEIGHTS.get(one.kind, ""), (one.elements,)) for one in tensors.values()),
        producer="pytorch",
        producer_version=None,
        opset=None,
        size_bytes=size_of(path, companions),
    )


def _tensors(drawing: object) -> list[Storage]:
    """The storages of the drawing; a single number, such as a counter, is no weight."""
    scalars = {
        storage.key
        for made in pickle_words.objects(drawing)
        if isinstance(made, Made) and len(made.arguments) > 2 and made.arguments[2] == ()
        for storage in pickle_words.storages(made.arguments[0])
    }
    return [one for one in pickle_words.storages(drawing) if one.key not in scalars]
