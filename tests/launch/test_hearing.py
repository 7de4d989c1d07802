"""A worker heard out, whatever the moment at which it ends."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from bench.device import records
from bench.launch import hearing
from bench.launch.conversation import Conversation
from tests.launch.talk import Ear, job


def test_what_a_worker_says_last_is_heard_though_it_is_gone_at_the_next_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where this process gets few turns, all of it happens between two looks: at the pipe, and at the worker."""
    error = records.encode(records.ERROR, {"error": "ModelRejected", "message": "no", "trace": ""})
    (tmp_path / "words").write_bytes(error + records.encode(records.END, {}))
    program = f"read job; read go; cat '{tmp_path}/words'"
    pipe, conversation = subprocess.PIPE, Conversation(0, 1, Ear())
    with subprocess.Popen(["sh", "-c", program], stdin=pipe, stdout=pipe, bufsize=0) as worker:

        def late(process: subprocess.Popen[bytes]) -> bool:
            assert process.stdin is not None
            process.stdin.write(b"go\n")
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            return True

        monkeypatch.setattr(hearing, "is_gone", late)
        with tempfile.TemporaryFile(buffering=0) as stderr:
            assert hearing.hear_out(worker, job(), conversation, (60.0, None), stderr) is None
    assert conversation.ended
    assert conversation.error is not None
