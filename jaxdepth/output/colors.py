"""Depth in colours, by a table of 256: near is bright and warm, far is dark, and no measurement is grey.

The table is also the palette of coloured pictures, whose legends need greys.
"""

import functools

import matplotlib
import numpy as np

# Used by all figures; grey is what the colour map lacks.
DEPTH_COLORS = matplotlib.colormaps["magma_r"].with_extremes(bad="0.6")
LEVELS = 240  # colours from near to far, the first of the table
NONE = LEVELS  # the index of no measurement
BLACK, WHITE = LEVELS + 1, 255  # the ends of the greys, by which text is drawn


@functools.cache
def table():
    """The colours, uint8 [256, 3]: LEVELS from near to far, that of no measurement, and greys from black to white."""
    near_to_far = DEPTH_COLORS(np.linspace(0.0, 1.0, LEVELS), bytes=True)
    none = DEPTH_COLORS(np.ma.masked_all(1), bytes=True)
    greys = np.linspace(0, 255, WHITE - BLACK + 1).round().astype(np.uint8)[:, None].repeat(3, axis=1)
    found = np.concatenate([near_to_far[:, :3], none[:, :3], greys])
    found.flags.writeable = False
    return found


def levels(depth, *, low, high):
    """The index of each pixel's colour in `table`.

    Args:
      depth: [..., H, W], metres; 0 or not finite where there is none.
      low, high: metres, the ends of the colours, low < high; depth beyond them has the colour of the nearer end.

    Returns:
      uint8 [..., H, W].
    """
    depth = np.asarray(depth, np.float32)
    step = (high - low) / (LEVELS - 1)
    with np.errstate(invalid="ignore"):  # NaN
        found = np.clip((depth - np.float32(low)) * np.float32(1 / step) + np.float32(0.5), 0, LEVELS - 1)
        measured = (depth > 0) & (depth < np.inf)
        return np.where(measured, found, NONE).astype(np.uint8)


def colored(depth, *, low, high):
    """Depth as colours, uint8 [..., H, W, 3]; arguments as for `levels`."""
    return table().take(levels(depth, low=low, high=high), axis=0)
