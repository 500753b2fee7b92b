"""Planarity: whether flat surfaces are predicted flat, and turned as they are."""

import math
from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from jaxdepth.evaluation.measures.frame import ScoredFrame
from jaxdepth.geometry.camera import rays64

SURFACES = ("wall", "floor", "ceiling", "table")  # labels whose parts may be flat
SMALLEST = 0.01  # of the frame's pixels
SMALLEST_KNOWN = 0.05
FLAT = 0.01  # of the distance
INSIDE = 5  # pixels
_NARROW = 1e-6  # ratio of variances below which points are a line


def planarity(frame: ScoredFrame) -> dict[str, float]:
    """Planarity errors of the frame's flat surfaces (iBims-1, Koch 2018).

    A plane is fitted to the 3D points of each surface, by least squares of the distances to it. As in the authors'
    script, the predicted depth of each surface is first multiplied by the factor that fits its median to the truth's:
    the errors tell of its shape, not of its distance.

    Where the frame's planes are not known, the surfaces are the 4-connected parts of what is labelled wall, floor,
    ceiling or table, without the pixels whose window of 5x5 has a second label, as outlines are drawn roughly. A part
    is often two walls: it is left out unless the root mean square distance of its true points to their plane is at most
    1 % of their mean depth, about the noise of the first Kinect at 5 m.

    A surface is also left out if its valid pixels are less than 1 % of the frame's, or lie in one line. Of known planes
    it is 5 %, as in the authors' script. That takes their normals from the annotation, this one from the true depth.

    Args:
      frame: its camera is needed, and its planes, or labels and their names.

    Returns:
      {name: float}, means over the frame's planes; all NaN without a camera or a plane.
        flatness: standard deviation of the distances of predicted points to their plane, in metres (the paper: cm).
        orientation: angle between the planes of predicted and true points, in degrees from 0 to 90.
    """
    errors = []
    if frame.camera is not None:
        rays = rays64(frame.camera, frame.valid.shape)
        known = frame.planes is not None
        regions, tolerance, smallest = (
            (frame.planes, math.inf, SMALLEST_KNOWN) if known else (_parts(frame), FLAT, SMALLEST)
        )
        for region in regions:
            region = region & frame.valid
            if region.sum() < smallest * region.size:
                continue
            errors += _errors(frame.prediction[region], frame.truth[region], rays[region], tolerance=tolerance)
    flatness, orientation = np.mean(errors, axis=0) if errors else (math.nan, math.nan)
    return {"flatness": float(flatness), "orientation": float(orientation)}


def _parts(frame: ScoredFrame) -> Iterator[np.ndarray]:
    """The insides of the connected parts of labelled surfaces, bool [H, W] each."""
    if frame.labels is None or frame.label_names is None:
        return
    flat = np.isin(frame.labels, [i for i, name in enumerate(frame.label_names) if name in SURFACES])
    low, high = (f(frame.labels, INSIDE) for f in (ndimage.minimum_filter, ndimage.maximum_filter))
    parts, _ = ndimage.label(flat & (low == high))  # insides of two labels are never neighbours
    for part in np.flatnonzero(np.bincount(parts.ravel()) >= SMALLEST * parts.size):
        if part:  # 0 is what belongs to none
            yield parts == part


def _errors(predicted, true, rays, *, tolerance: float) -> list[tuple[float, float]]:
    """[(flatness, orientation)] of a surface with depths [K] and rays [K, 3]; [] if its truth is no plane."""
    normal, residual, narrow = _plane(true[:, None] * rays)
    if narrow or residual > tolerance * np.mean(true):
        return []
    scale = np.median(true) / np.median(predicted)
    predicted_normal, flatness, _ = _plane((scale * predicted)[:, None] * rays)
    sine, cosine = np.linalg.norm(np.cross(normal, predicted_normal)), abs(normal @ predicted_normal)
    return [(flatness, math.degrees(math.atan2(sine, cosine)))]


def _plane(points: np.ndarray) -> tuple[np.ndarray, float, bool]:
    """The plane fitted to points [K, 3]: unit normal, the points' deviation in metres, and whether they are a line."""
    centred = points - np.mean(points, axis=0)
    variances, axes = np.linalg.eigh(centred.T @ centred)
    deviation = float(np.sqrt(np.mean((centred @ axes[:, 0]) ** 2)))
    return axes[:, 0], deviation, bool(variances[1] <= _NARROW * variances[2])
