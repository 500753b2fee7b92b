"""Little files in the layout of nyu_depth_v2_labeled.mat: MATLAB v7.3, every axis reversed as h5py sees it."""

import contextlib

import h5py
import numpy as np
import pytest

from jaxdepth.data import splits

FOCAL, HEIGHT = 519.0, 1.3  # pixels at 480x640, metres of the camera above the floor


def frame(index, size=(480, 640)):
    """A room that can be learned from its picture: a floor and a ceiling that recede, a back wall and three boxes.

    Surfaces have colours of their own and darken with depth. Returns image uint8 [H, W, 3], depth float32 [H, W] in
    metres, label uint16 [H, W] (1 floor, 2 ceiling, 3 wall, 4 box).
    """
    rng = np.random.default_rng(index)
    h, w = size
    y = ((np.arange(h) + 0.5) / h * 480 - 240)[:, None] / FOCAL
    x = ((np.arange(w) + 0.5) / w * 640 - 320)[None, :] / FOCAL
    wall = rng.uniform(3, 8)
    floor = np.where(y > 0, HEIGHT / np.maximum(y, 1e-6), np.inf)
    ceiling = np.where(y < 0, HEIGHT / np.maximum(-y, 1e-6), np.inf)
    depth = np.broadcast_to(np.minimum(wall, np.minimum(floor, ceiling)), size).copy()
    label = np.where(depth == wall, 3, np.where(np.broadcast_to(y, size) > 0, 1, 2)).astype(np.uint16)
    for z in sorted(rng.uniform(1.2, wall, 3), reverse=True):
        half, top, centre = rng.uniform(0.2, 0.6), rng.uniform(-0.5, 0.8), rng.uniform(-0.5, 0.5) * z
        inside = (abs(x * z - centre) < half) & (y * z > top) & (y * z < HEIGHT)
        depth[inside], label[inside] = z, 4
    colours = rng.uniform([0.6, 0.4, 0.3], [0.9, 0.7, 0.5], (5, 3))
    colours[[1, 2, 4]] = [0.6, 0.5, 0.4], [0.95, 0.95, 0.95], [0.3, 0.5, 0.9]
    image = 255 * colours[label] * np.exp(-depth / 6)[..., None]
    return image.astype(np.uint8), depth.astype(np.float32), label


def write_mat(path, n, *, size=(480, 640), ids=None, scenes=None, **arrays):
    """Write `n` frames as a .mat file at `path` and return the path.

    Args:
      size: (height, width) of the frames; the official file's is the default.
      ids: their official ids, 1..n where not given; they also choose the frames' content.
      scenes: the name of each frame's scene, stored as MATLAB stores a cell of text: references to codes of letters.
      arrays: what the file shall hold instead under a name, as h5py stores it; None leaves the array out.
    """
    ids = np.arange(1, n + 1) if ids is None else np.asarray(ids)
    made = [frame(i, size) for i in ids]
    contents = {
        "images": np.stack([image.transpose(2, 1, 0) for image, _, _ in made]),  # [n, channel, x, y]
        "depths": np.stack([depth.T for _, depth, _ in made]),  # [n, x, y]
        "labels": np.stack([label.T for _, _, label in made]),
        "frame_ids": ids.astype(np.float64)[:, None],
        **arrays,
    }
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in contents.items():
            if array is not None:
                chunks = (1, *array.shape[1:]) if array.ndim > 2 else None
                packing = dict(chunks=chunks, compression="gzip", compression_opts=1) if chunks else {}
                file.create_dataset(name, data=array, **packing)
        if scenes is not None:
            codes = [np.frombuffer(name.encode(), np.uint8).astype(np.uint16)[:, None] for name in scenes]
            references = [file.create_dataset(f"#refs#/{i}", data=code).ref for i, code in enumerate(codes)]
            file.create_dataset("scenes", (1, n), h5py.ref_dtype)[0] = references
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64 HDF5 schema 1.00 .".ljust(116) + b"\0" * 8 + b"\x00\x02IM")
    return path


@contextlib.contextmanager
def dev_folder(folder, *, train, val):
    """A folder with a file of some frames of split `dev`, the first of each part, and with the cache while it lasts."""
    train_ids, val_ids = splits.nyu_lists()["dev"]
    write_mat(folder / "nyu_depth_v2_labeled.mat", train + val, ids=sorted([*train_ids[:train], *val_ids[:val]]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAXDEPTH_CACHE", str(folder / "cache"))
        yield folder
