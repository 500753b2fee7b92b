"""Frames on an HTML page: picture, prediction, truth and error side by side, as data URIs."""

import base64
import io
import math
from typing import NamedTuple

import matplotlib
import numpy as np
from PIL import Image

from jaxdepth.evaluation.page.layout import Html, tag
from jaxdepth.output import colors, figures

_ERROR_COLORS = matplotlib.colormaps["RdBu_r"].with_extremes(bad="0.6")  # blue is too near, red too far
_ERROR_RANGE = math.log(2.0)  # of the log ratio, either way
_LONGEST = 480  # pixels of a shown map
_LARGEST = 64_000  # bytes of one: eight frames of four make a page of 3 MB at most, and of 1 to 2 MB mostly
_QUALITIES = (85, 70, 50, 30, 10)  # of a JPEG; the last is small whatever it shows


class Shown(NamedTuple):
    """A frame to show, cut to the protocol's window.

    Attributes:
      title: such as its name and delta1.
      image: uint8 [H, W, 3].
      prediction: float32 [H, W], metres; grey where it is 0 or not finite.
      truth: float32 [H, W], metres; 0 where there is none.
      best: whether it is one of the best frames, else one of the worst.
    """

    title: str
    image: np.ndarray
    prediction: np.ndarray
    truth: np.ndarray
    best: bool


def frame(shown: Shown) -> Html:
    """A frame's picture, prediction, truth and error, with the row's depth scale in metres."""
    prediction, truth = (figures.metres(depth) for depth in (shown.prediction, shown.truth))
    low, high = figures.value_range([truth if truth.any() else prediction])
    both = (prediction > 0) & (truth > 0)
    ratio = np.log(np.where(both, prediction, 1.0) / np.where(both, truth, 1.0))
    maps = {
        "picture": shown.image,
        "prediction": colors.colored(prediction, low=low, high=high),
        "truth": colors.colored(truth, low=low, high=high),
        "error": _error_map(ratio, both),
    }
    row = (tag("div", _image(pixels, f"{name} of {shown.title}"), name) for name, pixels in maps.items())
    legend = _legend(colors.DEPTH_COLORS, f"{low:.2f} m", f"{high:.2f} m")
    return tag("figure", tag("figcaption", shown.title), tag("div", *row, class_="maps"), legend, class_="frame")


def error_legend() -> Html:
    """The scale of the error maps."""
    return _legend(_ERROR_COLORS, "half or less", "twice or more")


def _error_map(log_ratio, known):
    """Log ratios [H, W] as uint8 [H, W, 3]; those that are not known have the colour map's colour for bad ones."""
    scaled = np.ma.masked_array(0.5 + log_ratio / (2 * _ERROR_RANGE), ~known)
    return _ERROR_COLORS(scaled, bytes=True)[..., :3]


def _image(pixels, alt):
    """An image of uint8 [H, W, 3] inside the page."""
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    picture.thumbnail((_LONGEST, _LONGEST), Image.Resampling.BOX)
    source = "data:image/jpeg;base64," + base64.b64encode(_jpeg(picture)).decode()
    return tag("img", src=source, alt=alt, width=picture.width, height=picture.height)


def _jpeg(picture):
    """The bytes of the best JPEG that is small enough."""
    for quality in _QUALITIES:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=quality, subsampling=0)
        if file.tell() <= _LARGEST:
            break
    return file.getvalue()


def _legend(color_map, low, high):
    """A bar of a colour map with words at its ends."""
    stops = ",".join(matplotlib.colors.to_hex(color_map(x)) for x in np.linspace(0, 1, 13))
    bar = tag("i", style=f"background:linear-gradient(to right,{stops})")
    return tag("div", low, bar, high, class_="legend")
