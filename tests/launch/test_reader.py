"""Bytes to records: cut anywhere, they give the same records; anything else is a RecordError and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.device import records
from bench.device.records import Job, RecordError
from bench.launch.reader import RecordReader
from tests.launch.talk import job

NAMES = st.text(max_size=5).filter(lambda name: name not in ("kind", "payload"))
FIELDS = st.dictionaries(NAMES, st.integers() | st.text())
RECORDS = st.lists(st.tuples(st.text(min_size=1, max_size=8), FIELDS, st.binary(max_size=64)), max_size=6)


def encoded(told: list[tuple[str, dict[str, Any], bytes]]) -> bytes:
    return b"".join(records.encode(kind, fields, len(payload)) + payload for kind, fields, payload in told)


@settings(deadline=None, max_examples=150)
@given(RECORDS, st.data())
def test_records_cut_anywhere_come_whole_and_in_order(told: list[Any], data: st.DataObject) -> None:
    stream, reader, heard = encoded(told), RecordReader(), []
    at = 0
    while at < len(stream):
        size = data.draw(st.integers(1, 40))
        heard += list(reader.feed(stream[at : at + size]))
        at += size
    assert heard == told


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: text.encode() + b"\n"))
def test_random_bytes_are_records_or_a_record_error(stream: bytes) -> None:
    reader = RecordReader()
    try:
        for kind, _, payload in reader.feed(stream):
            assert isinstance(kind, str)
            assert len(payload) <= len(stream)
    except RecordError:
        pass


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"garbage",
        b"[]",
        b'"text"',
        b"{}",
        b'{"kind": 1}',
        b'{"kind": "block", "payload": -1}',
        b'{"kind": "block", "payload": true}',
        b'{"kind": "block", "payload": 1e3}',
        b'{"kind": "block", "payload": %d}' % (records.MAX_PAYLOAD_BYTES + 1),
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"kind": %s}' % (b"9" * 5000),
    ],
)
def test_a_line_that_is_no_record_is_refused(line: bytes) -> None:
    with pytest.raises(RecordError):
        list(RecordReader().feed(line + b"\n"))


def test_a_line_without_end_is_refused_before_it_fills_the_memory() -> None:
    reader = RecordReader()
    for _ in range(4):
        assert list(reader.feed(b"x" * (1 << 18))) == []
    with pytest.raises(RecordError, match="a line of more than 1048576 bytes"):
        list(reader.feed(b"x"))


def test_a_job_comes_through_as_it_was() -> None:
    one = job(extra={"a": 1.5, "b": "ü"}, dims={"height": 3}, state={"h": "h_out"})
    assert records.decode_job(records.encode_job(one)) == one
    assert records.encode_job(one).count(b"\n") == 1


@pytest.mark.parametrize("line", [b"{}", b"[]", b"x", b'{"case": 1, "inputs": [3], "outputs": []}', b'{"inputs": 3}'])
def test_a_line_that_is_no_job_is_refused(line: bytes) -> None:
    with pytest.raises(RecordError):
        records.decode_job(line)


def test_a_job_with_a_word_too_much_is_refused() -> None:
    fields = json.loads(records.encode_job(job()))
    with pytest.raises(RecordError, match="not a job"):
        records.decode_job(json.dumps({**fields, "more": 1}).encode())
    assert isinstance(records.decode_job(json.dumps(fields).encode()), Job)
