"""Describes a source in a few lines of text."""

import numpy as np

from jaxdepth.data import splits
from jaxdepth.errors import InputError

_BLOCK = 64  # frames read at once
_EDGES = (0, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, np.inf)  # metres


def summary(frames) -> str:
    """Describes a source: number and size of frames, a histogram of depth, the share without depth, and the splits.

    Args:
      frames: a Frames.

    Returns:
      Lines of text.

    Raises:
      InputError: if no frame has a valid depth.
    """
    counts, least, greatest = np.zeros(len(_EDGES) - 1, np.int64), np.inf, 0.0
    pixels = 0
    for start in range(0, len(frames), _BLOCK):
        depths = np.asarray(frames.depths[start : start + _BLOCK])
        valid = depths[depths > 0]
        pixels += depths.size
        if valid.size:
            counts += np.histogram(valid, _EDGES)[0]
            least, greatest = min(least, float(valid.min())), max(greatest, float(valid.max()))
    measured = int(counts.sum())
    if not measured:
        raise InputError(f"{frames.description}: none of {len(frames)} frames has a valid depth")
    h, w = frames.size
    lines = [
        f"{len(frames)} frames at {h}x{w} (height x width), {least:.2f} to {greatest:.2f} m, "
        f"{1 - measured / pixels:.2%} of the pixels without depth ({frames.truth})"
    ]
    for low, high, share in zip(_EDGES, _EDGES[1:], counts / measured, strict=False):
        interval = f"{low:4g} to {high:3g} m" if np.isfinite(high) else f"{low:4g} m and more"
        lines.append(f"  {interval}  {share:6.1%} {'#' * round(60 * share)}".rstrip())
    for name in frames.splits:
        try:
            split = splits.split(name, frames.ids, lists=frames.splits)
        except InputError:  # such as the official split of a file without the test frames
            lines.append(f"split {name:8} not complete in this source")
            continue
        lines.append(
            f"split {split.name:8} {len(split.train):6} to train on, {len(split.val):5} to validate, {split.hash}"
        )
    return "\n".join(lines)
