"""What the host makes of a worker's records, right or wrong: a process run, or a ProtocolError and nothing else."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import typed_json
from bench.device import records
from bench.device.operators import Operator
from bench.errors import ProtocolError
from bench.launch import conversation as talking
from bench.launch.conversation import Conversation
from bench.launch.fields import lines, plain
from bench.results import DeviceTime, Failure, Metered, ProcessRun, Profile, RateTrial, Searched, Serving
from tests.launch.talk import Ear

HELLO = {"protocol": 1, "pid": 1, "python": "3.8", "machine": {"cores": 2, "load_1m": 0.5}}
BLOCK = {"count": 2, "samples": 2, "start_ns": 0, "wall_ns": 30, "seen": {"switches": 0}}
TWO = np.array([10, 20], "<u8").tobytes()
TIMES = {"count": 9, "mean_ns": 6, "least_ns": 1, "most_ns": 20, "p50_ns": 5, "p90_ns": 9, "p99_ns": 10}
PROFILED = {
    "source": "a profiler", "queries": 5, "batch": 1, "count": 3, "total_ns": 20,
    "operators": [["first", "Conv", 12, 5], ["second", "Gemm", 7, 5]],
}  # fmt: skip
GOOD: list[tuple[str, dict[str, Any], bytes]] = [
    ("hello", HELLO, b""),
    ("enter", {"phase": "load"}, b""),
    ("phase", {"phase": "load", "duration_ns": 5, "rss_bytes": 1, "peak_rss_bytes": None}, b""),
    ("facts", {"facts": {"device": "cpu"}, "versions": {"x": "1"}, "samples": {"source": "file", "count": 3}}, b""),
    ("note", {"text": "a note"}, b""),
    ("warm-up", {"queries": 5, "duration_ns": 9, "settled": True, "rule": "r"}, b""),
    ("audit", {"queries": 5, "latency_ns": 9, "wall_ns": 10, "loop_ns": 1, "ratio": 1.0}, b""),
    ("batch", {"size": 4, "tried": [[1, 10.0], [4, 20.0]]}, b""),
    ("block", BLOCK, TWO),
    (
        "served",
        {
            "rate_per_s": 200.0,
            "arrivals": "poisson",
            "seed": 7,
            "unanswered": 1,
            "found_free": 2,
            "late_p50_ns": 40,
            "late_p99_ns": None,
            "lead_ns": 300,
            "between_ns": 40,
        },
        b"",
    ),
    (
        "searched",
        {
            "aims": [[0.99, 5000]],
            "trials": [[100.0, 50, [1], [2]]],
            "curves": [[[90.0, 0.001], [110.0, 0.1]]],
            "tried": [[100.0, 60, 10, 20, 30]],
        },
        b"",
    ),
    ("memory", {"import_bytes": 1, "load_bytes": 2, "peak_bytes": None, "method": "VmHWM"}, b""),
    (
        "meters",
        {
            "window_ns": 9,
            "energy_uj": 5,
            "energy_by": "a counter",
            "gpu_bytes": None,
            "gpu_by": "no \x1b[31mGPU",
            "own_bytes": 3,
        },
        b"",
    ),
    ("output", {"name": "y", "dtype": "<f4", "shape": [1, 2], "first": 0, "at": 0}, bytes(8)),
    ("device-times", {"gpu compute": TIMES}, b""),
    ("profiled", PROFILED, b""),
    ("end", {}, b""),
]


def talk(told: list[tuple[str, dict[str, Any], bytes]]) -> tuple[Conversation, Ear]:
    ear = Ear()
    conversation = Conversation(3, 1, ear)
    for kind, fields, payload in told:
        conversation.hear(kind, fields, payload)
    return conversation, ear


def test_a_whole_conversation_is_a_process_run() -> None:
    conversation, ear = talk(GOOD)
    run = conversation.process_run(None, ("t.npy", 2))
    assert conversation.ended
    assert (run.index, run.batch, run.batches_tried, run.notes) == (3, 4, ((1, 10.0), (4, 20.0)), ("a note",))
    assert (run.samples_source, run.samples_count, run.timings, run.timings_count) == ("file", 3, "t.npy", 2)
    assert (run.failure, run.cold_start_ns) == (None, None)
    assert run.serving == Serving(200.0, "poisson", 7, 1, 2, 40, None, lead_ns=300, between_ns=40)
    trials, curves = (RateTrial(100.0, 50, (1,), (2,)),), (((90.0, 0.001), (110.0, 0.1)),)
    assert run.searched == Searched(((0.99, 5000),), trials, curves, ((100.0, 60, 10, 20, 30),))
    assert run.metered == Metered(9, 5, "a counter", None, "no GPU", 3)
    assert run.device_times == (DeviceTime("gpu compute", 9, 6, 1, 20, 5, 9, 10),)
    operators = (Operator("first", "Conv", 12, 5), Operator("second", "Gemm", 7, 5))
    assert conversation.profile == Profile("a profiler", 5, 1, 3, 20, operators)
    assert (run.blocks[0].busy_ns, run.blocks[0].queue_max) == (None, None)
    assert ear.phases == ["load"]
    assert list(ear.timings) == [10, 20]
    assert conversation.outputs()["y"].tolist() == [[0.0, 0.0]]


def test_cold_start_is_the_sum_of_its_four_phases() -> None:
    names = ("start", "import", "load", "first-query", "measure")
    told = [
        ("phase", {"phase": name, "duration_ns": 10**i, "rss_bytes": 0, "peak_rss_bytes": 0}, b"")
        for i, name in enumerate(names)
    ]
    assert talk(told)[0].process_run(None, None).cold_start_ns == 1111
    assert talk(told[1:])[0].process_run(None, None).cold_start_ns is None


@pytest.mark.parametrize(
    ("kind", "changes", "payload"),
    [
        ("hello", {"machine": [[1, 2]]}, b""),
        ("hello", {"machine": {"x": 1 << 80}}, b""),
        ("enter", {"phase": "lunch"}, b""),
        ("phase", {"duration_ns": -1}, b""),
        ("phase", {"duration_ns": "5"}, b""),
        ("phase", {"rss_bytes": 1.5}, b""),
        ("facts", {"facts": 3}, b""),
        ("facts", {"versions": []}, b""),
        ("facts", {"samples": {"source": "dream", "count": 1}}, b""),
        ("warm-up", {"queries": True}, b""),
        ("audit", {"ratio": "x"}, b""),
        ("batch", {"tried": [1]}, b""),
        ("meters", {"energy_uj": -1}, b""),
        ("meters", {"gpu_bytes": 0.5}, b""),
        ("meters", {"own_bytes": "much"}, b""),
        ("meters", {"window_ns": None}, b""),
        ("block", {"count": 0}, b""),
        ("block", {"count": 3}, TWO),
        ("block", {"count": 1 << 70}, TWO),
        ("block", {"samples": 0}, TWO),
        ("block", {"wall_ns": -1}, TWO),
        ("block", {"busy_ns": -1}, TWO),
        ("served", {"arrivals": "sometimes"}, b""),
        ("served", {"rate_per_s": "often"}, b""),
        ("served", {"unanswered": None}, b""),
        ("device-times", {"gpu compute": {**TIMES, "count": 0}}, b""),
        ("device-times", {"gpu compute": {**TIMES, "p50_ns": 10}}, b""),
        ("device-times", {"gpu compute": {}}, b""),
        ("profiled", {"queries": 0}, b""),
        ("profiled", {"count": 1}, b""),
        ("profiled", {"total_ns": 18}, b""),
        ("profiled", {"operators": []}, b""),
        ("profiled", {"operators": [["first", "Conv", -1, 5]]}, b""),
        ("profiled", {"operators": [["first", "Conv", 1]]}, b""),
        ("searched", {"aims": [[0.99]]}, b""),
        ("searched", {"aims": [[0.99, 1], [0.9, 1]]}, b""),
        ("searched", {"trials": [[100.0, 50, [1, 1], [2]]]}, b""),
        ("searched", {"trials": [[100.0, -1, [1], [2]]]}, b""),
        ("searched", {"curves": []}, b""),
        ("searched", {"curves": [[[90.0, 0.001]]]}, b""),
        ("searched", {"curves": [[[90.0, 0.001], [80.0, 0.1]]]}, b""),
        ("searched", {"curves": [[[90.0, 0.001], [float("nan"), 0.1]]]}, b""),
        ("searched", {"curves": [[[90.0, 0.001], [100.0, 1.5]]]}, b""),
        ("searched", {"tried": [[100.0, 60, 10, 20, None]]}, b""),
        ("memory", {"peak_bytes": "much"}, b""),
        ("output", {"dtype": "O"}, bytes(8)),
        ("output", {"dtype": "a"}, bytes(8)),
        ("output", {"dtype": "float32"}, bytes(8)),
        ("output", {"shape": [-1, -2]}, bytes(8)),
        ("output", {"shape": [1, 1]}, bytes(8)),
        ("output", {"at": 4}, bytes(8)),
        ("output", {"name": "n" * 1000}, bytes(8)),
    ],
)
def test_a_record_that_is_not_as_it_should_be_is_a_protocol_error(
    kind: str, changes: dict[str, Any], payload: bytes
) -> None:
    fields = next(fields for name, fields, _ in GOOD if name == kind)
    with pytest.raises(ProtocolError, match=f"`{kind}` record"):
        talk([(kind, {**fields, **changes}, payload)])


@pytest.mark.parametrize("kind", ["", "lunch", "_tell", "process_run", "x" * 1000, "__class__"])
def test_a_kind_that_is_not_in_the_protocol_is_refused(kind: str) -> None:
    with pytest.raises(ProtocolError, match="which is not in the protocol"):
        talk([(kind, {}, b"")])


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(deadline=None, max_examples=400)
@given(st.data())
def test_whatever_is_said_only_a_protocol_error_comes_of_it(data: st.DataObject) -> None:
    """Good records with fields changed, dropped or doubled, in any order; what is kept can be stored."""
    told = []
    for kind, fields, payload in data.draw(st.lists(st.sampled_from(GOOD), max_size=8)):
        changed = {
            name: data.draw(VALUES) if data.draw(st.integers(0, 9)) == 0 else value for name, value in fields.items()
        }
        if changed and data.draw(st.integers(0, 9)) == 0:
            changed.pop(data.draw(st.sampled_from(sorted(changed))))
        told.append((kind, json.loads(json.dumps(changed)), payload))
    try:
        conversation, _ = talk(told)
    except ProtocolError:
        return
    run = conversation.process_run(None, None)
    read = typed_json.read(ProcessRun, typed_json.parse(typed_json.dumps(run)))
    assert typed_json.dumps(read) == typed_json.dumps(run)


BEGUN = [record for record in GOOD if record[0] in ("hello", "facts")]


def output(name: str, first: int, shape: list[int], data: bytes, at: int = 0) -> tuple[str, dict[str, Any], bytes]:
    return "output", {"name": name, "dtype": "<u2", "shape": shape, "first": first, "at": at}, data


def test_outputs_come_together_from_pieces_in_any_order() -> None:
    values = np.arange(10, dtype="<u2").reshape(5, 2)
    told = [
        *BEGUN,
        output("y", 3, [2, 2], values[3:].tobytes()),
        output("y", 0, [3, 2], values[:3].tobytes()[:5]),
        output("y", 0, [3, 2], values[:3].tobytes()[5:], at=5),
        output("scalar", 0, [], b"\x07\x00"),
        ("end", {}, b""),
    ]
    outputs = talk(told)[0].outputs()
    np.testing.assert_array_equal(outputs["y"], values)
    assert outputs["scalar"].tolist() == [7]


def test_a_worker_that_says_nothing_but_its_end_is_a_protocol_error() -> None:
    with pytest.raises(ProtocolError, match="it has not said what it ran, nor where"):
        talk([("end", {}, b"")])


@pytest.mark.parametrize("kind", ["enter", "phase"])
def test_two_that_speak_as_one_worker_are_a_protocol_error(kind: str) -> None:
    """A fork of the worker would say all again, and memory and timings would be mixed."""
    (again,) = [record for record in GOOD if record[0] == kind]
    with pytest.raises(ProtocolError, match="`load` is"):
        talk([*GOOD, again])


def test_an_output_whose_bytes_are_missing_at_the_end_is_a_protocol_error() -> None:
    with pytest.raises(ProtocolError, match="`end` record"):
        talk([output("y", 0, [3, 2], bytes(11)), ("end", {}, b"")])


def test_outputs_end_at_their_limit_all_of_them_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(talking, "MAX_OUTPUT_BYTES", 12)
    told = [*BEGUN, output("y", 0, [2, 2], bytes(8)), output("z", 0, [1, 2], bytes(4))]
    assert set(talk([*told, ("end", {}, b"")])[0].outputs()) == {"y", "z"}
    with pytest.raises(ProtocolError, match="more than 12 bytes of outputs"):
        talk([*told, output("z", 1, [1, 2], bytes(2))])


def test_a_worker_that_did_not_get_to_its_end_has_no_outputs() -> None:
    part = output("y", 0, [3, 2], bytes(11))
    assert talk([part])[0].outputs() == {}
    error = ("error", {"error": "RuntimeError", "message": "m", "trace": ""}, b"")
    assert talk([part, error, ("end", {}, b"")])[0].outputs() == {}


def test_an_output_that_changes_its_type_is_a_protocol_error() -> None:
    kind, fields, data = output("y", 0, [1, 1], b"\0\0")
    with pytest.raises(ProtocolError, match="goes on as"):
        talk([(kind, fields, data), (kind, {**fields, "first": 1, "dtype": "<i2"}, data)])


def test_a_workers_own_error_comes_before_what_the_launcher_saw() -> None:
    trace = "Traceback\n" + "\n".join(f"line {i}" for i in range(20))
    conversation, _ = talk([GOOD[1], ("error", {"error": "ModelRejected", "message": "no", "trace": trace}, b"")])
    failure = conversation.process_run(Failure("WorkerCrashed", "x"), None).failure
    assert failure is not None
    assert (failure.error, failure.message, failure.phase) == ("ModelRejected", "no", "load")
    assert failure.stderr[-1] == "line 19"


def test_what_the_listener_raises_is_not_blamed_on_the_worker() -> None:
    def broken(_: object) -> bool:
        raise ValueError("the listener's own")

    conversation = Conversation(0, 1, Ear(on_block=broken))
    with pytest.raises(ValueError, match="the listener's own"):
        conversation.hear("block", BLOCK, TWO)


def test_a_listener_that_has_seen_enough_stops_the_worker() -> None:
    conversation = Conversation(0, 1, Ear(on_block=lambda block: True))
    assert not conversation.wants_stop
    conversation.hear("block", BLOCK, TWO)
    assert conversation.wants_stop


def test_notes_and_errors_are_bounded() -> None:
    told = [("note", {"text": "x" * 100_000}, b"")] * 500
    told.append(("error", {"error": "E" * 9000, "message": "m" * 100_000, "trace": "t" * 100_000}, b""))
    run = talk(told)[0].process_run(None, None)
    assert len(typed_json.dumps(run)) < 300_000


@settings(deadline=None, max_examples=200)
@given(st.text(st.characters(codec=None), max_size=40))
def test_what_a_program_wrote_can_be_shown_on_any_terminal(text: str) -> None:
    shown = plain("\x1b[31m" + text + "\x9b2J\x07")
    assert all(character in "\n\t" or character.isprintable() or ord(character) > 160 for character in shown)
    shown.encode()
    assert plain(shown) == shown or "\x1b" not in shown


def test_the_last_lines_are_kept_and_progress_bars_become_lines() -> None:
    assert lines("1\n2\r3\x1b[1m!\x1b[0m\n", 2) == ("2", "3!")
    assert lines("x" * 10_000, 5) == ("x" * 500,)


def test_every_kind_of_the_protocol_is_understood() -> None:
    kinds = {value for name, value in vars(records).items() if name.isupper() and isinstance(value, str)}
    facts = {records.NAN_OUTPUTS, records.NAN_MEASURED, records.NOTES, records.CALLS_PER_TIMING, records.THROTTLED}
    facts |= {records.GPU, records.GPU_THROTTLED, records.GPU_OWN}
    facts |= {records.ENQUEUE, records.ON_DEVICE, records.PROFILE, records.LOOP_ITERATION, records.LOOP_RECORDED}
    facts |= {records.CORES, records.WORKERS, records.SESSIONS}
    kinds -= {*records.PHASES, *facts} - {records.WARM, records.AUDITED}
    assert kinds == {kind for kind, _, _ in GOOD} | {records.ERROR}


def test_a_worker_of_another_protocol_is_refused() -> None:
    with pytest.raises(ProtocolError, match="the worker speaks protocol 2, not 1"):
        talk([("hello", {**HELLO, "protocol": 2}, b"")])
