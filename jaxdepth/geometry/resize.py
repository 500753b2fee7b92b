"""Resizes pictures by area means, and depths by the nearest pixel. Numpy and Pillow only.

An axis of `size` pixels is cut into `out_size` parts of `pitch` pixels each, centred on the axis. By default the parts
cover all of it.
"""

import functools
from fractions import Fraction

import numpy as np
from PIL import Image


def nearest_index(size: int, out_size: int, *, pitch: Fraction | None = None) -> np.ndarray:
    """The pixel that holds the centre of each part: floor(start + (i + .5) pitch), from the first part's edge.

    Args:
      size: pixels of the axis.
      out_size: number of parts.
      pitch: pixels in a part; None for size / out_size.

    Returns:
      int64 [out_size].
    """
    n, d = (pitch or Fraction(size, out_size)).as_integer_ratio()
    return (size * d - out_size * n + (2 * np.arange(out_size) + 1) * n) // (2 * d)


def take_nearest(array: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The pixels [H, W, ...] at these rows and columns, both int [.], as `nearest_index` gives them.

    One axis after the other: five times as fast as both at once.
    """
    return array.take(rows, axis=0).take(columns, axis=1)


def shrink(picture: np.ndarray, out_size, *, pitch: Fraction | None = None) -> np.ndarray:
    """Averages a picture over the parts, with halves rounded up.

    Where the parts are smaller than a pixel, the picture is enlarged, bilinearly.

    Args:
      picture: uint8 [H, W, 3].
      out_size: (h, w).
      pitch: pixels in a part, the same on both axes; None for parts that cover the picture.

    Returns:
      uint8 [h, w, 3].
    """
    size = picture.shape[:2]
    pitches = [pitch or Fraction(n, m) for n, m in zip(size, out_size, strict=True)]
    starts = [(n - m * p) / 2 for n, m, p in zip(size, out_size, pitches, strict=True)]
    h, w = out_size
    if all(x.denominator == 1 for x in (*pitches, *starts)):  # the same result as below, twenty times as fast
        (top, left), (y, x) = map(int, starts), map(int, pitches)
        return np.asarray(Image.fromarray(picture[top : top + h * y, left : left + w * x]).reduce((x, y)))
    if min(pitches) < 1:
        box = [float(edge) for edge in (starts[1], starts[0], starts[1] + w * pitches[1], starts[0] + h * pitches[0])]
        return np.asarray(Image.fromarray(picture).resize((w, h), Image.Resampling.BILINEAR, box=box))
    rows = np.tensordot(overlap(size[0], h, pitches[0]), picture.astype(np.float32), (1, 0))  # [h, W, 3]
    mean = np.tensordot(rows, overlap(size[1], w, pitches[1]), (1, 1))  # [h, 3, w]
    return np.floor(mean + 0.5).astype(np.uint8).swapaxes(1, 2)


def central_pitch(size, out_size) -> Fraction:
    """The pitch of the largest central part of `size` that has the shape of `out_size`, both (height, width)."""
    return min(Fraction(int(n), int(m)) for n, m in zip(size, out_size, strict=True))


def central_nearest(array: np.ndarray, *, frame_size, out_size, picture_size=None) -> np.ndarray:
    """Takes the largest central part in a frame's shape, resized by the nearest pixels.

    Args:
      array: [H, W].
      frame_size: (height, width) whose shape the part has.
      out_size: (h, w).
      picture_size: (height, width) of the picture whose field of view the array has too; the part is that of the
        picture. None for the array's own.

    Returns:
      [h, w].
    """
    size = picture_size or array.shape
    pitch = central_pitch(size, frame_size)
    rows, columns = (
        nearest_index(n, out, pitch=pitch * Fraction(n * part, int(whole) * out))
        for n, whole, part, out in zip(array.shape, size, frame_size, out_size, strict=True)
    )
    return take_nearest(array, rows, columns)


@functools.cache
def overlap(size: int, out_size: int, pitch: Fraction) -> np.ndarray:
    """Share of each pixel in each part of an axis: float32 [out_size, size].

    Pillow's BOX filter is no substitute: it takes a pixel either whole or not at all.
    """
    edges = float((size - out_size * pitch) / 2) + np.arange(out_size + 1) * float(pitch)
    pixel = np.arange(size)
    inside = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    return (np.maximum(inside, 0) / float(pitch)).astype(np.float32)
