"""This machine's own sshd as a board: the same way, without an emulator's slowness."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.remote import sshd
from tests.remote.sshd import Sshd


@contextmanager
def boards(folder: Path, names: Sequence[str]) -> Iterator[list[Sshd]]:
    """An sshd a name, each with a home of its own; ``folder/config`` is the ssh config that has them all."""
    with ExitStack() as stack:
        found = []
        for name in names:
            (folder / name).mkdir(parents=True)
            found.append(stack.enter_context(sshd.running(folder / name)))
        pairs = zip(names, found, strict=True)
        texts = [re.sub(r"^Host .*", f"Host {name}", one.config.read_text()) for name, one in pairs]
        (folder / "config").write_text("".join(texts))
        yield found


def give_all(boards: Sequence[Sshd]) -> None:
    """What the first one has in its cache, to all others."""
    first, *others = boards
    for one in others:
        shutil.copytree(first.home / "cache", one.home / "cache", symlinks=True)
