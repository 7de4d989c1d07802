"""The emulated board is what it says: another kind of Linux machine, whose memory, disk and link really break."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.board import boards, fixtures
from tests.board.boards import Board


def test_it_is_an_aarch64_machine_with_its_own_kernel_and_the_memory_and_cores_asked_for(board: Board) -> None:
    machine, kernel, cores, memory_kib = board.ssh(
        "uname -m; uname -r; nproc; sed -n 's/^MemTotal: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo"
    ).stdout.split()

    assert machine == "aarch64"
    assert kernel != os.uname().release
    assert cores == "2"
    assert 0.9 * 1024 < int(memory_kib) / 1024 <= 1024  # the kernel keeps some for itself


def test_its_users_are_bench_and_root(board: Board) -> None:
    assert board.ssh("id -un; id -u").stdout.split() == ["bench", "1000"]
    assert board.ssh("id -un; id -u", root=True).stdout.split() == ["root", "0"]


def test_its_clock_is_right(board: Board) -> None:
    before = int(time.time())
    there = int(board.ssh("date +%s").stdout)

    assert before - 60 <= there <= time.time() + 60


@pytest.mark.board_long
def test_only_the_pinned_key_is_believed(board: Board, tmp_path: Path) -> None:
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    address, *_ = (board.folder / "known_hosts").read_text().split()
    believed = tmp_path / "known_hosts"
    believed.write_text(f"{address} {other.with_suffix('.pub').read_text()}")

    done = subprocess.run(
        ["ssh", "-F", board.ssh_config, "-o", f"UserKnownHostsFile={believed}", board.host, "true"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=boards.SSH_TIMEOUT_S,
        check=False,
    )

    assert done.returncode == 255
    assert "Host key verification failed" in done.stderr


@pytest.mark.board_long
def test_after_a_power_cut_what_was_synced_is_there_and_what_was_not_is_lost(board: Board) -> None:
    try:
        # However long this machine takes to cut the power, the board does not write back by itself meanwhile.
        board.ssh("echo 0 > /proc/sys/vm/dirty_writeback_centisecs", root=True)
        board.ssh("echo kept > kept; sync; echo lost > lost; cat lost")
        board.kill()

        assert board.status == "off"
        board.boot()
        assert board.ssh("cat kept").stdout == "kept\n"
        assert board.ssh("cat lost", check=False).stdout == ""
    finally:
        board.restore()


@pytest.mark.board_long
def test_a_cut_link_is_noticed_by_keep_alives_and_heals(board: Board) -> None:
    keeping_alive = ["-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=3"]
    command = ["ssh", "-F", str(board.ssh_config), *keeping_alive, board.host, "echo on; exec sleep 600"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as session:
        try:
            assert session.stdout is not None
            assert session.stdout.readline() == "on\n"
            board.cut()
            assert session.wait(boards.SSH_TIMEOUT_S) == 255
        finally:
            session.kill()
            board.restore()
            board.ssh("pkill -u bench -x sleep || true", root=True)  # its sshd waits for an answer that never comes

    assert board.ssh("echo healed").stdout == "healed\n"


@pytest.mark.board_long
def test_a_frozen_board_says_nothing_until_it_thaws(board: Board) -> None:
    try:
        board.freeze()
        done = subprocess.run(
            ["ssh", "-F", board.ssh_config, "-o", "ConnectTimeout=3", board.host, "true"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=boards.SSH_TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 255
        board.thaw()
        assert board.ssh("echo thawed").stdout == "thawed\n"
    finally:
        board.restore()


@pytest.mark.board_long
def test_its_link_can_be_made_slow_from_inside(board: Board) -> None:
    try:
        assert "netem" not in board.ssh("tc qdisc show dev eth0", root=True).stdout
        board.ssh("tc qdisc add dev eth0 root netem delay 300ms", root=True)
        assert "delay 300ms" in board.ssh("tc qdisc show dev eth0", root=True).stdout
        begun = time.monotonic()
        board.ssh("true")
        assert time.monotonic() - begun > 3 * 0.3  # a handshake has far more answers than three
    finally:
        board.ssh("tc qdisc del dev eth0 root", root=True, check=False)


@pytest.mark.board_long
def test_out_of_memory_kills_the_hungry_process_and_not_the_board(small_board: Board) -> None:
    hungry = "python3 -c 'held = []\nwhile True: held.append(bytearray(8 << 20))'"

    done = small_board.ssh(f"{hungry}; echo ended $?")

    assert done.stdout == "ended 137\n"  # killed
    assert "Out of memory: Killed process" in small_board.ssh("dmesg", root=True).stdout


@pytest.mark.board_long
@pytest.mark.usefixtures("board")  # another board is there at the same time, and stays
def test_a_removed_board_leaves_nothing_behind() -> None:
    removed = Board.start(f"removed-{os.getpid()}", memory_mib=256)
    assert removed.status == "running"

    removed.remove()

    assert removed.status == "none"
    assert not removed.folder.exists()
    assert processes_that_mention(removed.name) == []


@pytest.mark.board_long
@pytest.mark.usefixtures("board")
def test_a_board_goes_when_the_process_that_started_it_is_killed() -> None:
    name = f"orphan-{os.getpid()}"
    start = f"from tests.board.boards import Board; Board.start({name!r}, memory_mib=256)"
    script = f"{start}; import os; os.kill(os.getpid(), 9)"

    subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[2], check=False)

    deadline = time.monotonic() + 120
    while (left := processes_that_mention(name)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert left == []
    assert not (boards.cache() / "boards" / name).exists()


def test_where_no_board_can_run_its_tests_are_skipped_but_in_ci_they_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(name: str, **_: object) -> Board:
        raise boards.BoardUnavailable("board: this machine has no apt")

    monkeypatch.setattr(Board, "start", start)
    monkeypatch.delenv("BENCHPACT_CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="this machine has no apt"):
        fixtures.start_or_skip("never", memory_mib=256)
    monkeypatch.setenv("BENCHPACT_CI", "1")
    with pytest.raises(pytest.fail.Exception, match="this machine has no apt"):
        fixtures.start_or_skip("never", memory_mib=256)


def processes_that_mention(name: str) -> list[str]:
    mentioning = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes()
        except OSError:  # it has ended
            continue
        if name.encode() in words:
            mentioning.append(words.decode(errors="replace").replace("\0", " "))
    return mentioning
