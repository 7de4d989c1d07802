"""Faults around `benchpact run` over SSH on the emulated board: what is wrong before it, or all the time.

None loses a finished result, none hangs, none leaves a process on the board.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.board.working import Place, configured

GROUPS = "/sys/fs/cgroup"


@pytest.mark.board_long
def test_a_slow_and_lossy_link_costs_time_and_no_result(place: Place) -> None:
    place.write()
    root = {"root": True}
    try:
        place.board.ssh("tc qdisc add dev eth0 root netem delay 80ms 30ms loss 3% reorder 20% 50%", **root)
        _, said = place.run("--on", "short")
    finally:
        place.board.ssh("tc qdisc del dev eth0 root", **root)

    assert place.ended_well("short.cold-start"), said


@pytest.mark.board_long
def test_a_clock_that_jumps_changes_no_figure(place: Place) -> None:
    place.write()
    jumping = "while sleep 0.2; do date -s '+1 day'; sleep 0.2; date -s '-1 day'; done"
    try:
        place.board.ssh(f'nohup sh -c "{jumping}" >/dev/null 2>&1 </dev/null & echo $! > /run/jumping', root=True)
        _, said = place.run("--on", "short")
    finally:
        place.board.ssh("kill $(cat /run/jumping); hwclock --hctosys", root=True)

    assert place.ended_well("short.cold-start"), said
    case = place.case("short.cold-start")
    assert all(0 < figure["value"] < 60 * 10**9 for figure in case["figures"] if figure["unit"] == "ns")


def test_a_full_disk_is_said_and_nothing_half_is_believed_afterwards(place: Place) -> None:
    rng = np.random.default_rng()  # what was sent before would not be sent again
    np.savez(place.folder / "val.npz", x=rng.random((1 << 20, 4), np.float32))
    place.write(more="validation: {samples: val.npz}\n")
    fill = "fallocate -l $(($(stat -f -c '%a * %S' /) - 8 * 1048576)) /filling"
    try:
        place.board.ssh(fill, root=True)
        code, said = place.run("--on", "short")
        assert code == 3, said
        assert "disk is full" in said
        assert "benchpact device clean" in said
        assert "Traceback" not in said
    finally:
        place.board.ssh("rm -f /filling", root=True)

    _, said = place.run("--on", "short")
    assert place.ended_well("short.cold-start"), said


@pytest.mark.board_long
def test_out_of_memory_ends_the_worker_and_is_said(place: Place) -> None:
    board = place.board
    samples = np.zeros((8 << 20, 4), np.float32)  # 128 MB: more than its sessions may have
    samples[:: 1 << 7] = np.random.default_rng(0).random((1 << 16, 4), np.float32)  # absurdly small files are not read
    np.savez_compressed(place.folder / "val.npz", x=samples)
    place.write(more="validation: {samples: val.npz}\n")
    # Not all of the board: one that has nothing left for itself answers no keep-alive, and the link dies first.
    few = f"{GROUPS}/few"
    try:
        board.ssh(
            f"echo +memory > {GROUPS}/cgroup.subtree_control; mkdir -p {few}; echo {96 << 20} > {few}/memory.max; "
            f"echo $(pgrep -o -x sshd) > {few}/cgroup.procs",
            root=True,
        )
        code, said = place.run("--on", "short")
    finally:  # this session's own sshd is in it too; what has ended meanwhile cannot be moved
        all_out = f"for one in $(cat {few}/cgroup.procs); do echo $one > {GROUPS}/cgroup.procs; done"
        board.ssh(f"({all_out}) 2>/dev/null; grep -qxF $(pgrep -o -x sshd) {GROUPS}/cgroup.procs", root=True)

    assert code == 3, said
    failure = place.failure("short.cold-start")
    assert failure["error"] in ("WorkerCrashed", "OutOfMemory"), failure
    assert "memory" in failure["message"]
    assert "out of memory: Killed process" in board.ssh("dmesg", root=True).stdout


ODD_SHELL = r"""#!/bin/bash
# A login shell that greets, and knows nothing of POSIX: words, and a command to become.
echo "Welcome to this board!"
[ "$1" = -c ] || exit 1
case $2 in *[\;\&\|\$\(\)\{\}=\'\"\`\<\>\\]*) echo "odd: I do not understand '$2'" >&2; exit 2 ;; esac
set -- $2
[ "$1" != exec ] || shift
exec "$@"
"""


@pytest.mark.board_long
def test_a_greeting_a_foreign_shell_and_a_home_with_spaces_do_no_harm(place: Place, tmp_path: Path) -> None:
    place.board.ssh(
        f"""
        set -e
        mkdir -p /usr/local/bin
        cat > /usr/local/bin/odd <<'E'\n{ODD_SHELL}E
        chmod 755 /usr/local/bin/odd
        grep -q ^odd: /etc/passwd || echo 'odd:x:1001:1001:odd:/home/a home (of mine):/usr/local/bin/odd' >> /etc/passwd
        grep -q ^odd: /etc/shadow || echo 'odd:*:19000:0:99999:7:::' >> /etc/shadow
        mkdir -p '/home/a home (of mine)/.ssh'
        cp /root/.ssh/authorized_keys '/home/a home (of mine)/.ssh/'
        chown -R 1001:1001 '/home/a home (of mine)'
        """,
        root=True,
    )
    odd = Place(tmp_path, place.board, configured(place.board, tmp_path, "odd", "User odd"))
    odd.write(host="odd")

    _, said = odd.run("--on", "short")

    assert place.ended_well("short.cold-start"), said
    there = place.board.ssh("ls -d '/home/a home (of mine)/.cache/benchpact/agent/'*/__main__.py", root=True)
    assert there.stdout != ""
