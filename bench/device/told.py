"""Whether what a session says of itself is whole, as asked and can be: else nothing is measured under its name."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Tuple

from . import gpu_named, records
from .adapter import AdapterError, Settings

OWED = ("device", "precision", "threads", "artifact")


def demand(session: Any, settings: Settings) -> Tuple[Dict[str, Any], List[str]]:
    """``facts_of``; DeviceUnavailable where they name a GPU that NVIDIA's driver has not.

    Asked of each session that answers a query that counts, before and after.
    """
    facts, notes = facts_of(session, settings)
    gpu_named.demand(facts["device"], facts.get(records.GPU))
    return facts, notes


def facts_of(session: Any, settings: Settings) -> Tuple[Dict[str, Any], List[str]]:
    """A session's facts without their notes, and the notes; AdapterError where a fact lacks or is not as asked,
    or is one that the harness finds.

    A session that computes nothing need not keep to precision and threads.
    """
    said = session.facts()
    if not isinstance(said, Mapping):
        raise AdapterError("the adapter's `facts` are %s: they must be a dictionary" % _shown(said))
    facts = dict(said)
    notes = facts.pop(records.NOTES, [])
    if not isinstance(notes, (list, tuple)) or not all(isinstance(one, str) for one in notes):
        raise AdapterError(
            "the `notes` in the adapter's `facts` are %s: they must be a list of sentences" % _shown(notes)
        )
    claimed = [name for name in records.HARNESS_FACTS if name in facts]
    if claimed:
        raise AdapterError("the adapter's `facts` tell `%s`, which only the harness can find" % "`, `".join(claimed))
    missing = [name for name in OWED if name not in facts]
    if missing:
        raise AdapterError("the adapter's `facts` do not tell %s: what really runs is not known" % ", ".join(missing))
    wrong = [_strange(name, facts[name]) for name in OWED if _strange(name, facts[name])] or _other(facts, settings)
    if wrong:
        raise AdapterError("the adapter's `facts` say %s" % "; ".join(wrong))
    return facts, list(notes)


def _strange(name: str, value: Any) -> str:
    """What is wrong with a fact by itself. Threads may be None where they mean nothing."""
    if name == "threads":
        fits = value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0)
        return "" if fits else "threads %s: it must be a whole number" % _shown(value)
    fits = isinstance(value, str) and bool(value.strip()) and value.isprintable()
    return "" if fits else "%s %s: it must be a word" % (name, _shown(value))


def _other(facts: Mapping[str, Any], settings: Settings) -> List[str]:
    """Where facts are not what the settings ask for; a device may be told by its number too, ``cuda`` as ``cuda:0``."""
    device, threads = facts["device"], facts["threads"]
    found = []
    if device != settings.device and not device.startswith(settings.device + ":"):
        found.append("device %s, but the target asks for %s" % (_shown(device), settings.device))
    if facts.get("computes", True) is False:
        return found
    if facts["precision"] != settings.precision:
        found.append("precision %s, but the target asks for %s" % (_shown(facts["precision"]), settings.precision))
    if settings.threads and threads != settings.threads and (threads is not None or gpu_named.is_cpu(settings.device)):
        found.append("threads %s, but the target asks for %d" % (_shown(threads), settings.threads))
    return found


def _shown(value: Any) -> str:
    """A value in a sentence: short, and harmless on a terminal."""
    text = value if isinstance(value, str) and value.isprintable() and value.strip() else ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."
