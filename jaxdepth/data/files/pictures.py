"""Picture files of whatever mode, upright and in colour; a damaged or hostile one is an error in one line.

Numpy and Pillow only.
"""

import os
import struct
import warnings
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

_EXIF_FOLDER, _FOCAL_LENGTH_35MM = 0x8769, 0xA405
_EXPECTED = "channels of 8 or 16 bits"


class Picture(NamedTuple):
    """Pixels uint8 [H, W, 3] RGB, upright, and the focal length in mm on 35 mm film from its EXIF, or None."""

    pixels: np.ndarray
    focal_35mm: float | None = None


def read(path):
    """A picture file as a Picture, see `from_pil`. Raises as `decode`."""
    return decode(path, from_pil, accepts=_accepts, expected=_EXPECTED)


def decode(path, convert, *, accepts, expected):
    """What `convert` makes of the picture at `path` as Pillow opens it.

    Args:
      path: the file.
      convert: a function of a PIL.Image, called while its file is open.
      accepts: whether Pillow's mode of the picture is one that the caller can use; expected: how to call those.

    Raises:
      OSError: a file that cannot be opened.
      ValueError: not a whole picture, one of another mode, or one of more pixels than Pillow takes to be meant well
        (twice PIL.Image.MAX_IMAGE_PIXELS).
    """
    if os.path.isfile(path) and os.path.getsize(path) == 0:
        raise ValueError(f"{str(path)!r}: an empty file: expected a picture")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large pictures and odd EXIF; what is far too large is an error
            with Image.open(path) as picture:
                mode = picture.mode
                converted = convert(picture) if accepts(mode) else None
    except _Refused as error:
        raise ValueError(f"{str(path)!r}: {error}") from error
    except Image.DecompressionBombError as error:
        raise ValueError(f"{str(path)!r}: a picture of too many pixels ({one_line(error)})") from error
    except OSError as error:
        if error.filename is not None:  # missing, or not allowed
            raise
        raise ValueError(f"{str(path)!r}: not a picture that Pillow can read ({one_line(error)})") from error
    except (ValueError, SyntaxError, EOFError, LookupError, TypeError, ArithmeticError, struct.error) as error:
        # What Pillow's decoders raise beside OSError where a file is damaged.
        raise ValueError(f"{str(path)!r}: a damaged picture ({one_line(error)})") from error
    if converted is None:
        raise ValueError(f"{str(path)!r}: a picture of mode {mode}: expected {expected}")
    return converted


def one_line(error) -> str:
    """The message of an exception on one line."""
    return " ".join(str(error).split())


class _Refused(ValueError):
    """A whole picture that has no use here."""


def _accepts(mode):
    return not mode.startswith("F")  # whose levels have no white


def from_pil(picture):
    """A PIL image as a Picture: turned as its EXIF says, transparent parts over white.

    Grey levels of 16 or 32 bits count as shares of 65535, or of their own maximum where that is larger. Raises
    ValueError for floating-point levels, which have no white, and for fewer than 2x2 pixels.
    """
    if not _accepts(picture.mode):
        raise _Refused(f"a picture of mode {picture.mode}: expected {_EXPECTED}")
    if min(picture.size) < 2:
        raise _Refused(f"a picture of {picture.width}x{picture.height} pixels: expected at least 2x2")
    focal = picture.getexif().get_ifd(_EXIF_FOLDER).get(_FOCAL_LENGTH_35MM)
    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I"):
        levels = np.maximum(np.asarray(picture).astype(np.float64), 0)
        grey = np.uint8(np.round(255 * levels / max(65535, levels.max())))
        return Picture(np.repeat(grey[..., None], 3, axis=-1), _positive(focal))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return Picture(np.asarray(picture.convert("RGB")), _positive(focal))


def _positive(focal):
    try:
        return float(focal) if float(focal) > 0 else None  # 0 stands for unknown
    except (TypeError, ValueError, ZeroDivisionError):
        return None


def from_array(array):
    """An array [H, W, 3], uint8, or floating point in [0, 1], as a Picture. Raises ValueError for another one."""
    array = np.asarray(array)
    if array.ndim != 3 or array.shape[-1] != 3 or min(array.shape) < 2:
        raise ValueError(f"image of shape {array.shape}: expected [H, W, 3] with H and W at least 2")
    if np.issubdtype(array.dtype, np.floating):
        if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
            raise ValueError(f"image of {array.dtype}: expected values in [0, 1]")
        array = np.uint8(np.round(255 * np.float32(array)))
    if array.dtype != np.uint8:
        raise ValueError(f"image of {array.dtype}: expected uint8, or floating point in [0, 1]")
    return Picture(array)
