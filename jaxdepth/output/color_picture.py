"""The coloured picture of a depth map: a PNG of 256 colours with a legend in metres. Numpy and Pillow only."""

import functools
import io
import math

import numpy as np
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from jaxdepth.data.files.writing import PNG_TEXT
from jaxdepth.output import colors

_LONGEST, _SHORTEST = 2048, 400  # pixels of the longer side: larger maps are thinned out, smaller ones repeated
_MIN_HEIGHT = 120  # of the picture, enough for a legend
_MAX_TICKS = 7


def color_png(depth):
    """Encodes a depth map as a PNG in colours from its least to its greatest depth, with a legend at its right.

    Maps of more than 2048 pixels on a side are thinned out by the least whole number; small ones have each pixel
    repeated.

    Args:
      depth: [H, W], metres; 0 or not finite where there is none.

    Returns:
      The file's bytes.
    """
    longest = max(np.shape(depth))
    depth = np.float32(depth[:: math.ceil(longest / _LONGEST), :: math.ceil(longest / _LONGEST)])
    measured = depth[(depth > 0) & (depth < np.inf)]
    low, high = (float(measured.min()), float(measured.max())) if measured.size else (0.0, 1.0)
    low, high = (low, high) if low < high else (0.9 * low, 1.1 * high)
    levels = colors.levels(depth, low=low, high=high)
    repeats = max(1, _SHORTEST // max(levels.shape))
    levels = levels.repeat(repeats, axis=0).repeat(repeats, axis=1)
    missing = max(0, _MIN_HEIGHT - len(levels))
    levels = np.pad(levels, ((missing // 2, missing - missing // 2), (0, 0)), constant_values=colors.WHITE)
    return indexed_png(np.concatenate([levels, legend(len(levels), low=low, high=high)], axis=1))


def indexed_png(indices):
    """Encodes indices of `colors.table`, uint8 [H, W], as a PNG, which is known as ours."""
    picture = Image.fromarray(indices, "L")
    picture.putpalette(colors.table().tobytes())
    text = PngImagePlugin.PngInfo()
    for key, value in PNG_TEXT.items():
        text.add_text(key, value)
    file = io.BytesIO()
    picture.save(file, "PNG", pnginfo=text, compress_level=1)  # a third of the time of the usual 6, for 1.4 of its size
    return file.getvalue()


def legend(height, *, low, high):
    """A colour bar with metres at its right, near at the top.

    Args:
      height: pixels.
      low, high: metres at the ends of the colours.

    Returns:
      Indices of `colors.table`, uint8 [height, w].
    """
    bar, text_size = _bar(height)
    picture = Image.new("L", (text_size * 4, height), 255)
    draw, (first, last) = ImageDraw.Draw(picture), _ends(height, text_size)
    for value in _ticks(low, high):
        y = first + (value - low) / (high - low) * (last - first)
        draw.line([(0, round(y)), (text_size // 3, round(y))], fill=0)
        draw.text((text_size // 2, y), f"{value:g} m", fill=0, font=_font(text_size), anchor="lm")
    greys = np.asarray(picture, np.float32) * ((colors.WHITE - colors.BLACK) / 255) + colors.BLACK
    return np.concatenate([bar, np.round(greys).astype(np.uint8)], axis=1)


@functools.lru_cache(maxsize=8)
def _bar(height):
    """A colour bar of a height with a white border, and the size of the text beside it, both in pixels."""
    text_size = int(np.clip(height / 28, 11, 40))
    first, last = _ends(height, text_size)
    bar = np.full((height, 2 * text_size), colors.WHITE, np.uint8)
    rows = np.linspace(0, colors.LEVELS - 1, last - first + 1).round().astype(np.uint8)
    bar[first : last + 1, text_size // 2 : -(text_size // 6)] = rows[:, None]
    return bar, text_size


def _ends(height, text_size):
    """The first and the last row of a colour bar."""
    return text_size, height - 1 - text_size


def _ticks(low, high):
    """Round numbers from `low` to `high`, at most _MAX_TICKS."""
    rough = (high - low) / _MAX_TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10, 20) if (high - low) / (factor * power) < _MAX_TICKS)
    first, last = math.ceil(low / step - 1e-6), math.floor(high / step + 1e-6)
    return [float(f"{i * step:.6g}") for i in range(first, last + 1)]


@functools.cache
def _font(size):
    return ImageFont.load_default(size)
