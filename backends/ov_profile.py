"""OpenVINO's performance counts: what each node of a compiled model took, of queries that nobody times."""

from __future__ import annotations

from typing import Any, Iterator, Sequence

from backends import staging
from bench.device.operators import Operator, Profiled, gathered

SOURCE = "OpenVINO's performance counts, in whole microseconds a call"
CONFIG = {"PERF_COUNT": True}


def profile(run: staging.Run, staged: Sequence[Any]) -> Profiled:
    """Run each query once, its model compiled with ``CONFIG``; the nodes as the plugin executed them."""
    return Profiled(gathered(row for one in staged for row in _counted(run, one)), SOURCE)


def _counted(run: staging.Run, staged: Any) -> Iterator[Operator]:
    run(staged)
    for node in staged.request.profiling_info:
        if node.status.name == "EXECUTED":
            total_ns = round(node.real_time.total_seconds() * 1e6) * 1000
            yield Operator(str(node.node_name), "%s %s" % (node.node_type, node.exec_type), total_ns, 1)
