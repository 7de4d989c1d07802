"""A diagnosis as text and as JSON: nothing passes its width, nothing hides, a program can rely on the keys."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from bench import doctor
from bench.doctor import findings
from bench.doctor.diagnosis import Backend, Busy, Diagnosis, Finding, Machine, Severity, State
from bench.report.text import clean

MACHINE = Machine(
    product="Example Inc. Server 9", cpu_model="Example CPU @ 2.40GHz", arch="x86_64", cores=8, usable_cores=4,
    threads_per_core=2, memory_bytes=16 << 30, swap_bytes=2 << 30, os="Example Linux 12", kernel="6.1.0",
    libc="glibc 2.36", python="3.11.7", executable="/opt/env/bin/python", virtual=True, container="docker",
    cpu_limit=1.5, memory_limit_bytes=1 << 30,
)  # fmt: skip
STATE = State(
    interval_ns=500_000_000, governors=("powersave",), smt=True, load_1m=3.2, busy=(Busy(4321, "cc1plus", 0.98),),
    steal_share=0.0, steal_share_since_boot=0.012, memory_available_bytes=9 << 30, swap_used_bytes=0, swapped_pages=0,
    memory_pressure=0.0, clock_source="kvm-clock", huge_pages="madvise",
)  # fmt: skip
BACKENDS = (
    Backend("null", "backends.null:NullAdapter", True, devices=("cpu",)),
    Backend("ort", "m:Ort", True, {"ort": "1.22.0"}, ("cpu", "cuda:0"), packages=("ort",), artifact_kinds=("onnx",)),
    Backend("torch", "m:Torch", False, reason="torch is not installed", remedy="pip install 'benchpact[torch]'",
            packages=("torch",)),
    Backend("ov", "m:Ov", False, reason="its probe was ended by SIGSEGV", packages=("ov",),
            remedy="pip install --force-reinstall --no-deps ov",
            last_words=("Fatal Python error: Segmentation fault", '  File "ov.py", line 9 in probe')),
)  # fmt: skip
DIAGNOSIS = Diagnosis(MACHINE, STATE, BACKENDS, findings.findings(MACHINE, STATE))


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_no_line_but_a_command_passes_the_width(width: int, colour: bool) -> None:
    text = doctor.render(DIAGNOSIS, colour=colour, width=width)
    assert ("\x1b" in text) is colour
    for line in clean_lines(text):
        assert cell_len(line) <= width or line.lstrip().startswith("→ ")


def test_commands_stand_on_one_line_so_that_they_can_be_copied() -> None:
    lines = doctor.render(DIAGNOSIS, width=60).splitlines()
    remedies = [one.remedy for one in BACKENDS] + [one.remedy for one in DIAGNOSIS.findings]
    assert any(remedies)
    for remedy in filter(None, remedies):
        assert any(line.endswith(f"→ {remedy}") for line in lines)


def test_a_person_reads_the_machine_the_backends_and_what_disturbs() -> None:
    text = " ".join(doctor.render(DIAGNOSIS, width=120).split())
    assert "Example Inc. Server 9 · virtual machine, in a container (docker)" in text
    assert "8 hardware threads on 4 cores, 4 usable" in text
    assert "CPU quota 1.5 cores · memory 1 GiB" in text
    assert "✓ ort ort 1.22.0 · on cpu, cuda:0" in text
    assert "✗ torch torch is not installed → pip install 'benchpact[torch]'" in text
    assert "│ Fatal Python error: Segmentation fault" in text
    assert "! governor powersave" in text
    assert "– not told turbo, throttling, temperature, power" in text
    assert "1 of 3 backends works here; 4 things would disturb a measurement" in text


def test_a_backend_that_works_without_the_gpu_it_was_built_for_says_why_and_what_mends_it() -> None:
    cpu_only = replace(BACKENDS[1], devices=("cpu",), reason="the driver finds no GPU", remedy="look at nvidia-smi")
    text = " ".join(doctor.render(replace(DIAGNOSIS, backends=(cpu_only,)), width=120).split())
    assert "✓ ort ort 1.22.0 · on cpu no other device: the driver finds no GPU → look at nvidia-smi" in text


def test_as_many_backends_are_ticked_as_are_counted() -> None:
    """The null backend runs no model: it neither counts nor is ticked."""
    text = doctor.render(DIAGNOSIS, width=200)
    listed = text.partition("\nbackends\n")[2].partition("\n\n")[0]
    assert (listed.count("✓"), listed.count("✗")) == (1, 2)
    assert "· null" in " ".join(listed.split())


def test_warnings_come_before_notes_and_notes_before_what_is_well() -> None:
    lines = doctor.render(DIAGNOSIS, width=200).partition("what would disturb")[2].splitlines()
    marks = "".join(line[2] for line in lines if line[:2] == "  " and line[2:3] in "!·✓–")
    assert marks == "".join(sorted(marks, key="!·✓–".index))
    assert set(marks) == set("!·✓–")


def test_a_machine_that_tells_nothing_is_said_so_without_a_none() -> None:
    text = doctor.render(Diagnosis(Machine(), State(), (), findings.findings(Machine(), State())))
    assert "None" not in text
    assert "not told" in text
    assert "0 of 0 backends work here" in text


def test_the_exit_code_is_0_only_where_a_framework_works() -> None:
    assert doctor.exit_code(DIAGNOSIS) == 0
    assert doctor.exit_code(replace(DIAGNOSIS, backends=BACKENDS[:1])) == 3, "the null backend runs no model"
    assert doctor.exit_code(replace(DIAGNOSIS, backends=BACKENDS[2:])) == 3
    assert doctor.exit_code(replace(DIAGNOSIS, backends=())) == 3


def test_the_json_keeps_its_keys() -> None:
    document = json.loads(doctor.as_json(DIAGNOSIS))
    assert list(document) == ["format", "version", "exit_code", "machine", "state", "backends", "findings", "gpus"]
    assert (document["format"], document["version"], document["exit_code"]) == ("benchpact-doctor", 1, 0)
    assert list(document["machine"]) == [
        "product", "cpu_model", "arch", "cores", "usable_cores", "threads_per_core", "memory_bytes", "swap_bytes", "os",
        "kernel", "libc", "python", "executable", "virtual", "container", "cpu_limit", "memory_limit_bytes",
    ]  # fmt: skip
    assert list(document["state"]) == [
        "interval_ns", "governors", "frequency_mhz", "turbo", "smt", "load_1m", "busy", "steal_share",
        "steal_share_since_boot", "memory_available_bytes", "swap_used_bytes", "swapped_pages", "memory_pressure",
        "throttled", "throttled_now", "temperature_c", "quota_stops", "clock_source", "huge_pages", "on_battery",
    ]  # fmt: skip
    assert list(document["backends"][0]) == [
        "name", "adapter", "usable", "versions", "devices", "reason", "remedy", "packages", "artifact_kinds", "options",
        "last_words",
    ]  # fmt: skip
    assert document["findings"][0] == {
        "name": "governor",
        "severity": "warn",
        "found": "powersave",
        "why": DIAGNOSIS.findings[0].why,
        "remedy": "sudo cpupower frequency-set -g performance",
    }


def test_the_json_is_the_same_for_the_same_diagnosis_and_has_no_number_that_json_has_not() -> None:
    odd = replace(DIAGNOSIS, state=replace(STATE, load_1m=math.nan, temperature_c=math.inf))

    def refuse(name: str) -> None:
        raise AssertionError(name)

    assert doctor.as_json(DIAGNOSIS) == doctor.as_json(DIAGNOSIS)
    state = json.loads(doctor.as_json(odd), parse_constant=refuse)["state"]
    assert (state["load_1m"], state["temperature_c"]) == (None, None)


def test_this_machine_s_diagnosis_is_shown_and_written_whole() -> None:
    diagnosis = doctor.examine()
    names = {one["name"] for one in json.loads(doctor.as_json(diagnosis))["findings"]}
    assert {"governor", "load", "CPU quota", "swap"} <= names
    text = doctor.render(diagnosis, width=80)
    assert all(one.name in text for one in diagnosis.backends)


NASTY = st.lists(
    st.sampled_from(["\x1b[31m", "\x1b]0;title\x07", "\x9b1m", "[bold]", "\r", "\u202e", "\n", "a", "b " * 40, "é"]),
    max_size=8,
).map("".join)


@settings(deadline=None, max_examples=60)
@given(nasty=NASTY, width=st.integers(60, 200))
def test_no_text_from_outside_reaches_the_terminal_as_anything_but_text(nasty: str, width: int) -> None:
    fields: dict[str, Any] = dict.fromkeys(("product", "cpu_model", "arch", "os", "kernel", "libc", "container"), nasty)
    backend = Backend(nasty or "x", nasty, False, {nasty: nasty}, (nasty,), nasty, nasty, last_words=(nasty,))
    works = replace(backend, usable=True, packages=("p",))
    finding = Finding(nasty, Severity.WARN, nasty, nasty, nasty)
    diagnosis = Diagnosis(replace(MACHINE, **fields), STATE, (backend, works), (finding, replace(finding, found=None)))
    text = doctor.render(diagnosis, width=width)
    assert text == "".join(clean(line) + "\n" for line in text.split("\n")[:-1])
    assert json.loads(doctor.as_json(diagnosis))["backends"][0]["reason"] == nasty


def clean_lines(text: str) -> list[str]:
    return [clean(line) for line in text.splitlines()]
