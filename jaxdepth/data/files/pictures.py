"""Reads picture files of any mode as upright RGB. A damaged or hostile file is a one-line error.

Numpy and Pillow only; pillow-heif for HEIC.
"""

import os
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from jaxdepth import quiet
from jaxdepth.errors import InputError

_EXIF_FOLDER, _FOCAL_LENGTH_35MM, _ORIENTATION = 0x8769, 0xA405, 0x0112
_EXPECTED = "channels of 8 or 16 bits"
MAX_PIXELS = 120_000_000  # a phone's 108 megapixels and some more; depth and files of such a picture take some GB
MAX_SIDE = 65535  # the longest side of a JPEG
HEIF_SUFFIXES = (".heic", ".heif", ".hif")
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")  # bytes 8 to 11 of the file
RAW_SUFFIXES = tuple(".3fr .arw .cr2 .cr3 .crw .dng .erf .kdc .mrw .nef .nrw .orf .pef .raf .raw .rw2 .srw".split())
_TOO_LARGE = f"a picture of too many pixels: expected at most {MAX_PIXELS // 10**6} million, {MAX_SIDE} on a side"


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


def orientation(path) -> int:
    """The EXIF orientation of a picture file: 1 if it is upright or has none, else 2 to 8. Raises as `decode`."""
    value = decode(path, lambda picture: picture.getexif().get(_ORIENTATION, 1), accepts=bool, expected="any mode")
    return value if value in range(2, 9) else 1


def size(path) -> tuple[int, int]:
    """The (height, width) of a picture file, upright, from its header. Raises as `decode`."""
    width, height = decode(path, lambda picture: picture.size, accepts=bool, expected="any mode")
    return (width, height) if orientation(path) > 4 else (height, width)


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
      InputError: if it is not a complete picture of an accepted mode, or has more than MAX_PIXELS pixels or MAX_SIDE on
        a side, which is found before it is decoded; or is HEIC without pillow-heif. One line that names the file.
    """
    try:
        _check_kind(path)
        with quiet.no_warnings():  # Pillow warns of large pictures and odd EXIF
            # From a path, Pillow maps uncompressed TIFFs, and scrambles those whose EXIF orientation swaps the axes.
            with open(path, "rb") as file, Image.open(file, formats=_formats()) as picture:
                if picture.width * picture.height > MAX_PIXELS or max(picture.size) > MAX_SIDE:
                    raise InputError(f"{_TOO_LARGE} ({picture.width}x{picture.height})")
                if not accepts(picture.mode):
                    raise InputError(f"a picture of mode {picture.mode}: expected {expected}")
                return convert(picture)
    except InputError as error:
        raise InputError(f"{str(path)!r}: {error}") from error
    except Image.DecompressionBombError as error:  # Pillow's own limit, where it is lower
        raise InputError(f"{str(path)!r}: {_TOO_LARGE} ({one_line(error)})") from error
    except OSError as error:
        if error.filename is not None:  # missing, or no permission
            raise
        raise InputError(f"{str(path)!r}: not a picture that Pillow can read ({one_line(error)})") from error
    except Exception as error:  # Pillow's decoders raise nearly everything on damaged files
        told = one_line(error) or type(error).__name__
        raise InputError(f"{str(path)!r}: a damaged picture ({told})") from error


def _check_kind(path):
    """Refuses by name what Pillow would not: an empty file, a pipe, a raw photo. Registers HEIC where it is met."""
    if not os.path.isfile(path):
        if os.path.exists(path):
            raise InputError("not a file: expected a picture")
        return  # Pillow's error names it
    if os.fspath(path).lower().endswith(RAW_SUFFIXES):
        raise InputError("a raw photo: expected one that is developed, such as JPEG, PNG or 16-bit TIFF")
    with open(path, "rb") as file:
        start = file.read(12)
    if not start:
        raise InputError("an empty file: expected a picture")
    if start[4:8] == b"ftyp" and start[8:] in _HEIF_BRANDS:
        try:
            import pillow_heif
        except ImportError as error:
            raise InputError("a HEIC picture, which needs the extra heif: pip install 'jaxdepth[heif]'") from error
        pillow_heif.register_heif_opener()


def _formats():
    """The formats that Pillow reads by itself: for EPS it would run Ghostscript, on a program in the file."""
    Image.init()
    return [name for name in Image.OPEN if name != "EPS"]


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
    if picture.getexif().get(_ORIENTATION, 1) != 1:  # pillow-heif has turned its pictures already, and says so
        picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I"):
        levels = np.asarray(picture)
        white, pixels = max(65535, int(levels.max())), np.empty((*levels.shape, 3), np.uint8)
        for row, grey in zip(levels, pixels, strict=True):  # as a whole, they would take eight times the memory
            grey[:] = np.round(255 * np.maximum(np.float64(row), 0) / white)[:, None]
        return Picture(pixels, _positive(focal))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    picture = picture if picture.mode == "RGB" else picture.convert("RGB")  # which would copy it
    return Picture(np.asarray(picture), _positive(focal))


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
