"""A folder that is too large for the cache: each frame is read from its files when it is needed."""

import collections
import hashlib
import json
import logging
import os
import shutil

import numpy as np
import pytest
import small
from test_folder import write_folder, write_pair

from jaxdepth import evaluate, train
from jaxdepth.data import cache
from jaxdepth.data.batches import tfdata
from jaxdepth.data.frames import LazyArray
from jaxdepth.data.sources import folder as folder_source
from jaxdepth.data.sources import pairs
from jaxdepth.data.sources.folder import open_folder
from jaxdepth.errors import InputError
from jaxdepth.runs import metrics_log

SIZE = (60, 80)
NBYTES = 10 * 60 * 80 * 7  # of ten frames


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXDEPTH_CACHE", str(tmp_path / "cache"))
    return write_folder(tmp_path / "own", 10)


def test_the_frames_are_the_same_bit_for_bit(own, tmp_path, monkeypatch, caplog):
    depth = np.full((96, 128), 2.0)
    depth[0, :3], depth[1, :4], depth[2, :5], depth[3, :6], depth[4, :7] = np.nan, np.inf, -1, 0, 4
    (own / "depths/003.png").unlink()
    np.save(own / "depths/003.npy", depth)
    write_pair(own, "004", np.full((48, 75, 3), 100, np.uint8), np.full((24, 37), 3.0))
    rule = dict(frame_size=SIZE, invalid=(4,), max_depth=5.0)
    converted = open_folder(own, **rule, cache_dir=tmp_path / "other")
    monkeypatch.setattr(cache, "LIMIT", NBYTES - 1)
    with caplog.at_level(logging.INFO):
        lazy = open_folder(own, **rule)
    assert "each is read from its files when it is needed, and the depths of 10 of 10 frames are checked" in caplog.text
    assert not (tmp_path / "cache").exists()
    assert isinstance(lazy.images, LazyArray) and isinstance(converted.images, np.ndarray)
    for name in ("images", "depths"):
        one, other = getattr(lazy, name), getattr(converted, name)
        assert one.shape == other.shape and one.dtype == other.dtype
        np.testing.assert_array_equal(one[:], other)
        np.testing.assert_array_equal(one[np.array([7, 3])], other[[7, 3]])
    for index in (3, 4):
        np.testing.assert_array_equal(lazy.full_depth(index), converted.full_depth(index))
        assert lazy.picture_size(index) == converted.picture_size(index)
    np.testing.assert_array_equal(lazy.ids, converted.ids)
    assert (lazy.names, lazy.description, lazy.counts) == (converted.names, converted.description, {})


def test_what_fits_is_converted_and_stays_so(own, tmp_path, monkeypatch):
    """An entry is used whatever room is left for another one."""
    usage = collections.namedtuple("usage", "total used free")
    monkeypatch.setattr(cache, "LIMIT", NBYTES)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, NBYTES))
    assert not isinstance(open_folder(own, frame_size=(30, 40)).images, LazyArray)
    assert isinstance(open_folder(own, frame_size=SIZE).images, LazyArray), "nearly all of the free disk"
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, 2 * NBYTES))
    assert not isinstance(open_folder(own, frame_size=SIZE).images, LazyArray)
    monkeypatch.setattr(cache, "LIMIT", 0)
    assert not isinstance(open_folder(own, frame_size=SIZE).images, LazyArray)


def test_some_depths_are_checked(own, monkeypatch):
    monkeypatch.setattr(cache, "LIMIT", 0)
    monkeypatch.setattr(folder_source, "_SURVEYED", 4)
    reads, read = [], pairs.read
    monkeypatch.setattr(pairs, "read", lambda pair, **settings: reads.append(pair.name) or read(pair, **settings))
    frames = open_folder(own, frame_size=SIZE)
    assert reads == ["000", "003", "006", "009"]
    (frames.images[5], frames.depths[5])
    assert reads[4:] == ["005"], "a picture and its depth are read together"
    with pytest.raises(InputError, match="millimetres"):
        open_folder(own, frame_size=SIZE, depth_scale=1.0)


@pytest.mark.parametrize("damage", ["cut", "missing", "size"])
def test_a_broken_file_is_named_when_it_is_read(own, monkeypatch, damage):
    monkeypatch.setattr(cache, "LIMIT", 0)
    monkeypatch.setattr(folder_source, "_SURVEYED", 2)
    frames = open_folder(own, frame_size=SIZE, intrinsics=(100.0,))
    file = own / "images/004.png"
    if damage == "cut":
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    elif damage == "missing":
        file.unlink()
    else:
        write_pair(own, "004", np.zeros((48, 64, 3), np.uint8), np.ones((48, 64)))
    with pytest.raises((InputError, OSError), match="images/004.png"):
        frames.depths[4]
    assert frames.depths[5].any()


@pytest.mark.parametrize("batches", ["tfdata", "device"])
def test_a_training_reads_its_frames_or_names_the_broken_file(own, tmp_path, monkeypatch, batches):
    monkeypatch.setattr(cache, "LIMIT", 0)
    data = {"data.source": "folder", "data.batches": batches}
    scores = train.train_and_evaluate(small.settings(own, name="mean_depth", steps=2, **data), tmp_path / "lazy")
    result = evaluate.evaluate_checkpoint(tmp_path / "lazy", protocol="paper")
    assert result["metrics"] == pytest.approx(scores["stored"], rel=1e-6)
    monkeypatch.setattr(folder_source, "_SURVEYED", 2)
    (own / "images/004.png").write_text("no picture")
    with pytest.raises(InputError, match="images/004.png': not a picture"):
        train.train_and_evaluate(small.settings(own, name="mean_depth", steps=20, **data), tmp_path / "broken")


def test_a_run_goes_on_when_its_cache_no_longer_fits(own, tmp_path, monkeypatch):
    settings = small.settings(own, name="mean_depth", steps=2, **{"data.source": "folder", "data.batches": "tfdata"})
    train.train_and_evaluate(settings, tmp_path / "run")
    shutil.rmtree(tmp_path / "cache")
    monkeypatch.setattr(cache, "LIMIT", 0)
    settings.steps = 4
    train.train_and_evaluate(settings, tmp_path / "run")
    assert not (tmp_path / "cache").exists()
    assert [line["step"] for line in metrics_log.read(tmp_path / "run")][-1] == 4


def test_the_batches_of_tf_data_name_a_broken_file(own, monkeypatch):
    monkeypatch.setattr(cache, "LIMIT", 0)
    frames = open_folder(own, frame_size=SIZE)
    (own / "depths/004.png").unlink()
    settings = dict(crop_size=(48, 64), scale=(0.75, 1.25), rotation=5.0, flip=True, colour=0.1, light=0.1)
    batches = tfdata.train_batches(frames, np.arange(10), batch_size=2, seed=0, **settings)
    with pytest.raises(FileNotFoundError, match="depths/004.png"):
        for _ in range(6):
            next(batches)


def test_the_state_of_the_files_is_hashed_as_by_earlier_versions(own):
    (own / "images/009.png").rename(own / 'images/n\u00e4me "9".png')
    (own / "depths/009.png").rename(own / 'depths/n\u00e4me "9".png')
    listing = pairs.find(own)
    files = [file for pair in listing for file in (pair.picture, pair.depth)]
    state = [[str(f.relative_to(own)), os.stat(f).st_size, os.stat(f).st_mtime_ns] for f in files]
    assert folder_source._state(listing) == hashlib.sha256(json.dumps(state).encode()).hexdigest()
