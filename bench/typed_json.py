"""Frozen dataclasses to JSON and back, by their type hints: what is read is exactly what may be written.

A field that is missing takes its default, so a layout that only adds fields reads older files; a field
that is not known, or of another type, is refused. A record whose class is ``SPARSE`` is written without the
fields that are None. A float that is not finite is the text ``nan``,
``inf`` or ``-inf``, so that the file is JSON to everyone.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import Enum
from numbers import Integral, Real
from types import NoneType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")

INTEGER_LIMIT = 1 << 63
MAX_DEPTH = 32
_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


@dataclass(frozen=True)
class _Field:
    name: str
    hint: Any
    required: bool


def dumps(record: Any) -> bytes:
    """The record as JSON text, ASCII only, each of its own fields on a line (indented whole takes four times as long).

    Raises ValueError for what ``read`` would refuse: a value of a type that is none of JSON's, an
    integer beyond 64 bits.
    """
    written = [f" {json.dumps(name)}: {json.dumps(value, allow_nan=False)}" for name, value in plain(record).items()]
    return ("{\n" + ",\n".join(written) + "\n}\n").encode("ascii")


def plain(value: Any) -> Any:
    """A record or free facts as the plain JSON values that ``dumps`` writes; raises as it does."""
    return _write(value, 0)


def parse(text: bytes) -> Any:
    """The text as plain JSON values; ValueError where it is none, or has a key twice or a number like NaN."""
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise ValueError(f"not text in UTF-8 (byte {error.start})") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error}") from error
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def read(kind: type[T], value: Any) -> T:
    """Parsed JSON as a record of that dataclass; ValueError names the field, what is wrong, what would be right."""
    return cast(T, _read_record(kind, value, ""))


def _write(value: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise ValueError("nested too deeply to be stored")
    if is_dataclass(value) and not isinstance(value, type):
        own = {field.name: getattr(value, field.name) for field in fields(value)}
        sparse = getattr(type(value), "SPARSE", False)
        return {name: _write(one, depth + 1) for name, one in own.items() if not (sparse and one is None)}
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Mapping):
        return {_key(name): _write(one, depth + 1) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_write(one, depth + 1) for one in value]
    return _write_number(value)


def _write_number(value: Any) -> int | float | str:
    if isinstance(value, Integral):
        return _in_range(int(value))
    if isinstance(value, Real):
        number = float(value)
        return number if math.isfinite(number) else str(number)
    raise ValueError(f"a {type(value).__name__} cannot be stored")


def _key(name: Any) -> str:
    if not isinstance(name, str):
        raise ValueError(f"{name!r} is a key, and no text")  # noqa: TRY004 - one class of error for every refusal
    return name


def _in_range(number: int) -> int:
    if not -INTEGER_LIMIT <= number < INTEGER_LIMIT:
        raise ValueError("an integer beyond 64 bits")
    return number


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"`{next(name for name in names if names.count(name) > 1)[:80]}` stands there twice")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


@functools.cache
def _fields_of(kind: type) -> tuple[_Field, ...]:
    hints = get_type_hints(kind)
    return tuple(
        _Field(one.name, hints[one.name], one.default is MISSING and one.default_factory is MISSING)
        for one in fields(kind)
    )


def _read_record(kind: type, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise _wrong(where, "an object", value)
    known = _fields_of(kind)
    unknown = value.keys() - {field.name for field in known}
    if unknown:
        raise ValueError(f"{_at(where)}a {kind.__name__} has no field `{min(unknown)[:80]}`")
    missing = [field.name for field in known if field.required and field.name not in value]
    if missing:
        raise ValueError(f"{_at(where)}the field `{missing[0]}` is missing")
    return kind(
        **{
            field.name: _read(field.hint, value[field.name], f"{where}.{field.name}".lstrip("."))
            for field in known
            if field.name in value
        }
    )


def _read(hint: Any, value: Any, where: str) -> Any:
    """``value`` as the type of ``hint``; ValueError where it is another."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is None and is_dataclass(hint):
        return _read_record(cast(type, hint), value, where)
    if origin is tuple:
        return _read_tuple(arguments, value, where)
    if origin is dict:
        if not isinstance(value, dict):
            raise _wrong(where, "an object", value)
        return {name: _read(arguments[1], one, f"{where}.{name[:80]}") for name, one in value.items()}
    if NoneType in arguments:
        rest = [one for one in arguments if one is not NoneType]
        if len(rest) > 1:  # the one union of more types that is stored: any JSON
            return _read_any(value, where, 0)
        return None if value is None else _read(rest[0], value, where)
    return _read_scalar(hint, value, where)


def _read_tuple(arguments: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _wrong(where, "a list", value)
    hints = arguments[:1] * len(value) if arguments[-1] is Ellipsis else arguments
    if len(hints) != len(value):
        raise _wrong(where, f"a list of {len(hints)}", value)
    return tuple(_read(hint, one, f"{where}[{i}]") for i, (hint, one) in enumerate(zip(hints, value, strict=True)))


def _read_scalar(hint: Any, value: Any, where: str) -> Any:
    if isinstance(hint, type) and issubclass(hint, Enum):
        try:
            return hint(value)
        except ValueError as error:
            raise _wrong(where, "one of " + ", ".join(str(one.value) for one in hint), value) from error
    if hint is float and isinstance(value, str) and value in _NOT_FINITE:
        return _NOT_FINITE[value]
    if hint in (int, float) and isinstance(value, int) and not isinstance(value, bool):
        return hint(_checked_range(value, where))
    if isinstance(value, hint) and not (isinstance(value, bool) and hint is not bool):
        return _finite(value, where) if hint is float else value
    raise _wrong(where, {str: "a text", int: "an integer", float: "a number", bool: "true or false"}[hint], value)


def _read_any(value: Any, where: str, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise ValueError(f"{_at(where)}nested too deeply")
    if isinstance(value, dict):
        for one in value.values():
            _read_any(one, where, depth + 1)
    elif isinstance(value, list):
        for one in value:
            _read_any(one, where, depth + 1)
    elif isinstance(value, float):
        _finite(value, where)
    elif isinstance(value, int):
        _checked_range(value, where)
    return value


def _finite(value: float, where: str) -> float:
    if not math.isfinite(value):
        raise ValueError(f"{_at(where)}a number beyond a float's range")
    return value


def _checked_range(value: int, where: str) -> int:
    try:
        return _in_range(value)
    except ValueError as error:
        raise ValueError(f"{_at(where)}{error}") from error


def _wrong(where: str, wanted: str, value: Any) -> ValueError:
    shown = json.dumps(value) if isinstance(value, str | int | float | None) else type(value).__name__
    return ValueError(f"{_at(where)}{wanted} is needed, not {shown[:80]}")


def _at(where: str) -> str:
    return f"`{where}`: " if where else ""
