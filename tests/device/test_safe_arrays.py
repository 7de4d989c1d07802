"""Arrays from files: what numpy writes comes back, anything else is one ValueError."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
import zipfile
from collections.abc import Callable, Sized
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bench.device.safe_arrays import npy_header, npz_headers, read_npy, read_npz

MAX = 64 << 20
DTYPES = st.sampled_from(["f2", "f4", "f8", "i1", "i8", "u2", "u8", "?", "c8", ">f4", ">i8"])
ARRAYS = hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
MODEST = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def npy(header: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    """An ``.npy`` with a header of one's own making."""
    text = header.encode()
    length = struct.pack("<H" if version == b"\x01\x00" else "<L", len(text))
    return b"\x93NUMPY" + version + length + text + data


def header(descr: str = "'<f4'", shape: str = "(2,)", fortran: str = "False") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n"


def npz(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def refused(path: Path, because: str, max_bytes: int = MAX) -> None:
    with pytest.raises(ValueError, match=because):
        read_npz(path, max_bytes)


@MODEST
@given(arrays=st.dictionaries(st.sampled_from(["x", "y.1", "/deep/output:0", "größe"]), ARRAYS), squeeze=st.booleans())
def test_what_numpy_saves_comes_back_bit_for_bit(tmp_path: Path, arrays: dict[str, Any], squeeze: bool) -> None:
    path = tmp_path / "a.npz"
    (np.savez_compressed if squeeze else np.savez)(path, **arrays)
    read, headers = read_npz(path, MAX), npz_headers(path, MAX)
    assert sorted(read) == sorted(headers) == sorted(arrays)
    for name, array in arrays.items():
        assert read[name].dtype == headers[name][0] == array.dtype.newbyteorder("=")
        assert read[name].shape == headers[name][1] == array.shape
        assert read[name].tobytes() == array.astype(array.dtype.newbyteorder("=")).tobytes()


@MODEST
@given(array=ARRAYS, fortran=st.booleans())
def test_a_single_array_comes_back_in_either_order(tmp_path: Path, array: Any, fortran: bool) -> None:
    path = tmp_path / "a.npy"
    np.save(path, array.copy(order="F" if fortran else "C"))
    np.testing.assert_array_equal(read_npy(path, MAX), array)
    assert npy_header(path, MAX) == (array.dtype.newbyteorder("="), array.shape)


def test_a_read_array_is_ones_own_to_change(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros(3))
    read_npz(tmp_path / "a.npz", MAX)["x"][0] = 1


def test_a_large_archive_as_numpy_writes_it_with_zip64_members(tmp_path: Path) -> None:
    array = np.arange(1 << 20, dtype=np.int64)
    np.savez(tmp_path / "a.npz", x=array)
    np.testing.assert_array_equal(read_npz(tmp_path / "a.npz", MAX)["x"], array)


@pytest.mark.parametrize(
    ("data", "because"),
    [
        (npy(header("'|O'"), b"x" * 16), "not plain numbers"),
        (npy(header("[('a', '<f4')]"), b"x" * 8), "not plain numbers"),
        (npy(header("'<U4'"), b"x" * 32), "not plain numbers"),
        (npy(header("'<M8[ns]'"), b"x" * 16), "not plain numbers"),
        (npy(header("'<f3'"), b"x" * 6), "not known"),
        (npy(header(shape="(-2,)"), b""), "not a shape"),
        (npy(header(shape="(True, 2)"), b"x" * 8), "not a shape"),
        (npy(header(shape="(2.0,)"), b"x" * 8), "not a shape"),
        (npy(header(shape="(4294967296, 4294967296)"), b""), "may be read"),
        (npy(header(shape="(0, 9223372036854775807)"), b""), "may be read"),
        (npy(header(shape="(" + "9" * 4000 + ",)"), b""), "may be read"),
        (npy(header(shape="(" + "1, " * 60 + ")"), b"x" * 4), "not readable"),
        (npy(header(shape="(2,)"), b"x" * 7), "needs 8 bytes of data, not the 7"),
        (npy(header(shape="(2,)"), b"x" * 9), "needs 8 bytes of data, not the 9"),
        (npy(header(shape="__import__('os').getpid()"), b""), "not readable"),
        (npy("(" * 3000), "not readable"),
        (npy("-" * 4000 + "1"), "not readable"),
        (npy("'\\d' 0x1for x"), "not readable"),
        (npy("{}"), "not readable"),
        (npy(header() + " " * 5000, b"x" * 8), "at most 4096"),
        (npy(header(), b"x" * 8, b"\x04\x00"), "format 4.0"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff", "at most 4096"),
        (b"\x93NUMPY\x01\x00\x10\x00{", "cut off"),
        (b"\x93NUMPY\x01\x00\x10", "cut off"),
        (b"\x80\x04N.", "not in npy format"),
        (b"", "not in npy format"),
    ],
)
def test_an_array_that_is_not_plain_numbers_is_refused(tmp_path: Path, data: bytes, because: str) -> None:
    refused(npz(tmp_path / "a.npz", {"x.npy": data}), because)
    (tmp_path / "a.npy").write_bytes(data)
    for read in (read_npy, npy_header):
        with pytest.raises(ValueError, match=because) as caught:
            read(tmp_path / "a.npy", MAX)
        assert len(str(caught.value)) < 300


def test_a_pickle_in_an_npz_is_never_loaded(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return (os.mkdir, (str(tmp_path / "boom"),))

    np.savez(tmp_path / "a.npz", x=np.array([Bomb()], dtype=object), allow_pickle=True)
    refused(tmp_path / "a.npz", "not plain numbers")
    assert not (tmp_path / "boom").exists()


def test_a_zip_bomb_is_refused_by_what_it_declares(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros(8 << 20, np.uint8))
    assert (tmp_path / "a.npz").stat().st_size < 10_000
    refused(tmp_path / "a.npz", "unpacks to .* at most 1000 are read", max_bytes=1000)


def test_a_bomb_below_the_size_that_is_allowed_is_refused_by_its_ratio(tmp_path: Path) -> None:
    mask = np.ones(65 << 20, np.uint8)
    np.savez_compressed(tmp_path / "a.npz", x=mask)
    refused(tmp_path / "a.npz", "times its own .* at most 200 times are read: .* save them with numpy.savez", 4 << 30)
    real = np.random.default_rng(1).integers(0, 256, 1 << 20, dtype=np.uint8)
    np.savez_compressed(tmp_path / "b.npz", x=mask, y=real)
    assert sorted(npz_headers(tmp_path / "b.npz", 4 << 30)) == ["x", "y"]  # a mask beside real data
    np.savez(tmp_path / "c.npz", x=mask)
    assert read_npz(tmp_path / "c.npz", 4 << 30)["x"].sum() == len(mask)
    assert list(npz_headers(tmp_path / "c.npz", 4 << 30)) == ["x"]


def test_a_zip_bomb_of_many_members_is_refused_as_a_whole(tmp_path: Path) -> None:
    arrays: dict[str, Any] = {f"x{i}": np.zeros(1 << 20, np.uint8) for i in range(20)}
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    refused(tmp_path / "a.npz", "unpacks to", max_bytes=10 << 20)


def test_a_zip_bomb_that_lies_about_its_size_never_grows(tmp_path: Path) -> None:
    small = len(npy(header("'|u1'", "(8,)"))) + 8
    for claimed in ("(8,)", "(67108864,)"):
        content = npy(header("'|u1'", claimed)) + bytes(64 << 20)
        path = npz(tmp_path / "a.npz", {"x.npy": content})
        path.write_bytes(path.read_bytes().replace(struct.pack("<L", len(content)), struct.pack("<L", small)))
        tracemalloc.start()
        refused(path, "needs 67108864 bytes|CRC", max_bytes=1 << 27)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
        tracemalloc.stop()


def test_a_member_that_claims_more_than_its_bytes_can_hold_is_refused(tmp_path: Path) -> None:
    honest = npy(header(), b"x" * 8)
    path = npz(tmp_path / "a.npz", {"x.npy": honest}, zipfile.ZIP_STORED)
    path.write_bytes(
        path.read_bytes().replace(struct.pack("<L", len(honest)) * 2, struct.pack("<LL", len(honest), 1 << 25))
    )
    refused(path, "claims to be larger")


def test_more_members_than_a_model_can_have_are_refused(tmp_path: Path) -> None:
    refused(npz(tmp_path / "a.npz", {f"{i}.npy": b"" for i in range(1025)}), "1025 members; at most 1024")


def test_a_directory_too_large_to_parse_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    path = npz(tmp_path / "a.npz", {f"{i}{'x' * 2000}.npy": b"" for i in range(1000)})
    refused(path, "members; at most")


@pytest.mark.parametrize("name", ["x.txt", "../x.npy", "a/../../x.npy", "a\\x.npy", "x\n.npy", "x.npy/", "x"])
def test_a_member_that_is_no_array_by_name_is_refused(tmp_path: Path, name: str) -> None:
    refused(npz(tmp_path / "a.npz", {name: npy(header(), b"x" * 8)}), "is not an array")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_array_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", npy(header(), b"x" * 8))
        archive.writestr("x.npy", npy(header(), b"y" * 8))
    refused(tmp_path / "a.npz", "twice")


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = npz(tmp_path / "a.npz", {"x.npy": npy(header(), b"x" * 8)})
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    refused(path, "encrypted")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_compression_that_numpy_never_writes_is_refused(tmp_path: Path, method: int) -> None:
    refused(npz(tmp_path / "a.npz", {"x.npy": npy(header(), b"x" * 8)}, method), "numpy does not write")


def test_garbage_before_or_behind_an_archive_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros(3))
    data = (tmp_path / "a.npz").read_bytes()
    for bad, because in ((data + b"x", "behind its end"), (b"#!/bin/sh\n" + data, "begin"), (b"", "begin")):
        (tmp_path / "a.npz").write_bytes(bad)
        refused(tmp_path / "a.npz", because)


def test_a_changed_byte_of_the_data_is_found(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros(100))
    data = bytearray((tmp_path / "a.npz").read_bytes())
    data[300] ^= 1
    (tmp_path / "a.npz").write_bytes(data)
    refused(tmp_path / "a.npz", "CRC")


def test_a_pipe_or_a_folder_does_not_hold_the_reader(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npz")
    for path in (tmp_path, tmp_path / "pipe.npz"):
        refused(path, "not a regular file")
    with pytest.raises(FileNotFoundError):
        read_npz(tmp_path / "missing.npz", MAX)


def example() -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, x=np.arange(12, dtype=np.float32).reshape(3, 4), flag=np.array([True, False]))
    return file.getvalue()


WHOLE = example()


def test_an_archive_cut_off_anywhere_is_one_value_error(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    for end in range(len(WHOLE)):
        path.write_bytes(WHOLE[:end])
        for read in (read_npz, npz_headers):
            with pytest.raises(ValueError, match=r"npz|array"):
                read(path, MAX)


def test_a_directory_that_points_before_the_beginning_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    for at in range(len(WHOLE) - 22, len(WHOLE)):
        for flip in range(8):
            data = bytearray(WHOLE)
            data[at] ^= 1 << flip
            path.write_bytes(data)
            assert_arrays_or_one_error(read_npz, path)


@settings(MODEST, max_examples=400)
@given(at=st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(1, 255)), min_size=1, max_size=4))
def test_flipped_bytes_give_arrays_or_one_value_error(tmp_path: Path, at: list[tuple[int, int]]) -> None:
    data = bytearray(WHOLE)
    for index, flip in at:
        data[index] ^= flip
    path = tmp_path / "a.npz"
    path.write_bytes(data)
    assert_arrays_or_one_error(read_npz, path)
    assert_arrays_or_one_error(npz_headers, path)


def assert_arrays_or_one_error(read: Callable[[Path, int], Sized], path: Path) -> None:
    try:
        count = len(read(path, MAX))
    except ValueError as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert count <= 2
