"""The cache of nyu_depth_v2_labeled.mat: one conversion for each frame size, whole or not at all."""

import os
import resource
import shutil

import fake_nyu
import numpy as np
import pytest

from jaxdepth.data import cache
from jaxdepth.data.frames import LazyArray
from jaxdepth.data.sources import nyu


class Conversions:
    """Counts conversions."""

    def __init__(self, monkeypatch):
        self.count = 0
        convert = nyu._convert

        def counted(*args):
            self.count += 1
            return convert(*args)

        monkeypatch.setattr(nyu, "_convert", counted)


def test_a_file_is_converted_once_for_each_frame_size(good, tmp_path, monkeypatch):
    conversions, path, cache = Conversions(monkeypatch), shutil.copy(good, tmp_path / "a.mat"), tmp_path / "cache"
    first = nyu.open_nyu(path, cache_dir=cache)
    second = nyu.open_nyu(path, cache_dir=cache)
    assert conversions.count == 1 and len(os.listdir(cache)) == 1
    for name in ("images", "depths"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
        mapped = getattr(second, name)
        assert not mapped.flags.writeable and isinstance(mapped.base, np.memmap)
    nyu.open_nyu(path, frame_size=(120, 160), cache_dir=cache)
    assert conversions.count == 2
    stat = os.stat(path)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    nyu.open_nyu(path, cache_dir=cache)
    assert conversions.count == 3


def test_the_cache_folder_comes_from_the_environment(good, tmp_path, monkeypatch):
    monkeypatch.setenv("JAXDEPTH_CACHE", str(tmp_path / "mine"))
    nyu.open_nyu(good, frame_size=(24, 32))
    assert (next((tmp_path / "mine").iterdir()) / "meta.json").is_file()
    monkeypatch.delenv("JAXDEPTH_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    nyu.open_nyu(good, frame_size=(24, 32))
    assert len(os.listdir(tmp_path / "home/.cache/jaxdepth")) == 1


@pytest.mark.parametrize("name", ["images.npy", "depths.npy", "ids.npy", "meta.json"])
@pytest.mark.parametrize("how", ["short", "gone", "empty"])
def test_a_damaged_cache_is_made_again(good, tmp_path, monkeypatch, name, how):
    expected = np.array(nyu.open_nyu(good, frame_size=(24, 32), cache_dir=tmp_path).depths)
    (folder,) = tmp_path.iterdir()
    file = folder / name
    if how == "gone":
        file.unlink()
    else:
        os.truncate(file, 0 if how == "empty" else file.stat().st_size - 10)
    conversions = Conversions(monkeypatch)
    frames = nyu.open_nyu(good, frame_size=(24, 32), cache_dir=tmp_path)
    assert conversions.count == 1 and list(tmp_path.iterdir()) == [folder]
    np.testing.assert_array_equal(frames.depths, expected)
    assert frames.ids.tolist() == [3, 5, 1449]


@pytest.mark.parametrize("killed", [False, True])
def test_an_interrupted_conversion_leaves_no_complete_entry(good, tmp_path, monkeypatch, killed):
    class Stopped(BaseException):
        pass

    calls = []

    def shrink_once(picture, frame_size):
        calls.append(frame_size)
        if len(calls) == 2:
            raise Stopped
        return np.zeros((*frame_size, 3), np.uint8)

    with monkeypatch.context() as patch:
        patch.setattr(nyu.resize, "shrink", shrink_once)
        if killed:  # no chance to clean up
            patch.setattr(cache.shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(Stopped):
            nyu.open_nyu(good, frame_size=(24, 32), cache_dir=tmp_path)
    assert len(list(tmp_path.iterdir())) == (1 if killed else 0)
    frames = nyu.open_nyu(good, frame_size=(24, 32), cache_dir=tmp_path)
    assert frames.images[1].any()


def test_a_full_disk_leaves_nothing(good, tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, limits[1]))  # less than the images need
    try:
        with pytest.raises(OSError, match="could not be written: .*File too large"):
            nyu.open_nyu(good, frame_size=(24, 32), cache_dir=tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())
    assert len(nyu.open_nyu(good, frame_size=(24, 32), cache_dir=tmp_path)) == 3


def test_labels_are_read_lazily_and_equal_the_files(good, tmp_path, monkeypatch):
    read, arrays = nyu._read, []
    monkeypatch.setattr(
        nyu, "_read", lambda file, path, name, block: arrays.append(name) or read(file, path, name, block)
    )
    for _ in range(2):  # converted, then cached
        frames = nyu.open_nyu(good, frame_size=(24, 32), cache_dir=tmp_path)
        assert isinstance(frames.labels, LazyArray) and "labels" not in arrays
    (entry,) = tmp_path.iterdir()
    assert sorted(file.name for file in entry.iterdir()) == ["depths.npy", "ids.npy", "images.npy", "meta.json"]
    np.testing.assert_array_equal(frames.labels[1], fake_nyu.frame(5)[2][10::20, 10::20])
    assert arrays.count("labels") == 1 and frames.labels[:].shape == (3, 24, 32)


def test_two_conversions_at_the_same_time(good, tmp_path, monkeypatch):
    convert = nyu._convert

    def overtaken(*args):
        monkeypatch.setattr(nyu, "_convert", convert)
        nyu.open_nyu(good, frame_size=(24, 32), cache_dir=tmp_path)  # another process is faster
        return convert(*args)

    monkeypatch.setattr(nyu, "_convert", overtaken)
    frames = nyu.open_nyu(good, frame_size=(24, 32), cache_dir=tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    np.testing.assert_array_equal(frames.depths[2], fake_nyu.frame(1449)[1][10::20, 10::20])
