"""Reads picture files of any mode as upright RGB. A damaged or hostile file is a one-line error.

Numpy and Pillow only.
"""

import os
import struct
import warnings
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from jaxdepth.errors import InputError

_EXIF_FOLDER, _FOCAL_LENGTH_35MM = 0x8769, 0xA405
_EXPECTED = "channels of 8 or 16 bits"


class Picture(NamedTuple):
    """An upright picture.

    Attributes:
      pixels: uint8 [H, W, 3], RGB.
      focal_35mm: focal length in mm on 35 mm film, from EXIF; None if unknown.
    """

    pixels: np.ndarray
    focal_35mm: float | None = None


def read(path):
    """Reads a picture file as a Picture, converted as by `from_pil`; raises as `decode`."""
    return decode(path, from_pil, accepts=_accepts, expected=_EXPECTED)


def decode(path, convert, *, accepts, expected):
    """Opens a picture file with Pillow and converts it.

    Args:
      path: the file.
      convert: function of the open PIL.Image; its result is returned.
      accepts: function of Pillow's mode string; whether the caller can use a picture of this mode.
      expected: the accepted modes in words, for the error message.

    Returns:
      What `convert` returns.

    Raises:
      OSError: if the file cannot be opened.
      InputError: if it is not a complete picture of an accepted mode, or has more than twice
        PIL.Image.MAX_IMAGE_PIXELS (Pillow's limit against decompression bombs). One line that names the file.
    """
    if os.path.isfile(path) and os.path.getsize(path) == 0:
        raise InputError(f"{str(path)!r}: an empty file: expected a picture")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of large pictures and odd EXIF; far too large is an error
            with Image.open(path) as picture:
                mode = picture.mode
                converted = convert(picture) if accepts(mode) else None
    except InputError as error:  # from `convert`
        raise InputError(f"{str(path)!r}: {error}") from error
    except Image.DecompressionBombError as error:
        raise InputError(f"{str(path)!r}: a picture of too many pixels ({one_line(error)})") from error
    except OSError as error:
        if error.filename is not None:  # missing, or no permission
            raise
        raise InputError(f"{str(path)!r}: not a picture that Pillow can read ({one_line(error)})") from error
    except (ValueError, SyntaxError, EOFError, LookupError, TypeError, ArithmeticError, struct.error) as error:
        # Pillow's decoders raise all of these on damaged files.
        raise InputError(f"{str(path)!r}: a damaged picture ({one_line(error)})") from error
    if converted is None:
        raise InputError(f"{str(path)!r}: a picture of mode {mode}: expected {expected}")
    return converted


def one_line(error) -> str:
    """The message of an exception on one line."""
    return " ".join(str(error).split())


def from_pil(picture):
    """Converts a PIL image to a Picture: rotated as its EXIF says, with transparent parts over white.

    Grey levels of 16 or 32 bits are divided by 65535, or by their own maximum if that is larger.

    Args:
      picture: a PIL.Image of any mode with integer levels, at least 2x2 pixels.

    Raises:
      InputError: for floating-point levels, which have no defined white, and for smaller pictures.
    """
    if not _accepts(picture.mode):
        raise InputError(f"a picture of mode {picture.mode}: expected {_EXPECTED}")
    if min(picture.size) < 2:
        raise InputError(f"a picture of {picture.width}x{picture.height} pixels: expected at least 2x2")
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


def from_array(array):
    """Converts an array to a Picture.

    Args:
      array: [H, W, 3], uint8, or floating point in [0, 1]; H and W at least 2.

    Raises:
      InputError: for another shape, dtype or range.
    """
    array = np.asarray(array)
    if array.ndim != 3 or array.shape[-1] != 3 or min(array.shape) < 2:
        raise InputError(f"image of shape {array.shape}: expected [H, W, 3] with H and W at least 2")
    if np.issubdtype(array.dtype, np.floating):
        if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
            raise InputError(f"image of {array.dtype}: expected values in [0, 1]")
        array = np.uint8(np.round(255 * np.float32(array)))
    if array.dtype != np.uint8:
        raise InputError(f"image of {array.dtype}: expected uint8, or floating point in [0, 1]")
    return Picture(array)


def _accepts(mode):
    """Whether Pillow's mode has integer levels."""
    return not mode.startswith("F")


def _positive(focal):
    """EXIF's focal length as a float; None if it is unknown (missing, 0 or invalid)."""
    try:
        return float(focal) if float(focal) > 0 else None
    except (TypeError, ValueError, ZeroDivisionError):
        return None
