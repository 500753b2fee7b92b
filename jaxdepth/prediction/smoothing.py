"""Smooths the depth of a clip over time, without looking ahead."""

import math

import numpy as np

_CUT = 0.25  # of log depth: half of the pixels change by more than 28 % at once
_MOVED = 0.1  # of log depth: a pixel that changes by much more shows something else


def smoothed(log_depth, before, *, seconds, time_constant):
    """Log depth of a frame, smoothed with that of the frames before.

    An exponential average. What changes for the whole frame, the median of all changes, is followed with a lag of
    `time_constant`; so is what remains in a pixel, if it is small. A pixel that changes by much more than 10 % shows
    something else and follows at once. A cut, where most pixels do, begins anew.

    Args:
      log_depth: float32 [h, w], of the network.
      before: what this function returned for the frame before; None for the first.
      seconds: since the frame before.
      time_constant: seconds; 0 changes nothing.

    Returns:
      float32 [h, w].
    """
    if before is None or time_constant == 0:
        return log_depth
    change = log_depth - before
    if np.median(np.abs(change)) > _CUT:
        return log_depth
    share = np.float32(1 - math.exp(-seconds / time_constant))
    of_all = np.median(change)
    of_pixel = change - of_all
    followed = 1 - (1 - share) * np.exp(-np.square(of_pixel / _MOVED))
    return before + share * of_all + followed * of_pixel
