"""Probes in real processes: one that crashes, hangs, exits or lies is an answer, and takes nothing down."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from bench import doctor, registry
from bench.doctor import packages, probing
from bench.doctor.diagnosis import Backend

ROOT = Path(__file__).parents[2]
ADAPTERS = """
import ctypes, os, subprocess, sys, time
from bench.device.adapter import Availability

class Base:
    artifact_kinds = ("onnx",)
    options = {"level": "how much"}
    packages = ("some-package",)
    concurrent_runs = True

class Works(Base):
    def probe(self):
        print("a library's own words on standard output")
        os.write(1, b"and some past Python\\n")
        return Availability(True, {"some-package": "1.2"}, ("cpu", "cuda:0"))

class Missing(Base):
    def probe(self):
        return Availability(False, reason="some-package is not installed", remedy="pip install some-package")

class Crashes(Base):
    def probe(self):
        ctypes.string_at(0)

class Hangs(Base):
    def probe(self):
        subprocess.Popen((sys.executable, "-c", "import time; time.sleep(613)"))
        time.sleep(613)

class Exits(Base):
    def probe(self):
        print("cannot go on")
        os._exit(7)

class Quits(Base):
    def probe(self):
        sys.exit("no licence found")

class Raises(Base):
    def probe(self):
        raise OSError("libsome.so.4: cannot open shared object file")

class LeavesAChild(Base):
    def probe(self):
        if not os.fork():
            time.sleep(613)
        return Availability(True, {"some-package": "1.2"}, ("cpu",))

class AnswersNonsense(Base):
    def probe(self):
        return 42

class SaysNothingOfItself:
    def probe(self):
        return Availability(True)

class DiesAtExit(Base):
    def probe(self):
        import atexit
        atexit.register(lambda: ctypes.string_at(0))
        return Availability(True, {"some-package": "1.2"}, ("cpu",))
"""


@pytest.fixture
def adapters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the workers' path that holds the module ``stand_ins``."""
    (tmp_path / "stand_ins.py").write_text(ADAPTERS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def probe(name: str, timeout_s: float = 60.0) -> Backend:
    return probing.probe(name.lower(), f"stand_ins:{name}", timeout_s)


@pytest.mark.usefixtures("adapters")
def test_a_backend_that_works_says_what_it_is_whatever_its_library_prints() -> None:
    found = probe("Works")
    assert found == Backend(
        "works", "stand_ins:Works", True, {"some-package": "1.2"}, ("cpu", "cuda:0"),
        packages=("some-package",), artifact_kinds=("onnx",), options={"level": "how much"},
    )  # fmt: skip


@pytest.mark.usefixtures("adapters")
def test_the_reason_and_the_remedy_are_the_adapter_s_own() -> None:
    found = probe("Missing")
    assert (found.usable, found.reason) == (False, "some-package is not installed")
    assert found.remedy == "pip install some-package"


@pytest.mark.usefixtures("adapters")
def test_a_probe_that_crashes_is_a_backend_that_does_not_work() -> None:
    found = probe("Crashes")
    assert (found.usable, found.reason) == (False, "its probe was ended by SIGSEGV")
    assert found.remedy == "pip install --force-reinstall --no-deps some-package"
    assert found.last_words[0] == "Fatal Python error: Segmentation fault"
    assert "string_at" in "".join(found.last_words), "the innermost frames say where"


@pytest.mark.usefixtures("adapters")
def test_a_probe_that_hangs_is_ended_at_its_time_limit_with_what_it_started() -> None:
    started = time.monotonic()
    found = probe("Hangs", 8.0)
    assert time.monotonic() - started < 60
    assert (found.usable, found.reason) == (False, "its probe did not answer within 8 s")
    assert found.remedy.endswith("-m bench.device.probe stand_ins:Hangs")
    assert found.packages == ("some-package",), "what it said of itself before is kept"
    assert not children_of_the_tests()


@pytest.mark.usefixtures("adapters")
def test_a_child_left_behind_keeps_nobody_waiting_and_is_ended() -> None:
    found = probe("LeavesAChild")
    assert found.usable
    assert not children_of_the_tests()


@pytest.mark.usefixtures("adapters")
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Exits", "its probe exited with code 7 and no answer"),
        ("Quits", "its probe raised SystemExit: no licence found"),
        ("Raises", "its probe raised OSError: libsome.so.4: cannot open shared object file"),
        ("AnswersNonsense", "its probe raised AttributeError: 'int' object has no attribute 'usable'"),
        ("SaysNothingOfItself", "'SaysNothingOfItself' object has no attribute 'packages'"),
        ("NotThere", "module 'stand_ins' has no attribute 'NotThere'"),
    ],
)
def test_an_adapter_that_breaks_its_promise_is_not_usable_and_why_is_said(name: str, reason: str) -> None:
    found = probe(name)
    assert not found.usable
    assert reason in found.reason
    assert found.remedy


@pytest.mark.usefixtures("adapters")
def test_the_command_that_says_where_it_fails_says_so() -> None:
    found = probe("Raises")
    command = shlex.split(found.remedy.removeprefix("see where: "))
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "in probe" in done.stderr
    assert "libsome.so.4: cannot open shared object file" in done.stderr


@pytest.mark.usefixtures("adapters")
def test_the_last_lines_of_a_probe_that_exits_are_kept() -> None:
    assert probe("Exits").last_words == ("cannot go on",)


@pytest.mark.usefixtures("adapters")
def test_a_framework_that_crashes_as_python_ends_has_answered_before() -> None:
    assert probe("DiesAtExit").usable


def test_a_module_that_does_not_import_is_not_usable(adapters: Path) -> None:
    (adapters / "broken.py").write_text("raise RuntimeError('built for another Python')")
    found = probing.probe("broken", "broken:Adapter")
    assert (found.usable, "built for another Python" in found.reason) == (False, True)


@pytest.mark.usefixtures("adapters")
def test_one_bad_backend_leaves_the_others_their_answer() -> None:
    names = {"a": "stand_ins:Crashes", "b": "stand_ins:Works", "c": "stand_ins:Exits", "d": "stand_ins:Missing"}
    assert [(one.name, one.usable) for one in probing.probe_each(names)] == [
        ("a", False), ("b", True), ("c", False), ("d", False),
    ]  # fmt: skip


def test_a_broken_install_of_a_real_framework_is_said_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "onnxruntime"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise ImportError('libonnxruntime.so.1: cannot open shared object file')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = probing.probe("onnxruntime", registry.resolve("onnxruntime"))
    assert not found.usable
    assert "libonnxruntime.so.1: cannot open shared object file" in found.reason
    assert "onnxruntime" in found.remedy


def test_the_real_backends_answer_and_the_null_backend_runs_no_models() -> None:
    found = {one.name: one for one in probing.backends()}
    assert list(found) == sorted(found)
    assert found["onnxruntime"].usable
    assert found["onnxruntime"].runs_models
    assert (found["null"].usable, found["null"].runs_models) == (True, False)
    listed = doctor.probe_all()
    assert [(one.name, one.usable) for one in listed] == [(name, one.usable) for name, one in found.items()]
    options = {one.name: one.options for one in listed}
    assert options["onnxruntime"]["spinning"].endswith("before they sleep: true or false (default: true)")


def test_the_probe_runs_without_the_host_s_packages(tmp_path: Path) -> None:
    """On a board there is the device side and numpy, nothing else."""
    for part in ("bench/__init__.py", "bench/device", "backends/__init__.py"):
        source, target = ROOT / part, tmp_path / part
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    (tmp_path / "alone.py").write_text(ADAPTERS)
    numpy = Path(np.__file__).parents[1]
    code = f"""
        import runpy, sys
        sys.path[:0] = [{str(tmp_path)!r}]
        sys.path.append({str(numpy)!r})
        for name in ("click", "rich", "psutil", "pandas", "yaml"):
            sys.modules[name] = None
        sys.argv = ["probe", "alone:Works"]
        runpy.run_module("bench.device.probe", run_name="__main__")
    """
    command = (sys.executable, "-I", "-S", "-c", textwrap.dedent(code))
    done = subprocess.run(command, capture_output=True, timeout=60, check=True, cwd=tmp_path)
    assert b'"usable": true' in done.stdout.splitlines()[1]


def installed(folder: Path, name: str, *files: str) -> None:
    """A package as pip leaves it: its metadata and the record of its files."""
    about = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (about / "RECORD").write_text("".join(f"{file},,\n" for file in files))
    (about / "top_level.txt").write_text("".join(f"{file.split('/')[0]}\n" for file in files))


def test_two_packages_with_one_import_name_are_named_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(tmp_path, "engine", "engine/__init__.py")
    installed(tmp_path, "engine-gpu", "engine/__init__.py")
    installed(tmp_path, "part-a", "shared/a.py")
    installed(tmp_path, "part-b", "shared/b.py")
    monkeypatch.syspath_prepend(tmp_path)
    (found,) = packages.conflicts([Backend("e", "e:E", True, packages=("engine",)), backend_of("part-a")])
    assert (found.name, found.found) == ("import engine", "engine and engine-gpu")
    assert found.remedy.startswith("pip uninstall -y engine engine-gpu")


def test_a_conflict_that_the_backend_tells_itself_is_not_told_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(tmp_path, "engine", "engine/__init__.py")
    installed(tmp_path, "engine-gpu", "engine/__init__.py")
    monkeypatch.syspath_prepend(tmp_path)
    told = Backend("e", "e:E", False, reason="engine 1.0 and engine-gpu 1.0 are both here", packages=("engine",))
    assert packages.conflicts([told]) == ()


def backend_of(package: str) -> Backend:
    return Backend(package, f"{package}:Adapter", True, packages=(package,))


def children_of_the_tests() -> list[psutil.Process]:
    """What is left of the processes that a probe of ``stand_ins`` started, once the kernel had time to end them."""
    until = time.monotonic() + 10
    while (left := running_children()) and time.monotonic() < until:
        time.sleep(0.05)
    return left


def running_children() -> list[psutil.Process]:
    """Those that run now."""
    left = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and process.pid != os.getpid():
                words = " ".join(process.cmdline())
                if "stand_ins:" in words or "time.sleep(613)" in words:
                    left.append(process)
    return left
