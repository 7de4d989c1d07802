"""Reading the options that only one backend knows; whatever is wrong with one is said with what would be right."""

from __future__ import annotations

import difflib
from typing import Any, Mapping, Sequence

from bench.device.adapter import AdapterError, DeviceUnavailable, Settings
from bench.device.declared import Conflict, Declared, Option, listed, refusal

PRECISIONS = ("fp32", "tf32", "bf16", "fp16", "fp64")


def check_known(settings: Settings, known: Mapping[str, Declared], devices: Sequence[str]) -> None:
    """AdapterError for an option that is unknown or takes other values, and for settings without meaning;
    DeviceUnavailable for another device."""
    for name, value in settings.extra.items():
        if name not in known:
            near = difflib.get_close_matches(name, list(known), n=1)
            hint = "did you mean `%s`?" % near[0] if near else "it knows %s" % (", ".join(known) or "none")
            raise AdapterError("this backend has no option `%s`: %s" % (name, hint))
        refused = refusal(known, name, value)
        if refused:
            raise AdapterError("option `%s`: %s" % (name, refused))
    if settings.device not in devices:
        raise DeviceUnavailable("device `%s` is not offered here; there is %s" % (settings.device, listed(devices)))
    if settings.threads < 1:
        raise AdapterError("threads is %d: say 1 or more" % settings.threads)
    if settings.precision not in PRECISIONS:
        raise AdapterError("precision is `%s`: say one of %s" % (settings.precision, ", ".join(PRECISIONS)))
    if settings.residency not in ("host", "device"):
        raise AdapterError("residency is `%s`: say host or device" % settings.residency)


def refuse(conflict: Conflict) -> None:
    """AdapterError where there is one."""
    if conflict:
        raise AdapterError("`%s`: %s" % conflict)


def value_of(extra: Mapping[str, Option], known: Mapping[str, Declared], name: str) -> Any:
    """The option's value, which ``check_known`` has seen; its default where it was left out."""
    return extra.get(name, getattr(known[name], "default", None))
