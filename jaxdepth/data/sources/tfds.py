"""Frames of a prepared TensorFlow Dataset, read one by one where they are needed: a source of any size."""

import contextlib
import pathlib

import numpy as np

from jaxdepth.data.frames import Frames, Rows, check_metres, mask_invalid
from jaxdepth.data.splits import nyu_lists
from jaxdepth.geometry import camera, resize

FULL_SIZE = (480, 640)
_INFO = "dataset_info.json"


def open_tfds(path, *, frame_size=(240, 320)) -> Frames:
    """The frames of a prepared dataset of `image` uint8 [480, 640, 3] and `depth` [480, 640] in metres.

    Such as `nyu_depth_v2_labeled` (`tfds_builder`), whose frames have official ids and NYU's splits,
    and TFDS's own `nyu_depth_v2`, which brings one split, `tfds`: what it trains and what it validates on. Pictures and
    depths are brought to `frame_size` (h, w) as `jaxdepth.data.sources.nyu.open_nyu` does it.

    Args:
      path: the folder of the dataset, or one above it that holds no other.

    Raises:
      FileNotFoundError: no prepared dataset there.
      ValueError: several datasets; one of other features or units; one in files without random access; damaged files,
        here or when a frame is read.
    """
    import tensorflow_datasets as tfds  # here: it takes seconds

    folder = _dataset_folder(pathlib.Path(path).expanduser())
    with _damage(f"{folder}: it cannot be opened"):
        builder = tfds.builder_from_directory(folder)
    _check(builder, folder)
    names = [name for name in ("train", "validation", "test") if name in builder.info.splits]
    lengths = [builder.info.splits[name].num_examples for name in names]
    starts = np.cumsum([0, *lengths])

    raw = tfds.decode.DeserializeMethod.RAW_BYTES
    with _damage(f"{folder}: its files cannot be opened"):
        parts = [builder.as_data_source(name, deserialize_method=raw) for name in names]

    def column(name):
        """i -> one feature of the record i, the only one that is decoded."""
        feature = tfds.features.FeaturesDict({name: builder.info.features[name]})

        def load(i):
            part = int(np.searchsorted(starts, i, side="right")) - 1
            with _damage(f"{folder}: frame {i} cannot be read"):
                value = feature.deserialize_example_np(parts[part][i - int(starts[part])])[name]
                if np.shape(value) != feature[name].shape:  # which a record that is cut off may give
                    raise ValueError(f"{name!r} of shape {np.shape(value)}")
            return value

        return load

    n, (h, w) = int(starts[-1]), frame_size
    image, depth = column("image"), column("depth")
    rows, columns = resize.nearest_index(FULL_SIZE[0], h), resize.nearest_index(FULL_SIZE[1], w)

    def full_depth(i):
        return mask_invalid(np.asarray(depth(i), np.float32))[0]

    check_metres(full_depth(0), f"{folder}: feature 'depth' of the first frame")
    if builder.name == "nyu_depth_v2_labeled":
        of = column("id")
        ids, lists = np.array([int(of(i)) for i in range(n)]), nyu_lists()
        truth = "filled depth"
    else:
        ids = np.arange(1, n + 1)
        lists = {"tfds": (tuple(range(1, lengths[0] + 1)), tuple(range(lengths[0] + 1, n + 1)))}
        truth = f"depth of TFDS's {builder.name}"
    labels = np.broadcast_to(np.uint16(0), (n, h, w))
    if "label" in builder.info.features:
        label = column("label")
        labels = Rows(lambda i: np.asarray(label(i))[rows[:, None], columns], (n, h, w), np.uint16)
    return Frames(
        name="tfds",
        images=Rows(lambda i: resize.shrink(np.asarray(image(i)), (h, w)), (n, h, w, 3), np.uint8),
        depths=Rows(lambda i: full_depth(i)[rows[:, None], columns], (n, h, w), np.float32),
        labels=labels,
        ids=ids.astype(np.int64),
        intrinsics=camera.resize_intrinsics(camera.NYU_INTRINSICS, from_size=FULL_SIZE, to_size=(h, w)),
        full_depth=full_depth,
        splits=lists,
        counts={},  # nobody has read them all
        truth=truth,
        description=f"TFDS {builder.info.full_name} from {folder}: {n} frames at {h}x{w}",
    )


def _dataset_folder(path):
    found = sorted({file.parent for pattern in ("", "*/", "*/*/") for file in path.glob(f"{pattern}{_INFO}")})
    if not found:
        raise FileNotFoundError(f"config.data.path={str(path)!r}: no prepared dataset there (no {_INFO})")
    if len(found) > 1:
        raise ValueError(f"config.data.path={str(path)!r}: expected one dataset, found {', '.join(map(str, found))}")
    return found[0]


@contextlib.contextmanager
def _damage(what):
    """What TensorFlow Datasets and array_record say of files that are missing, cut off or of another kind, as one."""
    from google.protobuf import json_format

    try:
        yield
    except (RuntimeError, ValueError, IndexError, OSError, json_format.ParseError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{what}, a file is missing or damaged: {reason}") from error


def _check(builder, folder):
    """ValueError for a dataset that `open_tfds` cannot read."""
    from tensorflow_datasets.core import file_adapters

    expected = {"image": ((*FULL_SIZE, 3), "u"), "depth": (FULL_SIZE, "f")}
    for name, (shape, kind) in expected.items():
        feature = dict(builder.info.features).get(name)
        if feature is None or feature.shape != shape or np.dtype(feature.np_dtype).kind != kind:
            raise ValueError(f"{folder}: feature {name!r} is {feature}; expected {shape}, kind {kind!r}")
    if builder.info.file_format != file_adapters.FileFormat.ARRAY_RECORD:
        raise ValueError(
            f"{folder}: files of format {builder.info.file_format.value}, which are read in order only: expected "
            f"array_record (`tfds convert_format --dataset_dir={folder} --out_file_format=array_record --out_path=DIR`)"
        )
    if "train" not in builder.info.splits:
        raise ValueError(f"{folder}: splits {', '.join(builder.info.splits)}: expected train among them")
