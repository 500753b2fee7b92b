"""The reader of nyu_depth_v2_labeled.mat, on files in its layout: right ones, bad ones and damaged ones."""

import os
from fractions import Fraction

import fake_nyu
import h5py
import numpy as np
import pytest

from jaxdepth.data import nyu
from jaxdepth.data.splits import nyu_lists


def write(tmp_path, n=2, **arguments):
    path = tmp_path / "labeled.mat"
    return path, fake_nyu.write_mat(path, n, **arguments)


def read(path, tmp_path, **arguments):
    return nyu.open_nyu(path, cache_dir=tmp_path / "cache", **arguments)


def test_a_mark_is_where_it_was_put(tmp_path):
    def mark(arrays):
        arrays["images"][:] = 0
        arrays["images"][1, 0, 400:404, 100:102] = 200  # red at columns 400..403 of rows 100 and 101
        arrays["images"][1, 2, 30:32, 470:480] = 90  # blue
        arrays["depths"][1, 400:404, 100:102] = 7.5
        arrays["labels"][1, 400:404, 100:102] = 894

    path, _ = write(tmp_path, change=mark)
    frames = read(path, tmp_path)
    expected = np.zeros((240, 320, 3), np.uint8)
    expected[50, 200:202, 0] = 200
    expected[235:240, 15, 2] = 90
    np.testing.assert_array_equal(frames.images[1], expected)
    assert not frames.images[0].any()
    assert set(zip(*np.nonzero(frames.labels[1] == 894), strict=True)) == {(50, 200), (50, 201)}
    assert (frames.depths[1][50, 200:202] == 7.5).all()
    assert (frames.full_depth(1)[100:102, 400:404] == 7.5).all()


def test_halved_pictures_are_means_and_depths_are_picked(tmp_path):
    def noise(arrays):
        rng = np.random.default_rng(0)
        arrays["images"] = rng.integers(0, 256, arrays["images"].shape, np.uint8)
        arrays["depths"] = rng.uniform(0.5, 9, arrays["depths"].shape).astype(np.float32)
        arrays["labels"] = rng.integers(0, 895, arrays["labels"].shape, np.uint16)

    path, arrays = write(tmp_path, change=noise)
    frames = read(path, tmp_path)
    assert (frames.images.dtype, frames.depths.dtype, frames.labels.dtype) == (np.uint8, np.float32, np.uint16)
    pictures = arrays["images"].transpose(0, 3, 2, 1).astype(int)
    sums = sum(pictures[:, i::2, j::2] for i in (0, 1) for j in (0, 1))
    np.testing.assert_array_equal(frames.images, (sums + 2) // 4)
    np.testing.assert_array_equal(frames.depths, arrays["depths"].transpose(0, 2, 1)[:, 1::2, 1::2])
    np.testing.assert_array_equal(frames.labels, arrays["labels"].transpose(0, 2, 1)[:, 1::2, 1::2])
    np.testing.assert_array_equal(frames.full_depth(np.int64(1)), arrays["depths"][1].T)

    whole = read(path, tmp_path, frame_size=(480, 640))
    np.testing.assert_array_equal(whole.images, pictures)
    np.testing.assert_array_equal(whole.depths[0], whole.full_depth(0))

    odd = read(path, tmp_path, frame_size=(100, 150))
    rows = [int((Fraction(2 * i + 1, 2)) * 480 / 100) for i in range(100)]
    columns = [int((Fraction(2 * i + 1, 2)) * 640 / 150) for i in range(150)]
    np.testing.assert_array_equal(odd.depths[1], arrays["depths"][1].T[rows][:, columns])
    assert abs(odd.images.mean() - pictures.mean()) < 0.5


def test_what_the_source_tells(tmp_path):
    path, arrays = write(tmp_path, n=8)
    frames = read(path, tmp_path)
    assert frames.name == "nyu" and len(frames) == 8 and frames.size == (240, 320)
    np.testing.assert_array_equal(frames.ids, arrays["frame_ids"].ravel())
    assert frames.ids.dtype == np.int64
    # Half of the toolbox's 518.8579, 519.4696, 325.5824, 253.7362, whose pixels are counted from 1.
    np.testing.assert_allclose(frames.intrinsics, (259.42895, 259.7348, 162.0412, 126.1181), atol=1e-4)
    assert frames.splits == nyu_lists()
    assert frames.counts == {"nan": 0, "inf": 0, "negative": 0, "empty_frames": 0}
    assert str(path.resolve()) in frames.description and "8 frames at 240x320" in frames.description
    train, val = (np.isin(frames.ids, part) for part in frames.splits["dev"])
    assert (train.sum(), val.sum()) == (6, 2)


def test_bad_depths_are_masked_and_counted(tmp_path):
    def spoil(arrays):
        depths = arrays["depths"]
        depths[0, 5, 7:10] = np.nan
        depths[0, 11, 12] = np.inf
        depths[0, 11, 13] = -np.inf
        depths[1, :4, 0] = -0.5
        depths[1, 20, 21] = 0
        depths[2] = 0

    path, arrays = write(tmp_path, n=3, change=spoil)
    frames = read(path, tmp_path)
    assert frames.counts == {"nan": 3, "inf": 2, "negative": 4, "empty_frames": 1}
    truth = arrays["depths"].transpose(0, 2, 1)
    truth = np.where(np.isfinite(truth) & (truth > 0), truth, 0)
    np.testing.assert_array_equal(frames.depths, truth[:, 1::2, 1::2])
    for position in range(3):
        full = frames.full_depth(position)
        assert full.shape == (480, 640) and full.dtype == np.float32
        np.testing.assert_array_equal(full, truth[position])


def test_no_file(tmp_path):
    for place in (tmp_path / "nowhere.mat", tmp_path):
        with pytest.raises(FileNotFoundError, match="no such file; expected nyu_depth_v2_labeled.mat from https://"):
            read(place, tmp_path)


def test_not_an_hdf5_file(tmp_path):
    text, empty = tmp_path / "text.mat", tmp_path / "empty.mat"
    text.write_text("<html>404</html>\n" * 100)
    empty.touch()
    path, _ = write(tmp_path)
    whole = path.read_bytes()
    places = [text, empty]
    for size in (300, 600, len(whole) // 2, len(whole) - 1):
        places.append(tmp_path / f"cut{size}.mat")
        places[-1].write_bytes(whole[:size])
    for place in places:
        with pytest.raises(ValueError, match="not a readable HDF5 .*cut off") as error:
            read(place, tmp_path)
        assert str(place) in str(error.value) and "\n" not in str(error.value)
    assert not list(tmp_path.glob("cache/*"))


def replaced(name, make):
    def change(arrays):
        arrays[name] = make(arrays[name])

    return change


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda arrays: arrays.pop("depths"), ["no array 'depths'", "images", "float32"]),
        (lambda arrays: arrays.pop("labels"), ["no array 'labels'"]),
        (replaced("images", lambda a: a.transpose(0, 3, 2, 1)), ["'images' is (2, 480, 640, 3)", "(N, 3, 640, 480)"]),
        (replaced("depths", lambda a: a.transpose(0, 2, 1)), ["'depths' is (2, 480, 640)", "(N, 640, 480)"]),
        (replaced("depths", lambda a: a.astype(np.float64)), ["'depths'", "float64", "float32"]),
        (replaced("labels", lambda a: a[:1]), ["unequal length", "'labels': 1", "'images': 2"]),
        (lambda arrays: arrays.pop("frame_ids"), ["no array 'frame_ids'", "2 frames", "1449"]),
        (replaced("frame_ids", lambda a: a[::-1]), ["'frame_ids'", "ascending"]),
        (replaced("frame_ids", lambda a: a[:1]), ["'frame_ids' is (1, 1) float64", "expected (2, 1)"]),
        (replaced("frame_ids", lambda a: a + 0.5), ["'frame_ids'", "whole numbers"]),
        (replaced("frame_ids", lambda a: a * np.nan), ["'frame_ids'", "whole numbers"]),
        (replaced("frame_ids", lambda a: a + 1440), ["'frame_ids'", "from 1 to 1449"]),
        (replaced("frame_ids", lambda a: a - a[0]), ["'frame_ids'", "from 1 to 1449"]),
    ],
)
def test_arrays_that_are_not_as_expected(tmp_path, change, words):
    path, _ = write(tmp_path, change=change)
    with pytest.raises(ValueError) as error:
        read(path, tmp_path)
    message = str(error.value)
    assert "\n" not in message and message.startswith(f"{path.resolve()}: ")
    for word in words:
        assert word in message
    assert not list(tmp_path.glob("cache/*"))


def test_damaged_content_names_the_array(tmp_path):
    path, _ = write(tmp_path)
    with h5py.File(path) as file:
        _, chunk = file["depths"].id.read_direct_chunk((1, 0, 0))
    content = path.read_bytes()
    assert content.count(chunk) == 1
    path.write_bytes(content.replace(chunk, b"\xff" * len(chunk)))
    with pytest.raises(ValueError, match="array 'depths' is damaged at frames 0:2") as error:
        read(path, tmp_path)
    assert "\n" not in str(error.value) and str(path) in str(error.value)
    assert not list(tmp_path.glob("cache/*"))


def test_frame_size_out_of_range(tmp_path):
    path, _ = write(tmp_path)
    for size in ((481, 640), (0, 10)):
        with pytest.raises(ValueError, match=r"frame_size=\(.*expected \(height, width\)"):
            read(path, tmp_path, frame_size=size)


def no_conversion(*_):
    raise AssertionError("converted again")


def test_second_opening_takes_the_cache(tmp_path, monkeypatch):
    path, _ = write(tmp_path)
    first = read(path, tmp_path, frame_size=(48, 64))
    monkeypatch.setattr(nyu, "_convert", no_conversion)
    second = read(path, tmp_path, frame_size=(48, 64))
    for name in ("images", "depths", "labels", "ids"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert second.counts == first.counts
    with pytest.raises(AssertionError, match="converted again"):  # another size is another entry
        read(path, tmp_path, frame_size=(24, 32))


def test_cache_lies_where_the_environment_says(tmp_path, monkeypatch):
    path, _ = write(tmp_path)
    monkeypatch.setenv("JAXDEPTH_CACHE", str(tmp_path / "elsewhere"))
    nyu.open_nyu(path, frame_size=(24, 32))
    assert len(list((tmp_path / "elsewhere").iterdir())) == 1


@pytest.mark.parametrize("name", ["images.npy", "depths.npy", "labels.npy", "ids.npy", "meta.json"])
@pytest.mark.parametrize("damage", ["cut", "empty", "gone", "other"])
def test_damaged_cache_is_made_anew(tmp_path, name, damage):
    path, _ = write(tmp_path)
    first = read(path, tmp_path, frame_size=(48, 64))
    expected = {array: getattr(first, array).copy() for array in ("images", "depths", "labels", "ids")}
    del first
    (folder,) = (tmp_path / "cache").iterdir()
    file = folder / name
    if damage == "gone":
        file.unlink()
    elif damage == "other" and name == "meta.json":
        file.write_text("null")
    elif damage == "other":
        np.save(file, np.zeros(3))
    else:
        file.write_bytes(file.read_bytes()[:-3] if damage == "cut" else b"")
    again = read(path, tmp_path, frame_size=(48, 64))
    for array, value in expected.items():
        np.testing.assert_array_equal(getattr(again, array), value)
    assert list((tmp_path / "cache").iterdir()) == [folder]


def test_changed_file_is_read_anew(tmp_path):
    path, _ = write(tmp_path)
    first = read(path, tmp_path, frame_size=(48, 64)).images.copy()
    before = path.stat()
    _, arrays = write(tmp_path, seed=1)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    again = read(path, tmp_path, frame_size=(48, 64))
    assert (again.images != first).any()
    np.testing.assert_array_equal(again.full_depth(0), arrays["depths"][0].T)


def test_interrupted_conversion_leaves_nothing(tmp_path, monkeypatch):
    path, _ = write(tmp_path)
    shrink, calls = nyu._shrink, []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return shrink(*arguments)

    monkeypatch.setattr(nyu, "_shrink", interrupted)
    with pytest.raises(KeyboardInterrupt):
        read(path, tmp_path, frame_size=(48, 64))
    assert len(calls) == 2 and not list((tmp_path / "cache").iterdir())
    monkeypatch.undo()
    assert read(path, tmp_path, frame_size=(48, 64)).images.any((1, 2, 3)).all()


def test_a_conversion_killed_in_the_middle_is_not_taken(tmp_path, monkeypatch):
    path, _ = write(tmp_path)
    with monkeypatch.context() as killed:  # nothing is cleaned up where a process is killed
        killed.setattr(nyu.shutil, "rmtree", lambda *_, **__: None)
        killed.setattr(nyu, "_shrink", no_conversion)
        with pytest.raises(AssertionError):
            read(path, tmp_path, frame_size=(48, 64))
    assert len(list((tmp_path / "cache").iterdir())) == 1
    assert read(path, tmp_path, frame_size=(48, 64)).images.any((1, 2, 3)).all()
