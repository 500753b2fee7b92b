"""The cache: its entries, their removal, and what killed processes leave behind."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from jaxdepth.data import cache
from jaxdepth.errors import InputError

KILLED = """
import os, signal, sys
from jaxdepth.data import cache

def make(folder):
    cache.create(folder, "depth", (1000,), "float32")[:500] = 1
    os.kill(os.getpid(), signal.SIGKILL)

cache.arrays("rooms", ["killed"], make, cache_dir=sys.argv[1])
"""


def make(folder):
    cache.create(folder, "depth", (2,), "float32")[:] = 3
    return {}


def make_entries(tmp_path, kinds=("nyu", "rooms", "folder")):
    """Makes an entry of each kind, the first one used last; returns their names."""
    names = []
    for age, kind in enumerate(kinds):
        before = set(tmp_path.iterdir())
        cache.arrays(kind, [kind], make, cache_dir=tmp_path)
        (folder,) = set(tmp_path.iterdir()) - before
        os.utime(folder / "meta.json", (1e9 - 60 * age, 1e9 - 60 * age))
        names.append(folder.name)
    return names


def test_unfinished_entries_of_killed_processes_are_removed_after_a_day(tmp_path):
    assert subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], timeout=120).returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert ".part-" in left.name
    cache.arrays("rooms", ["a"], make, cache_dir=tmp_path)
    assert left.exists(), "another process may be making it"

    two_days_ago = time.time() - 2 * 86400
    os.utime(left, (two_days_ago, two_days_ago))
    cache.arrays("rooms", ["b"], make, cache_dir=tmp_path)
    assert left.exists(), "its array was written just now"

    os.utime(left / "depth.npy", (two_days_ago, two_days_ago))
    cache.arrays("rooms", ["c"], make, cache_dir=tmp_path)
    assert not left.exists()
    arrays, _ = cache.arrays("rooms", ["a"], lambda folder: 1 / 0, cache_dir=tmp_path)
    assert arrays["depth"].tolist() == [3, 3], "finished entries stay"
    assert len(list(tmp_path.iterdir())) == 3


def test_entries_are_listed_with_their_size_and_last_use(tmp_path):
    assert cache.entries(cache_dir=tmp_path / "missing") == []
    names = make_entries(tmp_path)
    (tmp_path / "compiled").mkdir()  # of jax
    listed = cache.entries(cache_dir=tmp_path)
    assert [entry.folder.name for entry in listed] == names
    for i, entry in enumerate(listed):
        assert entry.used == 1e9 - 60 * i
        assert entry.size == sum(file.stat().st_size for file in entry.folder.iterdir()) > 100
        line = str(entry)
        assert line.endswith(names[i]) and "0.0 MB" in line and "2001-09-" in line


def test_opening_an_entry_counts_as_use(tmp_path):
    *_, oldest = make_entries(tmp_path)
    cache.arrays("folder", ["folder"], lambda folder: 1 / 0, cache_dir=tmp_path)
    first, *_ = cache.entries(cache_dir=tmp_path)
    assert first.folder.name == oldest and abs(first.used - time.time()) < 60


def test_unfinished_entries_are_not_listed_and_not_removed(tmp_path):
    (name,) = make_entries(tmp_path, kinds=("rooms",))
    unfinished = tmp_path / "nyu-0123456789abcdef.part-xy"
    unfinished.mkdir()
    (unfinished / "meta.json").write_text("{}")  # the last file that is written
    (listed,) = cache.entries(cache_dir=tmp_path)
    assert listed.folder.name == name
    cache.remove(["all"], cache_dir=tmp_path)
    assert list(tmp_path.iterdir()) == [unfinished]


def test_entries_are_removed_by_name_or_all_together(tmp_path):
    names = make_entries(tmp_path)
    removed = cache.remove([names[1], names[1]], cache_dir=tmp_path)
    assert [entry.folder.name for entry in removed] == [names[1]]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([names[0], names[2]])
    assert {entry.folder.name for entry in cache.remove(["all"], cache_dir=tmp_path)} == {names[0], names[2]}
    assert not list(tmp_path.iterdir())
    assert cache.remove(["all"], cache_dir=tmp_path) == []


def test_an_unknown_name_removes_nothing(tmp_path):
    names = make_entries(tmp_path)
    with pytest.raises(InputError, match=f"cache entry 'nyu-0': expected all, or some of {', '.join(names)}$"):
        cache.remove([names[0], "nyu-0"], cache_dir=tmp_path)
    with pytest.raises(InputError, match="cache entry '../outside'"):
        cache.remove(["../outside", "all"], cache_dir=tmp_path)
    assert len(cache.entries(cache_dir=tmp_path)) == 3
    with pytest.raises(InputError, match="cache entry 'a': expected all, or some of none"):
        cache.remove(["a"], cache_dir=tmp_path / "empty")


def test_large_arrays_are_lazy_and_small_ones_are_mapped(tmp_path, monkeypatch):
    def make_two(folder):
        cache.create(folder, "large", (50, 4), "float32")[:] = np.arange(200).reshape(50, 4)
        cache.create(folder, "small", (5,), "float32")[:] = 1
        return {"fact": 7}

    monkeypatch.setattr(cache, "_LARGE", 800)
    for _ in range(2):  # made, then read
        arrays, facts = cache.arrays("rooms", [1], make_two, cache_dir=tmp_path)
        assert facts == {"fact": 7}
        assert isinstance(arrays["small"].base, np.memmap) and not arrays["small"].flags.writeable
        assert isinstance(arrays["large"], cache.LazyArray)
        np.testing.assert_array_equal(arrays["large"][np.array([49, 0])], [[196, 197, 198, 199], [0, 1, 2, 3]])


def flip(file, at):
    """Flips a bit of a file's byte."""
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content)


def make_frames(folder):
    cache.create(folder, "depth", (50, 4), "float32")[:] = np.arange(200).reshape(50, 4)
    return {}


def test_a_flipped_bit_in_a_small_array_is_found_and_the_entry_is_made_again(tmp_path):
    cache.arrays("rooms", [1], make_frames, cache_dir=tmp_path)
    (folder,) = tmp_path.iterdir()
    for at in (128, 128 + 799):
        flip(folder / "depth.npy", at)
        arrays, _ = cache.arrays("rooms", [1], make_frames, cache_dir=tmp_path)
        np.testing.assert_array_equal(arrays["depth"], np.arange(200).reshape(50, 4))


def test_a_flipped_bit_in_a_frame_of_a_large_array_is_named_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "_LARGE", 800)
    cache.arrays("rooms", [1], make_frames, cache_dir=tmp_path)
    (folder,) = tmp_path.iterdir()
    flip(folder / "depth.npy", 128 + 16 * 7)
    arrays, _ = cache.arrays("rooms", [1], lambda folder: 1 / 0, cache_dir=tmp_path)
    np.testing.assert_array_equal(arrays["depth"][6:9:2], [[24, 25, 26, 27], [32, 33, 34, 35]])
    with pytest.raises(
        InputError, match=f"depth.npy: frame 7 is damaged: .*jaxdepth prepare-data cache remove {folder.name}`$"
    ):
        arrays["depth"][5:9]
    cache.remove([folder.name], cache_dir=tmp_path)
    arrays, _ = cache.arrays("rooms", [1], make_frames, cache_dir=tmp_path)
    assert arrays["depth"][7].tolist() == [28, 29, 30, 31]


def test_entries_without_checksums_are_read(tmp_path, monkeypatch):
    cache.arrays("rooms", [1], make_frames, cache_dir=tmp_path)
    (meta,) = tmp_path.glob("*/meta.json")
    content = json.loads(meta.read_text())
    del content["crc32"]
    meta.write_text(json.dumps(content))
    for large in (801, 800):
        monkeypatch.setattr(cache, "_LARGE", large)
        arrays, _ = cache.arrays("rooms", [1], lambda folder: 1 / 0, cache_dir=tmp_path)
        assert arrays["depth"][7].tolist() == [28, 29, 30, 31]


@pytest.mark.parametrize("below", ["", "below"])
def test_a_cache_that_cannot_be_written_names_the_setting(tmp_path, monkeypatch, below):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("JAXDEPTH_CACHE", str(tmp_path / "file" / below))
    with pytest.raises(
        OSError, match="file.*: the cache cannot be written there .*JAXDEPTH_CACHE names another"
    ) as raised:
        cache.arrays("rooms", [1], make, cache_dir=None)
    assert "\n" not in str(raised.value) and "Errno" not in str(raised.value)
    assert (tmp_path / "file").read_text() == "not a folder"
