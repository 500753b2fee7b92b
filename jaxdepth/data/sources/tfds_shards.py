"""Writes a TensorFlow Dataset of frames shard by shard, in any order and by any process."""

import csv
import io
import pathlib

import numpy as np

from jaxdepth.data.files.writing import growing, write_atomically

_SPLIT = "train"
VERSION = "1.0.0"


def features(size):
    """TFDS's features of the frames of a `size` (h, w)."""
    import tensorflow_datasets as tfds

    return tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(*size, 3), encoding_format="png"),
            "depth": tfds.features.Tensor(shape=size, dtype=np.float16, encoding="zlib"),  # metres, 0: no measurement
            "intrinsics": tfds.features.Tensor(shape=(4,), dtype=np.float32),  # fx, fy, cx, cy in pixels of the image
            "name": tfds.features.Text(),
            "scene": tfds.features.Text(),
            # As bytes, since TFDS stores other numbers of 64 bits in 32.
            "seconds": tfds.features.Tensor(shape=(), dtype=np.float64, encoding="bytes"),  # of the colour picture
            "gap": tfds.features.Tensor(shape=(), dtype=np.float64, encoding="bytes"),  # from it to the depth picture
        }
    )


def serializer(size):
    """A function that turns a frame, {feature: value} with the picture as bytes of a PNG, into a record's bytes."""
    from tensorflow_datasets.core import example_serializer

    of_all = features(size)
    inner = example_serializer.ExampleSerializer(of_all.get_serialized_info())

    def serialize(frame):
        encoded = of_all.encode_example(frame | {"image": io.BytesIO(frame["image"])})
        return inner.get_tf_example(encoded).SerializeToString(deterministic=True)  # else in another order each time

    return serialize


def shard_name(dataset, index, count):
    """The name of a shard's file, as TFDS has it."""
    return f"{dataset}-{_SPLIT}.array_record-{index:05d}-of-{count:05d}"


def write_shard(path, records):
    """Writes a shard, atomically.

    Args:
      path: the file.
      records: a list of bytes.

    Raises:
      OSError: if it cannot be written.
    """
    from tensorflow_datasets.core.file_adapters import ArrayRecordFileAdapter

    with growing(path) as grown:
        try:
            ArrayRecordFileAdapter.write_examples(grown, enumerate(records))
            written = ArrayRecordFileAdapter.num_examples(grown)
        except (RuntimeError, ValueError) as error:  # the writer's way to report an OSError
            raise OSError(f"it could not be written: {str(error).partition(';')[0]}") from error
        if written != len(records):
            raise OSError(f"it could not be written: {written} of {len(records)} records are in it")


def write_metadata(folder, *, dataset, size, shard_lengths, shard_bytes, **information):
    """Writes dataset_info.json and features.json of a folder with all its shards.

    Args:
      folder: the folder.
      dataset: its name.
      size: (h, w) of the frames.
      shard_lengths: records of each shard.
      shard_bytes: sum of the bytes of all records.
      information: for TFDS's DatasetInfo, such as a description.
    """
    import tensorflow_datasets as tfds

    template = tfds.core.ShardedFileTemplate(
        data_dir=pathlib.Path(folder), dataset_name=dataset, split=_SPLIT, filetype_suffix="array_record"
    )
    split = tfds.core.SplitInfo(
        name=_SPLIT, shard_lengths=list(shard_lengths), num_bytes=shard_bytes, filename_template=template
    )
    tfds.folder_dataset.write_metadata(
        data_dir=folder,
        features=features(size),
        split_infos=[split],
        version=VERSION,
        filename_template=template,
        check_data=False,
        **information,
    )


def write_table(path, frames):
    """Writes frames.csv: names and times of the frames in the order of the records.

    Args:
      path: the file.
      frames: [(name with its scene, scene, seconds, gap)].
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("name", "scene", "seconds", "gap"))
    rows.writerows(frames)
    write_atomically(path, text.getvalue().encode())
