"""What a valid depth is: metres along z, in one place for sources, losses, metrics and predictions. Numpy only."""

import numpy as np

from jaxdepth.errors import InputError

MIN_DEPTH, MAX_DEPTH = 1e-3, 10.0  # metres: the range in which predictions and truth are scored
PLAUSIBLE_MEDIAN = (0.1, 100.0)  # metres: outside this range the unit is probably wrong


def is_valid(depth):
    """Whether each depth is a measurement: finite and above zero. For numpy and jax arrays of any shape."""
    return (depth > 0) & (depth < float("inf"))


def mask_invalid(depths):
    """Replaces invalid depths by 0.

    Args:
      depths: float32 [..., H, W], metres.

    Returns:
      The depths with NaN, infinite and negative values as 0, and counts: pixels "nan", "inf" and "negative", and
      "empty_frames", the number of frames without a valid pixel.
    """
    nan, inf = np.isnan(depths), np.isinf(depths)
    negative = (depths < 0) & ~inf
    valid = np.where(nan | inf | negative, np.float32(0), depths)
    empty = ~(valid > 0).any((-2, -1))
    masks = {"nan": nan, "inf": inf, "negative": negative, "empty_frames": empty}
    return valid, {name: int(mask.sum()) for name, mask in masks.items()}


def check_metres(depths, where):
    """Refuses depths whose unit is probably not the metre.

    Args:
      depths: array of any shape, 0 where there is no measurement.
      where: what the error begins with.

    Raises:
      InputError: if the median of the valid depths is outside PLAUSIBLE_MEDIAN.
    """
    low, high = PLAUSIBLE_MEDIAN
    valid = depths[depths > 0]
    if valid.size and not low <= (median := float(np.median(valid))) <= high:
        raise InputError(f"{where}: median depth {median:.4g}; expected metres, {low:g} to {high:g}")
