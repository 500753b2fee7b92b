"""Pictures and depths at another size: area means for pictures, the pixel in the middle for depths.

An axis of `size` pixels is divided into `out_size` parts of `pitch` pixels, which lie in its middle; by default they
cover all of it. Numpy and Pillow only.
"""

import functools
from fractions import Fraction

import numpy as np
from PIL import Image


def nearest_index(size: int, out_size: int, *, pitch: Fraction | None = None) -> np.ndarray:
    """The pixel of an axis that holds the centre of each part: int64 [out_size], floor(start + (i + .5) pitch).

    With the default pitch, size / out_size, that is floor((i + .5) size / out_size).
    """
    n, d = (pitch or Fraction(size, out_size)).as_integer_ratio()
    return (size * d - out_size * n + (2 * np.arange(out_size) + 1) * n) // (2 * d)


def shrink(picture: np.ndarray, out_size, *, pitch: Fraction | None = None) -> np.ndarray:
    """uint8 [H, W, 3] averaged over areas to uint8 [h, w, 3] = `out_size`, halves rounded up.

    Where the parts are smaller than a pixel the picture is enlarged, bilinearly.
    """
    size = picture.shape[:2]
    pitches = [pitch or Fraction(n, m) for n, m in zip(size, out_size, strict=True)]
    starts = [(n - m * p) / 2 for n, m, p in zip(size, out_size, pitches, strict=True)]
    h, w = out_size
    if all(x.denominator == 1 for x in (*pitches, *starts)):  # the same as below, twenty times as fast
        (top, left), (y, x) = map(int, starts), map(int, pitches)
        return np.asarray(Image.fromarray(picture[top : top + h * y, left : left + w * x]).reduce((x, y)))
    if min(pitches) < 1:
        box = [float(edge) for edge in (starts[1], starts[0], starts[1] + w * pitches[1], starts[0] + h * pitches[0])]
        return np.asarray(Image.fromarray(picture).resize((w, h), Image.Resampling.BILINEAR, box=box))
    rows = np.tensordot(_overlap(size[0], h, pitches[0]), picture.astype(np.float32), (1, 0))  # [h, W, 3]
    mean = np.tensordot(rows, _overlap(size[1], w, pitches[1]), (1, 1))  # [h, 3, w]
    return np.floor(mean + 0.5).astype(np.uint8).swapaxes(1, 2)


def central_pitch(size, out_size) -> Fraction:
    """Pixels to a part, the same on both axes, for the largest central cut of `size` in the shape of `out_size`."""
    return min(Fraction(int(n), int(m)) for n, m in zip(size, out_size, strict=True))


def central_nearest(array: np.ndarray, *, frame_size, out_size) -> np.ndarray:
    """The largest central part of [H, W] in the shape of `frame_size`, at `out_size` (h, w) by its nearest pixels."""
    pitch = central_pitch(array.shape, frame_size)
    rows, columns = (
        nearest_index(n, out, pitch=pitch * part / out)
        for n, part, out in zip(array.shape, frame_size, out_size, strict=True)
    )
    return array[rows[:, None], columns]


@functools.cache
def _overlap(size: int, out_size: int, pitch: Fraction) -> np.ndarray:
    """Share of each of `size` pixels in each of `out_size` parts of an axis: float32 [out_size, size].

    Pillow's BOX filter will not do: it counts pixels as a whole, in or out.
    """
    edges = float((size - out_size * pitch) / 2) + np.arange(out_size + 1) * float(pitch)
    pixel = np.arange(size)
    inside = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    return (np.maximum(inside, 0) / float(pitch)).astype(np.float32)
