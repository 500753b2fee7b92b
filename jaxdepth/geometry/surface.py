"""The surface that a depth map shows: triangles between neighbouring pixels, without those across a jump of depth."""

import math
from typing import NamedTuple

import numpy as np

from jaxdepth.errors import InputError
from jaxdepth.geometry.camera import Intrinsics, crop_intrinsics, rays64

EDGE = 4.0  # degrees
MOST = 1 << 20  # points of a surface, about


class Surface(NamedTuple):
    """Points of a depth map's pixels, and triangles of them.

    Attributes:
      points: float32 [N, 3], metres in the camera frame: x right, y down, z forward. Each is a triangle's corner.
      rows, columns: int [N], the points' pixels.
      triangles: int32 [M, 3], indices of points; counter-clockwise as the camera sees them.
    """

    points: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    triangles: np.ndarray


def surface(depth: np.ndarray, camera: Intrinsics, *, edge: float = EDGE, most: int = MOST) -> Surface:
    """Joins neighbouring pixels to triangles, and leaves out those that are a jump of depth.

    A triangle between a thing and what is behind it lies almost along the ray, so triangles that the camera sees at
    less than `edge` degrees are left out. This angle depends neither on the distance nor on the number of pixels, also
    where a network draws a jump over some pixels. A floor is seen at the angle atan(height / distance): by default it
    ends at 14 times the camera's height.

    Args:
      depth: [H, W], metres; 0 or not finite where there is none.
      camera: in pixels of the depth map.
      edge: degrees from 0, which leaves nothing out, to below 90.
      most: about how many points at most. Of a larger map the pixels of `pixel_grid` are taken as they are: a mean
        would lie between the two sides of a jump.

    Returns:
      A Surface, without a point if there are no neighbours with depth.

    Raises:
      InputError: if `edge` is out of range.
    """
    check_edge(edge)
    rows, columns, camera = pixel_grid(depth.shape, camera, most=most)
    z = np.float32(depth[np.ix_(rows, columns)])
    rays = rays64(camera, (1, len(columns)))[..., 0], rays64(camera, (len(rows), 1))[..., 1]
    x, y = map(np.float32, rays)  # [1, w], [h, 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = np.where((z > 0) & (z < np.inf), 1 / z, np.float32(np.nan))
    across, down = (np.float32(camera[axis]) * np.diff(inverse, axis=1 - axis) for axis in (0, 1))

    upper, lower = slice(None, -1), slice(1, None)
    top_left, top_right, bottom_left, bottom_right = ((i, j) for i in (upper, lower) for j in (upper, lower))
    # Of each square of neighbours two triangles, their right angle first, and the slopes of 1 / Z along its sides.
    halves = (
        ((top_left, bottom_left, top_right), across[upper], down[:, upper]),
        ((bottom_right, top_right, bottom_left), across[lower], down[:, lower]),
    )
    sine, kept, used = np.float32(math.sin(math.radians(edge))), [], np.zeros(z.shape, bool)
    for corners, a, b in halves:
        (i, j), farthest = corners[0], np.minimum.reduce([inverse[corner] for corner in corners])
        # The triangle's plane is a X + b Y + c Z = 1, so 1 / Z / |(a, b, c)| / |ray| is the angle's sine.
        c = inverse[i, j] - a * x[:, j] - b * y[i]
        lengths = (a * a + b * b + c * c) * (1 + x[:, j] ** 2 + y[i] ** 2)
        kept.append(farthest * farthest >= sine * sine * lengths)  # not where a corner is NaN
        for corner in corners:
            used[corner] |= kept[-1]
    index = (np.cumsum(used, dtype=np.int32) - 1).reshape(z.shape)
    triangles = [
        np.stack([index[corner][keep] for corner in corners], axis=-1)
        for (corners, *_), keep in zip(halves, kept, strict=True)
    ]
    i, j = np.nonzero(used)
    points = np.stack([x[0, j], y[i, 0], np.ones(len(i), np.float32)], axis=-1) * z[used][:, None]
    return Surface(points, rows[i], columns[j], np.concatenate(triangles))


def pixel_grid(size: tuple[int, int], camera: Intrinsics, *, most: int = MOST):
    """The pixels that a surface is made of: all, or every second (third, ...) in both directions.

    Args:
      size: (height, width) of the depth map.
      camera: in pixels of the depth map.
      most: about how many pixels at most.

    Returns:
      The rows, the columns, and the camera in steps of this grid.
    """
    step = max(1, math.ceil(math.sqrt(math.prod(size) / most)))
    start = (step - 1) // 2
    cropped = crop_intrinsics(camera, top=start, left=start)
    return *(np.arange(start, n, step) for n in size), Intrinsics(*(value / step for value in cropped))


def check_edge(edge: float):
    """Raises InputError unless `edge` is degrees from 0 to below 90."""
    if not 0 <= edge < 90:
        raise InputError(f"edge={edge:g}: expected degrees from 0 to below 90")
