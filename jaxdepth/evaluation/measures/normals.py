"""Surface normals: how the surfaces that a depth map describes are turned."""

import math

import numpy as np
from scipy import ndimage

from jaxdepth.evaluation.measures.frame import ScoredFrame
from jaxdepth.geometry.normals import window_planes

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
    planes = [window_planes(1 / depth, frame.camera, window=WINDOW) for depth in (frame.prediction, truth)]
    angles = _angles(*([part[scored] for part in plane] for plane in planes))
    within = {name: float(np.mean(angles < threshold)) for name, threshold in names.items()}
    return {"mean": float(np.mean(angles)), "median": float(np.median(angles)), **within}


def _angles(first: list[np.ndarray], second: list[np.ndarray]) -> np.ndarray:
    """Degrees between vectors, each given as x, y and z; exact near 0 too, where an arc cosine is not."""
    (a, b, c), (p, q, r) = first, second
    sine = np.sqrt((b * r - c * q) ** 2 + (c * p - a * r) ** 2 + (a * q - b * p) ** 2)
    return np.degrees(np.arctan2(sine, a * p + b * q + c * r))
