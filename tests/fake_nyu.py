"""A small file in the layout of nyu_depth_v2_labeled.mat, of simple scenes in which what is far is dark."""

import h5py
import numpy as np

from jaxdepth.data.splits import nyu_lists

_CLASSES = {"images": "uint8", "depths": "single", "labels": "uint16", "frame_ids": "double"}


def write_mat(path, n, *, seed=0, ids=None, change=None):
    """Write n frames to `path`; returns the arrays as written, in the file's order of axes.

    `ids` are the official 1-based ids, ascending; by default the first of the split `dev`, a quarter of them (at least
    one) from its validation part. `change(arrays)` may alter the dict of arrays before it is written, for tests of bad
    files: what it removes is missing from the file.
    """
    rng = np.random.default_rng(seed)
    pictures, depths, labels = zip(*(_scene(rng) for _ in range(n)), strict=True)
    if ids is None:
        train, val = nyu_lists()["dev"]
        n_val = max(1, n // 4)
        ids = sorted([*train[: n - n_val], *val[:n_val]])
    arrays = {
        "images": np.stack(pictures).transpose(0, 3, 2, 1),  # [n, channel, x, y]
        "depths": np.stack(depths).transpose(0, 2, 1),
        "labels": np.stack(labels).transpose(0, 2, 1),
        "frame_ids": np.asarray(ids, np.float64)[:, None],
    }
    if change:
        change(arrays)
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            chunked = {"chunks": (1, *array.shape[1:]), "compression": "gzip", "compression_opts": 1}
            dataset = file.create_dataset(name, data=array, **(chunked if array.ndim > 2 else {}))
            dataset.attrs["MATLAB_class"] = np.bytes_(_CLASSES[name])
    header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created by fake_nyu.py HDF5 schema 1.00 ."
    with open(path, "r+b") as file:
        file.write(header.ljust(116) + b"\0" * 8 + b"\x00\x02IM")
    return arrays


def _scene(rng):
    """Picture uint8 [480, 640, 3], depth float32 [480, 640] metres and labels uint16 of a back wall, a floor and a box."""
    x, y = np.arange(640, dtype=np.float32)[None], np.arange(480, dtype=np.float32)[:, None]
    wall, camera_height = rng.uniform(2.5, 7.0), rng.uniform(0.9, 1.6)
    floor = 519.0 * camera_height / np.maximum(y - rng.uniform(200, 280), 1.0)  # a level plane below the camera
    depth = np.broadcast_to(np.minimum(floor, wall), (480, 640)).astype(np.float32)
    labels = np.where(depth < wall, 2, 1).astype(np.uint16)
    left, top = rng.integers(0, 480), rng.integers(120, 360)
    box = (x >= left) & (x < left + 160) & (y >= top) & (y < top + 140)
    depth = np.where(box, np.minimum(depth, np.float32(rng.uniform(1.2, 2.4))), depth)
    labels = np.where(box, np.uint16(3), labels)
    tint = np.array([[0.9, 0.9, 0.9], [1.0, 0.8, 0.6], [0.7, 0.8, 1.0]])[labels - 1]
    picture = 255 * np.exp(-depth / 4)[..., None] * tint
    return picture.astype(np.uint8), depth, labels
