"""Depth maps out of files: 16-bit PNG and TIFF, .npy, .npz, .exr and .pfm. Numpy and Pillow, OpenEXR where needed."""

import math
import pathlib
import zipfile
import zlib

import numpy as np
from PIL import Image

from jaxdepth.data.files import pictures

EXTENSIONS = (".png", ".tif", ".tiff", ".npy", ".npz", ".exr", ".pfm")
INTEGER_SCALE = 1e-3  # metres: the millimetres of most 16-bit PNG


def read_depth(path, *, scale=None):
    """Depth of a file, as stored but for its unit: NaN, infinities and negative values are left in.

    Args:
      path: a .png or .tif with one channel, .npy, .npz (its only array, or the one named `depth`), .exr (its only
        channel, or the one named Z, Y, V or depth), or .pfm (greyscale), each [H, W], rows from the top.
      scale: metres of one unit; None: .001 for whole numbers, 1 for floating point. A picture of 8 bits is mostly meant
        to be looked at and is depth only where its scale is given.

    Returns:
      float32 [H, W] metres, and the metres of one unit.

    Raises:
      OSError: a file that cannot be opened. ValueError: another kind of file, a damaged one, or an array that is not
      [H, W] of real numbers, or an .exr where the package that reads it is not installed.
    """
    check_scale(scale)
    path = pathlib.Path(path)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ValueError(f"{str(path)!r}: expected depth as one of {', '.join(EXTENSIONS)}")
    with open(path, "rb") as file:  # missing, or not allowed: an error that names the file
        if not file.read(1):
            raise ValueError(f"{str(path)!r}: an empty file: expected depth")
    array = reader(path)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{str(path)!r}: an array of {array.dtype}: expected whole or floating-point numbers")
    found = array.shape
    if array.ndim == 3 and 1 in (found[0], found[2]):  # one channel, before or behind
        array = array[0] if found[0] == 1 else array[..., 0]
    if array.ndim != 2:
        raise ValueError(f"{str(path)!r}: an array of shape {found}: expected [H, W]")
    if scale is None and array.dtype.itemsize == 1:
        raise ValueError(
            f"{str(path)!r}: values of 8 bits: expected 16; if they are depth, say in which unit: "
            "--config.data.folder.depth_scale=METRES"
        )
    if scale is None:
        scale = 1.0 if array.dtype.kind == "f" else INTEGER_SCALE
    with np.errstate(over="ignore"):  # beyond float32 is infinite, and counted as such
        return (array if scale == 1 else array.astype(np.float64) * scale).astype(np.float32), scale


def check_scale(scale):
    """Raise ValueError for metres of one unit that are none."""
    if scale is not None and not (scale > 0 and math.isfinite(scale)):
        raise ValueError(f"config.data.folder.depth_scale={scale}: expected metres of one unit, above 0")


def _picture(path):
    return pictures.decode(
        path,
        np.asarray,
        accepts=lambda mode: mode in ("L", "I", "F") or mode.startswith("I;16"),
        expected="one channel of 16 bits",
    )


def _npy(path):
    try:
        mapped = np.lib.format.open_memmap(path, mode="r")  # raises where the file is shorter than its header says
        _check_size(mapped.shape)
        return np.array(mapped)
    except (ValueError, EOFError, SyntaxError, TypeError) as error:
        raise _damaged(path, "a whole .npy array", error) from error


def _npz(path):
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".npy")]
            chosen = names if len(names) == 1 else [name for name in names if name == "depth.npy"]
            if not chosen:
                held = ", ".join(name.removesuffix(".npy") for name in names) or "none"
                raise ValueError(f"holds {held}: expected one array, or one named depth")
            with archive.open(chosen[0]) as file:
                formats = np.lib.format
                first = formats.read_magic(file) == (1, 0)
                header = formats.read_array_header_1_0(file) if first else formats.read_array_header_2_0(file)
                _check_size(header[0])  # before it is unpacked
            with archive.open(chosen[0]) as file:
                return formats.read_array(file, allow_pickle=False)
    except (ValueError, EOFError, SyntaxError, TypeError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise _damaged(path, "a whole .npz archive", error) from error


def _pfm(path):
    """Greyscale portable float map: three lines of text (`Pf`, `W H`, the byte order's sign), rows from the bottom."""
    with open(path, "rb") as file:
        kind, size, order = (file.readline(80).split() for _ in range(3))
        data = file.read()
    try:
        (width, height), sign = map(int, size), float(order[0])
        if kind != [b"Pf"] or min(width, height) < 1 or sign == 0:
            raise ValueError(f"begins with {b' '.join(kind)[:20]!r}")
        if len(data) != 4 * width * height:
            raise ValueError(f"{len(data)} bytes of pixels for {height}x{width} of 4 bytes")
        return np.frombuffer(data, "<f4" if sign < 0 else ">f4").reshape(height, width)[::-1]
    except (ValueError, IndexError) as error:
        raise _damaged(path, "a whole greyscale .pfm (Pf)", error) from error


def _exr(path):
    try:
        import OpenEXR
    except ImportError as error:
        raise ValueError(f"{str(path)!r}: .exr needs the extra exr: pip install -e '.[exr]'") from error
    try:
        with OpenEXR.File(str(path), header_only=True) as file:
            low, high = file.header()["dataWindow"]
            _check_size((int(high[1]) - int(low[1]) + 1, int(high[0]) - int(low[0]) + 1))
        with OpenEXR.File(str(path), separate_channels=True) as file:
            channels = {name: channel.pixels for name, channel in file.channels().items()}
        names = list(channels)
        if len(names) > 1:  # renderers write a pass as LAYER.PASS.Z
            names = [name for name in names if name.rpartition(".")[2].lower() in ("z", "y", "v", "depth")]
        if len(names) != 1:
            raise ValueError(f"channels {', '.join(channels)}: expected one, or one named Z, Y, V or depth")
        return channels[names[0]]
    except (ValueError, RuntimeError, TypeError, KeyError) as error:
        raise _damaged(path, "a whole .exr with depth", error) from error


_READERS = dict.fromkeys((".png", ".tif", ".tiff"), _picture) | {
    ".npy": _npy,
    ".npz": _npz,
    ".exr": _exr,
    ".pfm": _pfm,
}


def _check_size(shape):
    if math.prod(shape) > Image.MAX_IMAGE_PIXELS:
        raise ValueError(f"{'x'.join(map(str, shape))} values: expected at most {Image.MAX_IMAGE_PIXELS}")


def _damaged(path, expected, error) -> ValueError:
    return ValueError(f"{str(path)!r}: not {expected} ({pictures.one_line(error)})")
