"""Patterns of picture and depth files in a folder, and the usual ones. No jax, no tensorflow."""

import functools
import itertools
import os
import re
from collections.abc import Iterable
from typing import NamedTuple

from jaxdepth.data.files import depth_maps, walking
from jaxdepth.errors import InputError

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
ADVICE = "give patterns such as --config.data.folder.image=images/*.jpg --config.data.folder.depth=depths/*.png"
EXTENSIONS = {"image": PICTURES, "depth": depth_maps.EXTENSIONS}

_FOLDERS = {
    "image": ("images", "image", "rgb", "color", "colors", "colour", "img", "imgs", "image_left", "image_02/data")
    + ("lowres_wide", "wide", "blended_images"),
    "depth": ("depths", "depth", "depth_left", "proj_depth/groundtruth/image_02", "lowres_depth", "highres_depth")
    + ("rendered_depth_maps",),
}
_NAMES = {
    "image": ("*_rgb", "*_color", "*_colors", "*_image", "*-rgb", "*-color", "*.rgb", "*.color")
    + ("rgb_*", "color_*", "image_*", "frame*"),
    "depth": ("*_depth", "*-depth", "*.depth", "depth_*", "sync_depth_*", "depth*"),
}


def _usual(kind) -> tuple[str, ...]:
    """The usual patterns: those at the top of a folder first, then those below, then those with folders between."""
    folders, names = _FOLDERS[kind], _NAMES[kind]
    shallow = [prefix + name for prefix in ("", "**/") for name in (*(f"{folder}/*" for folder in folders), *names)]
    return *shallow, *(f"**/{folder}/**/{name}" for folder in folders for name in ("*", *names))


IMAGE_PATTERNS, DEPTH_PATTERNS = _usual("image"), _usual("depth")
# Taken together only, where no usual pattern of pictures finds a pair: they match any file.
BESIDE = (
    ("**/*", "**/*_depth"),
    *((f"**/*{p}", f"**/*{d}") for p in (".jpg", ".png") for d in (".png", ".npy", ".npz", ".exr", ".pfm") if p != d),
)


class Matches(NamedTuple):
    """The files that match a pattern.

    Attributes:
      files: {what the stars stand for: path inside the folder}.
      twice: two paths of one name; None if there are none.
    """

    files: dict[str, str]
    twice: tuple[str, str] | None


class Tree:
    """The files of a folder, hidden ones apart, listed once.

    Args:
      folder: the folder.
    """

    def __init__(self, folder):
        self._folders = sorted(walk(folder))
        self._parts = {part for prefix, _ in self._folders for part in prefix.split("/")}
        self._found = {}

    def matches(self, pattern, kind) -> Matches:
        """The files that match a pattern of `kind`, "image" or "depth"; raises InputError for a malformed pattern."""
        if (pattern, kind) not in self._found:
            parsed = _parsed(pattern, kind)
            possible = self._parts.issuperset(part for part in pattern.split("/")[:-1] if "*" not in part)
            self._found[pattern, kind] = _match(self._folders if possible else (), parsed)
        return self._found[pattern, kind]

    def first_pairs(self, image, depth) -> tuple[str, str]:
        """The first usual patterns that match the two files of a pair; if none do, those that match any file.

        Args:
          image: pattern of the pictures; None for the usual ones.
          depth: pattern of the depths; None for the usual ones.

        Returns:
          The patterns of pictures and depths. Without a pair, each is the first that matches a file, None if none does.
        """
        tried = [image] if image else IMAGE_PATTERNS, [depth] if depth else DEPTH_PATTERNS
        for candidate in itertools.chain(itertools.product(*tried), () if image or depth else BESIDE):
            pictures = self.matches(candidate[0], "image").files
            if pictures and not pictures.keys().isdisjoint(self.matches(candidate[1], "depth").files):
                return candidate
        return tuple(
            next((pattern for pattern in patterns if self.matches(pattern, kind).files), None)
            for kind, patterns in zip(EXTENSIONS, tried, strict=True)
        )


def walk(folder) -> Iterable[tuple[str, list[str]]]:
    """(path inside the folder, with / behind it, and the names of its files) of a folder and all below it.

    Hidden files and folders are left out, and links to a folder that they lie in. The folder's own path is "".
    """
    top = os.fspath(folder)
    for parent, folders, names in walking.walk(top):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        inside = parent[len(top) :].replace(os.sep, "/").strip("/")
        yield f"{inside}/" if inside else "", [name for name in names if not name.startswith(".")]


def usual(kind) -> str:
    """The usual patterns in words."""
    return f"{_usual(kind)[0]} or another usual pattern"


class _Parsed(NamedTuple):
    """A pattern in parts.

    Attributes:
      folders: expression of the folders' path, with a group for each star.
      before, after: what a file's name begins and ends with.
      extensions: known extensions, in lower case, one of which stands behind `after`; empty if it is in `after`.
      star: whether the pattern's star stands in the file's name.
    """

    folders: re.Pattern
    before: str
    after: str
    extensions: frozenset[str]
    star: bool


@functools.cache
def _parsed(pattern, kind) -> _Parsed:
    *folders, last = pattern.split("/")
    starred = [i for i, part in enumerate((*folders, last)) if "*" in part and (part != "**" or i == len(folders))]
    one = len(starred) == 1 and (*folders, last)[starred[0]].count("*") == 1
    if not one or "**" in folders[starred[0] :] or pattern.startswith("/"):
        raise InputError(
            f"config.data.folder.{kind}={pattern!r}: expected a path inside the folder with one *, and **/ for any "
            f"folders: {ADVICE}"
        )
    expression = "".join(
        "((?:[^/]+/)*)" if part == "**" else "([^/]+)".join(map(re.escape, part.split("*"))) + "/" for part in folders
    )
    before, _, after = last.partition("*")
    known = () if pattern.lower().endswith(EXTENSIONS[kind]) else EXTENSIONS[kind]
    return _Parsed(re.compile(expression), before, after, frozenset(known), "*" in last)


def _match(folders, parsed) -> Matches:
    files, twice = {}, None
    _, before, after, extensions, star = parsed
    start, end = len(before), len(after)
    for prefix, names in folders:
        match = parsed.folders.fullmatch(prefix)
        if match is None:
            continue
        where = "".join(match.groups())
        for name in sorted(names):
            stem = name
            if extensions:
                stem, dot, extension = name.rpartition(".")
                if f"{dot}{extension.lower()}" not in extensions:
                    continue
            if star:
                if not (stem.startswith(before) and stem.endswith(after) and len(stem) > start + end):
                    continue
                found = where + stem[start : len(stem) - end]
            elif stem == before:
                found = where
            else:
                continue
            if found in files:
                twice = twice or (files[found], prefix + name)
            else:
                files[found] = prefix + name
    return Matches(files, twice)
