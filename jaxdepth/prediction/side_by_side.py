"""A frame of a clip beside its depth in colours, with a legend in metres."""

import numpy as np
from PIL import Image

from jaxdepth.output import color_picture, colors

_LONGEST = 1920  # pixels of a panel: two of them and the legend are what players decode
_MIN_HEIGHT = 120  # pixels, enough for a legend


def panel(pixels):
    """A frame, uint8 [H, W, 3], as it is shown: reduced to 1920 pixels on its longer side."""
    scale = _LONGEST / max(pixels.shape)
    if scale >= 1:
        return pixels
    height, width = (max(2, round(scale * n)) for n in pixels.shape[:2])
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BOX))


def legend(height, *, low, high):
    """The legend of a clip.

    Args:
      height: pixels of the panels.
      low, high: metres at the ends of the colours.

    Returns:
      uint8 [h, w, 3]; h is `height`, but at least 120.
    """
    return colors.table()[color_picture.legend(max(height, _MIN_HEIGHT), low=low, high=high)]


def joined(picture, depth, bar, *, low, high):
    """A panel, its depth in colours and the legend side by side.

    Args:
      picture: uint8 [h, w, 3], from `panel`.
      depth: float32 [h, w], metres.
      bar: from `legend`.
      low, high: metres at the ends of the colours.

    Returns:
      uint8 [H, W, 3] of the legend's height.
    """
    both = np.concatenate([picture, colors.colored(depth, low=low, high=high)], axis=1)
    missing = len(bar) - len(both)
    both = np.pad(both, ((missing // 2, missing - missing // 2), (0, 0), (0, 0)))
    return np.concatenate([both, bar], axis=1)
