"""Which nodes of the graph run where: what a session says of itself, and what is refused or told of it."""

from __future__ import annotations

from collections import Counter
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence

from bench.device.adapter import DeviceUnavailable

CPU = "CPUExecutionProvider"
RECORD = "session.record_ep_graph_assignment_info"
STRICT = "session.disable_cpu_ep_fallback"
NAMED = 8
"""So many nodes are named in a sentence; the facts name more."""
KEPT = 100


class Placed(NamedTuple):
    """One node of the graph, and the provider that runs it."""

    provider: str
    name: str
    kind: str

    def __str__(self) -> str:
        return "%s `%s`" % (self.kind, self.name) if self.name else self.kind


def placed(native: Any) -> Optional[List[Placed]]:
    """Every node's provider, by the session's own record; None where this version keeps none.

    The list of a session's providers proves nothing: one that took no node at all stays in it. The record names
    all nodes on the CPU, but leaves out those of a provider that changes their layout (seen: WebGPU's).
    """
    told = getattr(native, "get_provider_graph_assignment_info", None)
    if told is None:
        return None
    return [
        Placed(str(part.ep_name), str(node.name), str(node.op_type)) for part in told() for node in part.get_nodes()
    ]


def facts_of(nodes: Optional[Sequence[Placed]], wanted: Sequence[str], device: str, allowed: bool) -> Dict[str, object]:
    """What to record of a graph's nodes, with a note for each part that the first of ``wanted`` does not run.

    DeviceUnavailable where it runs none: that is not what was asked for. Where nodes on the CPU are not allowed,
    the framework itself was told to refuse them, and a record that names no node is no lack.
    """
    if not nodes and len(wanted) == 1 and not allowed:
        return {"nodes by provider": "all on %s: the framework refuses others" % wanted[0]}
    counts = Counter(node.provider for node in nodes or ())
    if not counts.get(wanted[0]):
        raise DeviceUnavailable(
            "no node of the graph would run on %s, by the framework's own record: %s"
            % (wanted[0], _parts(counts) or "it names none")
        )
    found: Dict[str, object] = {"nodes by provider": dict(counts)}
    notes = []
    for provider in [one for one in counts if one != wanted[0]]:
        own = [node for node in nodes or () if node.provider == provider]
        found["nodes on %s" % provider] = [str(node) for node in own[:KEPT]]
        fell = provider == CPU and device != "cpu"
        where = "the CPU, not on %s" % device if fell else "%s, not on %s" % (provider, wanted[0])
        copies = "; the target allows it, and data is copied at each border" if fell else ""
        notes.append("%d of %d nodes ran on %s: %s%s" % (len(own), sum(counts.values()), where, named(own), copies))
    return dict(found, notes=notes) if notes else found


def note(facts: Dict[str, object], sentence: str) -> None:
    """Add a sentence to the facts' notes."""
    facts["notes"] = [*notes_of(facts), sentence]


def notes_of(facts: Mapping[str, object]) -> List[str]:
    """The facts' notes so far."""
    found = facts.get("notes", [])
    return list(found) if isinstance(found, list) else []


def named(nodes: Sequence[Placed]) -> str:
    """The first of the nodes, and how many more."""
    more = len(nodes) - NAMED
    return ", ".join(map(str, nodes[:NAMED])) + (" and %d more" % more if more > 0 else "")


def _parts(counts: Dict[str, int]) -> str:
    return ", ".join("%d on %s" % (number, provider) for provider, number in counts.items())
