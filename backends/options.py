"""Reading the options that only one backend knows; whatever is wrong with one is said with what would be right."""

from __future__ import annotations

import difflib
from typing import Mapping, Sequence, TypeVar, Union

from bench.device.adapter import AdapterError, DeviceUnavailable, Option, Settings

PRECISIONS = ("fp32", "bf16", "fp16", "fp64")

Value = TypeVar("Value", bound=Union[str, bool])


def check_known(settings: Settings, known: Mapping[str, str], devices: Sequence[str]) -> None:
    """Refuse unknown options and settings without meaning (AdapterError), and other devices (DeviceUnavailable)."""
    for name in settings.extra:
        if name not in known:
            near = difflib.get_close_matches(name, list(known), n=1)
            hint = "did you mean `%s`?" % near[0] if near else "it knows %s" % (", ".join(known) or "none")
            raise AdapterError("this backend has no option `%s`: %s" % (name, hint))
    if settings.device not in devices:
        raise DeviceUnavailable("device `%s` is not offered here; there is %s" % (settings.device, ", ".join(devices)))
    if settings.threads < 1:
        raise AdapterError("threads is %d: say 1 or more" % settings.threads)
    if settings.precision not in PRECISIONS:
        raise AdapterError("precision is `%s`: say one of %s" % (settings.precision, ", ".join(PRECISIONS)))
    if settings.residency not in ("host", "device"):
        raise AdapterError("residency is `%s`: say host or device" % settings.residency)


def choice(extra: Mapping[str, Option], name: str, choices: Sequence[Value], default: Value) -> Value:
    """One of a few words (or true and false)."""
    value = extra.get(name, default)
    for one in choices:
        if value == one and isinstance(value, bool) == isinstance(one, bool):
            return one
    words = ", ".join(str(one).lower() if isinstance(one, bool) else str(one) for one in choices)
    raise AdapterError("option `%s` is %r: it takes %s" % (name, value, words))


def count(extra: Mapping[str, Option], name: str, default: int) -> int:
    """A whole number of at least 1."""
    value = extra.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise AdapterError("option `%s` is %r: it takes a whole number of at least 1" % (name, value))
    return value
