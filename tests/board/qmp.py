"""Tell a running emulator something: ``qmp.py SOCKET COMMAND [ARGUMENTS-AS-JSON]``."""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path
from typing import TextIO


def said(stream: TextIO, command: str, arguments: dict[str, object]) -> None:
    """Give one command and wait until it is done; what the emulator tells of its own accord is passed over."""
    stream.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
    stream.flush()
    for line in stream:
        answer = json.loads(line)
        if "return" in answer:
            return
        if "error" in answer:
            sys.exit(f"qmp: {answer['error']['desc']}")
    sys.exit("qmp: the emulator hung up")


def main() -> None:
    path = Path(sys.argv[1])
    os.chdir(path.parent)  # a socket's path has room for 107 bytes: its name alone always fits
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(60)
        line.connect(path.name)
        with line.makefile("rw") as stream:
            stream.readline()
            said(stream, "qmp_capabilities", {})
            said(stream, sys.argv[2], json.loads(sys.argv[3]) if len(sys.argv) > 3 else {})


if __name__ == "__main__":
    main()
