"""The list of a prepared dataset's frames, `frames.csv`: their names and scenes, without reading a record."""

import csv
import math
import pathlib
import re
import sys
from typing import NamedTuple

from jaxdepth.errors import InputError

NAME = "frames.csv"
COLUMNS = ("name", "scene", "seconds", "gap")
_MAX_BYTES = 1 << 29
# Names become names of files: parts between /, none of them . or .., of printable characters.
_PATH = re.compile(r"(?!\.{1,2}(?:/|$))[^/\\\x00-\x1f\x7f]+(?:/(?!\.{1,2}(?:/|$))[^/\\\x00-\x1f\x7f]+)*")


class Listed(NamedTuple):
    """The frames of a dataset, in the order of its records.

    Attributes:
      names: of the frames, each once.
      scenes: name of each frame's scene.
    """

    names: tuple[str, ...]
    scenes: tuple[str, ...]


def read(path) -> Listed:
    """Reads a list of frames.

    Args:
      path: of a CSV file with the header `name,scene,seconds,gap` and a row for each record: a path with / without
        extension, the name of the scene, and two finite numbers, the time of the picture and how much later the depth
        was taken.

    Raises:
      OSError: if it cannot be read.
      InputError: for a file of more than _MAX_BYTES, another header, a row of another form, or a name that an earlier
        row has.
    """
    path = pathlib.Path(path)
    if (size := path.stat().st_size) > _MAX_BYTES:
        raise InputError(f"{path}: {size:,} bytes: expected at most {_MAX_BYTES:,}")
    lines, scenes = {}, []
    with path.open(newline="", encoding="utf-8-sig", errors="strict") as file:
        rows = csv.reader(file, strict=True)
        try:
            if (header := tuple(next(rows, ()))) != COLUMNS:
                raise InputError(f"{path}, line 1: {','.join(header)!r:.200}: expected {','.join(COLUMNS)}")
            for row in rows:
                if problem := _problem(row):
                    raise InputError(f"{path}, line {rows.line_num}: {','.join(row)!r:.200}: {problem}")
                name, scene = row[:2]
                if lines.setdefault(name, rows.line_num) != rows.line_num:
                    raise InputError(f"{path}, line {rows.line_num}: {name!r:.200} is in line {lines[name]} too")
                scenes.append(sys.intern(scene))  # one string for all frames of a scene
        except (csv.Error, UnicodeDecodeError) as error:
            raise InputError(f"{path}, line {rows.line_num + 1}: not a line of a CSV file in UTF-8: {error}") from error
    return Listed(tuple(lines), tuple(scenes))


def _problem(row) -> str | None:
    """What is wrong with a row; None if nothing is."""
    if len(row) != len(COLUMNS):
        return f"{len(row)} values: expected {len(COLUMNS)}, {','.join(COLUMNS)}"
    for value, column in zip(row[:2], COLUMNS, strict=False):
        if not _PATH.fullmatch(value):
            return f"{column} {value!r:.80}: expected a path with / between its parts, without . and .."
    for value, column in zip(row[2:], COLUMNS[2:], strict=True):
        try:
            is_finite = math.isfinite(float(value))
        except ValueError:
            is_finite = False
        if not is_finite:
            return f"{column} {value!r:.80}: expected a number of seconds"
    return None
