"""The YAML of a contract: values stay what was written, and whatever could surprise is refused with its place."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from bench.contract.load import load
from bench.contract.nodes import MAX_BYTES, Items, Pairs, Scalar, compose
from bench.contract.problems import ContractProblems
from tests.contract.contracts import WHOLE, changed, loaded, problem, problems, write


@pytest.mark.parametrize("text", ["1.10", "1e-4", "on", "yes", "12:30", "0o17", "1_000", "2024-01-01", ".inf", "null "])
def test_a_plain_value_keeps_its_text(text: str) -> None:
    node = compose(f"key: {text}".encode(), "f")
    assert isinstance(node, Pairs)
    value = node.pairs[0][1]
    assert isinstance(value, Scalar)
    assert value.text == text.strip()
    assert value.plain


def test_every_node_knows_its_line_and_column() -> None:
    root = compose(b"first: 1\nsecond:\n  - {a: b}\n", "f")
    assert isinstance(root, Pairs)
    key, value = root.pairs[1]
    assert (key.place.line, key.place.column) == (2, 1)
    assert isinstance(value, Items)
    inner = value.items[0]
    assert isinstance(inner, Pairs)
    assert (inner.pairs[0][1].place.line, inner.pairs[0][1].place.column) == (3, 9)


def test_a_version_like_a_number_stays_as_written(tmp_path: Path) -> None:
    assert loaded(tmp_path).version == "1.10"


@pytest.mark.parametrize("word", ["on", "yes", "no", "true", "0123", "1e3"])
def test_words_that_yaml_would_convert_are_names(tmp_path: Path, word: str) -> None:
    contract = loaded(tmp_path, changed("torch-ts: pytorch", f"{word}: pytorch"))
    assert contract.targets[1].name == word


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("a: 1\na: 2\n", "2:1", "`a` stands here twice, first in line 1: leave one out"),
        ("a: {b: 1, c: 2, b: 3}\n", "1:17", "`b` stands here twice"),
        ("a: &x [1]\n", "1:4", "`&x`: anchors are not read here"),
        ("a: *x\n", "1:4", "`*x`: aliases are not read here"),
        ("a: !!python/object:os.system {}\n", "1:4", "tags are not read here"),
        ("a: !mine b\n", "1:4", "`!mine`: tags are not read here"),
        ("? [a]\n: 2\n", "1:3", "a key must be a word"),
        ("? {a: b}\n: 2\n", "1:3", "a key must be a word"),
        ("a: 1\n---\nb: 1\n", "2:1", "a second document begins here"),
        ("a:\n\tb: 1\n", "2:1", "there is a tab here: indent with spaces"),
        ("a:\n  b: 1\n\tc: 2\n", "3:1", "there is a tab here"),
        ("a: >= 97 %\n", "1:5", "must stand in quotes"),
        ("a: {b: >= 97 %}\n", "1:8", "must stand in quotes"),
        ("a: @b\n", "1:4", "a value cannot begin with @"),
        ("a: b: c\n", "1:5", "this is not YAML"),
        ("a: [1, 2\n", "2:1", "this is not YAML"),
        ('a: "b\n', "2:1", "this is not YAML"),
        ("a: \x01\n", "1:4", "the character U+0001 cannot stand in YAML"),
        ("a: 1\nb: \x00\n", "2:4", "the character U+0000 cannot stand in YAML"),
    ],
)
def test_yaml_that_is_wrong_or_surprising_is_refused_where_it_stands(
    tmp_path: Path, text: str, where: str, message: str
) -> None:
    found = [one for one in problems(tmp_path, text) if one.startswith(f"{where}: ")]
    assert any(message in one for one in found), found


def test_a_bomb_of_aliases_is_refused_at_once(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, 30)]
    # 9**30 nodes: resolved, they would not end before the test's timeout
    assert "aliases are not read here" in "\n".join(problems(tmp_path, "\n".join(lines)))


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "{a: " * 100_000, "- " * 50_000, "a: " + "[" * 400_000 + "]" * 400_000]
)
def test_deep_nesting_is_one_clear_error(tmp_path: Path, text: str) -> None:
    assert re.search("nested more than 16 deep|not YAML", problem(tmp_path, text))


def test_very_many_values_are_refused(tmp_path: Path) -> None:
    assert "holds more than 20000 values" in problem(tmp_path, "a: [" + "1," * 30_000 + "1]")


def test_a_file_larger_than_a_mebibyte_is_refused_unread(tmp_path: Path) -> None:
    assert "larger than 1 MiB" in problem(tmp_path, b"#" * (MAX_BYTES + 1))
    sparse = tmp_path / "sparse.yaml"
    with sparse.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ContractProblems, match="larger than 1 MiB"):
        load(sparse)


def test_a_file_that_is_not_utf_8_says_from_where_on(tmp_path: Path) -> None:
    assert problem(tmp_path, b"model: 1\nname: caf\xe9\n").startswith("2:10: the file is not UTF-8")
    assert "UTF-8" in problem(tmp_path, WHOLE.encode("utf-16"))


def test_half_a_surrogate_pair_is_no_character_and_a_whole_one_is(tmp_path: Path) -> None:
    assert "holds half of a surrogate pair" in problem(tmp_path, WHOLE.replace("digits-cnn", r'"a\ud800b"'))
    assert (
        load(write(tmp_path, WHOLE.replace("digits-cnn", r'"a\ud83d\ude00b"').encode())).name == "a\N{GRINNING FACE}b"
    )


def test_a_byte_order_mark_is_no_part_of_the_contract(tmp_path: Path) -> None:
    assert load(write(tmp_path, b"\xef\xbb\xbf" + WHOLE.encode())).name == "digits-cnn"


def test_windows_line_ends_are_read(tmp_path: Path) -> None:
    assert load(write(tmp_path, WHOLE.replace("\n", "\r\n").encode())).name == "digits-cnn"


@pytest.mark.parametrize("text", ["", "# nothing\n", "benchpact", "- a\n- b\n", "42", "---\n...\n"])
def test_a_file_that_is_no_mapping_is_no_contract(tmp_path: Path, text: str) -> None:
    assert "this is no contract: it begins with `benchpact: 1`" in problem(tmp_path, text)


def test_a_missing_file_names_what_is_near(tmp_path: Path) -> None:
    write(tmp_path, WHOLE)
    with pytest.raises(
        ContractProblems, match=r"contrat\.yaml:1:1: there is no such file: did you mean `contract\.yaml`"
    ):
        load(tmp_path / "contrat.yaml")


def test_a_missing_file_that_nothing_is_near_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(ContractProblems) as raised:
        load(tmp_path / "contract.yaml")
    assert str(raised.value).endswith("there is no such file, nor any other `.yaml` or `.yml` beside it")


def test_a_folder_and_a_pipe_are_no_contract(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    for path in (tmp_path, tmp_path / "pipe.yaml", Path("/dev/zero")):
        with pytest.raises(ContractProblems, match="this is not a file"):
            load(path)


def test_a_path_that_is_none_is_a_problem() -> None:
    with pytest.raises(ContractProblems, match="cannot be read"):
        load(Path("a\0b"))
