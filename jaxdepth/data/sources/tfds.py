"""Frames of a prepared TensorFlow Dataset, each read when it is needed: a source of any size."""

import contextlib
import io
import json
import math
import pathlib
import zlib

import numpy as np
from absl import logging
from PIL import Image

from jaxdepth.data.frames import Frames, LazyArray
from jaxdepth.data.splits import nyu_lists
from jaxdepth.errors import InputError
from jaxdepth.geometry import resize
from jaxdepth.geometry.camera import NYU_SIZE, nyu_intrinsics
from jaxdepth.geometry.depth import MAX_DEPTH, mask_invalid
from jaxdepth.geometry.depth_survey import Survey
from jaxdepth.paths import expanded

_INFO = "dataset_info.json"
_MAX_JSON = 1 << 22  # bytes
_MAX_RECORD = 1 << 26  # bytes
_MAX_FRAMES = 1 << 21
_FEATURES = "tensorflow_datasets.core.features."
# TFDS imports the module of whatever class features.json names: these and no others.
_CLASSES = {
    f"{_FEATURES}{name}"
    for name in (
        "features_dict.FeaturesDict",
        "image_feature.Image",
        "tensor_feature.Tensor",
        "feature.Tensor",  # its name in TFDS 4.0
        "scalar.Scalar",
        "text_feature.Text",
        "class_label_feature.ClassLabel",
    )
}
_SURVEYED = 8  # frames whose depths are looked at when a dataset is opened


def open_tfds(path, *, frame_size=(240, 320), invalid=(), max_depth=MAX_DEPTH) -> Frames:
    """Opens a prepared dataset with features `image` uint8 [480, 640, 3] and `depth` [480, 640] in metres.

    Examples are `nyu_depth_v2_labeled` (`tfds_builder`), whose frames have official ids and NYU's splits, and TFDS's
    own `nyu_depth_v2`, whose only split is called `tfds`. Frames are resized as by `nyu.open_nyu`.

    Args:
      path: folder of the dataset, or one above it that holds no other.
      frame_size: (h, w).
      invalid: depths in metres that are no measurement.
      max_depth: metres; depth beyond it is masked.

    Returns:
      A Frames, whose arrays are lazy.

    Raises:
      FileNotFoundError: if there is no prepared dataset.
      InputError: for several datasets, other features, classes or units, a file format without random access, or
        damaged files (here or when a frame is read), or if TensorFlow Datasets is not installed.
    """
    try:
        import tensorflow_datasets as tfds  # here, as it takes seconds
    except ImportError as error:
        raise InputError(
            "config.data.source='tfds' needs tensorflow and tensorflow-datasets, which are not installed (not every "
            "version of Python has a wheel of TensorFlow)"
        ) from error

    folder = _dataset_folder(expanded(path))
    _check_classes(folder)
    with _damage(f"{folder}: it cannot be opened"):
        builder = tfds.builder_from_directory(folder)
    _check(builder, folder)
    names = [name for name in ("train", "validation", "test") if name in builder.info.splits]
    lengths = [builder.info.splits[name].num_examples for name in names]
    if not 1 <= sum(lengths) <= _MAX_FRAMES:
        raise InputError(f"{folder}: {sum(lengths)} frames: expected 1 to {_MAX_FRAMES}")
    starts = np.cumsum([0, *lengths])

    raw = tfds.decode.DeserializeMethod.RAW_BYTES
    with _damage(f"{folder}: its files cannot be opened"):
        parts = [builder.as_data_source(name, deserialize_method=raw) for name in names]

    def column(name):
        """A function i -> one feature of record i, decoding no other."""
        feature = tfds.features.FeaturesDict({name: builder.info.features[name]})
        as_stored = {name: tfds.decode.SkipDecoding()}

        def load(i):
            part = int(np.searchsorted(starts, i, side="right")) - 1
            with _damage(f"{folder}: frame {i} cannot be read"):
                record = parts[part][i - int(starts[part])]
                if len(record) > _MAX_RECORD:
                    raise InputError(f"a record of {len(record):,} bytes: expected at most {_MAX_RECORD:,}")
                value = _decode(feature[name], feature.deserialize_example_np(record, decoders=as_stored)[name])
                if np.shape(value) != feature[name].shape:  # a truncated record may decode to this
                    raise InputError(f"{name!r} of shape {np.shape(value)}")
            return value

        return load

    n, (h, w) = int(starts[-1]), frame_size
    image, depth = column("image"), column("depth")
    rows, columns = resize.nearest_index(NYU_SIZE[0], h), resize.nearest_index(NYU_SIZE[1], w)

    def full_depth(i):
        return mask_invalid(np.asarray(depth(i), np.float32), invalid=invalid, max_depth=max_depth)[0]

    survey = Survey(invalid=invalid, max_depth=max_depth)
    for i in np.unique(np.linspace(0, n - 1, _SURVEYED).astype(int)):
        survey.add(np.asarray(depth(int(i)), np.float32), str(i))
    if problem := survey.problem():
        raise InputError(f"{folder}: feature 'depth' of {_SURVEYED} frames: {problem}")
    for note in survey.notes():
        logging.warning("%s: in %d frames: %s", folder, _SURVEYED, note)
    if builder.name == "nyu_depth_v2_labeled":
        of = column("id")
        ids, lists = np.array([int(of(i)) for i in range(n)]), nyu_lists()
        truth = "filled depth"
    else:
        ids = np.arange(1, n + 1)
        lists = {"tfds": (tuple(range(1, lengths[0] + 1)), tuple(range(lengths[0] + 1, n + 1)))}
        truth = f"depth of TFDS's {builder.name}"
    labels, feature = None, dict(builder.info.features).get("label")
    if feature is not None and feature.shape == NYU_SIZE and np.dtype(feature.np_dtype).kind in "iu":
        label = column("label")
        labels = LazyArray(lambda i: resize.take_nearest(np.asarray(label(i)), rows, columns), (n, h, w), np.uint16)
    return Frames(
        name="tfds",
        images=LazyArray(lambda i: resize.shrink(np.asarray(image(i)), (h, w)), (n, h, w, 3), np.uint8),
        depths=LazyArray(lambda i: resize.take_nearest(full_depth(i), rows, columns), (n, h, w), np.float32),
        ids=ids.astype(np.int64),
        intrinsics=nyu_intrinsics((h, w)),
        full_depth=full_depth,
        splits=lists,
        counts={},
        truth=truth,
        description=f"TFDS {builder.info.full_name} from {folder}: {n} frames at {h}x{w}",
        labels=labels,
        invalid=tuple(invalid),
        max_depth=max_depth,
    )


def _decode(feature, stored):
    """A feature's value: of its own size, which is checked before it is unpacked."""
    import tensorflow_datasets as tfds

    if isinstance(feature, tfds.features.Image):
        with Image.open(io.BytesIO(stored), formats=("PNG", "JPEG")) as picture:
            if picture.size != feature.shape[1::-1]:
                raise InputError(f"a picture of {picture.width}x{picture.height} pixels")
    elif (
        isinstance(feature, tfds.features.Tensor)
        and feature.to_json_content().encoding == tfds.features.Encoding.ZLIB.value
    ):
        size = math.prod(feature.shape) * np.dtype(feature.np_dtype).itemsize
        unpacked = zlib.decompressobj().decompress(stored, size + 1)
        if len(unpacked) != size:
            raise InputError(f"a tensor that is not of {size:,} bytes")
        return np.frombuffer(unpacked, feature.np_dtype).reshape(feature.shape)
    return feature.decode_example_np(stored)


def _dataset_folder(path):
    found = sorted({file.parent for pattern in ("", "*/", "*/*/") for file in path.glob(f"{pattern}{_INFO}")})
    if not found:
        raise FileNotFoundError(f"config.data.path={str(path)!r}: no prepared dataset there (no {_INFO})")
    if len(found) > 1:
        raise InputError(f"config.data.path={str(path)!r}: expected one dataset, found {', '.join(map(str, found))}")
    return found[0]


@contextlib.contextmanager
def _damage(what):
    """Turns what TensorFlow Datasets, its decoders and array_record raise for damaged files into an InputError."""
    try:
        yield
    except Exception as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{what}, a file is missing or damaged: {reason}") from error


def _check_classes(folder):
    """Raises InputError if features.json names other classes than _CLASSES, or a file of settings is too large."""
    for name in (_INFO, "features.json"):
        with _damage(f"{folder}: {name} cannot be read"):
            if (size := (folder / name).stat().st_size) > _MAX_JSON:
                raise InputError(f"{size:,} bytes, expected at most {_MAX_JSON:,}")
            found = set(_classes_in(json.loads((folder / name).read_text())))
    if unknown := sorted(found - _CLASSES):
        known = ", ".join(sorted({name.rpartition(".")[2] for name in _CLASSES}))
        raise InputError(f"{folder}: features.json names the class {unknown[0]:.200}: expected TFDS's own {known}")


def _classes_in(content):
    """The classes that features.json names: in `type` before TFDS 4.4."""
    if isinstance(content, dict):
        for key, value in content.items():
            if key in ("pythonClassName", "python_class_name", "type") and not isinstance(value, dict):
                yield str(value)
    inner = content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
    for value in inner:
        yield from _classes_in(value)


def _check(builder, folder):
    """Raises InputError for a dataset that `open_tfds` cannot read."""
    from tensorflow_datasets.core import file_adapters

    expected = {"image": ((*NYU_SIZE, 3), "u"), "depth": (NYU_SIZE, "f")}
    features = dict(builder.info.features)
    if builder.name == "nyu_depth_v2_labeled":
        expected["id"] = (), "i"
    for name, (shape, kind) in expected.items():
        feature = features.get(name)
        if feature is None or feature.shape != shape or np.dtype(feature.np_dtype).kind != kind:
            raise InputError(f"{folder}: feature {name!r} is {feature}; expected {shape}, kind {kind!r}")
    for split in builder.info.splits.values():
        if outside := [file for file in split.filepaths if pathlib.Path(file).parent.resolve() != folder.resolve()]:
            raise InputError(
                f"{folder}: split {split.name!r} is in {str(outside[0])!r}: expected it in the same folder"
            )
    if builder.info.file_format != file_adapters.FileFormat.ARRAY_RECORD:
        raise InputError(
            f"{folder}: files of format {builder.info.file_format.value}, which can only be read in order: expected "
            f"array_record (`tfds convert_format --dataset_dir={folder} --out_file_format=array_record --out_path=DIR`)"
        )
    if "train" not in builder.info.splits:
        raise InputError(f"{folder}: splits {', '.join(builder.info.splits)}: expected train among them")
