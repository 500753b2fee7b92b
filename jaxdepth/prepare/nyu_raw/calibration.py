"""The Kinect of NYU Depth V2: its two cameras, as `camera_params.m` of the data set's toolbox has them.

The toolbox counts pixels from 1; here they count from 0. It also negates the rotation, so that its points lie behind
the cameras, where the same pixels see them: here rotation and translation are the toolbox's with both signs turned, and
points stay in front.
"""

from typing import NamedTuple

import numpy as np

from jaxdepth.geometry.camera import NYU_INTRINSICS, Intrinsics

SIZE = (480, 640)  # of both pictures


class Lens(NamedTuple):
    """A camera with radial (k1, k2, k3) and tangential (p1, p2) distortion, as OpenCV defines them."""

    intrinsics: Intrinsics
    k1: float
    k2: float
    p1: float
    p2: float
    k3: float


COLOUR = Lens(
    NYU_INTRINSICS,
    k1=2.0796615318809061e-01,
    k2=-5.8613825163911781e-01,
    p1=7.2231363135888329e-04,
    p2=1.0479627195765181e-03,
    k3=4.9856986684705107e-01,
)
DEPTH = Lens(
    Intrinsics(fx=5.8262448167737955e02, fy=5.8269103270988637e02, cx=312.04475870804731, cy=237.44389626620386),
    k1=-9.9897236553084481e-02,
    k2=3.9065324602765344e-01,
    p1=1.9290592870229277e-03,
    p2=-1.9422022475975055e-03,
    k3=-5.1031725053400578e-01,
)
# A point p of the depth camera's frame is ROTATION @ p + TRANSLATION in the colour camera's, in metres.
ROTATION = np.array(
    [
        [9.9997798940829263e-01, -5.0359919480810989e-03, -4.3196624923060242e-03],
        [5.0518419386157446e-03, 9.9998051861143999e-01, 3.6662365748484798e-03],
        [4.3011152014118693e-03, -3.6879781309514218e-03, 9.9998394948385538e-01],
    ]
)
TRANSLATION = np.array([-2.5031875059141302e-02, 2.9342312935846411e-04, -6.6238747008330102e-04])

NO_DEPTH = 2047  # the code of a pixel without a measurement
_SCALE, _OFFSET = 351.3, 1092.5  # of depth_rel2depth_abs.m


def metres(codes):
    """Depth in metres of the depth camera's codes, float64 of the same shape; 0 where there is no measurement.

    Args:
      codes: unsigned integers: 11 bits that grow with the distance.
    """
    codes = np.asarray(codes, np.float64)
    valid = (codes > 0) & (codes < _OFFSET - _SCALE / 1e3)  # beyond, the formula turns negative
    return np.where(valid, _SCALE / np.where(valid, _OFFSET - codes, 1), 0.0)


def distort(x, y, lens):
    """Where a lens shows the ray (x, y, 1): (x, y, 1) of the distorted one, float64 of the same shape."""
    r2 = x * x + y * y
    radial = 1 + r2 * (lens.k1 + r2 * (lens.k2 + r2 * lens.k3))
    return (
        x * radial + 2 * lens.p1 * x * y + lens.p2 * (r2 + 2 * x * x),
        y * radial + lens.p1 * (r2 + 2 * y * y) + 2 * lens.p2 * x * y,
    )


def undistort(x, y, lens, *, steps=30):
    """The inverse of `distort`, by fixed-point steps: to 1e-8 within the Kinect's pictures."""
    found_x, found_y = x, y
    for _ in range(steps):
        shown_x, shown_y = distort(found_x, found_y, lens)
        found_x, found_y = found_x + (x - shown_x), found_y + (y - shown_y)
    return found_x, found_y
