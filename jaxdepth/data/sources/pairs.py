"""Finds and reads the pairs of a picture and its depth in a folder. No jax, no tensorflow."""

import hashlib
import pathlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from jaxdepth.data.files import depth_maps, pictures
from jaxdepth.data.sources import layouts
from jaxdepth.errors import InputError
from jaxdepth.geometry.depth import PLAUSIBLE_MEDIAN
from jaxdepth.paths import shown

MIN_SIDE = 16  # pixels
_SAME_VIEW = 0.02  # largest difference of two shapes, width / height, that are taken as one field of view
_NUMBER = re.compile(r"\d+")
UNITS = {"millimetres": 1e-3, "centimetres": 1e-2, "metres": 1.0}

_UPRIGHT = {  # how an array with an EXIF orientation is turned
    2: np.fliplr,
    3: lambda array: np.rot90(array, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda array: np.rot90(array, -1),
    7: lambda array: np.rot90(array, 2).T,
    8: np.rot90,
}


@dataclass(frozen=True)
class Pair:
    """A picture and its depth.

    Attributes:
      name: what the stars of the patterns stand for, in both paths.
      picture: path of the picture.
      depth: path of the depth map.
    """

    name: str
    picture: pathlib.Path
    depth: pathlib.Path


@dataclass(frozen=True)
class Listing(Sequence):
    """The pairs of a folder, by two patterns, in natural order of their names (frame2 before frame10).

    Files are kept as strings, since a folder may hold a million; a Pair is made when it is indexed.

    Attributes:
      folder: the folder.
      image: pattern of the pictures.
      depth: pattern of the depths.
      names: of the pairs.
      pictures: paths of the pictures inside the folder, with /.
      depths: paths of the depths inside the folder, with /.
      pictures_alone: names of the pictures without a depth.
      depths_alone: names of the depths without a picture.
    """

    folder: pathlib.Path
    image: str
    depth: str
    names: tuple[str, ...]
    pictures: tuple[str, ...]
    depths: tuple[str, ...]
    pictures_alone: tuple[str, ...]
    depths_alone: tuple[str, ...]

    def __len__(self):
        return len(self.names)

    def __getitem__(self, index) -> Pair:
        return Pair(self.names[index], self.folder / self.pictures[index], self.folder / self.depths[index])

    @property
    def ids(self) -> np.ndarray:
        """The ids of the pairs, see `hashed_ids`: of the two files' paths inside the folder.

        A frame keeps its id when the folder is moved, and when other files are added or removed.
        """
        return hashed_ids(map("\0".join, zip(self.pictures, self.depths, strict=True)))

    def missing(self) -> list[str]:
        """The files without a partner: up to two lines, one for pictures and one for depths."""
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
    """Finds the pairs in a folder.

    A pattern is a path inside the folder, such as images/*.jpg. Its one `*` stands for a part of a name, and each `**/`
    before it for any folders. A picture and a depth are a pair if the stars stand for the same text in both. A pattern
    without a known extension matches every known extension.

    Args:
      folder: the folder.
      image: pattern of the pictures; None for the first of `layouts.IMAGE_PATTERNS` that finds a pair.
      depth: pattern of the depths; None for the first of `layouts.DEPTH_PATTERNS` that does.

    Returns:
      A Listing.

    Raises:
      FileNotFoundError: if there is no such folder.
      InputError: for a malformed pattern, two files of one name, a file that is both picture and depth, or no pairs.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        found = "a file" if folder.exists() else "no such folder"
        raise FileNotFoundError(f"config.data.path={str(folder)!r}: {found}: expected a folder of pictures and depths")
    tree = layouts.Tree(folder)
    image, depth = (given or found for given, found in zip((image, depth), tree.first_pairs(image, depth), strict=True))
    pictures, depths = (_files(tree, folder, *of) for of in ((image, "image"), (depth, "depth")))
    if (image, depth) in layouts.BESIDE:
        are_depths = set(depths.values())
        pictures = {name: path for name, path in pictures.items() if path not in are_depths}
    names = sorted(pictures.keys() & depths.keys(), key=natural)
    if both := next((name for name in names if pictures[name] == depths[name]), None):
        path = str(folder / pictures[both])
        raise InputError(f"{path!r}: at {image} for pictures and at {depth} for depths: {layouts.ADVICE}")
    if not names:
        image, depth = image or layouts.usual("image"), depth or layouts.usual("depth")
        raise InputError(
            f"config.data.path={str(folder)!r}: no pairs among {len(pictures)} pictures at {image} and {len(depths)} "
            f"depths at {depth}: {layouts.ADVICE}"
        )
    alone = (tuple(sorted(some.keys() - names, key=natural)) for some in (pictures, depths))
    files = (tuple(some[name] for name in names) for some in (pictures, depths))
    return Listing(folder, image, depth, tuple(names), *files, *alone)


def hashed_ids(names: Iterable[str]) -> np.ndarray:
    """Ids of frames that have names only, int64 [N]: the first 63 bits of the sha256 of each name."""
    digests = b"".join(hashlib.sha256(name.encode("utf8", "surrogateescape")).digest()[:8] for name in names)
    return (np.frombuffer(digests, ">u8") >> 1).astype(np.int64)


class Read(NamedTuple):
    """The content of a pair, upright.

    Attributes:
      picture: uint8 [H, W, 3].
      depth: float32 [h, w], metres, with its invalid values. It may have another size than the picture; its field of
        view is the picture's, and its shape too, to within _SAME_VIEW.
      scale: metres per unit of the file.
      picture_turned: whether the picture was turned, as its EXIF orientation says.
      depth_turned: whether the depth was turned.
    """

    picture: np.ndarray
    depth: np.ndarray
    scale: float
    picture_turned: bool
    depth_turned: bool


def read(pair, *, depth_scale=None) -> Read:
    """Reads the files of a pair and turns them upright.

    Each file is turned as its own EXIF orientation says. A depth without one beside a picture that has one is either
    upright already or stored like the picture: its shape tells which, and in the second case it is turned like the
    picture.

    Args:
      pair: a Pair.
      depth_scale: metres per unit, see `depth_maps.read_depth`.

    Returns:
      A Read.

    Raises:
      OSError: if a file cannot be opened.
      InputError: if a file is damaged or has fewer than MIN_SIDE pixels on a side, the two shapes differ by more than
        _SAME_VIEW, or only the picture has an EXIF orientation and both ways fit.
    """
    picture = pictures.read(pair.picture).pixels
    depth, scale = depth_maps.read_depth(pair.depth, scale=depth_scale)
    for path, array in ((pair.picture, picture), (pair.depth, depth)):
        if min(array.shape[:2]) < MIN_SIDE:
            size = "x".join(map(str, array.shape[:2]))
            raise InputError(f"{str(path)!r}: {size} pixels: expected at least {MIN_SIDE}x{MIN_SIDE}")
    size, orientation = picture.shape[:2], pictures.orientation(pair.picture)
    depth_turned = depth_maps.orientation(pair.depth) > 1
    if orientation > 1 and not depth_turned:
        stored_alike = same_shape(size[::-1] if orientation > 4 else size, depth.shape)
        if stored_alike and same_shape(size, depth.shape):
            raise InputError(
                f"{str(pair.picture)!r}: EXIF orientation {orientation}, but its depth has none and would fit turned "
                "or not: expected it in both files, or an upright picture without it"
            )
        if stored_alike:
            depth, depth_turned = np.ascontiguousarray(_UPRIGHT[orientation](depth)), True
    (height, width), (h, w) = size, depth.shape
    if not same_shape(size, depth.shape) and abs(h * width / (w * height) - 1) > _SAME_VIEW:
        swapped = ", axes swapped?" if same_shape(size, (w, h)) else ""
        raise InputError(
            f"{str(pair.depth)!r}: {h}x{w} (rows x columns), but its picture {str(pair.picture)!r} is "
            f"{height}x{width}: expected the picture's shape{swapped}"
        )
    return Read(picture, depth, scale, orientation > 1, depth_turned)


def turned_notes(pictures_turned, depths_turned) -> list[str]:
    """A line about the numbers of pictures and depths that were turned upright; none if none was."""
    if not pictures_turned + depths_turned:
        return []
    return [f"EXIF orientation: {pictures_turned} pictures and {depths_turned} depths are turned upright"]


def view_notes(count) -> list[str]:
    """A line about the number of pairs whose shapes differ a little; none if there is none."""
    if not count:
        return []
    return [f"{count} depths differ in shape from their pictures, by up to {_SAME_VIEW:.0%}: taken as the same view"]


def same_shape(size, other) -> bool:
    """Whether two sizes (height, width) are one shape at two resolutions, to within a pixel of the second."""
    (height, width), (h, w) = size, other
    return abs(h * width - w * height) <= max(height, width)


def median_problem(medians, scale) -> str | None:
    """Says what is wrong with the unit of a folder's depths.

    Args:
      medians: median depth of each frame in metres, NaN for a frame without valid depth.
      scale: metres per unit, with which they were read.

    Returns:
      A line with a guess at the unit; None if the median of all is plausible.
    """
    low, high = PLAUSIBLE_MEDIAN
    medians = np.asarray(medians, np.float64)
    medians = medians[~np.isnan(medians)]
    if not medians.size:
        return f"no valid depth: expected metres above 0, and 0 where there is no measurement (unit: {scale:g} m)"
    median = float(np.median(medians))
    if low <= median <= high:
        return None
    distance = {name: abs(np.log(median / scale * unit / 3)) for name, unit in UNITS.items()}  # from 3 m, a room's
    name = min(distance, key=distance.get)
    guess = f"{name}? give --config.data.folder.depth_scale={UNITS[name]:g}"
    if not low <= median / scale * UNITS[name] <= high:
        guess = "give --config.data.folder.depth_scale=METRES per unit"
    return f"median depth {median:.4g} m: {guess} (read with {scale:g})"


def depth_problem(survey, scale) -> str | None:
    """Why the depths of a folder are refused; None if they are not.

    Args:
      survey: a `Survey` of all its depths.
      scale: the metres per unit that they were read with.
    """
    return survey.unmasked_value() or median_problem(list(survey.medians.values()), scale) or survey.nearly_all_beyond()


def natural(name):
    """A sort key for names that compares numbers by value: frame2 before frame10."""
    return _NUMBER.sub(_comparable, name), name


def files_in(folder) -> Iterable[str]:
    """Paths of all files under a folder, relative and with /, without hidden ones."""
    return (prefix + name for prefix, names in layouts.walk(folder) for name in names)


def _comparable(number):
    """A number in a name so that numbers compare by value, and after whatever text: its length and its digits."""
    digits = number[0].lstrip("0") if number[0].isascii() else str(int(number[0]))
    return f"\0{chr(1 + len(digits))}{digits}\0"


def _files(tree, folder, pattern, kind) -> dict[str, str]:
    """{name: path inside the folder} of the files at a pattern, {} at None; raises InputError for two of a name."""
    if pattern is None:
        return {}
    files, twice = tree.matches(pattern, kind)
    if twice:
        name = next(name for name, path in files.items() if path == twice[0])
        both = " and ".join(twice)
        if (folder / twice[0]).with_suffix(".json").is_file():
            both += ": predict.py writes such files, with a .json: move them out of the folder, or"
        else:
            both += ":"
        raise InputError(f"{str(folder)!r}: two files for {name!r} at {pattern}, {both} {layouts.ADVICE}")
    return files


def _some(names) -> str:
    """Up to five names."""
    return ", ".join(map(shown, names[:5])) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
