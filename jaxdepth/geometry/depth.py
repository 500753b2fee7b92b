"""What a valid depth is: metres along z, in one place for sources, losses, metrics and predictions. Numpy only.

Truth counts beyond MIN_DEPTH, up to the setting `data.max_depth`, unless it is one of the values in `data.invalid`.
Every source replaces all else by 0 (`mask_invalid`), so that training, validation and evaluation see the same truth.
Predictions are clipped to the same range.
"""

import numpy as np

from jaxdepth.errors import InputError

MIN_DEPTH, MAX_DEPTH = 1e-3, 10.0  # metres: where truth counts; MAX_DEPTH is the default of `data.max_depth`
PLAUSIBLE_MEDIAN = (0.1, 100.0)  # metres: outside this range the unit is probably wrong


def is_valid(depth):
    """Whether each depth is a measurement: finite and above zero. For numpy and jax arrays of any shape."""
    return (depth > 0) & (depth < float("inf"))


def check_range(*, invalid, max_depth):
    """Checks the settings data.invalid and data.max_depth.

    Args:
      invalid: values in metres.
      max_depth: metres.

    Raises:
      InputError: for anything but finite numbers, `invalid` at least 0 and `max_depth` above MIN_DEPTH.
    """
    for value in invalid:
        if isinstance(value, str) or not 0 <= value < np.finfo(np.float32).max:
            raise InputError(f"config.data.invalid={value}: expected depths in metres, such as 65.535")
    if not MIN_DEPTH < max_depth < np.finfo(np.float32).max:
        raise InputError(f"config.data.max_depth={max_depth}: expected metres, finite and above {MIN_DEPTH:g}")


def mask_invalid(depths, *, invalid=(), max_depth=None):
    """Replaces invalid depths by 0.

    Args:
      depths: float32 [..., H, W], metres.
      invalid: depths in metres that are no measurement, to one part in a million.
      max_depth: metres; depth beyond it, or up to MIN_DEPTH, is masked. None masks neither.

    Returns:
      The masked depths, and counts: pixels "nan", "inf", "negative", "invalid" (one of the values), "near" (up to
      MIN_DEPTH) and "beyond" (`max_depth`), each pixel once, and "empty_frames", the number of frames without a valid
      pixel.
    """
    listed = [value for value in invalid if value]  # 0 is masked already
    low, high = (0.0, np.finfo(np.float32).max) if max_depth is None else (MIN_DEPTH, max_depth)
    kept = (depths > low) & (depths <= high) & ~_any_of(depths, listed)
    valid = np.where(kept, depths, np.float32(0))
    counts = dict.fromkeys(("nan", "inf", "negative", "invalid", "near", "beyond"), 0)
    odd = depths[~kept & (depths != 0)]  # few: looked at once more
    if odd.size:
        inf, is_listed = np.isinf(odd), _any_of(odd, listed)
        masks = {
            "nan": np.isnan(odd),
            "inf": inf,
            "negative": (odd < 0) & ~inf,
            "invalid": is_listed,
            "near": (odd > 0) & (odd <= low) & ~is_listed,
            "beyond": (odd > high) & ~inf & ~is_listed,
        }
        counts = {name: int(mask.sum()) for name, mask in masks.items()}
    return valid, counts | {"empty_frames": int((~kept.any((-2, -1))).sum())}


def _any_of(depths, values):
    """Whether each depth is one of the values, to one part in a million: bool, the depths' shape; False for none."""
    found = np.zeros(depths.shape, bool)
    for value in values:
        found |= np.abs(depths - np.float32(value)) <= 1e-6 * value
    return found


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
