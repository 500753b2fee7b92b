"""Prepared datasets of pictures of any size, with a list of their frames: NYU's raw recordings."""

import concurrent.futures
import contextlib
import hashlib
import shutil

import fake_raw
import numpy as np
import pytest
import small
from array_record.python import array_record_data_source

from jaxdepth import evaluate, train
from jaxdepth.data import splits
from jaxdepth.data.batches import tfdata
from jaxdepth.data.sources import selection
from jaxdepth.data.sources.tfds import open_tfds
from jaxdepth.errors import InputError

SIZE = (60, 84)
AUGMENTATION = dict(crop_size=(32, 48), scale=(0.8, 1.2), rotation=5.0, flip=True, colour=0.1, light=0.1)


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    return fake_raw.write(tmp_path_factory.mktemp("raw"))


@pytest.mark.parametrize(("dtype", "encoding"), [(np.float16, "zlib"), (np.float32, "zlib"), (np.float16, "none")])
def test_frames_of_the_datasets_own_size_are_its_pictures_and_depths(tmp_path, dtype, encoding):
    folder = fake_raw.write(tmp_path, 7, dtype=dtype, encoding=encoding, per_shard=3)
    assert len(list(folder.glob("*.array_record*"))) == 3
    frames = selection.open_frames("tfds", path=tmp_path, frame_size=SIZE)
    assert (len(frames), frames.size, frames.name) == (7, SIZE, "tfds")
    for i in (5, 0, 6, 3):
        picture, depth = fake_raw.frame(i, SIZE)
        np.testing.assert_array_equal(frames.images[i], picture)
        np.testing.assert_array_equal(frames.depths[i], np.where(depth <= 10, depth, 0).astype(np.float32))
        assert (frames.images[i].dtype, frames.depths[i].dtype) == (np.uint8, np.float32)
    np.testing.assert_allclose(frames.intrinsics, fake_raw.INTRINSICS, rtol=1e-6)


def test_other_frames_are_the_largest_central_part(raw):
    """Of 60x84 pixels a frame of 24x28 shows 60x70, 2.5 pixels in each of its own, from column 7 on."""
    frames = open_tfds(raw, frame_size=(24, 28))
    picture, depth = fake_raw.frame(4, SIZE)
    halves = picture.repeat(2, 0).repeat(2, 1)[:, 14:154].astype(int)  # every pixel four times
    sums = halves.reshape(24, 5, 28, 5, 3).sum((1, 3))
    np.testing.assert_array_equal(frames.images[4], (2 * sums + 25) // 50)
    rows, columns = (np.arange(n) * 5 // 2 + 1 for n in (24, 28))
    valid = np.where(depth <= 10, depth, 0).astype(np.float32)
    np.testing.assert_array_equal(frames.depths[4], valid[np.ix_(rows, 7 + columns)])
    full = np.ix_(np.arange(480) // 8, 7 + (2 * np.arange(640) + 1) * 70 // 1280)
    np.testing.assert_array_equal(frames.full_depth(4), valid[full])
    fx, fy, cx, cy = fake_raw.INTRINSICS
    expected = (fx / 2.5, fy / 2.5, (cx - 7 + 0.5) / 2.5 - 0.5, (cy + 0.5) / 2.5 - 0.5)
    np.testing.assert_allclose(frames.intrinsics, expected, rtol=1e-6)
    assert frames.picture_size(4) == SIZE


def test_without_intrinsics_the_camera_is_nyus(tmp_path):
    """Half of NYU's pictures: focal lengths half as long, and of the principal point (c + .5) / 2 - .5."""
    frames = open_tfds(fake_raw.write(tmp_path, 2, size=(240, 320), intrinsics=None), frame_size=(240, 320))
    np.testing.assert_allclose(frames.intrinsics, (259.42895, 259.7348, 162.0412, 126.1181), rtol=1e-6)


def test_names_scenes_ids_and_split_come_from_the_list(raw):
    frames = open_tfds(raw, frame_size=(24, 28))
    names = [fake_raw.row(i)[0] for i in range(21)]
    assert list(frames.names) == names and frames.file_name(3) == "office_0003/r-3.5-77"
    assert list(frames.scenes) == [name.split("/")[0] for name in names]
    assert frames.ids.dtype == np.int64
    assert frames.ids.tolist() == [int(hashlib.sha256(name.encode()).hexdigest()[:16], 16) >> 1 for name in names]
    split = splits.split("paper", frames.ids, lists=frames.splits)
    is_val = [hashlib.sha256(f"0:{s.rstrip('ab')}".encode()).digest()[0] < 51 for s in frames.scenes]
    assert split.name == "scene" and split.val.tolist() == np.flatnonzero(is_val).tolist()
    assert 0 < len(split.val) < 21 and len(split.train) + len(split.val) == 21


@pytest.mark.parametrize(
    ("name", "listed", "truth", "split"),
    [
        ("nyu_depth_v2_raw", True, "depth of NYU's raw recordings", "scene"),
        ("nyu_depth_v2_raw_filled", True, "filled depth of NYU's raw recordings", "scene"),
        ("other", False, "depth of TFDS's other", "tfds"),
    ],
)
def test_the_truth_is_named_after_the_dataset(tmp_path, name, listed, truth, split):
    frames = open_tfds(fake_raw.write(tmp_path, 2, name=name, listed=listed), frame_size=(24, 28))
    assert (frames.truth, list(frames.splits)) == (truth, [split])
    assert (frames.names is None) == (frames.scenes is None) == (not listed)


@pytest.fixture
def reads(monkeypatch):
    """The indices of the records that are read."""
    found, read = [], array_record_data_source.ArrayRecordDataSource.__getitem__

    def noted(self, index):
        found.append(index)
        return read(self, index)

    monkeypatch.setattr(array_record_data_source.ArrayRecordDataSource, "__getitem__", noted)
    return found


def test_a_record_is_read_once_for_a_picture_and_its_depth(raw, reads):
    frames = open_tfds(raw, frame_size=(24, 28))
    assert len(set(reads)) <= 8  # those whose depths are looked at
    reads.clear()
    frames.images[3], frames.depths[3], frames.depths[9], frames.images[9], frames.images[3]
    assert reads == [3, 9, 3]


def test_threads_get_the_frames_that_they_ask_for(raw):
    frames = open_tfds(raw, frame_size=SIZE)
    pictures = [fake_raw.frame(i, SIZE)[0] for i in range(21)]
    depths = [np.where(d <= 10, d, 0).astype(np.float32) for d in (fake_raw.frame(i, SIZE)[1] for i in range(21))]

    def is_right(i):
        return np.array_equal(frames.images[i], pictures[i]) and np.array_equal(frames.depths[i], depths[i])

    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        assert all(threads.map(is_right, np.random.default_rng(0).integers(0, 21, 400).tolist()))


def changed(raw, folder, change):
    copy = shutil.copytree(raw, folder / "copy")
    path = copy / "frames.csv"
    path.write_bytes(change(path.read_bytes()))
    return copy


NAME = b"kitchen_0002/r-2.5-77"
LISTS = {  # what is done to the bytes of the list, and what is said
    "a row too few": (lambda x: x[: x[:-2].rindex(b"\n") + 1], "20 rows: expected 21, one for each record"),
    "a row too many": (lambda x: x + b"a/b,a,0,0\n", "22 rows: expected 21, one for each record"),
    "empty": (lambda x: b"", "line 1: '': expected name,scene,seconds,gap"),
    "a header of another order": (
        lambda x: x.replace(b"name,scene", b"scene,name"),
        "line 1: 'scene,name,seconds,gap'",
    ),
    "a value too few": (lambda x: x.replace(NAME + b",", b""), "line 4: '.*': 3 values: expected 4, name,scene,s"),
    "a time in words": (lambda x: x.replace(b",0.2,", b",soon,"), "line 4: .*: seconds 'soon': expected a number of s"),
    "no time": (lambda x: x.replace(b",0.2,", b",nan,"), "line 4: .*: seconds 'nan': expected a number of seconds"),
    "no name": (lambda x: x.replace(NAME, b""), "line 4: .*: name '': expected a path"),
    "a path out of the folder": (lambda x: x.replace(NAME, b"../x"), "line 4: .*: name '../x': expected a path"),
    "a path from the root": (lambda x: x.replace(NAME, b"/x"), "line 4: .*: name '/x': expected a path"),
    "a control character": (lambda x: x.replace(NAME, b"a\x1b/x"), r"line 4: .*: name 'a\\x1b/x': expected a path"),
    "a name twice": (
        lambda x: x.replace(NAME, b"bedroom_0001b/r-1.5-77"),
        "line 4: 'bedroom_0001b/r-1.5-77' is in line 3 too",
    ),
    "another order": (
        lambda x: b"\r\n".join([*x.split(b"\r\n")[:1], *x.split(b"\r\n")[1:22][::-1], b""]),
        "row 1: 'study_0009/r-20.5-77', but record 1 is 'bedroom_0001a/r-0.5-77': expected the names in the order",
    ),
    "no UTF-8": (lambda x: x.replace(NAME, b"\xff\xfe"), "line .*: not a line of a CSV file in UTF-8"),
    "an open quote": (lambda x: x.replace(NAME, b'"a'), "line .*: not a line of a CSV file in UTF-8"),
}


@pytest.mark.parametrize("case", LISTS)
def test_a_list_that_is_not_that_of_the_records_is_refused(raw, tmp_path, case):
    change, message = LISTS[case]
    with pytest.raises(InputError, match=f"frames.csv.*{message}") as raised:
        open_tfds(changed(raw, tmp_path, change))
    assert "\n" not in str(raised.value) and "\x1b" not in str(raised.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(size=(12, 84)), "pictures of 12x84: expected at least 16 pixels on each side"),
        (dict(intrinsics=lambda i: (65, 66, 40 + i, 31)), "feature 'intrinsics' is .* and .*: expected one camera"),
        (dict(intrinsics=lambda i: (0, 66, 40, 31)), r"feature 'intrinsics'=\(0.0, .*: expected"),
        (dict(intrinsics=lambda i: (0.5, 0.5, 40, 31)), "feature 'intrinsics': .* a field of view of"),
        (dict(name="nyu_depth_v2"), r"feature 'image' is .*; expected \(480, 640, 3\)"),
    ],
)
def test_sizes_and_cameras_that_cannot_be_are_refused(tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        open_tfds(fake_raw.write(tmp_path, 2, **options))


def test_the_slices_of_two_processes_make_up_the_batch(raw):
    frames = open_tfds(raw, frame_size=(40, 56))
    indices = splits.split("scene", frames.ids, lists=frames.splits).train

    def batches(**processes):
        stream = tfdata.train_batches(frames, indices, batch_size=4, seed=3, start_step=2, **processes, **AUGMENTATION)
        taken = [next(stream) for _ in range(4)]
        stream.close()
        return taken

    parts = [batches(process_index=p, process_count=2) for p in range(2)]
    for step, whole in enumerate(batches()):
        for name in ("image", "depth", "index"):
            joined = np.concatenate([part[step][name] for part in parts])
            assert joined.tobytes() == whole[name].tobytes(), name


class StopAt:
    """Stands in for the event that SIGTERM sets: it is set when it is asked for the n-th time."""

    def __init__(self, n):
        self.left = n

    def is_set(self):
        self.left -= 1
        return self.left == 0


@pytest.mark.slow
def test_an_interrupted_training_of_two_epochs_continues_bit_for_bit(raw, tmp_path, monkeypatch):
    changes = {"data.source": "tfds", "data.batches": "tfdata", "epochs": 2, "data.split": "paper"}
    settings = small.settings(raw, steps=None, **changes)
    with monkeypatch.context() as patch:
        patch.setattr(train, "stop_flag", lambda: contextlib.nullcontext(StopAt(4)))
        assert train.train_and_evaluate(settings, tmp_path / "run") is None  # after four steps
    scores = train.train_and_evaluate(settings, tmp_path / "run")
    assert scores == train.train_and_evaluate(settings, tmp_path / "unbroken")
    (bits, lines), (bits_there, lines_there) = (small.final(settings, tmp_path / x) for x in ("run", "unbroken"))
    assert bits == bits_there and lines == lines_there
    frames = open_tfds(raw, frame_size=(40, 56))
    split = splits.split("scene", frames.ids, lists=frames.splits)
    assert lines[-1]["step"] == 2 * (len(split.train) // 4) > 4
    result = evaluate.evaluate_checkpoint(tmp_path / "run", protocol="eigen_crop")
    assert (result["frames"], result["protocol"]["split"]) == (len(split.val), "scene")
    assert result["protocol"]["truth"] == "depth of NYU's raw recordings"
    assert result["protocol"]["frames_seen_in_training"] == 0
    every = evaluate.evaluate_checkpoint(tmp_path / "run", protocol="paper", split="all")
    assert every["protocol"]["frames_seen_in_training"] == len(split.train)
    scenes = {splits.scene_of(frames.scenes[i]) for i in split.val}
    assert result["interval_over"] == f"{len(scenes)} scenes"
    assert result["per_frame"]["name"] == [frames.names[i] for i in split.val]
