"""Brings colour and depth of the Kinect into one picture: the colour camera's, without distortion."""

import functools

import numpy as np
from scipy import ndimage

from jaxdepth.prepare.nyu_raw import calibration
from jaxdepth.prepare.nyu_raw.calibration import COLOUR, DEPTH, ROTATION, SIZE, TRANSLATION

_BEHIND = 1.02  # a point more than this much as far as a neighbour's surface is behind it


def undistorted_picture(picture):
    """The colour picture as a camera without distortion sees it.

    Args:
      picture: uint8 [480, 640, 3].

    Returns:
      uint8 [480, 640, 3], interpolated bilinearly; borders are continued.
    """
    rows, columns = _shown_at()
    channels = [
        ndimage.map_coordinates(picture[..., k].astype(np.float32), (rows, columns), order=1, mode="nearest")
        for k in range(3)
    ]
    return np.uint8(np.round(np.stack(channels, axis=-1)))


def projected_depth(codes):
    """The depth picture as the colour camera sees it.

    Each depth pixel is a point on its own, undistorted, ray; nothing is interpolated. Where several points fall on one
    pixel of the colour picture the nearest one counts. A point is left out if it lies behind the surface that its
    neighbours make, so that no surface shows through the gaps of a nearer one.

    Args:
      codes: uint16 [480, 640], see `calibration.metres`.

    Returns:
      float32 [480, 640], metres along z of the colour camera without distortion; 0 where no point falls.
    """
    depth = calibration.metres(codes)
    rays = _depth_rays()
    seen = depth > 0
    x, y, z = ROTATION @ (depth[seen] * rays[:, seen]) + TRANSLATION[:, None]
    camera = COLOUR.intrinsics
    column, row = camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy
    inside = (z > 0) & (row > -0.5) & (row < SIZE[0] - 0.5) & (column > -0.5) & (column < SIZE[1] - 0.5)
    row, column, z = row[inside], column[inside], z[inside]
    surface = np.full(SIZE, np.inf)
    for i in (np.floor(row), np.ceil(row)):  # a depth pixel is almost as wide as a pixel of the colour picture
        for j in (np.floor(column), np.ceil(column)):
            at = np.clip(i, 0, SIZE[0] - 1).astype(int), np.clip(j, 0, SIZE[1] - 1).astype(int)
            np.minimum.at(surface, at, z)
    at = np.rint(row).astype(int), np.rint(column).astype(int)
    front = z <= _BEHIND * surface[at]
    nearest = np.full(SIZE, np.inf)
    np.minimum.at(nearest, (at[0][front], at[1][front]), z[front])
    return np.where(np.isinf(nearest), 0, nearest).astype(np.float32)


@functools.cache
def _depth_rays():
    """The undistorted ray (x, y, 1) of each pixel of the depth camera, float64 [3, 480, 640]."""
    x, y = calibration.undistort(*_rays(DEPTH.intrinsics), DEPTH)
    return np.stack([x, y, np.ones(SIZE)])


@functools.cache
def _shown_at():
    """Rows and columns of the distorted colour picture that the undistorted one's pixels show, float64 [480, 640]."""
    camera = COLOUR.intrinsics
    x, y = calibration.distort(*_rays(camera), COLOUR)
    return camera.fy * y + camera.cy, camera.fx * x + camera.cx


def _rays(camera):
    """x and y of the rays (x, y, 1) through the pixels of a picture, float64 [480, 640] each."""
    rows, columns = np.indices(SIZE, np.float64)
    return (columns - camera.cx) / camera.fx, (rows - camera.cy) / camera.fy
