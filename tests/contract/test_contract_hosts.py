"""Where a target is: its host, cores and Python, from the contract or the site's file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.contract.host_words import cores_of, show_cores
from bench.contract.load import load_targets
from tests.contract.contracts import changed, loaded, problem, write


def with_words(words: str) -> str:
    return changed("  torch-ts: pytorch\n", f"  there: {{backend: 'null', {words}}}\n")


def test_a_target_without_a_host_is_here_on_any_core(tmp_path: Path) -> None:
    target = loaded(tmp_path).targets[0]
    assert (target.host, target.cores, target.python) == (None, (), None)


@pytest.mark.parametrize(
    ("words", "cores"),
    [("0-3", (0, 1, 2, 3)), ("2", (2,)), ("'0,2'", (0, 2)), ("[3, 0]", (0, 3)), ("['0-1', 4]", (0, 1, 4))],
)
def test_cores_are_written_as_people_write_them(tmp_path: Path, words: str, cores: tuple[int, ...]) -> None:
    assert loaded(tmp_path, with_words(f"cores: {words}")).targets[1].cores == cores


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.sets(st.integers(0, 40), min_size=1, max_size=12))
def test_cores_read_as_they_are_shown(cores: set[int]) -> None:
    assert cores_of(show_cores(tuple(sorted(cores)))) == tuple(sorted(cores))


@pytest.mark.parametrize("words", ["all", "3-1", "[]", "-1", "0-", "4096", "[a]", "{a: 1}", "'0;rm'"])
def test_what_names_no_cores_is_said_with_what_would_be_right(tmp_path: Path, words: str) -> None:
    assert "like `0-3` or `0,2`" in problem(tmp_path, with_words(f"cores: {words}"))


@pytest.mark.parametrize("host", ["-oProxyCommand=x", "a b", "$(touch x)", "a;b", "user@-x", "'a\"b'"])
def test_a_host_that_could_be_a_command_is_refused_where_it_stands(tmp_path: Path, host: str) -> None:
    assert "that is no host's name" in problem(tmp_path, with_words(f"host: {host}"))


@pytest.mark.parametrize("python", ["/bin/sh", "python3", "/usr/bin/python3 -c x", "/usr/bin/pythonista"])
def test_only_a_python_is_started_there(tmp_path: Path, python: str) -> None:
    assert "the path of a Python there" in problem(tmp_path, with_words(f"host: pi4, python: {python}"))


def test_a_python_without_a_host_means_nothing(tmp_path: Path) -> None:
    assert "`python` is about another machine" in problem(tmp_path, with_words("python: /usr/bin/python3"))


def test_the_site_says_where_and_the_contract_has_the_last_word(tmp_path: Path) -> None:
    site = "targets:\n  there: {backend: nope, host: pi4, cores: 0-3, python: ~/env/bin/python3.11}\n"
    path = write(tmp_path, site.replace("nope", "'null'"), "targets.yaml")
    alone = load_targets(path)[0]
    assert (alone.host, alone.cores, alone.python) == ("pi4", (0, 1, 2, 3), "~/env/bin/python3.11")
    target = loaded(tmp_path, with_words("cores: 1").replace("backend: 'null', ", "")).targets[1]
    assert (target.host, target.cores, target.python) == ("pi4", (1,), "~/env/bin/python3.11")
    assert target.places["host"].file == str(path)
