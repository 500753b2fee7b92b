"""Fills holes in depth by the colorization of Levin 2004, as NYU's toolbox does: similar grey means similar depth."""

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

_GREY = (0.299, 0.587, 0.114)
_STEPS = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
_VARIANCES = 0.6  # of the window's grey: how fast a weight falls with the difference
_LEAST_OF_BEST = 0.01  # weight of the most similar neighbour at least, before all are scaled
_LEAST_VARIANCE = 2e-6
_LEAST_WEIGHT = 1e-6  # so that every hole is tied to what was measured


def filled(picture, depth):
    """Fills the pixels without depth; the others stay as they are.

    The depth of a hole's pixel is the weighted mean of its eight neighbours. A neighbour's weight falls with the
    square of its difference in grey, measured by the variance in the 3x3 window (Levin 2004, eq. 2).

    Args:
      picture: uint8 [h, w, 3].
      depth: float [h, w], metres; 0 where there is no measurement, but not everywhere.

    Returns:
      float32 [h, w], above 0.

    Raises:
      ValueError: if no pixel has depth.
    """
    depth = np.asarray(depth, np.float32)
    hole = depth <= 0
    if hole.all():
        raise ValueError("no pixel has depth: expected some to fill the others from")
    if not hole.any():
        return depth
    at = np.flatnonzero(hole)
    neighbours, weights = _neighbours(picture, at)  # [8, n]
    number = np.full(depth.size, -1)
    number[at] = np.arange(len(at))
    unknown = number[neighbours] >= 0
    rows = np.broadcast_to(np.arange(len(at)), neighbours.shape)
    matrix = sparse.identity(len(at), format="csr") - sparse.csr_matrix(
        (weights[unknown], (rows[unknown], number[neighbours[unknown]])), (len(at), len(at))
    )
    known = np.where(unknown, 0, weights * depth.ravel()[neighbours]).sum(0)
    result = depth.copy()
    # Each row's diagonal is at least the sum of the others, so no pivots are needed, and elimination keeps it sparse.
    solver = splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0, options={"SymmetricMode": True})
    result.flat[at] = solver.solve(known)
    return result


def _neighbours(picture, at):
    """Flat indices and weights of the eight neighbours of some pixels: int and float64 [8, n].

    Weights sum to 1; those beyond the border are 0.
    """
    grey = picture.astype(np.float64) @ _GREY / 255
    h, w = grey.shape
    rows, columns = np.divmod(at, w)
    i, j = (np.stack([x + step[k] for step in _STEPS]) for k, x in enumerate((rows, columns)))
    inside = (i >= 0) & (i < h) & (j >= 0) & (j < w)
    index = np.clip(i, 0, h - 1) * w + np.clip(j, 0, w - 1)
    centre = grey.ravel()[at]
    values = grey.ravel()[index]
    count = inside.sum(0) + 1
    mean = (np.where(inside, values, 0).sum(0) + centre) / count
    variance = (np.where(inside, (values - mean) ** 2, 0).sum(0) + (centre - mean) ** 2) / count
    square = np.where(inside, (values - centre) ** 2, np.inf)
    spread = np.maximum.reduce(
        [_VARIANCES * variance, -square.min(0) / np.log(_LEAST_OF_BEST), np.full(len(at), _LEAST_VARIANCE)]
    )
    weights = np.where(inside, np.maximum(np.exp(-square / spread), _LEAST_WEIGHT), 0)
    return index, weights / weights.sum(0)
