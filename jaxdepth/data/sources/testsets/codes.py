"""What several test sets share: depth as codes in a PNG, cameras as a matrix in a text file, sizes from headers."""

import math
import pathlib

import numpy as np

from jaxdepth.data.files import pictures
from jaxdepth.data.sources.testsets import testset
from jaxdepth.errors import InputError
from jaxdepth.geometry.camera import Intrinsics
from jaxdepth.paths import shown

_16_BITS = dict(accepts=lambda mode: mode.startswith("I"), expected="one channel of 16 bits")


def read_codes(file) -> np.ndarray:
    """The codes of a 16-bit PNG, int64 [h, w].

    Raises:
      OSError: if it cannot be opened.
      InputError: if it is damaged or of another kind: depth that was saved in 8 bits is no depth any more.
    """
    found = pictures.decode(file, lambda opened: np.asarray(opened, np.int64), **_16_BITS)
    if found.min() < 0 or found.max() > 0xFFFF:
        raise InputError(f"{shown(file)}: codes from {found.min()} to {found.max()}: expected 16 bits")
    return found


def size_of_codes(file) -> tuple[int, int]:
    """The (height, width) of what `read_codes` reads, from its header; raises as it does."""
    width, height = pictures.decode(file, lambda opened: opened.size, **_16_BITS)
    return height, width


def read_depth(file, metres, size) -> np.ndarray:
    """Depth float32 [h, w] of a 16-bit PNG with code 0 for no measurement, without any interpolation.

    Args:
      file: its path.
      metres: metres per code.
      size: (height, width) that it must have.

    Raises:
      OSError: if it cannot be opened.
      InputError: if it is damaged or of another kind or size.
    """
    depth = np.float32(metres * read_codes(file))
    if depth.shape != tuple(size):
        raise InputError(
            f"{shown(file)}: depth of {depth.shape[1]}x{depth.shape[0]} pixels: expected {size[1]}x{size[0]}"
        )
    return depth


def header_size(file) -> tuple[int, int]:
    """The (height, width) of a picture as it is stored: unlike `pictures.size`, it never decodes a PNG."""
    width, height = pictures.decode(file, lambda picture: picture.size, accepts=bool, expected="any mode")
    return height, width


def camera_of(file, values, side) -> Intrinsics:
    """The Intrinsics in a camera matrix.

    Args:
      file: where it is from, for the error.
      values: its numbers as text, row by row.
      side: (rows, columns) of the matrix: (3, 3), (3, 4) or (4, 4).

    Raises:
      InputError: if it is another matrix, has skew, or focal lengths not above 0.
    """
    try:
        matrix = np.array([float(value) for value in values]).reshape(side)
        fx, fy, cx, cy = (float(matrix[i]) for i in ((0, 0), (1, 1), (0, 2), (1, 2)))
        if not all(map(math.isfinite, (fx, fy, cx, cy))) or min(fx, fy) <= 0 or matrix[0, 1] or matrix[1, 0]:
            raise ValueError
    except ValueError as error:
        raise InputError(
            f"{shown(file)}: not a camera matrix: expected {side[0]}x{side[1]} numbers, fx 0 cx ..., 0 fy cy ..., ..."
        ) from error
    return Intrinsics(fx, fy, cx, cy)


def matrix_file(file, side) -> Intrinsics:
    """The Intrinsics of a text file that holds a camera matrix only; raises OSError, or as `camera_of`."""
    expected = f"{side[0]}x{side[1]} numbers"
    return camera_of(file, [value for line in testset.lines_of(file, expected=expected) for value in line], side)


def listed_path(file, folder, name) -> pathlib.Path:
    """The path of an entry of a list: `name` inside `folder`; raises InputError, which names the list, if it is not."""
    parts = pathlib.PurePosixPath(name)
    if not parts.name or parts.is_absolute() or ".." in parts.parts or pathlib.Path(name).is_absolute():
        raise InputError(f"{shown(file)}: {shown(name)}: expected a path inside {shown(folder)}")
    return folder / name
