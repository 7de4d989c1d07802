"""Faults injected for real in the midst of `benchpact run` over SSH on the emulated board.

None loses a finished result, none hangs, none leaves a process on the board.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.board.boards import Board
from tests.board.working import RUN_TIMEOUT_S, Place, configured

Act = Callable[[Board], object]
GONE = {"HostUnreachable"}
CRASHED = {"WorkerCrashed"}
LONG = pytest.mark.board_long


def end_worker(board: Board) -> None:
    board.ssh("pkill -KILL -u bench -f 'python /home/bench/.cache/benchpact/agent/.* worker'", root=True)


def end_session(board: Board) -> None:
    board.ssh("pkill -KILL -u bench sshd", root=True)


def reboot(board: Board) -> None:
    board.ssh("(sleep 1; echo b > /proc/sysrq-trigger) >/dev/null 2>&1 </dev/null &", root=True)
    board.ssh("exec sleep 600", check=False)  # until the link dies with it
    until = time.monotonic() + RUN_TIMEOUT_S
    while board.ssh("true", check=False).returncode != 0 and time.monotonic() < until:
        time.sleep(0.5)


def power_cut(board: Board) -> None:
    board.kill()


@pytest.mark.parametrize(
    ("fault", "mend", "errors"),
    [
        pytest.param(end_worker, None, CRASHED, id="the worker is killed"),
        pytest.param(end_session, None, GONE, id="the child of sshd is killed", marks=LONG),
        pytest.param(Board.cut, Board.heal, GONE, id="the cable is pulled", marks=LONG),
        pytest.param(Board.freeze, Board.thaw, GONE, id="the board freezes", marks=LONG),
        pytest.param(reboot, None, GONE, id="the board reboots", marks=LONG),
        pytest.param(power_cut, Board.boot, GONE, id="the power is cut", marks=LONG),
    ],
)
def test_a_fault_in_the_midst_of_a_case_ends_it_and_keeps_what_was_finished(
    fault: Act, mend: Act | None, errors: set[str], place: Place
) -> None:
    place.write()
    with place.under_way() as run:
        finished = place.case("short.cold-start")
        fault(place.board)
        said, _ = run.communicate(timeout=RUN_TIMEOUT_S)
    if mend is not None:
        mend(place.board)

    assert "Traceback" not in said
    assert run.returncode in (0, 3), said  # what the soak measured until then is kept, and may be enough
    assert place.case("short.cold-start") == finished
    assert place.ended_well("short.cold-start")
    failure = place.failure("long.soak")
    assert failure["error"] in errors, said
    assert failure["phase"] == "measure"


def test_after_a_cut_link_only_what_is_missing_is_measured(place: Place) -> None:
    board = place.board
    place.write()
    board.ssh("touch hold")
    try:
        with place.under_way("held.cold-start", "load") as run:
            finished = place.stored("short.cold-start")
            board.cut()
            said, _ = run.communicate(timeout=RUN_TIMEOUT_S)
        assert run.returncode == 3, said
        assert "Traceback" not in said
        assert place.failure("held.cold-start")["error"] == "HostUnreachable", said
    finally:
        board.heal()
        board.ssh("rm -f hold")

    _, said = place.run("--resume", "latest", "-v")

    assert "short.cold-start: process" not in said
    assert place.stored("short.cold-start") == finished
    assert place.ended_well("held.cold-start"), said
    assert len(list(place.folder.glob("results/*/run.json"))) == 1


@pytest.mark.board_long
@pytest.mark.parametrize(
    ("python", "words"),
    [
        pytest.param("/opt/none/bin/python", "there is no Python on", id="no Python"),
        pytest.param("/opt/bare/python", "has no numpy", id="no numpy"),
    ],
)
def test_what_a_board_lacks_is_said_with_the_command_that_mends_it(python: str, words: str, place: Place) -> None:
    place.board.ssh("mkdir -p /opt/bare && ln -sf /usr/bin/python3 /opt/bare/python", root=True)
    place.write(python=python)

    code, said = place.run("--on", "short")

    assert code == 3, said
    assert words in said
    assert "benchpact device prepare" in said


@pytest.mark.board_long
@pytest.mark.parametrize(
    ("words", "said_of_it"),
    [
        pytest.param("UserKnownHostsFile {other}.known", "host key", id="another host key"),
        pytest.param("UserKnownHostsFile /dev/null", "host key", id="an unknown host key"),
        pytest.param("IdentityFile {other}\n  IdentityAgent none", "refused the key", id="a refused key"),
        pytest.param("Port 1", "nothing listens", id="a closed port"),
        pytest.param("HostName no-such-host.invalid", "no host of that name", id="an unknown host"),
    ],
)
def test_a_board_that_lets_nobody_in_is_one_clear_sentence(
    words: str, said_of_it: str, working_board: Board, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    address = (working_board.folder / "known_hosts").read_text().split()[0]
    (tmp_path / "other.known").write_text(f"{address} {other.with_suffix('.pub').read_text()}")
    config = configured(working_board, tmp_path, "shut", words.format(other=other))
    shut = Place(tmp_path, working_board, config)
    shut.write(host="shut")

    code, said = shut.run("--on", "short")

    assert code == 3, said
    assert said_of_it in said
    assert "Traceback" not in said
