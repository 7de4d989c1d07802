"""ONNX Runtime's own profile: what each node of a graph took, read from the file that a session writes."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

from backends.ort_nodes import Placed
from bench.device.adapter import AdapterError, Arrays, Query, Session
from bench.device.operators import Operator, Profiled, gathered

SOURCE = "ONNX Runtime's profile, in whole microseconds a call"
NODE, SUFFIX = "Node", "_kernel_time"
RUN = "model_run"
BLOCKING = "CUDA_LAUNCH_BLOCKING"
"""A variable of the environment that CUDA reads when it starts: every launch then waits for its kernel."""
Event = Mapping[str, Any]


class OrtProfile:
    """Where a session writes its profile, which it does as it is closed; the file goes with it."""

    def __init__(self, device: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="benchpact-profile-")
        self.source = SOURCE
        if device != "cpu":  # else a node's time would be that of launching its kernels
            os.environ[BLOCKING] = "1"
            self.source += "; each kernel is waited for (%s=1)" % BLOCKING

    def turn_on(self, config: Any) -> None:
        config.enable_profiling = True
        config.profile_file_prefix = str(Path(self._folder.name) / "profile")

    def read(self, native: Any, queries: int) -> List[Operator]:
        """What the nodes took in the session's last ``queries`` runs. It records nothing after this."""
        path = Path(native.end_profiling())
        try:
            events = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise AdapterError("the profile that onnxruntime wrote cannot be read: %s" % error)
        return operators(events, queries)

    def discard(self) -> None:
        self._folder.cleanup()


class ProfiledOrtSession:
    """A session whose native one was opened with its profile on."""

    def __init__(self, session: Session, native: Any, kept: OrtProfile) -> None:
        self._session = session
        self._native = native
        self._kept = kept

    def stage(self, query: Query) -> Any:
        return self._session.stage(query)

    def run(self, staged: Any) -> Any:
        return self._session.run(staged)

    def read(self, outputs: Any) -> Arrays:
        return self._session.read(outputs)

    def facts(self) -> Mapping[str, object]:
        return self._session.facts()

    def profile(self, staged: Sequence[Any]) -> Profiled:
        """Run each query once; what the nodes took. Only once a session."""
        for one in staged:
            self._session.run(one)
        return Profiled(self._kept.read(self._native, len(staged)), self._kept.source)

    def __enter__(self) -> "ProfiledOrtSession":
        return self

    def __exit__(self, *error: Optional[Any]) -> None:
        self._native = None
        self._session.__exit__(None, None, None)
        self._kept.discard()


def operators(events: Sequence[Event], queries: int) -> List[Operator]:
    """The nodes of the last ``queries`` runs, by the profile's events; a subgraph's are not in their parent's time."""
    runs = sorted(int(one["ts"]) for one in events if one.get("name") == RUN)
    if len(runs) < queries:
        raise AdapterError("onnxruntime's profile holds %d of %d runs: it was full" % (len(runs), queries))
    since = runs[-queries]
    nodes = [one for one in events if one.get("cat") == NODE and one["name"].endswith(SUFFIX) and one["ts"] >= since]
    providers = {str(one["args"].get("provider", "")) for one in nodes}
    rows = []
    for one, own_us in zip(nodes, _own_us(nodes)):
        name, told = one["name"][: -len(SUFFIX)], one["args"]
        place = " on %s" % told.get("provider", "") if len(providers) > 1 else ""
        rows.append(Operator(name, str(told.get("op_name", "")) + place, own_us * 1000, 1))
    return gathered(rows)


def placed(events: Sequence[Event]) -> List[Placed]:
    """The nodes that the profile names, each once, with the provider that ran it."""
    nodes = [one for one in events if one.get("cat") == NODE and one["name"].endswith(SUFFIX)]
    told = [(one["args"], one["name"][: -len(SUFFIX)]) for one in nodes]
    found = [Placed(str(args.get("provider")), name, str(args.get("op_name"))) for args, name in told]
    return list(dict.fromkeys(found))


def _own_us(nodes: Sequence[Event]) -> List[int]:
    """Each event's time less that of the events within it, on its thread: a loop's body is told node by node too."""
    own = [int(one["dur"]) for one in nodes]
    by_start = sorted(range(len(nodes)), key=lambda at: (nodes[at]["ts"], -own[at]))
    around: Dict[Any, List[int]] = {}
    for at in by_start:
        begin, stack = nodes[at]["ts"], around.setdefault(nodes[at].get("tid"), [])
        while stack and nodes[stack[-1]]["ts"] + nodes[stack[-1]]["dur"] <= begin:
            stack.pop()
        if stack:
            own[stack[-1]] -= int(nodes[at]["dur"])
        stack.append(at)
    return [max(0, one) for one in own]
