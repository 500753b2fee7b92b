"""The files of a raw recording, and which depth picture belongs to which colour picture.

A scene is a folder of `r-TIME-COUNT.ppm` (colour), `d-TIME-COUNT.pgm` (depth codes) and `a-TIME-COUNT.dump` (the
accelerometer), with TIME in seconds. INDEX.txt lists them; it is not needed, since the names say all.
"""

import re
from typing import NamedTuple

import numpy as np

from jaxdepth.errors import InputError
from jaxdepth.prepare.nyu_raw.calibration import SIZE

MAX_GAP = 0.05  # seconds between the two pictures of a pair; the Kinect takes 30 a second

_NAME = re.compile(r"([rd])-([0-9]{1,20}(?:\.[0-9]{1,20})?)-([0-9]+)\.(ppm|pgm)")
_KINDS = {("r", "ppm"): "colour", ("d", "pgm"): "depth"}
_HEADER = re.compile(rb"(P[56])\s(?:#[^\n]*\n|\s)*(\d{1,9})\s+(\d{1,9})\s+(\d{1,9})\s", re.DOTALL)


class Timed(NamedTuple):
    """A file of a scene: its name, and its time in seconds."""

    name: str
    seconds: float


class Pair(NamedTuple):
    """A colour picture with the depth picture nearest in time, and the seconds between them (depth after colour)."""

    colour: Timed
    depth: Timed
    gap: float


def timed(names):
    """The pictures among a scene's file names.

    Args:
      names: of files, without folders.

    Returns:
      ([Timed] of the colour pictures, the same of the depth pictures), each in the order of their times. Other names
      are ignored.
    """
    found = {"colour": [], "depth": []}
    for name in names:
        if (match := _NAME.fullmatch(name)) and (kind := _KINDS.get((match[1], match[4]))):
            found[kind].append(Timed(name, float(match[2])))
    return tuple(sorted(found[kind], key=lambda file: (file.seconds, file.name)) for kind in ("colour", "depth"))


def pair(colour, depth, *, max_gap=MAX_GAP):
    """Pairs colour and depth pictures by time.

    Each colour picture gets the depth picture that is nearest in time (of two as near, the earlier one), unless that is
    nearer to another colour picture, which then has it alone.

    Args:
      colour, depth: [Timed], in the order of their times.
      max_gap: seconds.

    Returns:
      ([Pair] in the order of the colour pictures, [Timed] of the colour pictures without a partner).
    """
    times = np.array([file.seconds for file in depth])
    best = {}
    for file in colour:
        if not len(times):
            break
        i = int(np.argmin(np.abs(times - file.seconds)))  # the first of equals
        made = Pair(file, depth[i], depth[i].seconds - file.seconds)
        if abs(made.gap) <= max_gap and (i not in best or abs(made.gap) < abs(best[i].gap)):
            best[i] = made
    pairs = sorted(best.values(), key=lambda made: (made.colour.seconds, made.colour.name))
    taken = {made.colour for made in pairs}
    return pairs, [file for file in colour if file not in taken]


def read_colour(content, name):
    """The colour picture of a file.

    Args:
      content: its bytes.
      name: for errors.

    Returns:
      uint8 [480, 640, 3].

    Raises:
      InputError: if it is empty, cut off, or not such a picture.
    """
    return _pixels(content, name, kind=b"P6", white=255, dtype=np.uint8, channels=3)


def read_depth(content, name):
    """The depth codes of a file, uint16 [480, 640]: the file's bytes are swapped, the lower one first."""
    return _pixels(content, name, kind=b"P5", white=65535, dtype="<u2", channels=1)[..., 0].astype(np.uint16)


def _pixels(content, name, *, kind, white, dtype, channels):
    expected = f"expected {kind.decode()} of {SIZE[1]}x{SIZE[0]} with {white} as its largest value"
    if not content:
        raise InputError(f"{name}: an empty file: {expected}")
    header = _HEADER.match(content)
    if header is None:
        raise InputError(f"{name}: no such picture: {expected}")
    width, height, largest = (int(header[k]) for k in (2, 3, 4))
    if (header[1], height, width, largest) != (kind, *SIZE, white):
        raise InputError(f"{name}: {header[1].decode()} of {width}x{height} with {largest}: {expected}")
    size = SIZE[0] * SIZE[1] * channels * np.dtype(dtype).itemsize
    held = len(content) - header.end()
    if held < size:
        raise InputError(f"{name}: cut off after {held} of {size} bytes of pixels")
    return np.frombuffer(content, dtype, SIZE[0] * SIZE[1] * channels, header.end()).reshape(*SIZE, channels)
