"""Scripts on another host: whole, bounded, in time; and one clear sentence for everything that keeps us from it."""

from __future__ import annotations

import io
import os
import socket
import threading
import time
from pathlib import Path

import pytest

from bench.errors import HostUnreachable, ProtocolError, WorkerTimeout
from bench.remote.client import BANNER_BYTES, Client
from bench.remote.command import CONFIG
from tests.remote.sshd import HOST, Sshd, make_key

MIB = 1 << 20


def run(script: str, stdin: bytes = b"", host: str = HOST) -> bytes:
    return Client(host).run(script, stdin, timeout_s=60, most_bytes=MIB).stdout


def refusal(host: str = HOST) -> str:
    with pytest.raises(HostUnreachable) as caught:
        run("true", host=host)
    return str(caught.value)


def stop_once(sshd: Sshd, begun: Path) -> None:
    until = time.monotonic() + 60
    while not begun.exists() and time.monotonic() < until:
        time.sleep(0.01)
    sshd.stop()


def test_a_script_gets_its_input_and_gives_its_output_and_its_code(sshd: Sshd) -> None:
    data = os.urandom(200_000) + b"\n}\nexit 9\n"
    done = Client(HOST).run("cat\necho oh dear >&2\nexit 7", io.BytesIO(data), timeout_s=60, most_bytes=MIB)
    assert (done.code, done.stdout, done.stderr) == (7, data, "oh dear\n")
    assert run("true") == b""
    assert run("head -c 3; echo; exit 0", data) == data[:3] + b"\n"


def test_connections_share_one_login_which_ends_with_them(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path)) if len(str(tmp_path)) < 60 else None
    with Client(HOST) as client:
        for _ in range(3):
            assert client.run("echo $SSH_CONNECTION", timeout_s=60, most_bytes=MIB).stdout.startswith(b"127.0.0.1 ")
        ports = {client.run("echo $SSH_CONNECTION", timeout_s=60, most_bytes=MIB).stdout for _ in range(3)}
        assert len(ports) == 1
        assert len(sshd.children()) == 1
    until = time.monotonic() + 30
    while sshd.children() and time.monotonic() < until:
        time.sleep(0.01)
    assert sshd.children() == []


def test_a_shared_login_that_died_is_made_again(sshd: Sshd) -> None:
    with Client(HOST) as client:
        sshd.stop()
        with pytest.raises(HostUnreachable):
            client.run("true", timeout_s=60, most_bytes=MIB)
        sshd.start()
        assert client.run("echo back", timeout_s=60, most_bytes=MIB).stdout == b"back\n"


def test_a_users_own_sharing_is_left_to_them(sshd: Sshd, tmp_path: Path) -> None:
    with sshd.config.open("a") as file:
        file.write(f"  ControlPath {tmp_path}/own-%h\n")
    with Client(HOST) as client:
        assert client._master is not None
        assert client._master.socket is None
        assert client.run("echo here", timeout_s=60, most_bytes=MIB).stdout == b"here\n"


def test_a_banner_before_is_dropped(sshd: Sshd) -> None:
    (sshd.home / "rc").write_text("echo Welcome to the lab; printf 'no end of line'; echo careful >&2")
    sshd.stop()
    sshd.more += f"\nForceCommand . {sshd.home}/rc; $SSH_ORIGINAL_COMMAND"
    sshd.start()
    assert run("cat", b"data") == b"data"


def test_a_banner_without_end_is_refused(sshd: Sshd) -> None:
    sshd.stop()
    sshd.more += "\nForceCommand yes"
    sshd.start()
    assert f"more than {BANNER_BYTES >> 10} KiB" in refusal()


def test_an_account_that_may_not_run_anything_is_said(sshd: Sshd) -> None:
    sshd.stop()
    sshd.more += "\nForceCommand echo This account is currently not available.; exit 1"
    sshd.start()
    assert "starts no `sh` (This account is currently not available.)" in refusal()


def test_more_than_was_asked_for_and_later_than_asked_for_are_errors(sshd: Sshd) -> None:
    with pytest.raises(ProtocolError, match="more than 1048576 bytes"):
        run("yes")
    with pytest.raises(ProtocolError, match="complains with more than 64 MiB"):
        run("yes >&2")
    with pytest.raises(WorkerTimeout, match="did not finish within 1 s"):
        Client(HOST).run("sleep 100", timeout_s=1, most_bytes=MIB)


def test_a_link_that_dies_is_told_from_a_script_that_fails(sshd: Sshd) -> None:
    assert Client(HOST).run("exit 254", timeout_s=60, most_bytes=MIB).code == 254
    threading.Thread(target=stop_once, args=(sshd, sshd.home / "begun")).start()
    with pytest.raises(HostUnreachable, match="the link to `bench-host` died"):
        run("touch ~/begun; sleep 100")


def test_what_keeps_us_from_a_host_is_one_clear_sentence(sshd: Sshd, tmp_path: Path) -> None:
    known, key = (sshd.folder / "known").read_text(), (sshd.folder / "authorized").read_text()
    (sshd.folder / "known").write_text("")
    assert "its host key is not known yet" in (said := refusal())
    assert "`ssh bench-host true`" in said
    (sshd.folder / "known").write_text(f"{known.split()[0]} {make_key(tmp_path / 'other')}")
    assert "its host key has changed" in (said := refusal())
    assert "ssh-keygen -R" in said
    (sshd.folder / "known").write_text(known)
    (sshd.folder / "authorized").write_text("")
    assert "it refused the key" in (said := refusal())
    assert "ssh-copy-id" in said
    (sshd.folder / "authorized").write_text(key)
    assert run("echo mended") == b"mended\n"
    sshd.stop()
    assert "nothing listens at its SSH port" in refusal()


def test_a_name_that_nobody_has_is_said(sshd: Sshd) -> None:
    assert "no host of that name is known" in refusal("no-such-host.invalid")


def test_a_port_that_accepts_and_says_nothing_is_given_up(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    sshd.stop()
    with socket.socket() as mute:
        mute.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # its last connections linger in TIME_WAIT
        mute.bind(("127.0.0.1", sshd.port))
        mute.listen()
        monkeypatch.setattr("bench.remote.client.CONNECT_S", 1.5)
        assert "it did not answer in time" in refusal()


def test_a_machine_without_ssh_is_said(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert "install the OpenSSH client" in refusal()
    with pytest.raises(HostUnreachable, match="install the OpenSSH client"), Client(HOST):
        pass


def test_a_config_that_cannot_be_read_is_said(sshd: Sshd, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(CONFIG, str(tmp_path / "none"))
    assert "ssh configuration" in refusal()
    with pytest.raises(HostUnreachable, match="ssh configuration"), Client(HOST):
        pass


@pytest.mark.parametrize(
    "host",
    [
        "",
        "-oProxyCommand=touch x",
        "a b",
        "a\n",
        "a;b",
        "$(a)",
        "`a`",
        "user@-oX",
        "ssh://-oX",
        "a'b",
        'a"b',
        "a\\b",
        "a" * 999,
    ],
)
def test_a_name_that_could_be_a_command_is_refused(host: str) -> None:
    with pytest.raises(HostUnreachable, match="cannot reach"):
        Client(host)


@pytest.mark.parametrize("host", ["pi4", "user@192.0.2.7", "ssh://me@lab.example:2222", "fe80::1%eth0", "::1", "a_b-c"])
def test_a_name_that_ssh_takes_is_taken(host: str) -> None:
    assert Client(host).host == host
