"""Brings colour and depth of the Kinect into one picture: the colour camera's, without distortion."""

import functools

import numpy as np
from scipy import sparse

from jaxdepth.geometry import resize
from jaxdepth.prepare.nyu_raw import calibration
from jaxdepth.prepare.nyu_raw.calibration import COLOUR, DEPTH, ROTATION, SIZE, TRANSLATION

_BEHIND = 1.02  # a point more than this much as far as a neighbour's surface is behind it


def undistorted_picture(picture, size=SIZE):
    """The colour picture as a camera without distortion sees it.

    Args:
      picture: uint8 [480, 640, 3].
      size: (h, w), at most that; of the largest central part in its shape.

    Returns:
      uint8 [h, w, 3]: interpolated bilinearly, where borders are continued, and averaged over the areas of the pixels.
    """
    mean = _resampling(tuple(size)) @ picture.reshape(-1, 3).astype(np.float32)
    return np.floor(mean + 0.5).astype(np.uint8).reshape(*size, 3)


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
    depth = _all_metres()[codes.ravel()]
    seen = np.flatnonzero(depth)
    depth = depth[seen]
    x, y, z = (depth * along[seen] + t for along, t in zip(_turned_rays(), TRANSLATION, strict=True))
    camera, (h, w) = COLOUR.intrinsics, SIZE
    column, row = camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy
    inside = (z > 0) & (row > -0.5) & (row < h - 0.5) & (column > -0.5) & (column < w - 0.5)
    row, column, z = row[inside], column[inside], z[inside]
    # A depth pixel is almost as wide as a pixel of the colour picture, so it may hide what is in all four around it:
    # [k, l] here is the nearest point between rows k - 1 and k and between columns l - 1 and l.
    between = np.full((h + 1) * (w + 1), np.inf)
    np.minimum.at(between, (np.floor(row).astype(np.intp) + 1) * (w + 1) + np.floor(column).astype(np.intp) + 1, z)
    between = between.reshape(h + 1, w + 1)
    between = np.minimum(between[1:], between[:-1])
    surface = np.minimum(between[:, 1:], between[:, :-1]).ravel()
    at = np.rint(row).astype(np.intp) * w + np.rint(column).astype(np.intp)
    front = z <= _BEHIND * surface[at]
    nearest = np.full(h * w, np.inf)
    np.minimum.at(nearest, at[front], z[front])
    return np.where(np.isinf(nearest), 0, nearest).astype(np.float32).reshape(SIZE)


@functools.cache
def _all_metres():
    """The metres of each code, float64 [65536]."""
    return calibration.metres(np.arange(1 << 16))


@functools.cache
def _turned_rays():
    """The undistorted ray (x, y, 1) of each pixel of the depth camera, in the colour camera's frame: [3, 480 * 640]."""
    return ROTATION @ _depth_rays().reshape(3, -1)


@functools.cache
def _resampling(size):
    """The matrix, float32 [h * w, 480 * 640], that makes pixels of a central part from those of the distorted picture.

    Rows and columns are shrunk apart, so that one sparse matrix of their products does both, and the interpolation.
    """
    rows, columns = _shown_at()
    across = []
    for at, n in ((rows, SIZE[0]), (columns, SIZE[1])):
        at = np.clip(at.ravel(), 0, n - 1)
        low = np.minimum(at.astype(int), n - 2)
        across.append([(low, low + 1 - at), (low + 1, at - low)])
    pixel = np.arange(SIZE[0] * SIZE[1])
    shown = sum(
        sparse.csr_matrix((share * share2, (pixel, i * SIZE[1] + j)), (pixel.size, pixel.size))
        for i, share in across[0]
        for j, share2 in across[1]
    )
    pitch = resize.central_pitch(SIZE, size)
    shrunk = sparse.kron(*(resize.overlap(n, m, pitch).astype(np.float64) for n, m in zip(SIZE, size, strict=True)))
    return (shrunk.tocsr() @ shown).astype(np.float32)


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
