"""A worker's meter of its GPU: the real sampler and pynvml on a stand-in, and samplers that die, dawdle or lie."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bench.device import gpu_account, gpu_meter, gpu_sampler, gpu_words
from bench.device.gpu_meter import GpuMeter
from bench.device.gpu_sampler import Sampler
from bench.device.metering import Meter
from bench.device.meters import UNSEEN, Unseen, meter_for
from bench.device.nvml_processes import UNSEEN as NO_PROCESS
from bench.device.nvml_refusals import NotTold
from bench.device.rapl import Rapl
from bench.device.records import GPU_THROTTLED
from tests.device.fake_nvml import UUID
from tests.launch.talk import job, measure

MS = 1_000_000
NOT_SUPPORTED = 3
HEAT = 0x40
GOOD = {
    "count": 3, "gap_ns": 100 * MS, "span_ns": 10**9, "ranges": {}, "slowed": {}, "capped": 0, "integral_uj": 5,
    "used_bytes": 7, "used_looks": 3, "used_timed": 2, "used_gap_ns": 90 * MS, "used_why": "",
    "energy_uj": 9, "energy_ns": 10**9, "energy_why": "",
}  # fmt: skip


@pytest.fixture(autouse=True)
def machine(nvml_folder: Path, driver_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with one GPU, on which this process holds memory; short times tell something, however busy it is."""
    monkeypatch.setenv("LD_LIBRARY_PATH", f"{nvml_folder}:{driver_folder}")
    monkeypatch.setenv("FAKE_NVML", "pid=-1")
    monkeypatch.setattr(gpu_account, "COUNTER_NS", 1)
    monkeypatch.setattr(gpu_account, "LATE", float("inf"))
    monkeypatch.setattr(gpu_account, "MOST_GAPS", 1 << 30)
    monkeypatch.setattr(gpu_meter, "ANSWER_S", 60.0)
    monkeypatch.setattr(gpu_meter, "READY_S", 60.0)


def measured(meter: GpuMeter, seconds: float = 0.3) -> GpuMeter:
    with meter:
        meter.begin()
        time.sleep(seconds)
        meter.end()
    return meter


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def meter(*started: int) -> GpuMeter:
    return GpuMeter(UUID, [], lambda: started)


def pid_of(one: GpuMeter) -> int:
    assert one._process is not None
    return one._process.pid


def test_a_gpu_tells_energy_memory_and_what_it_was_like() -> None:
    one = meter()
    pid = pid_of(one)
    told = measured(one).metering()
    assert one.silent == "" and one.notes() == []
    assert told.energy_by == "NVML's energy counter, of the whole GPU"
    account = one._told
    assert told.energy_uj == account["energy_uj"]
    assert 0.5 < account["energy_uj"] / (250_000 * account["energy_ns"] / 1e6) < 2  # 250 W
    assert told.gpu_bytes == 700 << 20
    looks, timed, gap_ms = account["used_looks"], account["used_timed"], account["used_gap_ns"] / 1e6
    assert looks > timed >= 2 and gap_ms > 0
    by = f"NVML, the highest of {looks} looks ({timed} in the timed part), one each 100 ms ({gap_ms:.0f} ms at most)"
    assert told.gpu_by == by
    facts = one.facts()
    assert facts["gpu clocks"] == "SM 1410 MHz, memory 1593 MHz"
    assert facts["gpu temperature"] == "45 °C"
    assert facts["gpu power"] == "250 W in the mean, 250 W at most"
    assert facts["gpu settings"] == "ECC on, MIG off, persistence on, power limit 400 W, no clocks told to be set"
    assert GPU_THROTTLED not in facts
    assert gone(pid)


def test_a_worker_without_memory_on_the_gpu_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    for told in ("pid=1", "pid=-1,held=0"):
        monkeypatch.setenv("FAKE_NVML", told)
        assert gpu_words.EMPTY_TEXT in measured(meter()).notes(), told


def test_a_gpu_of_another_name_than_nvmls_is_told_of() -> None:
    called = [
        GpuMeter(UUID, [], tuple, name) for name in ("NVIDIA H200", "Made-up GPU 0", "Made-up GPU 0 MIG 1g.5gb", "")
    ]
    said = [measured(one).notes() for one in called]
    assert said[0] == [gpu_words.OTHER_TEXT % ("NVIDIA H200", "Made-up GPU 0")]
    assert said[1:] == [[], [], []]


def test_a_gpu_that_was_slowed_down_says_by_what(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_NVML", f"pid=-1,reasons={HEAT | 0x4}")
    one = measured(meter())
    count = one._told["count"]
    assert one.facts()[GPU_THROTTLED] == f"heat (by the hardware) in {count} of {count} samples"
    assert one.facts()["gpu at its power limit"] == f"in {count} of {count} samples"


def test_who_else_is_on_the_gpu_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_NVML", "pid=-1,processes=3")
    one = measured(meter(100_001))
    assert one.metering().gpu_bytes == 1400 << 20
    assert one.notes() == [
        "1 other process has memory on this GPU (100002): what they compute is in its latencies and its energy"
    ]


def test_a_refused_list_of_processes_is_said_in_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_NVML", "pid=-1,processes=3,fail:nvmlDeviceGetComputeRunningProcesses_v3=4")
    one, refused = measured(meter()), "NVML says: Insufficient Permissions (nvmlDeviceGetComputeRunningProcesses)"
    assert (one.metering().gpu_bytes, one.metering().gpu_by) == (None, refused)
    assert one.notes() == [f"whether others are on this GPU is not told: {refused}"]


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (f"fail:nvmlDeviceGetTotalEnergyConsumption={NOT_SUPPORTED}", "Not Supported"),
        ("backwards=1", "which cannot be"),
        ("still=1", "went on by 0 µJ"),
    ],
)
def test_without_a_sound_counter_power_is_integrated_and_it_is_said(
    told: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_NVML", f"pid=-1,{told}")
    one = measured(meter())
    found = one.metering()
    assert found.energy_by.startswith("power by NVML in ") and "integrated" in found.energy_by
    assert reason in found.energy_by
    assert found.energy_uj is not None
    assert found.energy_uj == pytest.approx(250_000 * one._told["span_ns"] / 1e6, rel=1e-3)


def test_what_nothing_tells_is_not_measured_with_nvmls_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = ("nvmlDeviceGetTotalEnergyConsumption", "nvmlDeviceGetPowerUsage")
    monkeypatch.setenv("FAKE_NVML", ",".join(["processes=0", *(f"fail:{call}={NOT_SUPPORTED}" for call in lost)]))
    told = measured(meter()).metering()
    assert (told.energy_uj, told.energy_by) == (None, "NVML says: Not Supported (nvmlDeviceGetTotalEnergyConsumption)")
    assert (told.gpu_bytes, told.gpu_by) == (None, NO_PROCESS)


def test_who_was_told_before_and_is_refused_after_is_a_note_too(monkeypatch: pytest.MonkeyPatch) -> None:
    call = "nvmlDeviceGetComputeRunningProcesses_v3"
    monkeypatch.setenv("FAKE_NVML", f"pid=-1,processes=2,fail:{call}=15,after:{call}=2")
    known, unknown = measured(meter()).notes()
    assert known.startswith("1 other process has memory on this GPU (100001)")
    assert unknown == (
        "whether others are on this GPU is not told: NVML says: GPU is lost (nvmlDeviceGetComputeRunningProcesses)"
    )


def test_memory_that_only_the_warm_up_told_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    call = "nvmlDeviceGetComputeRunningProcesses_v3"
    monkeypatch.setenv("FAKE_NVML", f"pid=-1,fail:{call}=4,after:{call}=4")  # two calls a list: the facts, one look
    one = measured(meter())
    assert (one._told["used_bytes"], one._told["used_looks"]) == (700 << 20, 1)
    told = one.metering()
    refused = "NVML says: Insufficient Permissions (nvmlDeviceGetComputeRunningProcesses)"
    assert (told.gpu_bytes, told.gpu_by) == (None, f"{gpu_account.UNTOLD}: {refused}")
    assert told.energy_uj is not None


@pytest.mark.parametrize(
    ("account", "found"),
    [
        (
            {"used_gap_ns": 1000 * MS},
            (7, "NVML, the highest of 3 looks (2 in the timed part), one each 100 ms (1000 ms at most)"),
        ),
        ({"used_gap_ns": 1001 * MS}, (None, "NVML did not tell it for 1 s of the timed part")),
        ({"used_gap_ns": 2500 * MS, "used_why": "no"}, (None, "NVML did not tell it for 2.5 s of the timed part: no")),
        ({"used_timed": 0, "used_gap_ns": 5 * MS}, (None, gpu_account.UNTOLD)),
    ],
)
def test_memory_is_of_looks_that_told_it_and_of_no_long_time_without(
    account: dict[str, Any], found: tuple[int | None, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu_account, "MOST_GAPS", 10)
    told = gpu_account.metering_of({**GOOD, **account}, 10**9, 100 * MS)
    assert (told.gpu_bytes, told.gpu_by) == found


def test_times_that_are_no_times_of_the_timed_part_are_no_energy(monkeypatch: pytest.MonkeyPatch) -> None:
    one = measured(meter())
    monkeypatch.setattr(gpu_account, "LATE", 0.05)
    one._told["energy_ns"] = one._window_ns * 2
    assert "the sampler was late: it has the energy of " in one.metering().energy_by
    assert one.metering().energy_uj is None and one.metering().gpu_bytes == 700 << 20
    monkeypatch.setattr(gpu_account, "COUNTER_NS", 1 << 60)
    assert "too short for NVML's figures" in one.metering().energy_by


def nothing(one: GpuMeter, reason: str) -> None:
    """The meter tells nothing, says why, and leaves no process."""
    told = one.metering()
    assert one.ended
    assert (told.energy_uj, told.gpu_bytes) == (None, None)
    assert reason in told.energy_by and reason in told.gpu_by
    assert one.notes()[-1].startswith("the GPU was not looked at while it was measured: ")
    assert one.notes()[-1].endswith("; that this GPU is what computed is the adapter's own word")
    assert reason in one.notes()[-1]
    assert one._process is None


def test_a_sampler_that_is_killed_costs_what_it_would_have_told() -> None:
    one = meter()
    with one:
        one.begin()
        os.kill(pid_of(one), signal.SIGKILL)
        one.end()
    nothing(one, "the sampler died (signal 9)")


def test_a_driver_that_crashes_takes_the_sampler_and_not_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_NVML", "die:nvmlDeviceGetPowerUsage=2")
    nothing(measured(meter()), "the sampler died (signal 9)")


def test_no_driver_is_its_own_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "libnvidia-ml.so.1").write_bytes(b"no library")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    nothing(measured(meter()), "NVML says: NVML Shared Library Not Found")


def test_no_sampler_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    nothing(measured(meter()), "the sampler could not be started")


def saying(monkeypatch: pytest.MonkeyPatch, *lines: str, then: str = "") -> None:
    """The sampler is a program that answers each line it hears with one of these."""
    told = "; ".join(f"sys.stdin.readline(); print({line!r}, flush=True)" for line in lines)
    monkeypatch.setattr(gpu_meter, "BOOT", f"import sys, time; {told or 'pass'}; {then or 'sys.stdin.readline()'}")


def test_a_sampler_that_does_not_begin_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    saying(monkeypatch, then="time.sleep(600)")
    monkeypatch.setattr(gpu_meter, "READY_S", 0.1)
    nothing(measured(meter(), 0), "the sampler did not answer within 0.1 s")


def test_a_sampler_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    saying(monkeypatch, '{"facts": {}}', '{"at_ns": 1}', then="time.sleep(600)")
    one = meter()
    one.begin()
    monkeypatch.setattr(gpu_meter, "ANSWER_S", 0.1)
    one.end()
    nothing(one, "the sampler did not answer within 0.1 s")


@pytest.mark.parametrize("answer", ["nonsense", "[1]", "[[1]]", "7", "", "null", '{"facts": []'])
def test_a_sampler_that_does_not_speak_json_objects_is_dropped(answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    saying(monkeypatch, '{"facts": {}}', '{"at_ns": 1}', answer)
    one = measured(meter(), 0)
    nothing(one, "the sampler's a")  # answer is no answer, or account not as it should be


@pytest.mark.parametrize(
    "lie",
    [
        {"energy_uj": "much"}, {"energy_uj": True}, {"energy_ns": -1}, {"energy_ns": None},
        {"used_bytes": -1}, {"used_bytes": 1 << 60}, {"used_looks": None}, {"used_gap_ns": 0.5}, {"used_timed": -1},
        {"integral_uj": [], "energy_uj": None},
    ],
)  # fmt: skip
def test_an_account_that_cannot_be_is_not_believed(lie: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    saying(monkeypatch, '{"facts": {}}', '{"at_ns": 1}', json.dumps({**GOOD, **lie}))
    nothing(measured(meter(), 0), "the sampler's account is not as it should be")


@pytest.mark.parametrize(
    ("facts", "lie"),
    [
        ({"power_limit_mw": "much"}, {}),
        ({"others": 7}, {}),
        ({"others": [["a", "b"]]}, {}),
        ({}, {"ranges": {"sm_mhz": "fast"}}),
        ({}, {"slowed": 3}),
        ({}, {"others": ["x"]}),
        ({}, {"count": "many", "capped": "some", "gap_ns": "long"}),
    ],
)
def test_nonsense_about_the_gpu_is_never_an_error_of_the_worker(
    facts: dict[str, Any], lie: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    saying(monkeypatch, json.dumps({"facts": facts}), '{"at_ns": 1}', json.dumps({**GOOD, **lie}))
    one = measured(meter(), 0)
    told, notes = one.facts(), one.notes()
    assert GPU_THROTTLED not in told
    one.metering()
    assert "not as it should be" in one.silent
    assert any("not looked at" in note for note in [*notes, *one.notes()])


def test_energy_beyond_any_gpus_is_left_for_the_power(monkeypatch: pytest.MonkeyPatch) -> None:
    saying(monkeypatch, '{"facts": {}}', '{"at_ns": 1}', json.dumps({**GOOD, "energy_uj": 10**13}))
    told = measured(meter(), 0).metering()
    assert told.energy_uj == GOOD["integral_uj"]
    assert "went on by 10000000000000 µJ, which cannot be" in told.energy_by


def test_a_sound_account_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    saying(monkeypatch, '{"facts": {}}', '{"at_ns": 1}', json.dumps(GOOD))
    told = measured(meter(), 0).metering()
    assert (told.energy_uj, told.gpu_bytes) == (9, 7)


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is no other core")
def test_the_sampler_keeps_off_the_workers_cores() -> None:
    mine = min(os.sched_getaffinity(0))
    one = GpuMeter(UUID, [mine], tuple)
    with one:
        one.begin()
        assert mine not in os.sched_getaffinity(pid_of(one))


class _Counting:
    """A GPU whose counter goes on by 7 µJ a look."""

    def __init__(self) -> None:
        self.energy, self.source, self.whole = 0, "a counter", "all"

    def energy_uj(self) -> int:
        self.energy += 7
        return self.energy

    def read(self) -> dict[str, int]:
        return {}

    def used_bytes(self, pids: list[int]) -> int:
        raise NotTold("nobody")

    def others(self, pids: list[int]) -> list[Any]:
        raise NotTold("nobody")


def test_the_counter_is_read_at_both_ends_of_the_timed_part(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(0, 10**6, 1000))
    monkeypatch.setattr(gpu_sampler, "perf_counter_ns", lambda: next(now))
    gpu: Any = _Counting()
    sampler = Sampler(gpu, [1])
    sampler.sample()
    begun = sampler.begin()["at_ns"]
    told = sampler.end()
    assert told["energy_uj"] == 7
    assert told["energy_ns"] == 6000 - begun
    assert (told["used_bytes"], told["used_why"]) == (None, "nobody")
    assert (told["source"], told["whole"]) == ("a counter", "all")


def kind(facts: dict[str, Any], **settings: Any) -> type[Meter]:
    with meter_for(job(**settings), facts, tuple) as one:
        return type(one)


def test_a_meter_is_chosen_by_what_the_session_runs_on() -> None:
    assert kind({"device": "cpu"}) is Rapl
    assert kind({}) is Rapl
    assert kind({"device": "npu:0"}) is Unseen
    assert Unseen("npu:0").metering()[1:] == (None, UNSEEN % "npu:0") * 2
    assert kind({"device": "cuda:1"}) is GpuMeter
    with meter_for(job(), {"device": "cuda:0", "gpu": {"name": "a", "uuid": UUID}}, tuple) as one:
        assert isinstance(one, GpuMeter) and one._named == "a"
    assert kind({"device": "CUDA:0"}) is GpuMeter
    for device, meter in (("cpu", Rapl), ("npu:0", Unseen)):  # no GPU of NVIDIA's is what computes there
        assert kind({"device": device, "gpu": {"uuid": UUID}}) is meter


@pytest.mark.parametrize("workers", [1, 2])
def test_queries_that_arrive_are_metered_too(workers: int) -> None:
    asked = job(
        "tests.run.on_a_gpu:OnAGpu", scenario="server", rate_per_s=100.0, workers=workers,
        max_ns=300 * MS, settings={"device": "cuda:0"},
    )  # fmt: skip
    run = measure(asked).run
    assert run.failure is None
    assert run.metered is not None and run.metered.gpu_bytes == 700 << 20
    assert run.metered.own_bytes == 512 << 20
    assert run.metered.window_ns >= sum(block.wall_ns for block in run.blocks[:1])
    assert "gpu power" in run.facts


def test_a_search_for_rates_alone_times_nothing_to_meter() -> None:
    asked = job(
        "tests.run.on_a_gpu:OnAGpu", scenario="server", aims=[[0.5, 10**9]], search_ns=200 * MS,
        settings={"device": "cuda:0"},
    )  # fmt: skip
    run = measure(asked).run
    assert run.failure is None and run.searched is not None
    assert run.metered is None


def test_a_worker_without_a_gpu_pays_for_nothing_of_it() -> None:
    program = "import sys, bench.device.worker; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "bench.device.meters" in loaded
    assert not loaded & {"pynvml", "subprocess", "bench.device.gpu_meter", "bench.device.nvml", "bench.device.rapl"}
