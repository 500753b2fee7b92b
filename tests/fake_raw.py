"""Little datasets in the format of NYU's prepared raw recordings, written by TFDS's own functions."""

import csv
import pathlib

import fake_nyu
import numpy as np
import tensorflow_datasets as tfds

INTRINSICS = (65.0, 66.0, 40.5, 31.5)  # fx, fy, cx, cy of pictures of 60x84
SCENES = ("bedroom_0001a", "bedroom_0001b", "kitchen_0002", "office_0003", "office_0004", "study_0005", "study_0009")


def row(index):
    """The name, scene, time and gap of a frame."""
    scene = SCENES[index % len(SCENES)]
    return f"{scene}/r-{index}.5-77", scene, 0.1 * index, 0.01


def frame(index, size):
    """The picture and the float16 depth of a frame; every third one's depth has a hole."""
    picture, depth, _ = fake_nyu.frame(index, size)
    depth[: 5 if index % 3 == 0 else 0] = 0
    return picture, np.float16(depth)


def write(
    folder,
    count=21,
    *,
    name="nyu_depth_v2_raw",
    size=(60, 84),
    dtype=np.float16,
    encoding="zlib",
    intrinsics=lambda index: INTRINSICS,
    per_shard=6,
    listed=True,
):
    """Writes a dataset and returns its folder.

    Args:
      folder: where its folder is made.
      count: number of frames.
      name: of the dataset.
      size: (h, w) of the pictures.
      dtype, encoding: of the feature `depth`.
      intrinsics: index -> the feature `intrinsics`; None for none.
      per_shard: frames in a file.
      listed: whether there is a list of frames.
    """
    features = {
        "image": tfds.features.Image(shape=(*size, 3), encoding_format="png"),
        "depth": tfds.features.Tensor(shape=size, dtype=dtype, encoding=encoding),
        "name": tfds.features.Text(),
        "scene": tfds.features.Text(),
        "seconds": np.float64,
        "gap": np.float64,
    }
    if intrinsics:
        features["intrinsics"] = tfds.features.Tensor(shape=(4,), dtype=np.float32)
    data_dir = pathlib.Path(folder, name, "1.0.0")
    data_dir.mkdir(parents=True)
    identity = tfds.core.DatasetIdentity(name=name, version="1.0.0", data_dir=str(data_dir), module_name="raw")
    info = tfds.core.DatasetInfo(builder=identity, features=tfds.features.FeaturesDict(features))
    writer = tfds.core.SequentialWriter(info, per_shard, file_format="array_record")
    writer.initialize_splits(["train"])
    for i in range(count):
        (path, scene, seconds, gap), (image, depth) = row(i), frame(i, size)
        example = {"image": image, "depth": depth.astype(dtype), "name": path.removeprefix(f"{scene}/")}
        example |= {"scene": scene, "seconds": seconds, "gap": gap}
        if intrinsics:
            example["intrinsics"] = np.float32(intrinsics(i))
        writer.add_examples({"train": [example]})
    writer.close_all()
    if listed:
        with (data_dir / "frames.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("name", "scene", "seconds", "gap"), *map(row, range(count))])
    return data_dir
