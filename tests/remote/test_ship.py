"""What is sent: once, whole or not at all, under names that no shell ever reads; and an agent that stays small."""

from __future__ import annotations

import ast
import io
import os
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.device.records import Job, TensorJob
from bench.errors import HostUnreachable, LaunchError
from bench.remote.agent import ROOT, agent_for
from bench.remote.board import Board, quoted_path
from bench.remote.ship import Bundles, cargo_of
from tests.launch.talk import NULL, job
from tests.remote.sshd import HOST, Sshd
from tests.remote.working import board, measure_there

HOSTILE = st.text(st.sampled_from(list("a$(){};&|<>`'\"\\\n\t *?~!#-=%é")), min_size=1, max_size=12)


@pytest.fixture
def sshd(lasting_sshd: Sshd) -> Sshd:
    return lasting_sshd


def model(folder: Path, name: str = "model.onnx", size: int = 3_000_000) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(size))
    return path


def sent(there: Board, one: Job) -> Job:
    """The job with the board's paths, every file compared with ours."""
    mapped = there.ready(one)
    for kind, path in mapped.artifacts.items():
        assert Path(path).read_bytes() == Path(one.artifacts[kind]).read_bytes()
    return mapped


def test_the_agent_is_small_and_always_the_same() -> None:
    agent = agent_for(NULL)
    assert len(agent.data) <= 200_000
    agent_for.cache_clear()
    again = agent_for(NULL)
    assert (again, again.data) == (agent, agent.data)


def test_an_agent_of_other_code_has_another_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    names = set()
    for text in ("", "# a line", "# a lime"):
        (tmp_path / "one.py").write_text(text)
        agent_for.cache_clear()
        names.add(agent_for("one:A").sha256)
    assert len(names) == 3


def test_what_is_sent_is_the_same_code_on_the_same_lines_without_its_docstrings() -> None:
    def told(source: bytes) -> list[tuple[str, int]]:
        """Every statement but a text that stands alone, and its line."""
        tree = ast.parse(source)
        for node in ast.walk(tree):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                node.value.value = ""
        return [(ast.dump(node), node.lineno) for node in ast.walk(tree) if isinstance(node, ast.stmt)]

    with zipfile.ZipFile(io.BytesIO(agent_for(NULL).data)) as archive:
        for name in ("bench/device/loop.py", "bench/device/audit.py", "backends/ort.py", "bench/device/records.py"):
            sent, here = archive.read(name), (ROOT / name).read_bytes()
            assert len(sent) < len(here)
            assert told(sent) == told(here)


def test_a_third_partys_adapter_goes_with_it_and_compiled_code_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "__init__.py").write_text("")
    (tmp_path / "single.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    assert len({agent_for(name).sha256 for name in (NULL, "theirs.sub:A", "single:A")}) == 3
    agent_for.cache_clear()
    (tmp_path / "theirs" / "fast.cpython-311.so").write_text("")
    with pytest.raises(LaunchError, match=r"compiled code \(fast.cpython-311.so\)"):
        agent_for("theirs.sub:A")
    with pytest.raises(LaunchError, match="`nobody` is no module of Python source"):
        agent_for("nobody:A")


def test_files_that_belong_together_lie_there_as_they_do_here(sshd: Sshd, tmp_path: Path) -> None:
    xml, weights = model(tmp_path, "ir/model.xml"), model(tmp_path, "ir/parts/model.bin")
    one = job(artifacts={"openvino": str(xml)}, companions={"openvino": [str(weights)]})
    with board() as there:
        path = Path(sent(there, one).artifacts["openvino"])
    assert path.name == "model.xml"
    assert (path.parent / "parts" / "model.bin").read_bytes() == weights.read_bytes()
    above = job(artifacts={"onnx": str(xml)}, companions={"onnx": [str(model(tmp_path, "shared.bin"))]})
    with board() as there:
        path = Path(sent(there, above).artifacts["onnx"])
    assert (path.parents[1] / "shared.bin").exists()


def test_what_is_there_is_not_sent_again_and_what_changed_is(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = model(tmp_path)
    one = job(artifacts={"onnx": str(path)})
    with board() as there:
        first = sent(there, one)
    with board() as there:
        monkeypatch.setattr("bench.remote.ship.CHUNK_BYTES", 0)  # nothing could be read to be sent
        assert there.ready(one) == first
    monkeypatch.undo()
    monkeypatch.setenv("BENCHPACT_SSH_CONFIG", str(sshd.config))
    model(tmp_path)
    with board() as there:
        assert sent(there, one) != first


@pytest.mark.parametrize("left", [b"", b"begin", b"wrong ", b"begin, and something else"])
def test_what_a_link_that_died_left_is_gone_on_with_and_never_trusted(left: bytes, sshd: Sshd, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"begin and end %d" % len(left))
    one = job(artifacts={"onnx": str(path)})
    (piece,) = cargo_of(one, Bundles()).pieces
    parts = sshd.home / "cache" / "benchpact" / "parts"
    parts.mkdir(parents=True, exist_ok=True)
    (parts / piece.sha256).write_bytes(left)
    with board() as there:
        sent(there, one)
    assert list(parts.iterdir()) == []


def test_a_file_that_is_half_there_under_its_name_is_sent_again(sshd: Sshd, tmp_path: Path) -> None:
    one = job(artifacts={"onnx": str(model(tmp_path))})
    with board() as there:
        mapped = sent(there, one)
    with Path(mapped.artifacts["onnx"]).open("r+b") as file:
        file.truncate(1000)
    with board() as there:
        assert sent(there, one) == mapped


def test_a_file_of_the_right_size_that_is_damaged_is_noticed_before_it_is_measured(sshd: Sshd, tmp_path: Path) -> None:
    one = job(artifacts={"onnx": str(model(tmp_path))})
    with board() as there:
        mapped = sent(there, one)
    path = Path(mapped.artifacts["onnx"])
    before = path.stat()
    with path.open("r+b") as file:  # one bit, as of worn flash; nothing but its bytes tells
        file.seek(1_000_000)
        byte = file.read(1)[0]
        file.seek(1_000_000)
        file.write(bytes([byte ^ 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with board() as there:
        assert sent(there, one) == mapped


def test_what_is_there_is_read_once_a_run(sshd: Sshd, tmp_path: Path) -> None:
    one, two = (job(artifacts={"onnx": str(model(tmp_path, name, 100))}) for name in ("a.onnx", "b.onnx"))
    with board() as there:
        path = Path(there.ready(one).artifacts["onnx"])
        path.write_bytes(b"x" * 100)  # as long as it was, after it was looked at
        both = job(artifacts={"onnx": one.artifacts["onnx"], "tflite": two.artifacts["onnx"]})
        assert Path(there.ready(both).artifacts["onnx"]).read_bytes() == b"x" * 100
    with board() as there:
        sent(there, one)


def test_a_file_that_cannot_be_read_here_is_said(sshd: Sshd, tmp_path: Path) -> None:
    with board() as there, pytest.raises(LaunchError, match=r"cannot send .*none.onnx: No such file"):
        there.ready(job(artifacts={"onnx": str(tmp_path / "none.onnx")}))


def test_a_users_own_module_is_sent_where_it_may_run(sshd: Sshd, tmp_path: Path) -> None:
    for name in ("mine.py", "pack/inner.py", ".venv/lib.py", "notes.txt"):
        model(tmp_path, name, 10)
    with board() as there:
        folder = Path(str(there.ready(job(code_dir=str(tmp_path))).code_dir))
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.py")) == ["mine.py", "pack/inner.py"]


@pytest.mark.parametrize("name", ["python3", "no such/python3"])
def test_a_host_without_that_python_is_told_what_to_do(name: str, sshd: Sshd) -> None:
    with Board(HOST, f"/nowhere/{name}") as there, pytest.raises(HostUnreachable, match="device prepare bench-host"):
        there.ready(job())


def test_a_python_without_numpy_is_told_what_to_do(sshd: Sshd, tmp_path: Path) -> None:
    bare = tmp_path / "bare" / "python3"
    bare.parent.mkdir()
    bare.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -I -S "$@"\n')
    bare.chmod(0o755)
    with Board(HOST, str(bare)) as there, pytest.raises(LaunchError, match=r"has no numpy: `benchpact device prepare"):
        there.ready(job())


def test_the_prepared_environments_python_is_taken_first(sshd: Sshd) -> None:
    place = sshd.home / "cache" / "benchpact" / "env" / "current" / "bin"
    place.mkdir(parents=True)
    (place / "python").write_text(f'#!/bin/sh\ntouch "$HOME/taken"\nexec {shlex.quote(sys.executable)} "$@"\n')
    (place / "python").chmod(0o755)
    with Board(HOST, None) as there:
        assert measure_there(there, job()).run.failure is None
    assert (sshd.home / "taken").exists()


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(HOSTILE)
def test_a_path_is_one_word_of_sh_whatever_is_in_it(text: str) -> None:
    done = subprocess.run(["sh", "-c", f"printf %s {quoted_path(text)}"], capture_output=True, check=True)
    assert done.stdout.decode() == (os.environ["HOME"] + text[1:] if text.startswith("~/") else text)


WRAPS = ("$({})", ";{};", "`{}`", "'{}'", "\n{}\n", '"; {} #')


def test_nothing_of_a_contract_reaches_a_shell(sshd: Sshd, tmp_path: Path) -> None:
    """Hostile names wherever a name can stand: no command in them is ever run, here or there."""
    command = f"touch {tmp_path}/canary"

    def hostile(name: str, dim: str) -> Job:
        file = tmp_path / "files" / f"{name}{name.join(WRAPS).format(*['touch canary'] * len(WRAPS))}"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"x")
        bad = "".join(WRAPS).format(*[command] * len(WRAPS))
        return job(
            case=f"{name}{bad}",
            artifacts={f"onnx{bad}": str(file)},
            inputs=[TensorJob(f"x{bad}", "float32", ["batch", f"{dim}{bad}"])],
            dims={f"{dim}{bad}": 4},
        )

    with board() as there:

        @settings(deadline=None, max_examples=8, suppress_health_check=list(HealthCheck))
        @given(HOSTILE.filter(lambda text: not set("{}") & set(text)), HOSTILE)
        def is_shipped(name: str, dim: str) -> None:
            sent(there, hostile(name, dim))

        is_shipped()
        assert measure_there(there, hostile("$(x)", "'")).run.failure is None
    found = [path for folder in (tmp_path, Path.cwd()) for path in folder.rglob("canary")]
    assert found == [], found
