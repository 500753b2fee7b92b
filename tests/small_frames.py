"""Frames for tests of batches, and the augmentation's geometry in float64."""

import math

import numpy as np

from jaxdepth.data.frames import Frames
from jaxdepth.geometry.camera import nyu_intrinsics

SIZE, CROP = (24, 32), (20, 28)
AUGMENTATION = dict(crop_size=CROP, scale=(0.75, 1.25), rotation=5.0, flip=True, colour=0.1, light=0.1)


def make_frames(n, size=SIZE):
    """Frames whose grey value is about 10 times their index, and whose depth is 1 + their index."""
    rng = np.random.default_rng(0)
    images = (np.arange(n)[:, None, None, None] * 10 + rng.integers(0, 6, (n, *size, 3))).astype(np.uint8)
    depths = np.broadcast_to(1.0 + np.arange(n)[:, None, None], (n, *size)).astype(np.float32)
    return frames_of(images, depths)


def frames_of(images, depths):
    """Frames with these arrays."""
    return Frames(
        name="test",
        images=images,
        depths=depths,
        ids=np.arange(len(images)),
        intrinsics=nyu_intrinsics(images.shape[1:3]),
        full_depth=None,
        splits={},
        counts={},
        truth="",
        description="",
    )


FRAMES = make_frames(20)
INDICES = np.array([2, 3, 5, 7, 11, 13, 17, 19, 0, 8, 9])  # 11 of them: no batch size divides it


def same(a, b):
    """Whether two batches are equal bit for bit."""
    return a.keys() == b.keys() and all(a[name].tobytes() == b[name].tobytes() for name in a)


def noise(size, seed=0):
    """A random frame: image uint8 [H, W, 3], depth float32 [H, W]."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (*size, 3), np.uint8), rng.uniform(0.5, 9, size).astype(np.float32)


def origins(size, crop_size, *, scale, angle, offset, mirror):
    """The point of the frame that each pixel of the crop shows: row and column, 0 at the first pixel's centre.

    Step by step in float64: from the crop's centre, by the offset, back by the rotation and the scale, to the frame's
    centre. Rows count downwards, so an anticlockwise turn takes (x, y) to (x cos + y sin, y cos - x sin).

    Args:
      size: (H, W) of the frame.
      crop_size: (h, w).
      scale, offset, mirror: as for `augment.transform`.
      angle: degrees.

    Returns:
      Two float64 [h, w].
    """
    i, j = np.mgrid[: crop_size[0], : crop_size[1]].astype(np.float64)
    y, x = i + 0.5 - crop_size[0] / 2 + offset[0], j + 0.5 - crop_size[1] / 2 + offset[1]
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    x, y = (x * cos - y * sin) / scale, (x * sin + y * cos) / scale
    return y + size[0] / 2 - 0.5, (-x if mirror else x) + size[1] / 2 - 0.5
