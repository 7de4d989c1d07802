"""PyTorch's zip archives: members found by the end of their names, read within bounds, never unpickled."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.artifacts.facts import ArtifactError
from bench.device.npz_archive import BROKEN

MAX_MEMBER_BYTES = 256 << 20
_BROKEN = (*BROKEN, ValueError)


class TorchArchive:
    """One archive; every member's name begins with the archive's own folder."""

    def __init__(self, path: Path, archive: zipfile.ZipFile):
        self.path = path
        self._archive = archive
        names = archive.namelist()
        self.folder = names[0].split("/")[0] if names else ""
        self.names = tuple(name.removeprefix(self.folder + "/") for name in names)

    def read(self, name: str) -> bytes:
        """A member's bytes; ArtifactError where it is missing, damaged or larger than anything we read."""
        if name not in self.names:
            raise ArtifactError(f"{self.path}: has no `{name}`; it is not the kind of archive it should be")
        info = self._archive.getinfo(f"{self.folder}/{name}")
        if info.file_size > MAX_MEMBER_BYTES:
            raise ArtifactError(f"{self.path}: its `{name}` has {info.file_size} bytes, which is more than is read")
        with self._archive.open(info) as member:
            return member.read(MAX_MEMBER_BYTES)

    def content(self, name: str) -> tuple[int, int]:
        """A member's size and checksum, as the archive tells them: equal for equal contents; zeros if missing."""
        if name not in self.names:
            return 0, 0
        info = self._archive.getinfo(f"{self.folder}/{name}")
        return info.file_size, info.CRC


@contextmanager
def opened(path: Path) -> Iterator[TorchArchive]:
    """The archive; ArtifactError for a file that is no whole zip archive, OSError for one that cannot be opened."""
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                yield TorchArchive(path, archive)
        except _BROKEN as error:
            raise ArtifactError(f"{path}: is not a whole PyTorch archive: it is cut off or damaged") from error
