"""TensorFlow Datasets: the builder of the labelled frames, and prepared datasets as a source."""

import io
import json
import pathlib
import shutil
import sys
import tempfile
import tracemalloc
import zlib

import fake_nyu
import numpy as np
import pytest
import small
import tensorflow as tf
import tensorflow_datasets as tfds
from array_record.python.array_record_module import ArrayRecordWriter
from PIL import Image

from jaxdepth import evaluate, train
from jaxdepth.data import splits
from jaxdepth.data.batches import tfdata
from jaxdepth.data.frames import LazyArray
from jaxdepth.data.sources import nyu, selection, tfds_builder
from jaxdepth.data.sources.tfds import open_tfds
from jaxdepth.errors import InputError

SIZE = (72, 88)


@pytest.fixture(scope="module")
def mat(tmp_path_factory):
    train_ids, val_ids = splits.nyu_lists()["dev"]
    path = tmp_path_factory.mktemp("mat") / "renamed.mat"
    return fake_nyu.write_mat(path, 12, ids=sorted([*train_ids[:8], *val_ids[:3], 1]))


@pytest.fixture(scope="module")
def labelled(mat, tmp_path_factory):
    return tfds_builder.prepare(mat, tmp_path_factory.mktemp("tfds"))


def prepare_nyu_depth_v2(folder, *, file_format="array_record", depth_shape=(480, 640), metres=1):
    """Prepares a small dataset with the name and the features of TFDS's own nyu_depth_v2."""
    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(480, 640, 3)),
            "depth": tfds.features.Tensor(shape=depth_shape, dtype=np.float16),
        }
    )

    def examples(indices):
        for i in indices:
            image, depth, _ = fake_nyu.frame(i)
            yield str(i), {"image": image, "depth": np.float16(metres * depth[: depth_shape[0], : depth_shape[1]])}

    builder = tfds.dataset_builders.AdhocBuilder(
        name="nyu_depth_v2",
        version="0.0.1",
        features=features,
        split_datasets={"train": list(examples(range(8))), "validation": list(examples(range(8, 11)))},
        data_dir=folder,
        file_format=file_format,
    )
    builder.download_and_prepare()
    return pathlib.Path(builder.data_dir)


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    return prepare_nyu_depth_v2(tmp_path_factory.mktemp("raw"))


class BuilderTest(tfds.testing.DatasetBuilderTestCase):
    """TFDS's own test of a builder, on three frames."""

    DATASET_CLASS = tfds_builder.NyuDepthV2Labeled
    SPLITS = {"train": 2, "test": 1}
    SKIP_CHECKSUMS = True  # nothing is downloaded

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        fake_nyu.write_mat(pathlib.Path(folder.name, nyu.FILE_NAME), 3, ids=[1, 3, 4])
        cls.EXAMPLE_DIR = folder.name
        super().setUpClass()


def test_the_datasets_frames_are_those_of_the_file(mat, labelled, tmp_path):
    made, expected = (
        selection.open_frames("tfds", path=labelled.parent, frame_size=SIZE),
        nyu.open_nyu(mat, frame_size=SIZE, cache_dir=tmp_path),
    )
    assert labelled.name == "1.0.0" and made.name == "tfds" and made.truth == "filled depth"
    order = [made.ids.tolist().index(i) for i in expected.ids]  # TFDS shuffles the frames
    np.testing.assert_array_equal(made.ids[order], expected.ids)
    for name in ("images", "depths", "labels"):
        np.testing.assert_array_equal(getattr(made, name)[np.array(order)], getattr(expected, name))
        assert getattr(made, name).shape == getattr(expected, name).shape
        assert getattr(made, name).dtype == getattr(expected, name).dtype
    assert isinstance(made.labels, LazyArray)
    np.testing.assert_array_equal(made.full_depth(order[5]), expected.full_depth(5))
    for name in ("dev", "paper"):
        assert (
            splits.split(name, made.ids, lists=made.splits).hash
            == splits.split(name, expected.ids, lists=expected.splits).hash
        )


def test_the_datasets_splits_are_the_official_ones(labelled):
    builder = tfds.builder_from_directory(labelled)
    sizes = {name: split.num_examples for name, split in builder.info.splits.items()}
    assert sizes == {"train": 11, "test": 1}
    (test,) = builder.as_data_source("test")
    assert test["id"] == 1 and test["depth"].dtype == np.float32 and test["label"].dtype == np.uint16


def test_a_prepared_dataset_is_kept(mat, labelled):
    times = {file: file.stat().st_mtime_ns for file in labelled.iterdir()}
    assert tfds_builder.prepare(mat, labelled.parents[1]) == labelled
    assert {file: file.stat().st_mtime_ns for file in labelled.iterdir()} == times


def test_a_wrong_file_leaves_nothing(tmp_path):
    (tmp_path / "a.mat").write_bytes(b"<html>")
    with pytest.raises(InputError, match="not a readable HDF5"):
        tfds_builder.prepare(tmp_path / "a.mat", tmp_path / "tfds")
    assert not (tmp_path / "tfds").exists()


def test_depths_in_millimetres_are_refused(tmp_path):
    depths = np.full((2, 640, 480), 2500, np.float32)
    path = fake_nyu.write_mat(tmp_path / "a.mat", 2, ids=[3, 5], depths=depths)
    with pytest.raises(InputError, match="'depths': median depth 2500; expected metres"):
        tfds_builder.prepare(path, tmp_path / "tfds")
    assert not list((tmp_path / "tfds").rglob("*.array_record*"))
    millimetres = prepare_nyu_depth_v2(tmp_path / "own", metres=1000)
    with pytest.raises(InputError, match="'depth' of 8 frames: median depth .*; expected metres"):
        open_tfds(millimetres)


def test_a_full_disk_leaves_nothing(mat, tmp_path):
    resource = pytest.importorskip("resource")  # not on Windows
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OSError, match="it could not be written: .*File too large"):
            tfds_builder.prepare(mat, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.rglob("*.array_record*"))
    assert len(open_tfds(tfds_builder.prepare(mat, tmp_path)).ids) == 12


@pytest.mark.parametrize("damage", ["cut", "page", "missing", "info"])
def test_a_damaged_dataset_is_named(raw, tmp_path, damage):
    folder = shutil.copytree(raw, tmp_path / "copy")
    (shard,) = folder.glob("*train*.array_record*")
    if damage == "cut":
        shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 2])
    elif damage == "page":
        shard.write_text("<html>moved</html>")
    elif damage == "missing":
        shard.unlink()
    else:
        (folder / "dataset_info.json").write_text('{"name": "nyu')
    with pytest.raises(InputError, match=f"{folder}: .*a file is missing or damaged"):
        frames = open_tfds(folder)
        for i in range(len(frames)):
            frames.depths[i]


def test_a_dataset_made_from_another_file_is_kept_with_a_warning(mat, tmp_path, caplog):
    tfds_builder.prepare(mat, tmp_path)
    assert "kept as it is" not in caplog.text
    other = fake_nyu.write_mat(tmp_path / "b.mat", 2, ids=[3, 5])
    tfds_builder.prepare(other, tmp_path)
    assert "1.0.0 has 12 frames" in caplog.text and "b.mat has 2: the dataset is kept as it is" in caplog.text


def test_nyu_depth_v2_has_its_own_split_and_no_labels(raw):
    frames = selection.open_frames("tfds", path=raw, frame_size=(48, 64))
    split = splits.split("paper", frames.ids, lists=frames.splits)
    assert (split.name, len(split.train), len(split.val)) == ("tfds", 8, 3)
    assert frames.labels is None
    assert frames.truth == "depth of TFDS's nyu_depth_v2" and frames.depths.dtype == np.float32
    assert frames.images.nbytes == 11 * 48 * 64 * 3 and len(frames.depths) == 11
    medians = sorted(float(np.median(frames.full_depth(i))) for i in range(8))
    expected = sorted(float(np.median(np.float16(fake_nyu.frame(i)[1]))) for i in range(8))
    assert medians == expected
    np.testing.assert_array_equal(frames.images[np.array([9, 2])][1], frames.images[2])
    np.testing.assert_array_equal(frames.depths[3:5][1], frames.depths[4])


def test_values_that_are_no_measurement_and_the_cap_are_masked(raw):
    plain = open_tfds(raw, frame_size=(48, 64))
    value = float(plain.full_depth(2).max())
    masked = open_tfds(raw, frame_size=(48, 64), invalid=(value,), max_depth=4.0)
    expected = plain.full_depth(2)
    expected[(expected == np.float32(value)) | (expected > 4)] = 0
    np.testing.assert_array_equal(masked.full_depth(2), expected)
    np.testing.assert_array_equal(masked.depths[2], expected[5::10, 5::10])
    assert (masked.invalid, masked.max_depth, plain.max_depth) == ((value,), 4.0, 10.0)
    with pytest.raises(InputError, match="'depth' of 8 frames: 100.0% of the measured depth is beyond 0.5 m"):
        open_tfds(raw, max_depth=0.5)


def test_order_and_augmentation_are_functions_of_the_step(raw):
    frames = selection.open_frames("tfds", path=raw, frame_size=(48, 64))
    settings = dict(
        batch_size=2, seed=0, crop_size=(40, 56), scale=(1.0, 1.2), rotation=5.0, flip=True, colour=0.0, light=0.0
    )

    def batch(start, count):
        stream = tfdata.train_batches(frames, np.arange(8), start_step=start, **settings)
        return [next(stream) for _ in range(count)][-1]

    once, again = batch(0, 4), batch(3, 1)
    for name in ("image", "depth", "index"):
        np.testing.assert_array_equal(once[name], again[name])


@pytest.mark.slow
def test_training_and_evaluation(raw, tmp_path):
    settings = small.settings(raw, steps=2, **{"data.source": "tfds", "data.batches": "tfdata"})
    train.train_and_evaluate(settings, tmp_path)
    result = evaluate.evaluate_checkpoint(tmp_path, protocol="eigen_crop")
    assert result["frames"] == 3 and result["metrics"]["delta1"] > 0
    assert (result["protocol"]["source"], result["protocol"]["split"]) == ("tfds", "tfds")


def test_datasets_that_cannot_be_read_are_named(raw, labelled, tmp_path):
    with pytest.raises(InputError, match="expected a folder with a prepared dataset for data.source='tfds'"):
        selection.open_frames("tfds")
    with pytest.raises(FileNotFoundError, match="no prepared dataset there"):
        selection.open_frames("tfds", path=tmp_path)
    (tmp_path / "both").mkdir()
    for folder in (raw, labelled):
        (tmp_path / "both" / folder.parent.name).symlink_to(folder)
    with pytest.raises(InputError, match="expected one dataset, found"):
        open_tfds(tmp_path / "both")
    with pytest.raises(InputError, match="format tfrecord, which can only be read in order: .*tfds convert_format"):
        open_tfds(prepare_nyu_depth_v2(tmp_path / "records", file_format="tfrecord"))
    with pytest.raises(InputError, match="feature 'depth' is .*expected"):
        open_tfds(prepare_nyu_depth_v2(tmp_path / "shape", depth_shape=(240, 640)))


def change_json(path, *keys, value):
    content = inner = json.loads(path.read_text())
    *folders, last = keys
    for key in folders:
        inner = inner[key]
    inner[last] = value
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("key", ["pythonClassName", "python_class_name", "type"])
def test_no_module_that_a_dataset_names_is_imported(labelled, tmp_path, monkeypatch, key):
    folder = shutil.copytree(labelled, tmp_path / "copy")
    (tmp_path / "stranger.py").write_text("raise SystemExit('the code of the stranger')")
    monkeypatch.syspath_prepend(tmp_path)
    change_json(folder / "dataset_info.json", "moduleName", value="stranger")
    assert len(open_tfds(folder)) == 12
    value = {key: "stranger.Feature", "content": {}}
    change_json(folder / "features.json", "featuresDict", "features", "extra", value=value)
    with pytest.raises(
        InputError, match="features.json names the class stranger.Feature: expected TFDS's own ClassLab"
    ):
        open_tfds(folder)
    assert "stranger" not in sys.modules


def test_no_file_outside_the_dataset_is_opened(labelled, tmp_path):
    folder = shutil.copytree(labelled, tmp_path / "copy")
    template = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
    for outside in (f"../copy/sub/../../{template}", f"{labelled}/{template}"):
        change_json(folder / "dataset_info.json", "splits", 0, "filepathTemplate", value=outside)
        with pytest.raises(InputError, match="split 'train' is in .*: expected it in the same folder"):
            open_tfds(folder)


def png(size):
    file = io.BytesIO()
    Image.new("RGB", size).save(file, "png")
    return file.getvalue()


RECORDS = {  # the feature that is another one, and what is said
    "depth": (zlib.compress(bytes(100_000_000)), "frame 0 cannot be read, .*a tensor that is not of 1,228,800 bytes"),
    "image": (png((8000, 8000)), "frame 0 cannot be read, .*a picture of 8000x8000 pixels"),
    "more": (bytes(70_000_000), "frame 0 cannot be read, .*a record of 7.,...,... bytes: expected at most 67,108,864"),
}


@pytest.mark.parametrize("name", RECORDS)
def test_records_are_unpacked_to_their_size_at_most(labelled, tmp_path, name):
    content, message = RECORDS[name]
    folder = shutil.copytree(labelled, tmp_path / "copy")
    change_json(folder / "dataset_info.json", "splits", 1, "shardLengths", value=["1"])
    change_json(folder / "dataset_info.json", "splits", 0, "shardLengths", value=["1"])
    values = {
        "image": png((640, 480)),
        "depth": zlib.compress(np.ones((480, 640), np.float32).tobytes()),
        name: content,
    }
    features = {key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value])) for key, value in values.items()}
    features["id"] = tf.train.Feature(int64_list=tf.train.Int64List(value=[3]))
    record = tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
    for shard in folder.glob("*.array_record*"):
        writer = ArrayRecordWriter(str(shard), "group_size:1")
        writer.write(record)
        writer.close()
    tracemalloc.start()
    with pytest.raises(InputError, match=message) as raised:
        open_tfds(folder).images[0]
    assert "\n" not in str(raised.value) and tracemalloc.get_traced_memory()[1] < (90e6 if name == "more" else 20e6)
    tracemalloc.stop()


def test_datasets_of_too_many_frames_or_too_long_settings_are_refused(labelled, tmp_path):
    folder = shutil.copytree(labelled, tmp_path / "copy")
    change_json(folder / "dataset_info.json", "splits", 0, "shardLengths", value=[str(10**12)])
    with pytest.raises(InputError, match="frames: expected 1 to 2097152"):
        open_tfds(folder)
    (folder / "features.json").write_text(" " * 5_000_000)
    with pytest.raises(InputError, match="features.json cannot be read, .*5,000,000 bytes, expected at most 4,194,304"):
        open_tfds(folder)
