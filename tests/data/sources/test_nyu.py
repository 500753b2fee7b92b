"""The reader of nyu_depth_v2_labeled.mat: its frames, and the files that it refuses."""

import os
import shutil
import tracemalloc

import fake_nyu
import h5py
import numpy as np
import pytest

from jaxdepth.data.sources import nyu
from jaxdepth.errors import InputError

SHAPE = (640, 480)  # x, y


@pytest.fixture(scope="module")
def ramps(tmp_path_factory):
    """A frame that no transposition or flip maps to itself; picture [y, x, channel], depth and label [y, x]."""
    y, x = np.mgrid[:480, :640]
    picture = np.stack([y // 2, x // 3, (x + 2 * y) % 251], axis=-1).astype(np.uint8)
    depth = (1 + y / 100 + x / 10000).astype(np.float32)
    label = (y * 100 + x % 100).astype(np.uint16)
    folder = tmp_path_factory.mktemp("ramps")
    path = fake_nyu.write_mat(
        folder / nyu.FILE_NAME,
        1,
        ids=[7],
        images=picture.transpose(2, 1, 0)[None],
        depths=depth.T[None],
        labels=label.T[None],
    )
    return path, picture, depth, label


def areas(picture, size):
    """Area means in float64, from the overlap of every output pixel with every input pixel."""

    def overlap(n, m):
        low, high = np.arange(m)[:, None] * n / m, (np.arange(m)[:, None] + 1) * n / m
        pixel = np.arange(n)[None]
        return np.clip(np.minimum(high, pixel + 1) - np.maximum(low, pixel), 0, None) * m / n

    rows, columns = overlap(480, size[0]), overlap(640, size[1])
    return np.einsum("iy,jx,yxc->ijc", rows, columns, picture.astype(np.float64), optimize=True)


def test_halving_averages_four_pixels_in_the_right_orientation(ramps, tmp_path):
    path, picture, depth, label = ramps
    frames = nyu.open_nyu(path, cache_dir=tmp_path)
    assert (frames.name, len(frames), frames.size) == ("nyu", 1, (240, 320))
    assert frames.ids.tolist() == [7] and frames.ids.dtype == np.int64
    four = picture.astype(int)
    four = four[0::2, 0::2] + four[0::2, 1::2] + four[1::2, 0::2] + four[1::2, 1::2]
    np.testing.assert_array_equal(frames.images[0], (four + 2) // 4)
    assert frames.images.dtype == np.uint8
    for i, j in ((0, 0), (17, 200), (239, 319)):  # half-pixel rule: (i + .5) 480 / 240 = 2 i + 1
        assert frames.depths[0, i, j] == depth[2 * i + 1, 2 * j + 1]
        assert frames.labels[0][i, j] == label[2 * i + 1, 2 * j + 1]
    assert frames.depths.dtype == np.float32 and frames.labels.dtype == np.uint16
    np.testing.assert_array_equal(frames.full_depth(0), depth)


@pytest.mark.parametrize("size", [(480, 640), (160, 160), (100, 130), (229, 301)])
def test_other_sizes(ramps, tmp_path, size):
    path, picture, depth, label = ramps
    frames = nyu.open_nyu(path, frame_size=size, cache_dir=tmp_path)
    assert np.abs(frames.images[0] - areas(picture, size)).max() <= 0.5 + 1e-3  # rounded once
    rows = [int((i + 0.5) * 480 / size[0]) for i in range(size[0])]
    columns = [int((j + 0.5) * 640 / size[1]) for j in range(size[1])]
    np.testing.assert_array_equal(frames.depths[0], depth[np.ix_(rows, columns)])
    np.testing.assert_array_equal(frames.labels[0], label[np.ix_(rows, columns)])
    assert frames.intrinsics[0] == pytest.approx(518.8579 * size[1] / 640)
    assert frames.intrinsics[3] == pytest.approx(253.2362 * size[0] / 480 - 0.5)


@pytest.mark.parametrize("size", [(0, 320), (481, 640), (240, 641)])
def test_a_frame_size_out_of_range_is_refused(good, tmp_path, size):
    with pytest.raises(InputError, match=r"frame_size=.*: expected \(height, width\) from \(1, 1\) to \(480, 640\)"):
        nyu.open_nyu(good, frame_size=size, cache_dir=tmp_path)


def test_invalid_depths_become_0_and_are_counted(tmp_path):
    depths = np.full((3, *SHAPE), 2.5, np.float32)
    depths[0, :2, :3] = np.nan  # 6
    depths[0, 5, :4] = np.inf
    depths[0, 6, 0] = -np.inf  # 5 infinite in all
    depths[0, 7, :7] = -1e-3
    depths[0, 8, :9] = 0  # no measurement already: not counted
    depths[1] = 0  # no measurement
    depths[2] = -1
    path = fake_nyu.write_mat(tmp_path / "a.mat", 3, depths=depths)
    for _ in range(2):  # the second time from the cache
        frames = nyu.open_nyu(path, cache_dir=tmp_path / "cache")
        assert frames.counts == {"nan": 6, "inf": 5, "negative": 7 + 640 * 480, "empty_frames": 2}
    good = (depths > 0) & np.isfinite(depths)
    expected = np.where(good, 2.5, 0).swapaxes(1, 2)
    np.testing.assert_array_equal(frames.depths, expected[:, 1::2, 1::2])
    for index in range(3):
        np.testing.assert_array_equal(frames.full_depth(index), expected[index])


def cut_off(path):
    with open(path, "r+b") as file:
        file.truncate(path.stat().st_size // 2)


def text(path):
    path.write_text("<html>404 Not Found</html>\n" * 100)


def damage_frame_2(path):
    with h5py.File(path) as file:
        chunk = file["depths"].id.get_chunk_info(2)
    with open(path, "r+b") as file:
        data = file.read()
        with h5py.File(path) as hdf:
            _, packed = hdf["depths"].id.read_direct_chunk(chunk.chunk_offset)
        at = data.index(packed)
        file.seek(at + len(packed) // 2)
        file.write(b"\xff" * 40)


zeros = np.zeros
BAD = {
    "text": (dict(), text, "not a readable HDF5"),
    "cut off": (dict(), cut_off, "not a readable HDF5 .* or cut off"),
    "damaged": (dict(), damage_frame_2, "array 'depths' is damaged at frames 0:3"),
    "no images": (dict(images=None), None, r"no array 'images' among depths, .*; expected \(N, 3, 640, 480\) uint8"),
    "no depths": (dict(depths=None), None, r"no array 'depths' .*; expected \(N, 640, 480\) float32"),
    "label axes": (
        dict(labels=zeros((3, 480, 640), np.uint16)),
        None,
        r"'labels' is \(3, 480, 640\) uint16; expected \(N, 640, 480\) uint16",
    ),
    "label count": (dict(labels=zeros((2, *SHAPE), np.uint16)), None, "unequal length .*'labels': 2}"),
    "image axes": (
        dict(images=zeros((3, 480, 640, 3), np.uint8)),
        None,
        r"array 'images' is \(3, 480, 640, 3\) uint8; expected \(N, 3, 640, 480\) uint8",
    ),
    "depth axes": (
        dict(depths=zeros((3, 480, 640), np.float32)),
        None,
        r"array 'depths' is \(3, 480, 640\) float32; expected \(N, 640, 480\) float32",
    ),
    "depth type": (
        dict(depths=zeros((3, *SHAPE), np.uint16)),
        None,
        r"'depths' is \(3, 640, 480\) uint16; expected \(N, 640, 480\) float32, metres",
    ),
    "8-bit depth": (
        dict(depths=zeros((3, *SHAPE), np.uint8)),
        None,
        r"'depths' is .* uint8; expected .* float32, metres",
    ),
    "text for depth": (dict(depths=np.full((3, *SHAPE), b"2.5")), None, r"'depths' is .* \|S3; expected .* float32"),
    "millimetres": (
        dict(depths=np.full((3, *SHAPE), 2500, np.float32)),
        None,
        "'depths': median depth 2500; expected metres, 0.1 to 100",
    ),
    "image type": (dict(images=zeros((3, 3, *SHAPE), np.float32)), None, "'images' is .* float32; expected .* uint8"),
    "lengths": (
        dict(depths=zeros((2, *SHAPE), np.float32)),
        None,
        "unequal length {'images': 3, 'depths': 2",
    ),
    "no ids": (
        dict(frame_ids=None),
        None,
        "'images' has 3 frames and there is no array 'frame_ids'; expected all 1449",
    ),
    "few ids": (dict(frame_ids=zeros((2, 1))), None, r"'frame_ids' is \(2, 1\) float64 .*; expected \(3, 1\) whole"),
    "id 1450": (dict(frame_ids=np.array([[1.0], [2], [1450]])), None, "'frame_ids' .* from 1 to 1449"),
    "id 0": (dict(frame_ids=np.array([[0.0], [2], [3]])), None, "'frame_ids' .* from 1 to 1449"),
    "id twice": (dict(frame_ids=np.array([[1.0], [2], [2]])), None, "'frame_ids' .* ascending"),
    "id NaN": (dict(frame_ids=np.array([[1.0], [np.nan], [3]])), None, "'frame_ids' .* whole numbers"),
}


@pytest.mark.parametrize("arrays, spoil, message", BAD.values(), ids=BAD.keys())
def test_a_bad_file_is_named_in_one_line_and_leaves_no_cache(good, tmp_path, arrays, spoil, message):
    path = tmp_path / "bad.mat"
    if arrays:
        fake_nyu.write_mat(path, 3, **arrays)
    else:
        shutil.copy(good, path)
        spoil(path)
    with pytest.raises(InputError, match=message) as raised:
        nyu.open_nyu(path, cache_dir=tmp_path / "cache")
    assert str(path) in str(raised.value) and "\n" not in str(raised.value)
    assert os.listdir(tmp_path / "cache") == []


def test_raw_depth_has_holes_and_another_truth(tmp_path, ramps):
    _, _, depth, _ = ramps
    raw = depth.copy()
    raw[100:200] = 0
    path = fake_nyu.write_mat(tmp_path / "a.mat", 1, depths=depth.T[None], rawDepths=raw.T[None])
    filled, holes = (nyu.open_nyu(path, depth=name, cache_dir=tmp_path / "cache") for name in ("filled", "raw"))
    assert (filled.truth, holes.truth) == ("filled depth", "raw depth")
    assert (filled.depths > 0).all() and (holes.depths[0, 50:100] == 0).all() and (holes.depths[0, 100:] > 0).all()
    np.testing.assert_array_equal(holes.full_depth(0), raw)
    with pytest.raises(InputError, match="config.data.depth='deep': expected filled or raw"):
        nyu.open_nyu(path, depth="deep", cache_dir=tmp_path)
    without = fake_nyu.write_mat(tmp_path / "b.mat", 1)
    with pytest.raises(InputError, match="no array 'rawDepths' among depths, .*metres as .*0 where the sensor"):
        nyu.open_nyu(without, depth="raw", cache_dir=tmp_path)


def test_scenes_are_read_and_stay_whole(tmp_path):
    names = ["kitchen_0001"] * 3 + ["office_0002a", "office_0002b"] + ["bedroom_0003"] * 3 + ["den_0004"] * 2
    path = fake_nyu.write_mat(tmp_path / "a.mat", 10, scenes=names)
    for _ in range(2):  # converted, then cached
        train, val = nyu.open_nyu(path, frame_size=(48, 64), cache_dir=tmp_path / "cache").splits["scene"]
        assert sorted((*train, *val)) == list(range(1, 11)) and train and val
        scene = {i: name.rstrip("ab") for i, name in enumerate(names, 1)}
        assert not {scene[i] for i in train} & {scene[i] for i in val}
    without = fake_nyu.write_mat(tmp_path / "b.mat", 1)
    assert "scene" not in nyu.open_nyu(without, frame_size=(48, 64), cache_dir=tmp_path / "cache").splits


def outside(file):
    path = file.filename + ".secret"
    with h5py.File(path, "w") as other:
        other["images"] = np.zeros((3, 3, *SHAPE), np.uint8)
    del file["images"]
    file["images"] = h5py.ExternalLink(path, "images")


def many_ids(file):
    del file["frame_ids"]
    file.create_dataset("frame_ids", (2_000_000_000, 1), chunks=(1000, 1))


def many_frames(file):
    for name, shape, dtype in (("images", (3, *SHAPE), np.uint8), ("depths", SHAPE, np.float32)):
        del file[name]
        file.create_dataset(name, (10**6, *shape), dtype, chunks=(1, *shape))


def many_scenes(file):
    file.create_dataset("scenes", (1, 10**9), h5py.ref_dtype, chunks=(1, 1000))


def a_long_scene(file):
    letters = file.create_dataset("letters", (400_000_000, 1), np.uint16, chunks=(1000, 1))
    file["scenes"] = np.array([[letters.ref] * 3], h5py.ref_dtype)


def a_scene_outside(file):
    letters = file.create_dataset("letters", (100,), np.uint8, external="/etc/passwd")
    file["scenes"] = np.array([[letters.ref] * 3], h5py.ref_dtype)


HOSTILE = {
    outside: "array 'images' is a link: expected it in the file itself",
    many_ids: r"array 'frame_ids' is \(2000000000, 1\) float32 or out of range; expected \(3, 1\)",
    many_frames: r"array 'images' is \(1000000, 3, 640, 480\) uint8; expected",
    many_scenes: "array 'scenes' names 1000000000 scenes; expected one for each of 3",
    a_long_scene: "array 'scenes' names .*400000000.*: expected text of at most 1000 letters",
    a_scene_outside: "array 'scenes' is kept in other files: expected it in the file itself",
}


@pytest.mark.parametrize("change, message", HOSTILE.items(), ids=lambda x: getattr(x, "__name__", ""))
def test_a_file_of_a_stranger_is_refused_before_it_costs_anything(good, tmp_path, change, message):
    path = shutil.copy(good, tmp_path / "a.mat")
    with h5py.File(path, "r+") as file:
        change(file)
    tracemalloc.start()
    with pytest.raises(InputError, match=f"a.mat: {message}") as raised:
        nyu.open_nyu(path, cache_dir=tmp_path / "cache")
    assert "\n" not in str(raised.value) and tracemalloc.get_traced_memory()[1] < 2e6
    tracemalloc.stop()
    assert not list((tmp_path / "cache").iterdir())


@pytest.mark.parametrize(
    ("scenes", "message"),
    [
        (np.zeros((1, 2)), "'scenes' is not a cell of text"),
        (np.array([["kitchen"], ["den"]], h5py.string_dtype()), "'scenes' is not a cell of text"),
        (np.zeros((1, 0), h5py.ref_dtype), "names 0 scenes; expected one for each"),
        (np.full((1, 2), h5py.Reference(), h5py.ref_dtype), "'scenes' is not a cell of text"),  # references to nothing
    ],
)
def test_malformed_scenes_are_refused(tmp_path, scenes, message):
    path = fake_nyu.write_mat(tmp_path / "a.mat", 2)
    with h5py.File(path, "r+") as file:
        file["scenes"] = scenes
    with pytest.raises(InputError, match=message):
        nyu.open_nyu(path, cache_dir=tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_the_scenes_of_the_test_frames_are_known_or_it_is_said_why_not(tmp_path, monkeypatch):
    monkeypatch.setattr(nyu, "nyu_lists", lambda: {"official": ((1, 3), (2, 4, 5))})
    scenes = ["den_0001", "attic_0002", "den_0001", "attic_0002", "study_0003"]
    path = fake_nyu.write_mat(tmp_path / "a.mat", 5, scenes=scenes)
    assert nyu.official_test_scenes(path) == {"attic_0002", "study_0003"}
    with pytest.raises(InputError, match="no array 'scenes': expected NYU's labelled file"):
        nyu.official_test_scenes(fake_nyu.write_mat(tmp_path / "b.mat", 5))
    part = fake_nyu.write_mat(tmp_path / "c.mat", 3, ids=[1, 2, 3], scenes=scenes[:3])
    with pytest.raises(InputError, match="2 of 3 official test frames are missing: expected NYU.s whole file"):
        nyu.official_test_scenes(part)


def test_a_file_without_labels_has_none(tmp_path):
    path = fake_nyu.write_mat(tmp_path / "a.mat", 2, labels=None)
    frames = nyu.open_nyu(path, frame_size=(24, 32), cache_dir=tmp_path / "cache")
    assert frames.labels is None and len(frames) == 2
    with pytest.raises(InputError, match=r"no array 'labels' among .*; expected \(N, 640, 480\) uint16"):
        next(nyu.read_frames(path, {1}))  # for a dataset with labels


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="nowhere.mat: no such file: expected nyu_depth_v2_labeled.mat from http"
    ):
        nyu.open_nyu(tmp_path / "nowhere.mat", cache_dir=tmp_path)


def test_the_official_file_has_no_ids_and_a_known_size(tmp_path, monkeypatch):
    warnings = []
    monkeypatch.setattr(nyu.logging, "warning", lambda message, *values: warnings.append(message % values))
    with h5py.File(tmp_path / "empty.mat", "w") as file:
        for name, shape, dtype in (("images", (3, *SHAPE), "u1"), ("depths", SHAPE, "f4"), ("labels", SHAPE, "u2")):
            file.create_dataset(name, (1449, *shape), dtype, chunks=(1, *shape))  # empty chunks take no space
    with h5py.File(tmp_path / "empty.mat") as file:
        np.testing.assert_array_equal(nyu.check(file, tmp_path / "empty.mat"), np.arange(1, 1450))
    assert len(warnings) == 1 and "the official file has 2972037809" in warnings[0]


def test_damage_anywhere_in_the_tables_is_an_input_error(good, tmp_path):
    content = good.read_bytes()
    path = tmp_path / "damaged.mat"
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        at = int(rng.integers(len(content) - 30)) if rng.random() < 0.3 else int(rng.integers(8000))
        path.write_bytes(content[:at] + rng.bytes(30) + content[at + 30 :])
        try:
            nyu.frame_ids(path)
        except InputError:
            refused += 1
    assert refused > 10
