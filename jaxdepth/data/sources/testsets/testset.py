"""The form in which the reader of each test set hands over its pictures and their truth."""

import collections
import dataclasses
import os
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from jaxdepth.data.files import pictures
from jaxdepth.data.sources.pairs import natural
from jaxdepth.errors import InputError
from jaxdepth.geometry.camera import Intrinsics
from jaxdepth.paths import shown

_SAME_VIEW = 0.05  # by which the ratio of a picture's sides may differ from that of its truth


class Example(NamedTuple):
    """A picture of a test set, and where its truth is.

    Attributes:
      name: distinct in the set, with /; a prediction's file is called so, see `predictions.find`.
      picture: the file of the picture.
      depth: the file of the truth, or what else the set's `read_depth` needs of it.
      size: (height, width) of the truth, at which predictions are scored. The picture has the same field of view, and
        may have another size.
      camera: in pixels of the truth, counted from 0; None if unknown.
      scene: name of the scene, for intervals over scenes; None if unknown.
    """

    name: str
    picture: pathlib.Path
    depth: Any
    size: tuple[int, int]
    camera: Intrinsics | None = None
    scene: str | None = None


class Annotations(NamedTuple):
    """What a test set knows of a picture beside its depth.

    Attributes:
      edges: bool [h, w], annotated depth boundaries; None without.
      planes: bool [h, w] each, surfaces that are planes; None without.
    """

    edges: np.ndarray | None = None
    planes: tuple[np.ndarray, ...] | None = None


def read_picture(example) -> np.ndarray:
    """The picture of an Example, uint8 [H, W, 3], upright; raises as `pictures.read`."""
    return pictures.read(example.picture).pixels


def size_of_picture(example) -> tuple[int, int]:
    """The (height, width) of the picture of an Example, from its header; raises as `pictures.size`."""
    return pictures.size(example.picture)


@dataclasses.dataclass(frozen=True)
class TestSet:
    """A test set on the disk.

    Attributes:
      folder: where it is.
      examples: its Examples, in a fixed order.
      read_depth: Example -> float32 [h, w], metres along z; 0 where the set says that there is no measurement. Raises
        InputError or OSError for a damaged or missing file.
      truth: what the depth is, for protocols, such as "laser scan".
      notes: what was left out and why, a line each.
      read_image: Example -> uint8 [H, W, 3].
      picture_size: Example -> (height, width) of what `read_image` gives.
      read_annotations: Example -> Annotations; None for a set without.
    """

    folder: pathlib.Path
    examples: tuple[Example, ...]
    read_depth: Callable[[Example], np.ndarray]
    truth: str
    notes: tuple[str, ...] = ()
    read_image: Callable[[Example], np.ndarray] = read_picture
    picture_size: Callable[[Example], tuple[int, int]] = size_of_picture
    read_annotations: Callable[[Example], Annotations] | None = None

    def image(self, example) -> np.ndarray:
        """What `read_image` gives; raises InputError if its shape is not that of the truth, to within _SAME_VIEW."""
        read = self.read_image(example)
        (h, w), (height, width) = example.size, read.shape[:2]
        if abs(width * h / (height * w) - 1) > _SAME_VIEW:
            raise InputError(
                f"{shown(example.picture)}: {width}x{height} pixels: expected the shape of its truth, {w}x{h}"
            )
        return read


def check_names(found):
    """Raises InputError if a TestSet has no pictures, or a name twice: of two files, or of lines of its list."""
    count = collections.Counter(example.name for example in found.examples)
    if not count:
        raise wrong_layout(found.folder, "no pictures to score", "some on its list and with truth")
    (name, times), *_ = count.most_common(1)
    if times > 1:
        raise wrong_layout(found.folder, f"{name} is there {times} times", "each picture once")


def wrong_layout(folder, found, expected):
    """The InputError of a folder whose layout is not the set's: what was found, and what was expected."""
    return InputError(f"{shown(folder)}: {shown(found)}: expected {expected}")


def root(path, names, *, expected):
    """The folder that holds some entries: `path`, or a folder directly in it, as archives unpack.

    Args:
      path: the folder that was given.
      names: of the files or folders that must be in it, such as ("rgb", "depth").
      expected: the layout in words.

    Raises:
      FileNotFoundError: if there is no such folder.
      InputError: if there is none with all of `names`, or several; it names the first that is missing.
    """
    path = pathlib.Path(path)
    if not path.is_dir():
        raise FileNotFoundError(f"{str(path)!r}: no such folder: expected {expected}")
    inner = sorted(entry for entry in path.iterdir() if entry.is_dir())
    found = [folder for folder in (path, *inner) if all((folder / name).exists() for name in names)]
    if not found:
        missing = next(name for name in names if not (path / name).exists())
        raise wrong_layout(path, f"no {missing} in it", expected)
    if found[0] != path and len(found) > 1:
        raise wrong_layout(path, f"several sets, {found[0].name} and {found[1].name}", "one of them as the path")
    return found[0]


def stems(folder, suffix):
    """Names of the files with a suffix in a folder, without it, in natural order; hidden ones are other systems'."""
    files = (file for file in folder.glob(f"*{suffix}") if not file.name.startswith("."))
    return sorted((file.stem for file in files), key=natural)


def lines_of(file, *, columns=None, expected=""):
    """The lines of a text file as lists of columns, without empty ones and those that begin with #.

    Args:
      file: its path.
      columns: how many each line must have; None for any number.
      expected: a line in words, for errors.

    Raises:
      OSError: if it cannot be opened.
      InputError: if it is no text, or a line has another number of columns; it names the line.
    """
    try:
        text = pathlib.Path(file).read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{shown(file)}: not a text: expected lines {expected or 'of text'}") from error
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        parts = line.split()
        if columns is not None and len(parts) != columns:
            raise InputError(f"{shown(file)}, line {number}: {line[:60]!r}: expected {expected}")
        found.append(parts)
    return found


def missing_files(folder, paths):
    """Raises InputError that names the first of some files that is not there, and how many are not."""
    if absent := [path for path in paths if not os.path.isfile(path)]:
        first = pathlib.Path(absent[0]).relative_to(folder).as_posix()
        raise wrong_layout(folder, f"no {first} ({len(absent)} files are missing)", "every file of the set")
