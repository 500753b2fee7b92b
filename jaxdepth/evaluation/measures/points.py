"""Distances between the point clouds of prediction and truth."""

import math

import numpy as np
from scipy.spatial import cKDTree

from jaxdepth.evaluation.measures.frame import ScoredFrame
from jaxdepth.geometry.camera import rays64

STRIDE = 4  # rows and columns
THRESHOLDS = (0.05, 0.1)  # metres


def point_cloud(frame: ScoredFrame) -> dict[str, float]:
    """F-score and Chamfer distance of the point clouds of prediction and truth (Örnek 2022).

    The clouds are the valid pixels of every fourth row and column, from the first on, under the frame's camera. A point
    is compared with the nearest one of the other cloud, whatever its pixel. The threshold of .1 m is that of Örnek 2022
    and of the Monocular Depth Estimation Challenge (Spencer 2023); .05 m is indoor reconstruction's (Murez 2020).

    Args:
      frame: its camera is needed.

    Returns:
      {name: float}; all NaN without a camera or without a valid pixel in those rows and columns.
        precision_T: share of predicted points with a true one nearer than T = 0.05, 0.1 metres.
        recall_T: share of true points with a predicted one nearer than T.
        f_T: harmonic mean of the two; 0 where both are 0.
        chamfer: metres, the mean of two means: the distances from predicted to true points, and from true to predicted
          ones. (The challenge gives their sum, twice this.)
    """
    every = np.s_[::STRIDE, ::STRIDE]
    valid = frame.valid[every]
    if frame.camera is None or not valid.any():
        names = [f"{name}_{threshold:g}" for threshold in THRESHOLDS for name in ("precision", "recall", "f")]
        return dict.fromkeys((*names, "chamfer"), math.nan)
    rays = rays64(frame.camera, frame.valid.shape)[every][valid]
    predicted, true = (depth[every][valid][:, None] * rays for depth in (frame.prediction, frame.truth))
    to_true, to_predicted = _nearest(predicted, true), _nearest(true, predicted)

    metrics = {}
    for threshold in THRESHOLDS:
        precision, recall = (float(np.mean(distances < threshold)) for distances in (to_true, to_predicted))
        f = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        metrics |= {f"precision_{threshold:g}": precision, f"recall_{threshold:g}": recall, f"f_{threshold:g}": f}
    return {**metrics, "chamfer": float(np.mean(to_true) + np.mean(to_predicted)) / 2}


def _nearest(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Distance of each of the points [N, 3] to the nearest of the others [M, 3]."""
    return cKDTree(others, balanced_tree=False, compact_nodes=False).query(points)[0]
