"""The three ways a PyTorch model comes: a TorchScript archive, an exported program, and the user's own code."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator, List, NamedTuple, Tuple

from backends import pt2_archive, staging
from bench.device.adapter import STATES, ModelFiles, ModelRejected


class Loaded(NamedTuple):
    """A callable model; ``parameters`` are its forward's arguments in order, with the type that each wants.

    A type is ``Tensor``, or ``int``, ``float`` or ``bool`` where a plain number must be given.
    """

    module: Any
    parameters: Tuple[Tuple[str, str], ...]


def choose(model: ModelFiles, asked: str) -> str:
    """The kind to load: the one asked for, else the first that there is. ModelRejected where it is not there."""
    there = [kind for kind in ("torchscript", "torch-export") if kind in model.artifacts]
    if model.factory is not None:
        there.append("eager")
    if asked == "auto" and there:
        return there[0]
    if asked in there:
        return asked
    wanted = "a torchscript or torch-export artifact, or a factory" if asked == "auto" else "`%s`" % asked
    raise ModelRejected("this backend was to run %s; the contract has %s" % (wanted, ", ".join(there) or "neither"))


def load(torch: Any, model: ModelFiles, kind: str, device: str = "cpu") -> Loaded:
    """The model on the device, in evaluation mode. Raises ModelRejected with torch's own words."""
    try:
        with without_deprecations():
            how = {"torchscript": _torchscript, "torch-export": _exported, "eager": _eager}[kind]
            return how(torch, model, device)
    except (MemoryError, ModelRejected):
        raise
    except Exception as error:  # noqa: BLE001 - torch, and the user's code, raise anything
        what = model.factory if kind == "eager" else model.artifacts[kind].name
        reason = "%s: %s" % (type(error).__name__, staging.one_line(error))
        raise ModelRejected("pytorch does not take %s: %s" % (what, reason))


def _torchscript(torch: Any, model: ModelFiles, device: str) -> Loaded:
    """Torch's own unpickler reads the archive and its interpreter runs the code: no Python object is unpickled."""
    module = torch.jit.load(str(model.artifacts["torchscript"]), map_location=device).eval()
    arguments = module.forward.schema.arguments[1:]
    return Loaded(module, tuple((argument.name, str(argument.type)) for argument in arguments))


def _exported(torch: Any, model: ModelFiles, device: str) -> Loaded:
    path = model.artifacts["torch-export"]
    pt2_archive.check(path)
    with _weights_only():
        program = torch.export.load(str(path))
    if device != "cpu":  # what the graph itself makes, and where, moves too
        program = importlib.import_module("torch.export.passes").move_to_device_pass(program, device)
    module = program.module()
    positional, keywords = _children(program.call_spec.in_spec)
    names = list(program.graph_signature.user_inputs)
    count, last = len(_children(positional)), list(keywords.context or ())
    if last:
        return Loaded(_by_keyword(module, count, last), tuple((name, "Tensor") for name in names[:count] + last))
    return Loaded(module, tuple((name, "Tensor") for name in names))


def _children(spec: Any) -> List[Any]:
    """A tree's branches; newer torch has a method for them and calls the attribute deprecated."""
    return list(spec.children() if hasattr(spec, "children") else spec.children_specs)


def _by_keyword(module: Any, count: int, names: List[str]) -> Callable[..., Any]:
    """A program that was exported with keyword arguments, called by position."""

    def call(*arguments: Any) -> Any:
        return module(*arguments[:count], **dict(zip(names, arguments[count:])))

    return call


def _eager(torch: Any, model: ModelFiles, device: str) -> Loaded:
    """The module that the user's factory builds, with the contract's state loaded strictly."""
    assert model.factory is not None
    module_name, _, function = model.factory.partition(":")
    with _code_dir(model):
        module = getattr(importlib.import_module(module_name), function)()
    if not isinstance(module, torch.nn.Module):
        raise ModelRejected("%s returned %s, not a torch.nn.Module" % (model.factory, type(module).__name__))
    for kind in STATES:
        if kind in model.artifacts:
            _load_state(torch, module, kind, model.artifacts[kind])
            break
    parameters = inspect.signature(module.forward).parameters
    return Loaded(module.eval().to(device), tuple((name, "Tensor") for name in parameters))


def _load_state(torch: Any, module: Any, kind: str, path: Path) -> None:
    """Load the state; a tensor too many or too few is an error that names it. Nothing but tensors is unpickled."""
    try:
        if kind == "state-dict":
            state = _state_dict(torch, path)
        else:
            state = importlib.import_module("safetensors.torch").load_file(str(path))
        misfits = module.load_state_dict(state, strict=False)
    except (MemoryError, ModelRejected):
        raise
    except Exception as error:  # noqa: BLE001 - safetensors and torch share no base class of errors
        raise ModelRejected("the state in %s does not load: %s" % (path.name, staging.one_line(error)))
    told = (("the module has not", misfits.unexpected_keys), ("the state has not", misfits.missing_keys))
    if any(keys for _, keys in told):
        reasons = "; ".join("%s %s" % (what, _some(keys)) for what, keys in told if keys)
        raise ModelRejected("the state in %s does not fit the module: %s" % (path.name, reasons))


def _state_dict(torch: Any, path: Path) -> Any:
    """What ``torch.save`` wrote as a zip archive: for other files torch has readers that were less careful."""
    with path.open("rb") as file:
        if file.read(4) != b"PK\x03\x04":
            raise ModelRejected("%s is no archive of torch.save, or one of before PyTorch 1.6" % path.name)
    return torch.load(str(path), map_location="cpu", weights_only=True)


def _some(keys: List[str]) -> str:
    """The first names, and how many more there are."""
    named = ", ".join("`%s`" % key[:80] for key in keys[:5])
    return named if len(keys) <= 5 else "%s and %d more" % (named, len(keys) - 5)


@contextmanager
def _code_dir(model: ModelFiles) -> Iterator[None]:
    """The user's folder comes first where modules are looked for."""
    if model.code_dir is None:
        yield
        return
    folder = str(model.code_dir)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


@contextmanager
def _weights_only() -> Iterator[None]:
    """Every ``torch.load`` inside refuses to unpickle anything but tensors, whatever its caller asked for."""
    names = ("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD")
    before = {name: os.environ.get(name) for name in names}
    os.environ[names[0]] = "1"
    os.environ.pop(names[1], None)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextmanager
def without_deprecations() -> Iterator[None]:
    """Newer torch calls TorchScript deprecated at each use; the contract's author knows what they chose."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*`?torch\.jit\.\w+`? is", category=DeprecationWarning)
        yield
