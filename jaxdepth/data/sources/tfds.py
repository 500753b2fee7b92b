"""Frames of a prepared TensorFlow Dataset, each read when it is needed: a source of any size."""

import json
import math
import pathlib

import numpy as np
from absl import logging

from jaxdepth.data.frames import Frames, LazyArray
from jaxdepth.data.sources import frames_csv, pairs
from jaxdepth.data.sources.tfds_records import SPLITS, Records, damage
from jaxdepth.data.splits import nyu_lists, scene_lists
from jaxdepth.errors import InputError
from jaxdepth.geometry import resize
from jaxdepth.geometry.camera import NYU_SIZE, completed, nyu_intrinsics
from jaxdepth.geometry.depth import MAX_DEPTH, mask_invalid
from jaxdepth.geometry.depth_survey import Survey
from jaxdepth.geometry.framing import frame_intrinsics
from jaxdepth.paths import expanded

_INFO = "dataset_info.json"
_MAX_JSON = 1 << 22  # bytes
_MAX_FRAMES = 1 << 21
_MAX_PIXELS = 1 << 24  # of a picture
_WHOLE = ("nyu_depth_v2_labeled", "nyu_depth_v2")  # their pictures are taken whole
_TRUTHS = {  # of datasets by their names
    "nyu_depth_v2_labeled": "filled depth",
    "nyu_depth_v2_raw": "depth of NYU's raw recordings",
    "nyu_depth_v2_raw_filled": "filled depth of NYU's raw recordings",
}
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
    """Opens a prepared dataset with features `image` uint8 [H, W, 3] and `depth` [H, W] in metres, all of one size.

    Each frame is the largest central part in the shape of `frame_size`, as of `folder.open_folder`; of the datasets in
    _WHOLE it is the whole picture, as of `nyu.open_nyu`. `full_depth` is that part at 480x640, by nearest pixels. The
    camera is the feature `intrinsics` (fx, fy, cx, cy in pixels of the picture), the same in all frames; NYU's without.

    `nyu_depth_v2_labeled` (`tfds_builder`) has official ids and NYU's splits. A dataset with a list of its frames
    (`frames_csv`) has their names and scenes, ids that are hashes of the names, and the split `scene`. Others, such as
    TFDS's own `nyu_depth_v2`, have the split `tfds`, their own.

    Args:
      path: folder of the dataset, or one above it that holds no other.
      frame_size: (h, w).
      invalid: depths in metres that are no measurement.
      max_depth: metres; depth beyond it is masked.

    Returns:
      A Frames, whose arrays are lazy.

    Raises:
      FileNotFoundError: if there is no prepared dataset.
      InputError: for several datasets, other features, classes or units, a file format without random access, damaged
        files (here or when a frame is read), or a list of other frames, or if TensorFlow Datasets is not installed.
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
    with damage(f"{folder}: it cannot be opened"):
        builder = tfds.builder_from_directory(folder)
    size = _check(builder, folder)
    lengths = [builder.info.splits[name].num_examples for name in SPLITS if name in builder.info.splits]
    if not 1 <= sum(lengths) <= _MAX_FRAMES:
        raise InputError(f"{folder}: {sum(lengths)} frames: expected 1 to {_MAX_FRAMES}")
    column = Records(builder, folder).column
    n, (h, w), image, depth = sum(lengths), frame_size, column("image"), column("depth")
    is_whole = builder.name in _WHOLE
    part = _Part(size, (h, w), is_whole=is_whole)

    def masked(depth):
        return mask_invalid(np.asarray(depth, np.float32), invalid=invalid, max_depth=max_depth)[0]

    survey, surveyed = Survey(invalid=invalid, max_depth=max_depth), np.linspace(0, n - 1, _SURVEYED).astype(int)
    surveyed = np.unique(surveyed).tolist()
    for i in surveyed:
        survey.add(np.asarray(depth(i), np.float32), str(i))
    if problem := survey.problem():
        raise InputError(f"{folder}: feature 'depth' of {_SURVEYED} frames: {problem}")
    for note in survey.notes():
        logging.warning("%s: in %d frames: %s", folder, _SURVEYED, note)
    features, listed = dict(builder.info.features), None
    if builder.name == "nyu_depth_v2_labeled":
        of = column("id")
        ids, lists = np.array([int(of(i)) for i in range(n)], np.int64), nyu_lists()
    elif (folder / frames_csv.NAME).is_file():
        listed = frames_csv.read(folder / frames_csv.NAME)
        _check_list(listed, n, features, column, surveyed, folder)
        ids = pairs.hashed_ids(listed.names)
        lists = scene_lists(ids, listed.scenes)
    else:
        ids = np.arange(1, n + 1, dtype=np.int64)
        lists = {"tfds": (tuple(range(1, lengths[0] + 1)), tuple(range(lengths[0] + 1, n + 1)))}
    camera = _camera(column("intrinsics"), surveyed, size, folder) if "intrinsics" in features else nyu_intrinsics(size)
    intrinsics = nyu_intrinsics((h, w)) if is_whole else frame_intrinsics(camera, size=size, frame_size=(h, w))
    labels, feature = None, features.get("label")
    if feature is not None and feature.shape == size and np.dtype(feature.np_dtype).kind in "iu":
        label = column("label")
        labels = LazyArray(lambda i: part.nearest(np.asarray(label(i))), (n, h, w), np.uint16)
    return Frames(
        name="tfds",
        images=LazyArray(lambda i: part.picture(np.asarray(image(i))), (n, h, w, 3), np.uint8),
        depths=LazyArray(lambda i: masked(part.nearest(depth(i))), (n, h, w), np.float32),
        ids=ids,
        intrinsics=intrinsics,
        full_depth=lambda i: part.full(masked(depth(i))),
        picture_size=None if is_whole else lambda i: size,
        splits=lists,
        counts={},
        truth=_TRUTHS.get(builder.name, f"depth of TFDS's {builder.name}"),
        description=f"TFDS {builder.info.full_name} from {folder}: {n} frames at {h}x{w}",
        labels=labels,
        names=listed and listed.names,
        scenes=listed and listed.scenes,
        invalid=tuple(invalid),
        max_depth=max_depth,
    )


class _Part:
    """What a frame shows of its picture: all of it, or its largest central part in the frame's shape.

    Args:
      size: (height, width) of the pictures.
      frame_size: (h, w).
      is_whole: whether it is all of a picture of NYU's size, whatever the frame's shape.
    """

    def __init__(self, size, frame_size, *, is_whole):
        self._size, self._frame_size, self._is_whole = size, tuple(frame_size), is_whole
        self._pitch = None if is_whole else resize.central_pitch(size, frame_size)
        self._rows, self._columns = (
            resize.nearest_index(n, out, pitch=self._pitch) for n, out in zip(size, frame_size, strict=True)
        )

    def picture(self, picture):
        """A picture uint8 [H, W, 3] as a frame [h, w, 3]: averaged over areas, or enlarged bilinearly."""
        if self._size == self._frame_size:
            return picture
        return resize.shrink(picture, self._frame_size, pitch=self._pitch)

    def nearest(self, array):
        """An array [H, W] as that of a frame [h, w], by the nearest pixels."""
        if self._size == self._frame_size:
            return array
        return resize.take_nearest(array, self._rows, self._columns)

    def full(self, array):
        """An array [H, W] at NYU's full size [480, 640], by the nearest pixels."""
        if self._is_whole:
            return array
        return resize.central_nearest(array, frame_size=self._frame_size, out_size=NYU_SIZE)


def _check_list(listed, n, features, column, surveyed, folder):
    """Raises InputError unless a list of frames has a row for each record, with its names where they are looked at."""
    path = folder / frames_csv.NAME
    if len(listed.names) != n:
        raise InputError(f"{path}: {len(listed.names)} rows: expected {n}, one for each record")
    if not {"scene", "name"} <= features.keys():
        return
    scene, name = column("scene"), column("name")
    for i in surveyed:
        found = b"/".join((scene(i), name(i))).decode(errors="replace")
        if found != listed.names[i]:
            raise InputError(
                f"{path}, row {i + 1}: {listed.names[i]!r:.200}, but record {i + 1} is {found!r:.200}: expected the "
                "names in the order of the records"
            )


def _camera(intrinsics, surveyed, size, folder):
    """The Intrinsics of the pictures, from the records that are looked at."""
    found = {tuple(np.asarray(intrinsics(i), np.float64).tolist()) for i in surveyed}
    if len(found) > 1:
        raise InputError(
            f"{folder}: feature 'intrinsics' is {' and '.join(map(str, sorted(found)))}: expected one camera"
        )
    return completed(*found, size, f"{folder}: feature 'intrinsics'")


def _dataset_folder(path):
    found = sorted({file.parent for pattern in ("", "*/", "*/*/") for file in path.glob(f"{pattern}{_INFO}")})
    if not found:
        raise FileNotFoundError(f"config.data.path={str(path)!r}: no prepared dataset there (no {_INFO})")
    if len(found) > 1:
        raise InputError(f"config.data.path={str(path)!r}: expected one dataset, found {', '.join(map(str, found))}")
    return found[0]


def _check_classes(folder):
    """Raises InputError if features.json names other classes than _CLASSES, or a file of settings is too large."""
    for name in (_INFO, "features.json"):
        with damage(f"{folder}: {name} cannot be read"):
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
    """The size (height, width) of the pictures; raises InputError for a dataset that `open_tfds` cannot read."""
    from tensorflow_datasets.core import file_adapters

    features = dict(builder.info.features)
    image = features.get("image")
    size = NYU_SIZE
    if builder.name not in _WHOLE and image is not None and len(image.shape) == 3 and None not in image.shape:
        size = tuple(image.shape[:2])
    expected = {"image": ((*size, 3), "u"), "depth": (size, "f")}
    if builder.name == "nyu_depth_v2_labeled":
        expected["id"] = (), "i"
    if "intrinsics" in features:
        expected["intrinsics"] = (4,), "f"
    for name, (shape, kind) in expected.items():
        feature = features.get(name)
        if feature is None or feature.shape != shape or np.dtype(feature.np_dtype).kind != kind:
            raise InputError(f"{folder}: feature {name!r} is {feature}; expected {shape}, kind {kind!r}")
    if min(size) < pairs.MIN_SIDE or math.prod(size) > _MAX_PIXELS:
        raise InputError(
            f"{folder}: pictures of {size[0]}x{size[1]}: expected at least {pairs.MIN_SIDE} pixels on each side, and "
            f"at most {_MAX_PIXELS:,}"
        )
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
    return size
