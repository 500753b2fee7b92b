"""Reads depth maps: 16-bit PNG and TIFF, .npy, .npz, .exr and .pfm. Numpy and Pillow only; OpenEXR for .exr."""

import io
import math
import pathlib
import zipfile

import numpy as np
from PIL import ImageOps

from jaxdepth import quiet
from jaxdepth.data.files import arrays, pictures
from jaxdepth.errors import InputError

EXTENSIONS = (".png", ".tif", ".tiff", ".npy", ".npz", ".exr", ".pfm")
INTEGER_SCALE = 1e-3  # metres per unit: most 16-bit PNG hold millimetres
SETTING = "config.data.folder.depth_scale"  # whose value `scale` is, unless another is named
MAX_PIXELS = 100_000_000  # of a depth map; larger ones are refused before they are read

_HEADER = 1 << 16  # bytes, at most, of the header of an array in an .npz


def read_depth(path, *, scale=None, key=None, setting=SETTING):
    """Reads a depth map in metres. Invalid values (NaN, infinite, negative) are kept.

    Args:
      path: a .png or .tif with one channel, .npy, .npz (see `key`), .exr (its only
        channel, or the one named Z, Y, V or depth), or greyscale .pfm; each [H, W] with rows from the top.
      scale: metres per unit; None for .001 with integers and 1 with floating point. Files of 8 bits need a scale, since
        most of them are for viewing only.
      key: name of the array in a .npz; None for the only one, or the one named `depth`.
      setting: the setting that gives `scale`, for errors.

    Returns:
      Depth float32 [H, W] in metres, and the metres per unit.

    Raises:
      OSError: if the file cannot be opened.
      InputError: if `scale` is out of range, the file is damaged or of another kind, its array is not [H, W] of real
        numbers or has more than MAX_PIXELS, or OpenEXR is not installed for an .exr.
    """
    check_scale(scale, setting=setting)
    path = pathlib.Path(path)
    reader, expected = _READERS.get(path.suffix.lower(), (None, None))
    if reader is None:
        raise InputError(f"{str(path)!r}: expected depth as one of {', '.join(EXTENSIONS)}")
    with open(path, "rb") as file:  # a missing file is an OSError that names it
        if not file.read(1):
            raise InputError(f"{str(path)!r}: an empty file: expected depth")
    try:
        with quiet.no_warnings():  # of odd headers
            array = reader(path) if key is None or reader is not _npz else _npz(path, key)
    except Exception as error:  # decoders raise any kind of error, MemoryError too, for damaged files
        if isinstance(error, InputError) or getattr(error, "filename", None) is not None:  # said, or no permission
            raise
        reason = pictures.one_line(error) or type(error).__name__
        raise InputError(f"{str(path)!r}: not a valid {expected} ({reason})") from error
    shape = array.shape
    if array.ndim == 3 and 1 in (shape[0], shape[2]):  # [1, H, W] or [H, W, 1]
        array = array[0] if shape[0] == 1 else array[..., 0]
    if array.ndim != 2 or not array.size:
        raise InputError(f"{str(path)!r}: an array of shape {shape}: expected [H, W]")
    if scale is None and array.dtype.itemsize == 1:
        raise InputError(
            f"{str(path)!r}: 8-bit values: expected 16 bits; if they are depth, give their unit: "
            f"--{setting}=METRES per unit"
        )
    if scale is None:
        scale = 1.0 if array.dtype.kind == "f" else INTEGER_SCALE
    with np.errstate(over="ignore"):  # values beyond float32 become infinite, hence invalid
        return (array if scale == 1 else np.multiply(array, scale, dtype=np.float64)).astype(np.float32), scale


def check_scale(scale, *, setting=SETTING):
    """Checks the setting config.data.folder.depth_scale.

    Args:
      scale: metres per unit, or None.
      setting: its name, for the error.

    Raises:
      InputError: if it is not finite and positive.
    """
    if scale is not None and not (scale > 0 and math.isfinite(scale)):
        raise InputError(f"{setting}={scale}: expected metres per unit, finite and above 0")


def orientation(path) -> int:
    """The EXIF orientation of a depth file, by which `read_depth` has turned it; see `pictures.orientation`."""
    return pictures.orientation(path) if _READERS[pathlib.Path(path).suffix.lower()][0] is _picture else 1


def _picture(path):
    """Array of a PNG or TIFF with one channel, turned as its EXIF orientation says."""

    def upright(picture):
        if picture.width * picture.height > MAX_PIXELS:
            raise InputError(f"{picture.height}x{picture.width} pixels: expected at most {MAX_PIXELS}")
        return np.asarray(ImageOps.exif_transpose(picture))

    return pictures.decode(
        path,
        upright,
        accepts=lambda mode: mode in ("L", "I", "F") or mode.startswith("I;16"),
        expected="one channel of 16 bits",
    )


def _npy(path):
    """Array of a .npy file."""
    mapped = arrays.map_array(path)
    _check_header(mapped.shape, mapped.dtype)
    return np.array(mapped)


def _npz(path, key=None):
    """The array `key` of a .npz file; by default the only one, or the one named depth."""
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith(".npy")]
        wanted = [f"{key or 'depth'}.npy"]
        chosen = names if len(names) == 1 and key is None else [name for name in names if name in wanted]
        if not chosen:
            held = ", ".join(name.removesuffix(".npy") for name in names) or "none"
            raise ValueError(f"arrays: {held}; expected one array, or one named {key or 'depth'}")
        if archive.getinfo(chosen[0]).compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{chosen[0]}: expected it plain or deflated")  # others are unpacked without a bound
        with archive.open(chosen[0]) as file:
            shape, _, dtype = arrays.read_header(io.BytesIO(file.read(_HEADER)))
        _check_header(shape, dtype)  # before it is decompressed
        with archive.open(chosen[0]) as file:
            return np.lib.format.read_array(file, allow_pickle=False)


def _pfm(path):
    """Array of a greyscale portable float map: header `Pf`, `W H`, sign for the byte order; rows from the bottom."""
    with open(path, "rb") as file:
        kind, size, order = (file.readline(80).split() for _ in range(3))
        (width, height), sign = map(int, size), float(order[0])
        if kind != [b"Pf"] or min(width, height) < 1 or sign == 0:
            raise ValueError(f"header begins with {b' '.join(kind)[:20]!r}")
        _check_header((height, width), np.dtype(np.float32))
        data = file.read(4 * width * height + 1)
    if len(data) != 4 * width * height:
        raise ValueError(f"{len(data)} bytes of data; expected 4 bytes for each of {height}x{width} pixels")
    return np.frombuffer(data, "<f4" if sign < 0 else ">f4").reshape(height, width)[::-1]


def _exr(path):
    """The only channel of an .exr file, or its depth channel."""
    try:
        import OpenEXR
    except ImportError as error:
        raise InputError(f"{str(path)!r}: .exr needs the extra exr: pip install 'jaxdepth[exr]'") from error
    with OpenEXR.File(str(path), header_only=True) as file:
        low, high = file.header()["dataWindow"]
        _check_header((int(high[1]) - int(low[1]) + 1, int(high[0]) - int(low[0]) + 1), np.dtype(np.float32))
    with OpenEXR.File(str(path), separate_channels=True) as file:
        channels = {name: channel.pixels for name, channel in file.channels().items()}
    names = list(channels)
    if len(names) > 1:  # renderers name a pass LAYER.PASS.Z
        names = [name for name in names if name.rpartition(".")[2].lower() in ("z", "y", "v", "depth")]
    if len(names) != 1:
        raise ValueError(f"channels: {', '.join(channels)}; expected one, or one named Z, Y, V or depth")
    return channels[names[0]]


_READERS = dict.fromkeys((".png", ".tif", ".tiff"), (_picture, "picture with depth")) | {
    ".npy": (_npy, ".npy file"),
    ".npz": (_npz, ".npz file"),
    ".exr": (_exr, ".exr with depth"),
    ".pfm": (_pfm, "greyscale .pfm (Pf)"),
}


def _check_header(shape, dtype):
    """Raises ValueError for an array that is too large, or not of real numbers, before it takes memory."""
    if dtype.kind not in "fiu":
        raise ValueError(f"an array of {dtype}: expected integers or floating-point numbers")
    if math.prod(shape) > MAX_PIXELS:
        raise ValueError(f"{'x'.join(map(str, shape))} values: expected at most {MAX_PIXELS}")
