"""The splits of a folder of pairs: by its lists, its part folders, its scenes or in blocks. No jax, no tensorflow."""

import collections
import functools
import hashlib
import pathlib
import re

import numpy as np

from jaxdepth.data.splits import BLOCK, Lists
from jaxdepth.errors import InputError

PARTS = ("train", "val", "test")
_HELD_BACK = 0.2  # of the frames
_PART_FOLDERS = {part: part for part in PARTS} | {"training": "train", "validation": "val", "testing": "test"}
# The last folder of a recording, where one place has several: chess/seq-01, scene_00019/scan_00183, Scene01/Camera_0.
_RECORDING = re.compile(r"/(?:frames|(?:seq|sequence|scan|cam|camera|traj|trajectory|run)[-_]?\d*)$", re.IGNORECASE)
_SCANNET = re.compile(r"((?:^|/)scene\d{4})_\d\d$")  # scans of one place


def scenes_of(names) -> tuple[str, ...] | None:
    """The scene of each frame: the folders in its name, without train/, val/ and test/ before them.

    Folders that are recordings of one place, such as chess/seq-01 and chess/seq-02, are one scene if others remain.

    Args:
      names: of the frames.

    Returns:
      A name for each frame; None if all frames are of one scene, or there is a folder for each frame.
    """
    folder_of = [name.rpartition("/")[0] for name in names]
    places = {}
    for folder in set(folder_of):
        first, _, rest = folder.partition("/")
        places[folder] = rest if first.lower() in _PART_FOLDERS else folder
    if len(places) == len(names):
        return None
    merged = {folder: _place(scene) for folder, scene in places.items()}
    chosen = merged if len(set(merged.values())) > 1 else places
    return tuple(chosen[folder] for folder in folder_of) if len(set(chosen.values())) > 1 else None


def folder_lists(listing) -> Lists:
    """The splits of a folder of pairs. The first one is its own, the others are taken by their names only.

    lists: if there are train.txt, val.txt or test.txt: the names in them, one per line, see `_Names`. If train.txt or
      val.txt is missing, it stands for all frames that no other file names. If train.txt and test.txt name all, a fifth
      of train.txt is held back, as under `scenes` or `blocks`. With test.txt alone, the other frames are split so.
      Frames in no file are left out.
    folders: if all names begin with the folders train/, val/ or test/ (training/, validation/, testing/), and at least
      two of them. Without val/, a fifth of train/ is held back.
    scenes: if there are several scenes (see `scenes_of`), whole ones, about 80/20: see `_held_back`.
    blocks: 80/20. The frames are cut, in order, into blocks of about 100, and the last fifth of each is for validation.
      Neighbours often show the same room: this way only the ends of a stretch have a neighbour in the other part.
    test: beside `lists` and `folders`, the frames of test.txt or test/ for validation, which are in no other part.

    The others are for runs that began with them, before there were lists or part folders.

    Args:
      listing: a `pairs.Listing`.

    Returns:
      {name of the split: (train ids, val ids)}, each int64 [n].

    Raises:
      InputError: for a line that names no pair or several, a name in two files, or fewer than two frames.
    """
    scenes, ids, every = scenes_of(listing.names), listing.ids, np.arange(len(listing))
    if len(listing) < 2:
        raise InputError(f"{listing.folder}: {len(listing)} pair: expected two or more, for training and validation")
    name, parts = "lists", _from_files(listing)
    if not parts:
        name, parts = "folders", _from_folders(listing.names)
    found = {name: _completed(parts, scenes, len(listing))} if parts else {}
    if "test" in parts:
        found["test"] = np.array([], np.int64), parts["test"]
    if scenes:
        found["scenes"] = _held_back(every, scenes)
    found["blocks"] = _held_back(every, None)
    return {name: tuple(ids[indices] for indices in of) for name, of in found.items()}


def in_words(lists, scenes, ids) -> str:
    """The own split of a folder in a line, such as "split: scenes, 80 to train on, 20 to validate: 2 of 9 scenes".

    Args:
      lists: from `folder_lists`.
      scenes: from `scenes_of`.
      ids: int64 [N], of the frames.
    """
    name = next(iter(lists))
    train, val = lists[name]
    test = f", {len(lists['test'][1])} to test" if "test" in lists else ""
    said = f"split: {name}, {len(train)} to train on, {len(val)} to validate{test}"
    if scenes is None:
        return said
    of = [{scenes[i] for i in np.flatnonzero(np.isin(ids, part))} for part in (train, val)]
    both = len(of[0] & of[1])
    shared = f", {both} of them in both parts: scores may be too high" if both else ""
    return f"{said}: {len(of[1])} of {len(set(scenes))} scenes{shared}"


def _completed(parts, scenes, count):
    """The indices to train on and to validate on, of {part: indices} in which a part may be missing."""
    train, val = (parts.get(part) for part in ("train", "val"))
    if train is not None and val is not None:
        return train, val
    rest = np.setdiff1d(np.arange(count), np.concatenate(list(parts.values())))
    if train is None and val is None:
        return _held_back(rest, scenes)
    if train is None:
        return rest, val
    return _held_back(train, scenes) if "test" in parts and not len(rest) else (train, rest)


def _held_back(indices, scenes):
    """Divides frames: int64 [n] to train on and [m] to validate on, about a fifth.

    Whole scenes, in the order of the sha256 of "0:scene": each is for validation that brings the number of frames
    nearer to a fifth; if none does, the smallest. Without several scenes, the last fifth of blocks of about 100 frames.
    """
    of = [scenes[i] for i in indices] if scenes else []
    sizes = collections.Counter(of)
    if len(sizes) > 1:
        by_hash = sorted(sizes, key=_hash)
        held, count, wanted = set(), 0, _HELD_BACK * len(indices)
        for scene in by_hash:
            if abs(count + sizes[scene] - wanted) < abs(count - wanted):
                held.add(scene)
                count += sizes[scene]
        held = held or {min(by_hash, key=sizes.get)}
        is_val = np.array([scene in held for scene in of])
    else:
        is_val = np.zeros(len(indices), bool)
        for block in np.array_split(np.arange(len(indices)), max(1, round(len(indices) / BLOCK))):
            is_val[block[len(block) - max(1, round(len(block) * _HELD_BACK)) :]] = True
    return indices[~is_val], indices[is_val]


def _hash(scene):
    return hashlib.sha256(f"0:{scene}".encode("utf8", "surrogateescape")).digest()


def _place(scene):
    """A scene's name without the parts that tell recordings of one place apart."""
    before = None
    while before != scene:
        before, scene = scene, _RECORDING.sub("", scene)
    return _SCANNET.sub(r"\1", scene)


def _from_folders(names):
    """{part: indices} of names in train/, val/ and test/; {} if a name is in none, or all are in one."""
    of = [_PART_FOLDERS.get(name.partition("/")[0].lower()) if "/" in name else None for name in names]
    found = set(of)
    if None in found or len(found) < 2:
        return {}
    return {part: np.flatnonzero([other == part for other in of]) for part in PARTS if part in found}


def _from_files(listing):
    """{part: indices} of train.txt, val.txt and test.txt, those that there are."""
    files = {part: pathlib.Path(listing.folder, f"{part}.txt") for part in PARTS}
    files = {part: file for part, file in files.items() if file.is_file() or _leads_nowhere(file)}
    names, parts, line_of = _Names(listing), {}, {}
    for part, file in files.items():
        lines = file.read_text("utf-8-sig", errors="surrogateescape").split("\n")
        numbered = [(number, line.strip()) for number, line in enumerate(lines, 1)]
        found = {names.index(line, where=f"{file}, line {number}"): number for number, line in numbered if line}
        found.pop(None, None)
        for other, others in line_of.items():
            if both := sorted(found.keys() & others.keys()):
                name = listing.names[both[0]]
                raise InputError(
                    f"{file}, line {found[both[0]]}: {name!r} is in {files[other].name} too ({len(both)} names are in "
                    "both)"
                )
        line_of[part], parts[part] = found, np.array(sorted(found), np.int64)
    return parts


def _leads_nowhere(file):
    """Whether a file is a link to nothing: to read it is an error, since without it the split would be another."""
    return file.is_symlink() and not file.exists()


class _Names:
    """Finds pairs by the lines of a list.

    A line is a pair's name, such as kitchen/0017; or the path of its picture, or the end of one from a / on, each with
    or without the extension, if no other pair's fits too. Or it has columns, as the lists of NYU Depth V2 and KITTI for
    other networks: picture, depth (`None` if there is none: the line is passed over), and what is ignored.

    Args:
      listing: a `pairs.Listing`.
    """

    def __init__(self, listing):
        self._listing, self._tails = listing, {}

    def index(self, line, *, where) -> int | None:
        """The index of the pair that a line names, None for a picture without depth.

        Args:
          line: without spaces around it.
          where: the file and the number of the line, for the error.

        Raises:
          InputError: if there is no such pair, or there are several.
        """
        if (index := self._by_name.get(line)) is not None:
            return index
        found, columns = self._fitting(line), line.split()
        if not found and len(columns) > 1:
            if columns[1].lower() == "none":
                return None
            found = [i for i in self._fitting(columns[0]) if _ends_with(self._listing.depths[i], columns[1])]
        if not found:
            example = min(self._listing.names)
            raise InputError(f"{where}: {line!r:.200}: expected the name of a pair such as {example!r}")
        if len(found) > 1:
            first, second = (self._listing.names[i] for i in found[:2])
            raise InputError(f"{where}: {line!r:.200}: {first!r} or {second!r}? expected the whole name")
        return found[0]

    @functools.cached_property
    def _by_name(self):
        return {name: index for index, name in enumerate(self._listing.names)}

    @functools.cached_property
    def _by_picture(self):
        return {picture: index for index, picture in enumerate(self._listing.pictures)}

    def _fitting(self, path) -> list[int]:
        """Indices of the pair with a picture at this path; else of up to two whose name or picture ends with it."""
        path = _clean(path)
        if (index := self._by_picture.get(path)) is not None:
            return [index]
        count = path.count("/") + 1
        if count not in self._tails:
            tails = self._tails[count] = {}
            for index, (name, picture) in enumerate(zip(self._listing.names, self._listing.pictures, strict=True)):
                stem, _, extension = picture.rpartition(".")
                for whole in {name, f"{name}.{extension}", picture, stem}:
                    tail = _tail(whole, count)
                    if tail is not None and (before := tails.setdefault(tail, index)) != index:
                        tails[tail] = (before, index) if isinstance(before, int) else before
        found = self._tails[count].get(path, [])
        return [found] if isinstance(found, int) else list(found)


def _clean(path):
    """A path as in a listing: NYU's lists begin it with /."""
    return path.replace("\\", "/").removeprefix("./").lstrip("/")


def _tail(path, count):
    """The last `count` parts of a path; None if it has fewer."""
    start = len(path)
    for _ in range(count):
        if start < 0:
            return None
        start = path.rfind("/", 0, start)
    return path[start + 1 :]


def _ends_with(path, end):
    """Whether a path is `end`, or ends with it from a / on."""
    return f"/{path}".endswith(f"/{_clean(end)}")
