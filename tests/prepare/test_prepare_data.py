"""The command's usage, and its management of the cache."""

import os

import pytest
from prepare_command import ENVIRONMENT, prepare

from jaxdepth.data import cache

USAGE = (
    "expected nyu, nyu_raw RAW_FOLDER, tfds, check FOLDER, rooms [FOLDER], compare SOURCE[:PATH] ..., "
    "cache [remove NAME ...|all]"
)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["check"],
        ["chekc", "."],
        ["check", ".", "."],
        ["rooms", "9", "9"],
        ["compare"],
        ["cache", "list"],
        ["cache", "remove"],
    ],
)
def test_usage(arguments):
    done = prepare(*arguments)
    assert done.returncode == 1 and USAGE in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert ("error: chekc: no such command: expected" in done.stderr) == (arguments[:1] == ["chekc"])


@pytest.fixture
def filled(tmp_path):
    """A cache with two entries of 1 and 2 MB; the smaller one was used last."""

    def make(megabytes):
        def write(folder):
            cache.create(folder, "array", (megabytes, 1_000_000), "uint8")
            return {}

        return write

    for age, (kind, megabytes) in enumerate((("nyu", 1), ("rooms", 2))):
        cache.arrays(kind, [0], make(megabytes), cache_dir=tmp_path)
        (meta,) = tmp_path.glob(f"{kind}-*/meta.json")
        os.utime(meta, (1e9 - age, 1e9 - age))
    return tmp_path


def cache_command(folder, *arguments):
    return prepare("cache", *arguments, env=ENVIRONMENT | {"JAXDEPTH_CACHE": str(folder)})


def test_cache_lists_entries_and_their_total(filled):
    done = cache_command(filled)
    assert done.returncode == 0, done.stderr
    first, second, total = done.stdout.splitlines()
    for line, size, kind in ((first, "1.0 MB", "nyu"), (second, "2.0 MB", "rooms")):
        (folder,) = filled.glob(f"{kind}-*")
        assert line.strip().startswith(size) and "last used 2001-09-0" in line and line.endswith(f"  {folder.name}")
    assert total == f"2 entries, 3.0 MB, kept in {filled}"
    assert len(list(filled.iterdir())) == 2


def test_cache_removes_by_name_or_all(filled):
    (name,) = (folder.name for folder in filled.glob("nyu-*"))
    done = cache_command(filled, "remove", "nyu-unknown")
    assert done.returncode == 1 and done.stderr.splitlines()[-1].startswith(
        "error: cache entry 'nyu-unknown': expected"
    )
    assert len(list(filled.iterdir())) == 2
    done = cache_command(filled, "remove", name)
    assert done.stdout.splitlines()[-1] == f"1 entries, 1.0 MB, removed from {filled}"
    assert [folder.name.split("-")[0] for folder in filled.iterdir()] == ["rooms"]
    assert cache_command(filled, "remove", "all").stdout.splitlines()[-1].startswith("1 entries, 2.0 MB, removed")
    assert not list(filled.iterdir())
    assert cache_command(filled).stdout == f"0 entries, 0.0 MB, kept in {filled}\n"
