"""TFLite files made to harm the reader: offsets that lead nowhere, back, or out; counts that would fill memory."""

from __future__ import annotations

import struct
import time
from math import prod
from pathlib import Path

import pytest

from bench.artifacts import ArtifactError, read
from bench.device import flatbuffer, tflite

DIGITS = Path(__file__).parents[2] / "configs" / "digits" / "digits.tflite"


def told(path: Path, data: bytes) -> str:
    """What is wrong with a file of these bytes; nothing where it is taken."""
    path.write_bytes(data)
    try:
        read("tflite", path)
    except ArtifactError as error:
        message = str(error)
        assert message.startswith(f"{path}: is not a whole TFLite model: ") or "larger than any memory" in message
        assert "\n" not in message
        return message
    return ""


def test_any_word_of_its_structure_may_lie(tmp_path: Path) -> None:
    """Each word that is not a weight, as nothing, as the largest number, as a way back, as a way out."""
    whole = DIGITS.read_bytes()
    large = [one for one in tflite.read(DIGITS).constants if prod(one.shape) > 16]
    inside = [(at, at + 4 * prod(one.shape)) for one in large if (at := whole.find(one.begins)) > 0]
    lies = (0, 0xFFFFFFFF, 0x7FFFFFFF, len(whole) - 2, 0x80000000)
    refused = 0
    for place in range(0, len(whole) - 4, 4):
        if any(first <= place < end for first, end in inside):
            continue
        for turn in (0, 2):
            word = lies[(place // 4 + turn) % len(lies)]
            refused += bool(told(tmp_path / "m.tflite", whole[:place] + struct.pack("<I", word) + whole[place + 4 :]))
    assert refused > 300


def test_a_vector_that_claims_more_than_there_is_takes_no_memory_and_no_time(tmp_path: Path) -> None:
    whole = DIGITS.read_bytes()
    with DIGITS.open("rb") as file:
        vectors = [flatbuffer.Bytes(file, len(whole)).root()._follow(field) for field in (1, 2, 4)]
    start = time.process_time()
    for place in vectors:
        assert place is not None
        lying = whole[:place] + struct.pack("<I", 0xFFFFFFF0) + whole[place + 4 :]
        assert "are read" in told(tmp_path / "m.tflite", lying)
    assert time.process_time() - start < 5


@pytest.mark.parametrize("data", [b"", b"TFL3", bytes(8), b"\0\0\0\0TFL3", b"\xff\xff\xff\xffTFL3" + bytes(64)])
def test_what_is_no_model_is_refused(tmp_path: Path, data: bytes) -> None:
    assert told(tmp_path / "m.tflite", data)


def test_a_file_is_read_in_pieces_wherever_they_meet(tmp_path: Path) -> None:
    content = bytes(index % 251 for index in range(3 * flatbuffer.PIECE_BYTES))
    path = tmp_path / "long"
    path.write_bytes(content)
    with path.open("rb") as file:
        data = flatbuffer.Bytes(file, len(content))
        for place in (0, 1, flatbuffer.PIECE_BYTES - 1, flatbuffer.PIECE_BYTES, 2 * flatbuffer.PIECE_BYTES - 3):
            for count in (0, 1, 7, flatbuffer.PIECE_BYTES + 1):
                assert data.at(place, count) == content[place : place + count]
        with pytest.raises(flatbuffer.Broken):
            data.at(len(content) - 1, 2)
