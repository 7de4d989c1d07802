"""NVML refuses: every error on every call, by the real pynvml on a compiled stand-in; each is a reason, no crash."""

from __future__ import annotations

import os

import pynvml
import pytest

from bench.device import gpu_facts
from bench.device.nvml import Nvml
from bench.device.nvml_refusals import LOST as LOST_WORDS
from bench.device.nvml_refusals import NotTold
from tests.device.fake_nvml import UUID, Fake

NOT_SUPPORTED, FUNCTION_NOT_FOUND = 3, 13
NOT_OFFERED = (NOT_SUPPORTED, FUNCTION_NOT_FOUND)
COMPUTE, GRAPHICS, MPS = (f"nvmlDeviceGet{kind}RunningProcesses_v3" for kind in ("Compute", "Graphics", "MPSCompute"))
ERRORS = [code for name, code in vars(pynvml).items() if name.startswith("NVML_ERROR_") and code] + [777]
LOST: dict[str, set[str]] = {
    "nvmlDeviceGetPowerUsage": {"power_mw"},
    "nvmlDeviceGetClockInfo": {"sm_mhz", "memory_mhz"},
    "nvmlDeviceGetTemperatureV": set(),
    "nvmlDeviceGetTemperature": set(),
    "nvmlDeviceGetCurrentClocksEventReasons": set(),
    "nvmlDeviceGetCurrentClocksThrottleReasons": set(),
    "nvmlDeviceGetUtilizationRates": {"busy_percent"},
    "nvmlDeviceGetTotalEnergyConsumption": set(),
    "nvmlDeviceGetComputeRunningProcesses_v3": {"others"},
    "nvmlDeviceGetGraphicsRunningProcesses_v3": {"others"},
    "nvmlDeviceGetMPSComputeRunningProcesses_v3": {"others"},
    "nvmlDeviceGetName": {"name"},
    "nvmlDeviceGetUUID": {"uuid"},
    "nvmlSystemGetDriverVersion": {"driver"},
    "nvmlSystemGetCudaDriverVersion": {"cuda"},
    "nvmlDeviceGetMemoryInfo": {"memory_bytes", "used_bytes"},
    "nvmlDeviceGetEccMode": {"ecc"},
    "nvmlDeviceGetMigMode": {"mig"},
    "nvmlDeviceGetPersistenceMode": {"persistence"},
    "nvmlDeviceGetEnforcedPowerLimit": {"power_limit_mw"},
    "nvmlDeviceGetPowerManagementDefaultLimit": {"default_power_limit_mw"},
    "nvmlDeviceGetMaxClockInfo": {"max_sm_mhz", "max_memory_mhz"},
}
"""Every call that is made of a GPU, and what is not told without it: nothing where another is asked in its place."""


@pytest.mark.parametrize("call", LOST)
def test_every_error_of_every_call_costs_what_it_tells_and_no_more(call: str, fake: Fake) -> None:
    nvml = Nvml()
    whole = gpu_facts.facts(nvml, nvml.gpu(UUID))
    for code in ERRORS:
        lost = set() if call in (GRAPHICS, MPS) and code in NOT_OFFERED else LOST[call]
        fake.fail(call, code)
        told = gpu_facts.facts(nvml, nvml.gpu(UUID))
        assert set(told["why_not"]) == lost, code
        assert set(whole) - set(told) == lost - {"busy_percent"}, code
        assert all(call.removesuffix("_v3") in reason for reason in told["why_not"].values()), code


@pytest.mark.parametrize("code", ERRORS)
def test_every_error_of_the_counter_is_a_reason(code: int, fake: Fake) -> None:
    gpu = Nvml().gpu(UUID)
    fake.fail("nvmlDeviceGetTotalEnergyConsumption", code)
    with pytest.raises(NotTold, match=r"NVML says: .+ \(nvmlDeviceGetTotalEnergyConsumption\)"):
        gpu.energy_uj()


@pytest.mark.parametrize("code", ERRORS)
def test_a_refused_list_of_processes_is_never_an_empty_one(code: int, fake: Fake) -> None:
    fake.set(processes=3)
    gpu, own = Nvml().gpu(UUID), [os.getpid()]
    fake.fail(COMPUTE, code)
    for asked in (gpu.processes, lambda: gpu.others(own), lambda: gpu.used_bytes(own)):
        with pytest.raises(NotTold, match=r"NVML says: .+ \(nvmlDeviceGetComputeRunningProcesses\)"):
            asked()


@pytest.mark.parametrize("code", ERRORS)
@pytest.mark.parametrize("call", [GRAPHICS, MPS])
def test_a_list_that_is_refused_may_hide_some_and_one_that_is_not_offered_hides_none(
    call: str, code: int, fake: Fake
) -> None:
    fake.set(processes=3)
    gpu, own = Nvml().gpu(UUID), [os.getpid()]
    fake.fail(call, code)
    assert gpu.used_bytes(own) == 700 << 20  # it is listed elsewhere
    if code in NOT_OFFERED:
        assert [one.pid for one in gpu.others(own)] == [100_001, 100_002]
        return
    for asked in (lambda: gpu.others(own), lambda: gpu.used_bytes([*own, 4711])):
        with pytest.raises(NotTold, match=call.removesuffix("_v3")):
            asked()


@pytest.mark.parametrize("code", ERRORS)
def test_every_error_on_the_way_to_a_gpu_is_a_reason(code: int, fake: Fake) -> None:
    nvml = Nvml()
    fake.fail("nvmlDeviceGetHandleByUUID", code)
    with pytest.raises(NotTold, match=r"NVML says: .+ \(nvmlDeviceGetHandleByUUID\)"):
        nvml.gpu(UUID)
    fake.fail("nvmlDeviceGetHandleByIndex_v2", code)
    with pytest.raises(NotTold, match=r"NVML says: .+ \(nvmlDeviceGetHandleByIndex\)"):
        nvml.gpu()
    (lost,) = gpu_facts.ask()["gpus"]
    assert "nvmlDeviceGetHandleByIndex" in lost["why_not"]["it"]
    fake.fail("nvmlDeviceGetCount_v2", code)
    with pytest.raises(NotTold, match=r"NVML says: .+ \(nvmlDeviceGetCount\)"):
        nvml.gpu()
    told = gpu_facts.ask()
    assert told["gpus"] == [] and "nvmlDeviceGetCount" in told["why_not"]


@pytest.mark.parametrize("code", ERRORS)
def test_a_library_that_does_not_begin_is_a_reason(code: int, fake: Fake) -> None:
    fake.fail("nvmlInitWithFlags", code)
    with pytest.raises(NotTold, match=r"NVML says: .+ \(nvmlInit\)"):
        Nvml()
    assert gpu_facts.ask()["gpus"] == [] and "NVML says" in gpu_facts.ask()["why_not"]


def test_nvmls_words_for_a_lost_gpu_are_still_the_same() -> None:
    assert LOST_WORDS in str(pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST))
