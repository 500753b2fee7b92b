"""Results of the same frames side by side: the paired differences to the first one."""

import json
import pathlib
from typing import NamedTuple

import numpy as np

from jaxdepth.errors import InputError
from jaxdepth.evaluation import summary

_SAME = ("name", "source", "split_hash", "truth", "scored_at", "rows", "columns", "max_depth", "pooling")
_NO_VALUES = ("id", "name", "order", "group", "pixels")  # of per_frame: what is the same in all


class Comparison(NamedTuple):
    """Results and their differences.

    Attributes:
      results: {name: result}, the first one being what the others are compared with.
      differences: {name: {flat name: (mean, low, high)}} of all but the first: the mean over frames of the difference
        to the first result, and its 95 % interval; low and high None with too few groups of frames.
    """

    results: dict
    differences: dict


def compare(paths):
    """Reads and compares results; see `evaluate.compare`."""
    if len(paths) < 2:
        raise InputError(f"compare={','.join(map(str, paths))}: expected two results or more")
    if twice := [path for i, path in enumerate(paths) if path in paths[:i]]:
        raise InputError(f"compare={','.join(map(str, paths))}: {twice[0]} twice: expected different files")
    results = dict(zip(_names(paths), map(_read, paths), strict=True))
    (first_name, first), *others = results.items()
    for name, other in others:
        check_same(first, other, names=(first_name, name))
    return Comparison(results, {name: difference(other, first) for name, other in others})


def difference(result, first):
    """{flat name: (mean, low, high)} of the differences between two results' frames, see `Comparison`."""
    here, there = result["per_frame"], first["per_frame"]
    groups = of_frames(first)
    names = [name for name in here if name in there and name not in _NO_VALUES]
    return {
        name: summary.bootstrap(np.array(here[name], np.float64) - np.array(there[name], np.float64), groups)
        for name in names
    }


def of_frames(result):
    """The group of each frame of a result, for the bootstrap: int [n]."""
    per_frame = result["per_frame"]
    if "group" in per_frame:
        return np.array(per_frame["group"])
    return summary.runs(per_frame.get("order", per_frame["id"]))  # earlier results have only NYU's ids, in their order


def check_same(first, other, *, names):
    """Raises InputError unless two results are of the same frames under the same protocol."""
    differing = [
        f"{key} {first['protocol'].get(key)} and {other['protocol'].get(key)}"
        for key in _SAME
        if key in first["protocol"]
        and key in other["protocol"]  # earlier results do not have all
        and first["protocol"][key] != other["protocol"][key]
    ]
    interpolated = [_interpolated(result["protocol"]) for result in (first, other)]
    if None not in interpolated and len(set(interpolated)) > 1:
        differing.append(f"resize {' and '.join(interpolated)}")
    here, there = first["per_frame"], other["per_frame"]
    if not differing and here["id"] != there["id"]:
        differing = ["other frames are scored"]
    elif not differing and "pixels" in here and "pixels" in there and here["pixels"] != there["pixels"]:
        differing = ["other pixels have a truth"]  # such as with another --invalid
    if differing:
        raise InputError(f"{' and '.join(names)} are results of different frames or protocols: {'; '.join(differing)}")


def _interpolated(protocol):
    """What is interpolated where a prediction has another size; None if it has none, or is not told."""
    resize = str(protocol.get("resize", "none"))
    return None if resize == "none" else "in log depth" if "log depth" in resize else "in depth"


def text(compared):
    """A comparison to read: the differences of the most read values."""
    lines = []
    first = next(iter(compared.results))
    for name, of_one in compared.differences.items():
        lines.append(f"{name} less {first}, mean over frames of the difference (95 % interval)")
        for metric, (mean, low, high) in of_one.items():
            if np.isfinite(mean) and (metric in _TOLD or metric.startswith("measures.")):
                interval = "" if low is None else f"  ({low:+.4f} to {high:+.4f})"
                lines.append(f"  {metric:<44}{mean:+.4f}{interval}")
    return "\n".join(lines)


_TOLD = (
    *("delta1", "abs_rel", "rmse", "log10", "silog"),
    *("aligned.median.delta1", "aligned.scale_shift.delta1", "edges.0.05.f1", "edges.0.125.f1", "edges.0.25.f1"),
)


def _names(paths):
    """Short names of files that differ: their stems, or all of their paths."""
    stems = [pathlib.Path(path).stem for path in paths]
    folders = [pathlib.Path(path).absolute().parent.name for path in paths]
    for names in (stems, folders, [f"{folder}/{stem}" for folder, stem in zip(folders, stems, strict=True)]):
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in paths]


def _read(path):
    try:
        result = json.loads(pathlib.Path(path).read_text())
    except ValueError as error:
        raise InputError(f"{str(path)!r}: not a result of evaluate.py ({error})") from error
    parts = [result.get(name) for name in ("protocol", "metrics", "per_frame")] if isinstance(result, dict) else [None]
    if not all(isinstance(part, dict) for part in parts) or not _is_table(parts[-1]):
        raise InputError(f"{str(path)!r}: not a result of evaluate.py with values of each frame")
    return result


def _is_table(columns):
    """Whether per_frame is columns of one length: names and ids, and numbers or None."""
    if not all(isinstance(column, list) for column in columns.values()) or "id" not in columns:
        return False
    kinds = {"name": str, "id": int, "order": int, "group": int}
    return all(
        len(column) == len(columns["id"]) and all(isinstance(x, kinds.get(name, int | float | None)) for x in column)
        for name, column in columns.items()
    )
