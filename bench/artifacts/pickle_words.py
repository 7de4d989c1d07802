"""What a pickle would build, as a drawing: nothing is imported, called or built.

Only the opcodes that PyTorch's own writers use for tensors are known; any other is refused.
"""

from __future__ import annotations

import pickletools
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.artifacts.facts import MAX_DIMENSION, ArtifactError

MAX_BYTES = 64 << 20
MAX_OPCODES = 5_000_000

_PUSHED = frozenset(
    ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINSTRING")
) | {"SHORT_BINSTRING"}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


@dataclass(frozen=True)
class Name:
    """What would be imported: ``torch._utils._rebuild_tensor_v2``."""

    text: str


@dataclass(frozen=True)
class Storage:
    """A storage that the archive holds: what kind, under which key, and how many elements."""

    kind: str
    key: str
    elements: int


@dataclass(eq=False)
class Made:
    """What would be made by calling ``kind`` with ``arguments``; ``fields`` are then set on it."""

    kind: str
    arguments: tuple[Any, ...] = ()
    fields: dict[object, Any] = field(default_factory=dict)


def read(data: bytes, path: Path) -> Any:
    """The drawing of a pickle; ArtifactError, which names ``path``, for one that TorchScript does not write."""
    if len(data) > MAX_BYTES:
        raise ArtifactError(f"{path}: holds a pickle of {len(data)} bytes; at most {MAX_BYTES} are read")
    machine = _Machine()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a damaged file's escapes are its own, not our program's
            for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
                if count > MAX_OPCODES:
                    raise ArtifactError(f"{path}: holds a pickle of more than {MAX_OPCODES} words")
                machine.take(opcode.name, argument)
            return machine.stack[-1]
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, struct.error) as error:
        raise ArtifactError(f"{path}: holds a pickle of more than tensors, or the file is damaged") from error


def objects(drawing: Any) -> Iterator[Made]:
    """Everything in a drawing that would be made, each once."""
    for one in _walk(drawing):
        if isinstance(one, Made):
            yield one


def storages(drawing: Any) -> Iterator[Storage]:
    """The storages in a drawing."""
    for one in _walk(drawing):
        if isinstance(one, Storage):
            yield one


def _walk(drawing: Any) -> Iterator[Any]:
    """Depth first and in order, without recursion; what is shared or turns back on itself comes once."""
    waiting, seen = [drawing], set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        if isinstance(one, Made):
            waiting += [*reversed(list(one.fields.values())), *reversed(one.arguments)]
        elif isinstance(one, dict):
            waiting += reversed(list(one.values()))
        elif isinstance(one, list | tuple):
            waiting += reversed(one)


class _Machine:
    """A pickle machine that draws."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def take(self, opcode: str, argument: Any) -> None:
        stack = self.stack
        if opcode in _PUSHED:
            stack.append(argument)
        elif opcode in _CONSTANTS:
            stack.append(_CONSTANTS[opcode])
        elif opcode in _TUPLES:
            stack.append(tuple(self._pop(_TUPLES[opcode])))
        elif opcode in ("BINPUT", "LONG_BINPUT"):
            self._memo[argument] = stack[-1]
        elif opcode in ("BINGET", "LONG_BINGET"):
            stack.append(self._memo[argument])
        elif opcode == "GLOBAL":
            stack.append(Name(argument.replace(" ", ".")))
        else:
            getattr(self, "_" + opcode.lower())()

    def _pop(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise IndexError("the stack is empty")
        items = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return items

    def _pop_to_mark(self) -> list[Any]:
        return self._pop(len(self.stack) - self._marks.pop())

    def _proto(self) -> None: ...

    def _stop(self) -> None: ...

    def _mark(self) -> None:
        self._marks.append(len(self.stack))

    def _tuple(self) -> None:
        self.stack.append(tuple(self._pop_to_mark()))

    def _empty_list(self) -> None:
        self.stack.append([])

    def _empty_dict(self) -> None:
        self.stack.append({})

    def _append(self) -> None:
        (item,) = self._pop(1)
        _as(list, self.stack[-1]).append(item)

    def _appends(self) -> None:
        items = self._pop_to_mark()
        _as(list, self.stack[-1]).extend(items)

    def _setitem(self) -> None:
        key, value = self._pop(2)
        _set(_table(self.stack[-1]), key, value)

    def _setitems(self) -> None:
        items = self._pop_to_mark()
        for key, value in zip(items[::2], items[1::2], strict=True):
            _set(_table(self.stack[-1]), key, value)

    def _newobj(self) -> None:
        kind, arguments = self._pop(2)
        self.stack.append(Made(_as(Name, kind).text, _as(tuple, arguments)))

    _reduce = _newobj

    def _build(self) -> None:
        (state,) = self._pop(1)
        made = _as(Made, self.stack[-1])
        made.fields.update(state if isinstance(state, dict) else {"state": state})

    def _binpersid(self) -> None:
        (identity,) = self._pop(1)
        word, kind, key, _, elements = identity
        if word != "storage" or type(elements) is not int or not 0 <= elements < MAX_DIMENSION:
            raise ValueError(f"a reference to {identity!r}")
        self.stack.append(Storage(_as(Name, kind).text.rpartition(".")[2], str(_as(str, key)), elements))


def _as(kind: type[Any], one: Any) -> Any:
    if not isinstance(one, kind):
        raise TypeError(f"a {type(one).__name__} where a {kind.__name__} should be")
    return one


def _table(one: Any) -> dict[object, Any]:
    """Where items go: into a dictionary, or into what would be made as one (an ``OrderedDict``)."""
    table: dict[object, Any] = one.fields if isinstance(one, Made) else _as(dict, one)
    return table


def _set(table: dict[object, Any], key: Any, value: Any) -> None:
    """Keep the value under its key, or, where that is nothing that names a thing, under its position."""
    table[key if isinstance(key, str | int) else (len(table),)] = value
