"""Picture files, read so that a damaged or hostile one is an error in one line. Numpy and Pillow only."""

import os
import struct
import warnings

import numpy as np
from PIL import Image, ImageOps


def read_picture(path):
    """A picture file as uint8 [H, W, 3] RGB, upright. Raises as `decode`."""
    return decode(
        path,
        lambda picture: ImageOps.exif_transpose(picture).convert("RGB"),
        accepts=lambda mode: mode[0] not in "IF",
        expected="channels of 8 bits",
    )


def decode(path, convert, *, accepts, expected):
    """The pixels of `convert(picture)`, the picture at `path` as Pillow opens it, as an array.

    Args:
      path: the file.
      convert: from a PIL.Image to another.
      accepts: whether Pillow's mode of the picture is one that the caller can use; expected: how to call those.

    Raises:
      OSError: a file that cannot be opened.
      ValueError: not a whole picture, one of another mode, or one of more pixels than Pillow takes to be meant well
        (PIL.Image.MAX_IMAGE_PIXELS).
    """
    if os.path.isfile(path) and os.path.getsize(path) == 0:
        raise ValueError(f"{str(path)!r}: an empty file: expected a picture")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                mode = picture.mode
                array = np.asarray(convert(picture)) if accepts(mode) else None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"{str(path)!r}: a picture of too many pixels ({one_line(error)})") from error
    except OSError as error:
        if error.filename is not None:  # missing, or not allowed
            raise
        raise ValueError(f"{str(path)!r}: not a picture that Pillow can read ({one_line(error)})") from error
    except (ValueError, SyntaxError, EOFError, LookupError, TypeError, ArithmeticError, struct.error) as error:
        # What Pillow's decoders raise beside OSError where a file is damaged.
        raise ValueError(f"{str(path)!r}: a damaged picture ({one_line(error)})") from error
    if array is None:
        raise ValueError(f"{str(path)!r}: a picture of mode {mode}: expected {expected}")
    return array


def one_line(error) -> str:
    """The message of an exception on one line."""
    return " ".join(str(error).split())
