"""What is kept on a board and what is removed: bounded, the oldest first, and never anything outside the folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.device import cache as cache_module
from bench.device import shipped
from bench.device.cache import OutsideCache, cache_folder, clean, entries, keep_within, size_of
from bench.device.turns import open_lock, take

KIB = 1024


def entry(cache: Path, name: str, size: int, used: int) -> Path:
    """An entry of ``size`` bytes that was last used ``used`` seconds after the epoch."""
    path = cache / name
    path.mkdir(parents=True)
    (path / "data").write_bytes(b"x" * size)
    os.utime(path, (used, used))
    return path


def test_the_oldest_go_until_the_rest_fits(tmp_path: Path) -> None:
    old, middle, new = (entry(tmp_path, f"files/{at}", 10 * KIB, at) for at in (1, 2, 3))
    assert keep_within(tmp_path, 25 * KIB) == [old]
    assert middle.exists() and new.exists()


def test_nothing_goes_while_all_fits(tmp_path: Path) -> None:
    entry(tmp_path, "files/1", 10 * KIB, 1)
    assert keep_within(tmp_path, 10 * KIB) == []


def test_the_environment_in_use_and_what_is_to_be_kept_stay(tmp_path: Path) -> None:
    used = entry(tmp_path, "env/aa", 10 * KIB, 1)
    (tmp_path / "env/current").symlink_to("aa")
    kept, old = entry(tmp_path, "files/1", 10 * KIB, 2), entry(tmp_path, "env/bb", 10 * KIB, 3)
    assert keep_within(tmp_path, 1, keep=[kept]) == [old]
    assert used.exists() and kept.exists()


def test_links_are_neither_counted_nor_followed(tmp_path: Path) -> None:
    outside = entry(tmp_path, "elsewhere/1", 10 * KIB, 1)
    cache = tmp_path / "cache"
    held = entry(cache, "files/2", KIB, 2)
    (held / "link").symlink_to(outside)
    (cache / "files/3").symlink_to(outside)
    (cache / "env").symlink_to(outside.parent)
    assert [(one.path, one.bytes) for one in entries(cache)] == [(held, KIB)]
    assert keep_within(cache, 0) == [held]
    assert size_of(outside) == 10 * KIB


def test_cleaning_removes_all_of_ours_and_nothing_that_a_link_leads_to(tmp_path: Path) -> None:
    outside = entry(tmp_path, "elsewhere/1", 10 * KIB, 1)
    cache = tmp_path / "cache"
    entry(cache, "files/2", KIB, 2)
    (cache / "files/2/link").symlink_to(outside)
    (cache / "agent").symlink_to(outside)
    assert clean(cache) == KIB
    assert not cache.exists()
    assert size_of(outside) == 10 * KIB
    assert clean(cache) == 0


def test_a_cache_that_is_itself_a_link_is_left_alone(tmp_path: Path) -> None:
    outside = entry(tmp_path, "elsewhere", KIB, 1)
    (tmp_path / "cache").symlink_to(outside)
    with pytest.raises(OutsideCache):
        clean(tmp_path / "cache")
    assert (outside / "data").exists()


def test_what_is_shipped_makes_room_for_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(cache_module, "QUOTA_BYTES", 15 * KIB)
    cache = tmp_path / "benchpact"
    old, new = entry(cache, "files/1", 10 * KIB, 1), entry(cache, "files/2", 10 * KIB, 3)
    agent = entry(cache, "agent/1", 10 * KIB, 2)
    shipped.put({"files": []})
    assert not old.exists() and not agent.exists()
    assert new.exists()


def test_nothing_is_removed_to_make_room_while_a_worker_is_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(cache_module, "QUOTA_BYTES", 15 * KIB)
    cache = tmp_path / "benchpact"
    old = entry(cache, "files/1", 20 * KIB, 1)
    lock = open_lock(cache)
    try:
        assert take(lock) is None
        shipped.put({"files": []})
        assert old.exists()
    finally:
        os.close(lock)
    shipped.put({"files": []})
    assert not old.exists()


def test_an_agent_at_work_and_a_file_that_is_being_sent_stay_however_old(tmp_path: Path) -> None:
    agent, file, part = (entry(tmp_path, name, 10 * KIB, 1) for name in ("agent/1", "files/2", "parts/3"))
    program = "import sys; from pathlib import Path; from bench.device.turns import hold; "
    program += "[hold(Path(one)) for one in sys.argv[1:]]; print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program, agent, part], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"\n"
        os.utime(agent, (1, 1))  # holding is using
        assert keep_within(tmp_path, 0) == [file]
        assert agent.exists() and part.exists()
        holder.communicate()
    assert set(keep_within(tmp_path, 0)) == {agent, part}


@pytest.mark.parametrize(
    ("told", "folder"), [("/x", "/x/benchpact"), ("", "/h/.cache/benchpact"), ("rel", "/h/.cache/benchpact")]
)
def test_where_it_is(told: str, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", told)
    monkeypatch.setenv("HOME", "/h")
    assert str(cache_folder()) == folder
