"""Pairs of a picture and its depth in a folder: which there are, and what is in them. No jax, no tensorflow."""

import functools
import hashlib
import os
import pathlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from jaxdepth.data.files import depth_maps, pictures
from jaxdepth.data.frames import METRES

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
# Where pictures and depths usually lie; the first pattern with a file is taken.
IMAGE_PATTERNS = tuple(
    prefix + name
    for prefix in ("", "**/")
    for name in ("images/*", "image/*", "rgb/*", "color/*", "*_rgb", "*_color", "*_colors", "*_image")
)
DEPTH_PATTERNS = tuple(prefix + name for prefix in ("", "**/") for name in ("depths/*", "depth/*", "*_depth"))
MIN_SIDE = 16  # pixels
UNITS = {"millimetres": 1e-3, "centimetres": 1e-2, "metres": 1.0}


@dataclass(frozen=True)
class Pair:
    """A picture and its depth; `name` is what the patterns' stars stand for in both."""

    name: str
    picture: pathlib.Path
    depth: pathlib.Path


@dataclass(frozen=True)
class Listing:
    """What a folder holds under two patterns, in the natural order of names (frame2 before frame10).

    Attributes:
      folder: where.
      image, depth: the patterns.
      pairs: the pairs.
      pictures_alone, depths_alone: names without a partner.
    """

    folder: pathlib.Path
    image: str
    depth: str
    pairs: tuple[Pair, ...]
    pictures_alone: tuple[str, ...]
    depths_alone: tuple[str, ...]

    @property
    def ids(self) -> np.ndarray:
        """int64 [N], of each pair: 63 bits of the sha256 of the two files' paths inside the folder.

        So a frame is known by its names alone: it keeps its id where the folder is moved or others come and go.
        """
        inside = [f"{p.picture.relative_to(self.folder)}\0{p.depth.relative_to(self.folder)}" for p in self.pairs]
        digests = [hashlib.sha256(names.replace(os.sep, "/").encode("utf8", "surrogateescape")) for names in inside]
        return np.array([int.from_bytes(digest.digest()[:8]) >> 1 for digest in digests], np.int64)

    def missing(self) -> list[str]:
        """What lacks a partner, a line for pictures and one for depths."""
        kinds = (
            ("pictures", self.pictures_alone, "depth", self.depth),
            ("depths", self.depths_alone, "picture", self.image),
        )
        return [
            f"{len(names)} {what} without a {other} at {pattern}: {_some(names)}"
            for what, names, other, pattern in kinds
            if names
        ]


def find(folder, *, image=None, depth=None) -> Listing:
    """The pairs in `folder`.

    Args:
      folder: the folder.
      image, depth: patterns of paths in it, such as images/*.jpg and depths/*.png, in which one `*` stands for a part
        of a name and may follow a `**/` for any folders. A picture and a depth for which the stars stand for the same
        are a pair. A pattern without a known extension is one for every such. None: the first of IMAGE_PATTERNS or
        DEPTH_PATTERNS with a file.

    Raises:
      FileNotFoundError: no such folder.
      ValueError: a pattern that is none, two files for one name, a file that is picture and depth, or not one pair.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        found = "a file" if folder.exists() else "no such folder"
        raise FileNotFoundError(f"config.data.path={str(folder)!r}: {found}: expected a folder of pictures and depths")
    files = sorted(_files(folder))
    image, pictures = _first(folder, files, "image", [image] if image else IMAGE_PATTERNS, PICTURES)
    depth, depths = _first(folder, files, "depth", [depth] if depth else DEPTH_PATTERNS, depth_maps.EXTENSIONS)
    names = sorted({*pictures, *depths}, key=natural)
    pairs = tuple(Pair(n, folder / pictures[n], folder / depths[n]) for n in names if n in pictures and n in depths)
    if both := [pair for pair in pairs if pair.picture == pair.depth]:
        raise ValueError(f"{str(both[0].picture)!r}: at {image} for pictures and at {depth} for depths: {_HOW}")
    if not pairs:
        raise ValueError(
            f"config.data.path={str(folder)!r}: no pair of {len(pictures)} pictures at {image} and {len(depths)} "
            f"depths at {depth}: {_HOW}"
        )
    alone = [tuple(n for n in names if n not in other) for other in (depths, pictures)]
    return Listing(folder, image, depth, pairs, *alone)


_HOW = "give patterns such as --config.data.folder.image=images/*.jpg --config.data.folder.depth=depths/*.png"


def read(pair, *, depth_scale=None):
    """A pair's picture uint8 [H, W, 3], depth float32 [h, w] in metres as stored (NaN and all), metres of one unit.

    Depth may have another size than its picture but not another shape: within a pixel.
    Raises OSError or ValueError, which name the file, where one cannot be read or they do not fit.
    """
    picture = pictures.read(pair.picture).pixels
    depth, scale = depth_maps.read_depth(pair.depth, scale=depth_scale)
    for path, array in ((pair.picture, picture), (pair.depth, depth)):
        if min(array.shape[:2]) < MIN_SIDE:
            size = "x".join(map(str, array.shape[:2]))
            raise ValueError(f"{str(path)!r}: {size} pixels: expected at least {MIN_SIDE}x{MIN_SIDE}")
    (height, width), (h, w) = picture.shape[:2], depth.shape
    if not same_shape((height, width), (h, w)):
        swapped = ", axes swapped?" if same_shape((height, width), (w, h)) else ""
        raise ValueError(
            f"{str(pair.depth)!r}: {h}x{w} (rows x columns), where its picture {str(pair.picture)!r} is "
            f"{height}x{width}: expected the picture's shape{swapped}"
        )
    return picture, depth, scale


def same_shape(size, other) -> bool:
    """Whether two sizes (height, width) are one shape at two resolutions, but for one pixel of the second."""
    (height, width), (h, w) = size, other
    return abs(h * width - w * height) <= max(height, width)


def median_problem(medians, scale) -> str | None:
    """What is wrong with the unit of a folder's depths; None where nothing seems so.

    Args:
      medians: of the valid depths of each frame in metres, NaN for a frame without any.
      scale: the metres of one unit that they were read with.
    """
    medians = np.asarray(medians, np.float64)
    medians = medians[~np.isnan(medians)]
    if not medians.size:
        return f"not one of the depths is valid: expected metres above 0, 0 for no measurement (unit: {scale:g} m)"
    median = float(np.median(medians))
    if METRES[0] <= median <= METRES[1]:
        return None
    usual = {name: abs(np.log(median / scale * unit / 3)) for name, unit in UNITS.items()}  # a room's 3 m, by logarithm
    name = min(usual, key=usual.get)
    guess = f"{name}? give --config.data.folder.depth_scale={UNITS[name]:g}"
    if not METRES[0] <= median / scale * UNITS[name] <= METRES[1]:
        guess = "give --config.data.folder.depth_scale=METRES of one unit"
    return f"median depth {median:.4g} m: {guess} (read with {scale:g})"


def median(valid) -> float:
    """The median of the depths above 0; NaN where there is none."""
    valid = valid[valid > 0]
    return float(np.median(valid)) if valid.size else np.nan


def natural(name):
    """A key to sort names by in which numbers count as numbers."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)], name


def _files(folder) -> Iterable[str]:
    """Paths of all files under a folder, relative and with /, but for hidden ones."""
    for place, folders, names in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        prefix = os.path.relpath(place, folder).replace(os.sep, "/") + "/"
        yield from (prefix.removeprefix("./") + name for name in names if not name.startswith("."))


def _first(folder, files, kind, patterns, extensions):
    """The first pattern with a file, and {name: path}; the first pattern and nothing where none has one."""
    for pattern in patterns:
        expression = _expression(pattern, kind, extensions)
        found = {}
        for path in files:
            if match := expression.fullmatch(path):
                name = "".join(match.groups())
                if name in found:
                    raise ValueError(
                        f"{str(folder)!r}: two files for {name!r} at {pattern}, {found[name]} and {path}: {_HOW}"
                    )
                found[name] = path
        if found:
            return pattern, found
    return (patterns[0] if len(patterns) == 1 else f"{patterns[0]} or another usual place"), {}


@functools.cache
def _expression(pattern, kind, extensions):
    """The pattern as a regular expression, whose groups are what its stars stand for."""
    folders, star, rest = pattern.rpartition("**/")
    folders, single = re.escape(folders), rest.count("*")
    if single != 1 or "*" in folders or pattern.startswith("/"):
        raise ValueError(
            f"config.data.folder.{kind}={pattern!r}: expected a path in the folder with one * in it: {_HOW}"
        )
    before, after = map(re.escape, rest.split("*"))
    known = "" if pattern.lower().endswith(extensions) else f"(?:{'|'.join(map(re.escape, extensions))})"
    anywhere = "((?:[^/]+/)*)" if star else ""
    return re.compile(f"{folders}{anywhere}{before}([^/]+?){after}(?i:{known})")


def _some(names) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
