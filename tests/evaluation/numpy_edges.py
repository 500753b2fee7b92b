"""Edges and median alignment in float64 numpy, by definition: what the tests compare with."""

import itertools

import numpy as np

THRESHOLDS = ("0.05", "0.125", "0.25")


def valid_pixels(depth, *, max_depth=10.0):
    with np.errstate(invalid="ignore"):
        return np.isfinite(depth) & (depth > 1e-3) & (depth <= max_depth)


def slope(depth):
    """hypot / 8 of the two 3x3 Sobel derivatives of [H, W], whose border pixels are doubled."""
    padded, (h, w) = np.pad(np.float64(depth), 1, mode="symmetric"), depth.shape
    across = np.outer([1, 2, 1], [-1, 0, 1])

    def correlated(kernel):
        return sum(kernel[i, j] * padded[i : i + h, j : j + w] for i, j in np.ndindex(3, 3))

    return np.hypot(correlated(across), correlated(across.T)) / 8


def near(mask, *, steps=3):
    """Whether a pixel of the mask [H, W] is at most some steps between neighbours away."""
    (h, w), padded = mask.shape, np.pad(mask, steps)
    moves = [(i, j) for i, j in itertools.product(range(-steps, steps + 1), repeat=2) if abs(i) + abs(j) <= steps]
    return np.any([padded[steps + i : steps + i + h, steps + j : steps + j + w] for i, j in moves], axis=0)


def edges(log_depth, depth, *, max_depth=10.0):
    """{threshold: (precision, recall, f1)} of one image."""
    valid = valid_pixels(depth, max_depth=max_depth)
    neighbourhoods = np.lib.stride_tricks.sliding_window_view(np.pad(valid, 1, constant_values=True), (3, 3))
    counts = neighbourhoods.all((2, 3))
    predicted, true = np.clip(np.exp(np.float64(log_depth)), 1e-3, max_depth), np.where(valid, depth, 0)
    result = {}
    for threshold in THRESHOLDS:
        p, t = ((slope(x) > float(threshold)) & counts for x in (predicted, true))
        precision = (p & near(t)).sum() / p.sum() if p.any() else 0.0
        recall = (t & near(p)).sum() / t.sum() if t.any() else 0.0
        total = precision + recall
        result[threshold] = (precision, recall, 2 * precision * recall / total if total else 0.0)
    return result


def aligned(log_depth, depth, *, max_depth=10.0):
    """Metres of one image's prediction times the factor that fits the median of its scored pixels, then clipped."""
    valid, y = valid_pixels(depth, max_depth=max_depth), np.exp(np.float64(log_depth))
    return np.clip(y * np.median(np.float64(depth[valid])) / np.median(y[valid]), 1e-3, max_depth)
