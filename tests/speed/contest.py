"""One process of a contest: every side on one backend and one model, in turns, pinned to one core.

``python -m tests.speed.contest BACKEND SUBJECT FILE`` writes the figures to FILE as JSON: the peers print what
they like.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.speed.peers import by_hand, mlperf, ov_app, poly, torch_timer
from tests.speed.peers.ours import ours, ours_by_inner_clock
from tests.speed.rounds import Side, pin, take_turns
from tests.speed.subjects import Subject, subject, write_tiny_torchscript

Peer = Callable[[Subject], Side]
OURS, HAND, AGAIN = "benchpact", "hand-written loop", "hand-written loop, again"
OURS_INNER, APP_INNER = "benchpact, the request's inner clock", "benchmark_app, its inner clock"
SHORTEST = "hand-written loop, shortest call"

BY_HAND: dict[str, Peer] = {
    "onnxruntime": by_hand.ort,
    "pytorch": by_hand.pytorch,
    "openvino": by_hand.openvino,
}
BY_HAND_SHORTEST: dict[str, Peer] = {
    "onnxruntime": by_hand.ort_shortest,
    "pytorch": by_hand.pytorch_shortest,
    "openvino": by_hand.openvino_shortest,
}
PEERS: dict[str, dict[str, Peer]] = {
    "onnxruntime": {
        "MLPerf LoadGen": mlperf.loadgen,
        "MLPerf LoadGen driving our adapter": mlperf.loadgen_on_ours,
        "Polygraphy": poly.polygraphy,
    },
    "pytorch": {"torch.utils.benchmark.Timer": torch_timer.timer},
    "openvino": {
        "benchmark_app, time a call": ov_app.per_call,
        APP_INNER: ov_app.reported,
        OURS_INNER: lambda raced: ours_by_inner_clock(raced.files(), raced.library()),
    },
}
LIKE = {"openvino": ((OURS_INNER, APP_INNER),)}
"""Pairs of the same figure on both sides, where a peer's own figure is not the recorded latency."""

MEANS = ("torch.utils.benchmark.Timer", "benchmark_app, time a call")
"""Peers that report a mean over many calls, which other programs on the machine raise; a median they do not."""
SAMPLES = {"onnxruntime": 64, "pytorch": 1, "openvino": 1}
"""Distinct queries: Timer and benchmark_app only ever repeat one."""


def sides(backend: str, raced: Subject, peers: dict[str, Peer], mirrored: bool) -> dict[str, Side]:
    """Every side, opened; ``mirrored`` opens them in the opposite order.

    The hand-written loop is there twice: how far it is from itself is what the contest cannot tell.
    """
    made: dict[str, Callable[[], Side]] = {OURS: lambda: ours(backend, raced.files(), raced.library())}
    written = {HAND: BY_HAND[backend], SHORTEST: BY_HAND_SHORTEST[backend]}
    for name, peer in {**written, **peers, AGAIN: BY_HAND[backend]}.items():
        made[name] = lambda peer=peer: peer(raced)  # type: ignore[misc]
    order = list(reversed(made)) if mirrored else list(made)
    return {name: made[name]() for name in order}


def main() -> None:
    """Race, and write one JSON object: side -> its median latency in each round, in ns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("backend", choices=sorted(BY_HAND))
    parser.add_argument("subject", choices=("tiny", "digits"))
    parser.add_argument("into", type=Path, metavar="FILE")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.1)
    parser.add_argument("--mirrored", action="store_true")
    said = parser.parse_args()
    pin()
    with tempfile.TemporaryDirectory() as folder:
        raced = replace(subject(said.subject, Path(folder)), samples=SAMPLES[said.backend])
        if said.backend == "pytorch" and said.subject == "tiny":
            write_tiny_torchscript(raced.torchscript)
        racing = sides(said.backend, raced, PEERS[said.backend], said.mirrored)
        said.into.write_text(json.dumps(take_turns(racing, said.rounds, said.seconds)), encoding="utf-8")


if __name__ == "__main__":
    main()
