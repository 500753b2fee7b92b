"""A folder of predictions: which file belongs to a frame, and what is read from it."""

import dataclasses
import json
import os

import jax.numpy as jnp
import numpy as np
import pytest
import small_frames
from PIL import Image

from jaxdepth.data.sources.folder import open_folder
from jaxdepth.errors import InputError
from jaxdepth.evaluation import predictions, protocols

IDS = (3, 17, 640, 1001)
INDICES = np.array([1, 2, 3])  # the first frame is not scored
GOOD = np.full((24, 32), 2.0, np.float32)


def frames_of(*, names=None, ids=IDS):
    count = len(names or ids)
    made = small_frames.make_frames(count)
    return dataclasses.replace(made, ids=np.array(ids[:count]), names=names)


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(folder / name, GOOD) if name.endswith(".npy") else (folder / name).touch()
    return folder


def found(folder, frames, **options):
    listing = predictions.find(folder, frames, INDICES, **options)
    return {index: path.relative_to(folder).as_posix() for index, path in listing.files.items()}


@pytest.mark.parametrize(
    "names",
    [
        ("0017.npy", "0640.npy", "1001.npy"),
        ("17.npy", "000640.PNG", "1001.pfm"),
        ("nyu_0017.npy", "640_depth.npy", "a/b/rgb-1001.pred.npz"),
    ],
)
def test_frames_with_ids_are_found_by_their_number(tmp_path, names):
    touch(tmp_path, *names, "notes.txt", ".0017.npy", ".old/0017.npy", "predictions.csv")
    assert found(tmp_path, frames_of()) == dict(zip(INDICES, names, strict=True))


def test_files_of_other_frames_are_extra(tmp_path):
    touch(tmp_path, "0003.npy", "0017.npy", "640.npy", "1001.npy", "0002.npy", "17_of_640.npy", "mean.npy")
    extra = predictions.find(tmp_path, frames_of(), INDICES).extra
    assert [path.name for path in extra] == ["0002.npy", "0003.npy", "17_of_640.npy", "mean.npy"]


def test_frames_with_names_are_found_by_them_or_their_last_part(tmp_path):
    frames = frames_of(names=("kitchen/1", "office/1", "office/2", "3"))
    touch(tmp_path, "office/1.npy", "out/2.npy", "3.npy", "kitchen/1.npy")
    assert found(tmp_path, frames) == {1: "office/1.npy", 2: "out/2.npy", 3: "3.npy"}
    (tmp_path / "office" / "1.npy").unlink()  # the training frame kitchen/1 does not stand in for it
    assert found(tmp_path, frames, allow_missing=True) == {2: "out/2.npy", 3: "3.npy"}
    touch(tmp_path, "office/1.npy").joinpath("office").rename(tmp_path.parent / f"{tmp_path.name}-elsewhere")
    (tmp_path / "office").symlink_to(tmp_path.parent / f"{tmp_path.name}-elsewhere")
    assert found(tmp_path, frames)[1] == "office/1.npy"


def test_a_pattern_chooses_files(tmp_path):
    touch(tmp_path, "0017.npy", "0640.npy", "1001.npy", "0017.png", "deeper/0640.npy")
    listing = predictions.find(tmp_path / "*.npy", frames_of(), INDICES)
    assert [path.name for path in listing.files.values()] == ["0017.npy", "0640.npy", "1001.npy"] and not listing.extra


@pytest.mark.parametrize(
    ("names", "advice"),
    [
        (("0017.npy", "0017.png"), "0017.npy and 0017.png are of one frame .* --predictions='{}/*.npy'"),
        (("0017.png", "0017.color.png"), "--predictions='{}/????.png'"),
        (("a/17.npy", "b/17.npy"), "a/17.npy and b/17.npy are of one frame .* --predictions='{}/a'"),
    ],
)
def test_two_files_of_a_frame_are_refused_with_an_argument_that_chooses(tmp_path, names, advice):
    touch(tmp_path, *names)
    with pytest.raises(InputError, match=advice.replace("?", "[?]").replace("*.n", "[*].n").format(tmp_path)) as error:
        predictions.find(tmp_path, frames_of(), INDICES, allow_missing=True)
    chosen = str(error.value).partition("--predictions='")[2].rstrip("'")
    assert len(predictions.find(chosen, frames_of(), INDICES, allow_missing=True).files) == 1


def test_missing_files_are_counted_and_five_are_named(tmp_path):
    frames = frames_of(ids=tuple(range(11, 21)))
    with pytest.raises(
        InputError, match="none of 1 depth files belongs to one of 10 frames: .* 0011, 0012, 0013, or their last parts"
    ):
        predictions.find(touch(tmp_path, "a.npy"), frames, np.arange(10))
    touch(tmp_path, "12.npy")
    with pytest.raises(
        InputError, match=r"frames without one: 9 of 10 \(0011, 0013, 0014, 0015, 0016, ...\); --allow_missing"
    ):
        predictions.find(tmp_path, frames, np.arange(10))
    assert len(predictions.find(tmp_path, frames, np.arange(10), allow_missing=True).missing) == 9


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    file = touch(tmp_path, "0017.npy") / "0017.npy"
    for path, told in ((file, "a file"), (tmp_path / "gone", "no such folder"), (tmp_path / "gone/*.npy", "no such")):
        with pytest.raises(FileNotFoundError, match=f"{told}.*: expected a folder of depth maps, a file for each"):
            predictions.find(path, frames_of(), INDICES)
    monkeypatch.setattr(os, "scandir", lambda path: (_ for _ in ()).throw(PermissionError(13, "denied", str(path))))
    with pytest.raises(PermissionError, match=f"'{tmp_path}'"):
        predictions.find(tmp_path, frames_of(), INDICES)


RECORD = dict(network="kscale", split="dev", split_hash="12", trained_on="nyu", frames_seen_in_training=0)
RECORD |= dict(flip_tta=True, complete=True, frame_size=[40, 56], crop_size=[32, 48])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "Expecting value"),
        (b"\xff\xfe", "codec"),
        (b"[" * 100_000, "recursion"),
        (b"[]", "frame_size"),
        (json.dumps(RECORD | {"frame_size": [40, 0]}), "frame_size"),
        (json.dumps(RECORD | {"frame_size": [40, 1e400]}), "frame_size"),
        (json.dumps(RECORD | {"crop_size": 32}), "crop_size"),
        (json.dumps(RECORD | {"split": None}), "split"),
        (json.dumps(RECORD | {"flip_tta": "no"}), "flip_tta"),
    ],
)
def test_a_damaged_record_is_told_in_one_line(tmp_path, content, told):
    file = tmp_path / predictions.RECORD
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(
        InputError, match=f"'{file}': not what predict.py --source writes .*{told}.*: remove it"
    ) as error:
        predictions.record_of(tmp_path)
    assert "\n" not in str(error.value)
    file.write_text(json.dumps(RECORD))
    assert predictions.record_of(tmp_path) == RECORD


def reader(folder, frames, *, protocol="paper", crop_size=small_frames.CROP, indices=INDICES, **options):
    options = dict(kind="depth", scale=None, key=None) | options
    resize = options.pop("resize", "depth")
    listing = predictions.find(folder, frames, indices, allow_missing=True)
    protocol = protocols.choose(protocol, resize=resize)
    return predictions.Reader(listing, frames, protocol=protocol, crop_size=crop_size, **options)


def test_a_key_is_for_npz_files(tmp_path):
    frames = frames_of()
    np.savez(tmp_path / "17.npz", left=GOOD, right=2 * GOOD)
    assert (reader(tmp_path, frames, key="right")(1) == np.log(np.float32(4))).all()
    with pytest.raises(InputError, match="key='left': only for .npz files, and '.*' has none of these frames"):
        reader(touch(tmp_path / "other", "17.npy"), frames, key="left")


def test_inverse_depth_in_floats_needs_no_scale(tmp_path):
    Image.fromarray(0.25 * GOOD).save(tmp_path / "17.tif")
    np.testing.assert_allclose(reader(tmp_path, frames_of(), kind="inverse_depth")(1), np.log(2), rtol=1e-6)
    Image.fromarray(np.full((24, 32), 128, np.uint8)).save(tmp_path / "640.png")
    read = reader(tmp_path, frames_of(), kind="inverse_depth", scale=1 / 256)(2)
    np.testing.assert_allclose(read, np.log(2), rtol=1e-6)


@pytest.mark.parametrize("resize", ["depth", "log_depth"])
@pytest.mark.parametrize("protocol", ["paper", "full"])
def test_a_file_of_the_frames_size_is_read_as_a_network_predicts(tmp_path, protocol, resize):
    """The network sees the crop, and its border is continued outwards."""
    depth = np.random.default_rng(0).uniform(0.5, 9, small_frames.CROP).astype(np.float32)
    np.save(tmp_path / "17.npy", np.pad(depth, 2, mode="edge"))
    read = reader(tmp_path, frames_of(), protocol=protocol, resize=resize)
    sizes = dict(frame_size=small_frames.SIZE, crop_size=small_frames.CROP)
    expected = protocols.choose(protocol, resize=resize).enlarge(jnp.log(depth)[None], **sizes)[0]
    np.testing.assert_allclose(read(1), expected, rtol=1e-6, atol=1e-6)


def plane(size, *, at=(0.0, 1.0, 0.0, 1.0)):
    """A depth that grows evenly from the top left of a picture: 1 m, by 2 m down its rows and 4 m along its columns.

    `at` is the part of the picture: its first row and the one past its last, and such columns, as shares.
    """
    rows = at[0] + (at[1] - at[0]) * (np.arange(size[0]) + 0.5) / size[0]
    columns = at[2] + (at[3] - at[2]) * (np.arange(size[1]) + 0.5) / size[1]
    return (1 + 2 * rows[:, None] + 4 * columns).astype(np.float32)


@pytest.fixture
def pictures(tmp_path):
    """A folder with pictures of a landscape, a portrait, and one that EXIF turns; frames are 3:4."""
    rng = np.random.default_rng(0)
    exif = Image.Exif()
    exif[0x0112] = 6
    for name, size, extra in (("wide", (60, 120), {}), ("high", (120, 60), {}), ("turned", (60, 120), {"exif": exif})):
        for part in ("images", "depths"):
            (tmp_path / "of/data" / part).mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (*size, 3), np.uint8)).save(
            tmp_path / f"of/data/images/{name}.jpg", **extra
        )
        np.save(tmp_path / f"of/data/depths/{name}.npy", plane(size[::-1] if extra else size))
    return open_folder(tmp_path / "of/data", frame_size=(24, 32), cache_dir=tmp_path / "cache")


@pytest.mark.parametrize(
    ("name", "size", "part"),
    [
        ("wide", (60, 120), (0, 1, 1 / 6, 5 / 6)),
        ("wide", (30, 60), (0, 1, 1 / 6, 5 / 6)),
        ("wide", (62, 120), (0, 1, 1 / 6, 5 / 6)),  # a little stretched, as networks need multiples of 14 or 32
        ("high", (120, 60), (0.3125, 0.6875, 0, 1)),
        ("turned", (240, 120), (0.3125, 0.6875, 0, 1)),
    ],
)
def test_a_prediction_of_a_picture_of_any_shape_lies_where_its_frame_does(pictures, tmp_path, name, size, part):
    index = pictures.names.index(name)
    np.save(tmp_path / f"{name}.npy", plane(size))
    indices = np.arange(3)
    read = np.exp(reader(tmp_path / "*.npy", pictures, crop_size=(24, 32), indices=indices)(index))
    expected = plane((24, 32), at=part)
    assert abs(pictures.depths[index] - expected).max() < 0.1  # the truth, by nearest pixels
    inside = np.s_[2:-2, 2:-2]  # what is beyond a border is not interpolated
    np.testing.assert_allclose(read[inside], expected[inside], atol=0.006)  # a step to the next pixel is .08 m or more


@pytest.mark.parametrize("name", ["wide", "high", "turned"])
def test_a_prediction_of_another_shape_than_its_picture_is_refused(pictures, tmp_path, name):
    height, width = (60, 120) if name == "wide" else (120, 60)
    wrong = tmp_path / f"{name}.npy"
    np.save(wrong, plane((width, height)))
    expected = rf"{width}x{height} \(rows x columns\): expected the frame's shape, as {height}x{width}, axes swapped\?"
    with pytest.raises(InputError, match=f"'{wrong}': {expected}"):
        reader(tmp_path / "*.npy", pictures, crop_size=(24, 32), indices=np.arange(3))(pictures.names.index(name))
