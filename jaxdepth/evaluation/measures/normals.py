"""Surface normals: how the surfaces that a depth map describes are turned."""

import math

import numpy as np
from scipy import ndimage

from jaxdepth.evaluation.measures.frame import ScoredFrame
from jaxdepth.geometry.camera import Intrinsics, rays64

WINDOW = 9  # pixels
THRESHOLDS = (11.25, 22.5, 30.0)  # degrees (Fouhey 2013)


def surface_normals(frame: ScoredFrame) -> dict[str, float]:
    """Angles between the surface normals of prediction and truth (Fouhey 2013; Eigen and Fergus 2015).

    Both normals come from depth, in the same way: a plane is fitted to each pixel's window of 9x9, by least squares in
    inverse depth. A plane's inverse depth is affine in the pixel, so a plane is fitted exactly, and the noise and steps
    of a structured-light camera are even in inverse depth. With the sensor that `jaxdepth.rooms.sensor` simulates, at
    640x480, the normals of the truth are off by about 10 degrees (median) with a window of 5x5, 6 with 7x7 and 4 with
    9x9. A window at an outline spans two surfaces, in both maps.

    Scored are the pixels whose whole window lies in the frame and has valid truth.

    Args:
      frame: its camera is needed.

    Returns:
      {name: float}; all NaN without a camera or without a scored pixel.
        mean, median: of the angles, in degrees from 0 to 180.
        within_11.25, within_22.5, within_30: share of pixels with an angle below so many degrees.
    """
    names = {f"within_{threshold:g}": threshold for threshold in THRESHOLDS}
    # The minimum of the window, in which pixels outside the frame count as not valid.
    scored = ndimage.minimum_filter(frame.valid.astype(np.uint8), WINDOW, mode="constant") > 0
    if frame.camera is None or not scored.any():
        return dict.fromkeys(("mean", "median", *names), math.nan)
    truth = np.where(frame.valid, frame.truth, 1.0)
    angles = _angles(*(_normals(depth, frame.camera, scored) for depth in (frame.prediction, truth)))
    within = {name: float(np.mean(angles < threshold)) for name, threshold in names.items()}
    return {"mean": float(np.mean(angles)), "median": float(np.median(angles)), **within}


def _normals(depth: np.ndarray, camera: Intrinsics, scored: np.ndarray) -> list[np.ndarray]:
    """Normals, not of unit length and away from the camera: x, y and z, [K] each, of the scored pixels of [H, W].

    The plane a X + b Y + c Z = 1 is a x + b y + c = 1 / Z on the ray (x, y, 1). On a window with its centre in the
    origin, least squares are sums of products: a = sum(x / Z) / sum(x^2), likewise b, and 1 / Z has its mean at 0.
    """
    steps = np.arange(WINDOW) - WINDOW // 2
    mean, slope = np.full(WINDOW, 1 / WINDOW), steps / np.sum(steps**2)

    def filtered(down, across):
        columns = ndimage.correlate1d(1 / depth, down, axis=0)
        return ndimage.correlate1d(columns, across, axis=1)[scored]

    x, y = np.moveaxis(rays64(camera, depth.shape)[scored], -1, 0)[:2]
    a, b = camera.fx * filtered(mean, slope), camera.fy * filtered(slope, mean)
    return [a, b, filtered(mean, mean) - a * x - b * y]


def _angles(first: list[np.ndarray], second: list[np.ndarray]) -> np.ndarray:
    """Degrees between vectors, each given as x, y and z; exact near 0 too, where an arc cosine is not."""
    (a, b, c), (p, q, r) = first, second
    sine = np.sqrt((b * r - c * q) ** 2 + (c * p - a * r) ** 2 + (a * q - b * p) ** 2)
    return np.degrees(np.arctan2(sine, a * p + b * q + c * r))
