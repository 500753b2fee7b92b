"""Reads a folder of predicted depth maps, from any network, as what `scorer` scores."""

import collections
import dataclasses
import json
import os
import pathlib
import re

import numpy as np

from jaxdepth.data.files import depth_maps
from jaxdepth.data.sources import pairs
from jaxdepth.errors import InputError
from jaxdepth.evaluation.windows import make_windows
from jaxdepth.paths import shown

KINDS = ("depth", "inverse_depth", "disparity")
RECORD = "predictions.json"  # what `predict.py --source` says of the folder that it writes
_NAMED = 5  # files or frames in a message
_SHAPE_TOLERANCE = 0.05  # by which the ratio of the sides may differ from the frame's
_CUT = 0.8, 0.01  # a map of this share of the rows and columns or more, and so far off in shape, may be a part of them
_NEAREST = np.float32(1e-6)  # metres: log depth needs a positive number, which is clipped to the depth range later
_NUMBERS = {"depth": "finite number above 0", "inverse_depth": "finite number", "disparity": "finite number"}
_UNITS = {"millimetres": 1e-3, "centimetres": 1e-2}
_SETTING = "prediction_scale"


def _is_size(value):
    return isinstance(value, list) and len(value) == 2 and all(isinstance(n, int) and 1 <= n <= 10_000 for n in value)


_IN_RECORD = dict.fromkeys(("frame_size", "crop_size"), _is_size)
_IN_RECORD |= dict.fromkeys(("network", "split", "split_hash", "trained_on"), lambda value: isinstance(value, str))
_IN_RECORD |= dict.fromkeys(("flip_tta", "complete"), lambda value: isinstance(value, bool))
_IN_RECORD |= {"frames_seen_in_training": lambda value: value is None or isinstance(value, int)}


@dataclasses.dataclass(frozen=True)
class Listing:
    """The files of a folder that belong to some frames.

    Attributes:
      folder: the folder.
      files: {index of the frame: path}.
      missing: names of the frames without a file.
      extra: paths of depth files of none of the frames.
      record: what `predict.py` says of the folder; None for others' predictions.
    """

    folder: pathlib.Path
    files: dict[int, pathlib.Path]
    missing: list[str]
    extra: list[pathlib.Path]
    record: dict | None


def find(argument, frames, indices, *, allow_missing=False):
    """Finds the file of each frame.

    A file belongs to a frame if its path in the folder, without extension, is the frame's id or name: `17`, `0017`, or
    for a folder's frames `kitchen/0017`. Where the last parts of their names differ, `0017` is enough. For ids that are
    numbers, a name with a single number in it will do too: `nyu_0017`, `0017_depth`.

    Args:
      argument: the folder, or a pattern of files such as DIR/*.npy.
      frames: a Frames.
      indices: int64 [n], which of its frames.
      allow_missing: whether frames may be without a file.

    Returns:
      A Listing.

    Raises:
      OSError: if there is no such folder, or it cannot be read.
      InputError: if no frame has a file, one has two, or some have none and `allow_missing` is False.
    """
    folder, pattern = _folder(argument)
    names = {int(index): frames.file_name(int(index)) for index in indices}
    index_of = _finder(frames)
    found, extra = collections.defaultdict(list), []
    for path in _depth_files(folder, pattern):
        index = index_of(path.relative_to(folder).with_suffix("").as_posix())
        if index in names:
            found[index].append(path)
        else:
            extra.append(path)
    examples = ", ".join(map(shown, list(names.values())[:3]))
    if not found:
        raise InputError(
            f"predictions={str(argument)!r}: none of {len(extra)} depth files belongs to one of {len(names)} frames: "
            f"expected names such as {examples}, or their last parts where these differ, with "
            f"{', '.join(depth_maps.EXTENSIONS)}"
        )
    if twice := [paths for paths in found.values() if len(paths) > 1]:
        first, second = twice[0][:2]
        chosen = first.parent if first.parent != second.parent else _pattern_of_one(first, second)
        first, second = (shown(path.relative_to(folder)) for path in (first, second))
        raise InputError(
            f"predictions={str(argument)!r}: {first} and {second} are of one frame (frames with two: {len(twice)}): "
            f"expected one, such as by --predictions={str(chosen)!r}"
        )
    missing = [names[int(index)] for index in indices if int(index) not in found]
    if missing and not allow_missing:
        raise InputError(
            f"predictions={str(argument)!r}: frames without one: {len(missing)} of {len(names)} ({_some(missing)}); "
            "--allow_missing scores the others"
        )
    return Listing(folder, {i: paths[0] for i, paths in found.items()}, missing, extra, record_of(argument))


def is_pattern(argument):
    """Whether an argument is a pattern of files in a folder, and no folder itself."""
    path = pathlib.Path(argument)
    return not path.is_dir() and any(sign in path.name for sign in "*?[")


def folder_of(argument):
    """The folder of predictions, of a folder or a pattern of files in it; raises FileNotFoundError if there is none."""
    return _folder(argument)[0]


def record_of(argument):
    """What `predict.py` says of the predictions that it wrote, a dict; None for others' predictions.

    Raises:
      FileNotFoundError: if there is no such folder.
      InputError: as `read_record`, and if it was ended before it had written all.
    """
    folder = folder_of(argument)
    record = read_record(folder)
    if record is not None and not record["complete"]:
        raise InputError(f"predictions={str(argument)!r}: predict.py did not finish them: run it once more")
    return record


def read_record(folder):
    """The record of a folder of predictions, complete or not; None without one. Raises InputError if it is damaged."""
    file = pathlib.Path(folder, RECORD)
    if not file.is_file():
        return None
    try:
        record = json.loads(file.read_text())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{str(file)!r}: not what predict.py --source writes ({error}): remove it") from error
    wrong = [name for name, holds in _IN_RECORD.items() if not isinstance(record, dict) or not holds(record.get(name))]
    if wrong:
        raise InputError(f"{str(file)!r}: not what predict.py --source writes ({wrong[0]}): remove it")
    return record


def check_kind(kind, scale):
    """Raises InputError for an unknown kind, or a scale out of range; see `Reader`."""
    if kind not in KINDS:
        raise InputError(f"prediction_kind={kind!r}: expected one of {', '.join(KINDS)}")
    depth_maps.check_scale(scale, setting=_SETTING)


class Reader:
    """Reads the predictions of a Listing one by one, and counts what is odd in them.

    Args:
      listing: from `find`.
      frames: the Frames.
      kind: one of KINDS: metres; 1 / metres; or disparity, 1 / metres but for an unknown scale and shift.
      scale: metres (or 1 / metres) per unit of the files; None for 1, and for depth in integers .001.
      key: name of the array in .npz files; None for the only one, or the one named depth.
      protocol: a Protocol.
      crop_size: (h, w) of the frames' centre crop, where that is scored.

    Raises:
      InputError: as `check_kind`, and for a key without .npz files.
    """

    def __init__(self, listing, frames, *, kind, scale, key, protocol, crop_size):
        check_kind(kind, scale)
        if key is not None and not any(path.suffix.lower() == ".npz" for path in listing.files.values()):
            raise InputError(f"key={key!r}: only for .npz files, and {str(listing.folder)!r} has none of these frames")
        self._listing, self._frames, self._kind, self._scale, self._key = listing, frames, kind, scale, key
        self._interpolated = protocol.resize
        self._windows = make_windows(frames, protocol=protocol, crop_size=crop_size)
        self.not_finite_pixels, self.not_finite_frames, self.constant = 0, [], []
        self._seen, self._cut = set(), []

    def __call__(self, index):
        """Log depth, or disparity, of the frame `index`, float32 [h, w] at the size that the protocol scores.

        NaN where the file has no finite number, or no depth above 0. Inverse depth of 0 and less is ten times
        the depth range.

        Raises:
          OSError: if the file cannot be opened.
          InputError: if it is damaged, or not a depth map of the frame's shape.
        """
        path = self._listing.files[int(index)]
        scale = 1.0 if self._scale is None and self._kind == "disparity" else self._scale
        values, used = depth_maps.read_depth(path, scale=scale, key=self._key, setting=_SETTING)
        if scale is None and self._kind == "inverse_depth" and used != 1:
            raise InputError(
                f"{str(path)!r}: inverse depth in integers: expected --{_SETTING}=UNITS in 1 / metres; if they are not "
                "known, --prediction_kind=disparity fits them"
            )
        size = self._check_shape(int(index), values.shape, path)
        missing = ~np.isfinite(values)
        if self._kind == "depth":
            missing |= values <= 0
        self._count(int(index), values, missing, size)
        return self._sized(int(index), self._converted(values, missing), missing, size)

    def describe(self):
        """What was read, for the result's JSON."""
        listing = self._listing
        return {
            "folder": str(listing.folder),
            "files": len(listing.files),
            "kind": self._kind,
            "scale": self._scale,
            "missing_count": len(listing.missing),
            "missing": listing.missing[:_NAMED],
            "extra_count": len(listing.extra),
            "extra": [shown(path.relative_to(listing.folder)) for path in listing.extra[:_NAMED]],
            "not_finite": {"pixels": self.not_finite_pixels, "frames": len(self.not_finite_frames)},
            "made_by": listing.record,
        }

    def warnings(self, per_frame):
        """What is odd in the predictions, a line each.

        Args:
          per_frame: {name: [n]} of the predictions, from `scorer.make_scorer`.
        """
        listing, lines = self._listing, []
        if listing.missing:
            lines.append(f"frames without a prediction, not scored: {len(listing.missing)} ({_some(listing.missing)})")
        if listing.extra:
            named = _some([path.relative_to(listing.folder) for path in listing.extra])
            lines.append(f"{len(listing.extra)} files are of none of these frames, and are not read: {named}")
        if self.not_finite_frames:
            lines.append(
                f"{self.not_finite_pixels} values in {len(self.not_finite_frames)} files are no {_NUMBERS[self._kind]} "
                f"({_some(self.not_finite_frames)}): each counts as the end of the depth range farther from the truth"
            )
        if self.constant:
            lines.append(f"{len(self.constant)} predictions are constant: {_some(self.constant)}")
        if self._cut:
            lines.append(
                f"{len(self._cut)} predictions are a little smaller than their pictures, and stretched to them: are "
                f"they of a part, such as KITTI's 352x1216? ({_some(self._cut[:1])})"
            )
        return lines + _suspicions(per_frame, kind=self._kind, scale=self._scale)

    def _check_shape(self, index, shape, path):
        """The size of the picture that a prediction is of; raises InputError for one of another shape.

        Other networks see a folder's pictures, ours has seen the frames that are cut from them.
        """
        size = self._frames.size
        own = self._frames.own_sizes is not None
        if self._frames.picture_size is not None and (own or self._listing.record is None):
            size = self._frames.picture_size(index)
        if not _same_shape(shape, size):
            found, (height, width) = f"{shape[0]}x{shape[1]} (rows x columns)", size
            swapped = ", axes swapped?" if _same_shape(shape[::-1], size) else ""
            raise InputError(f"{str(path)!r}: {found}: expected the frame's shape, as {height}x{width}{swapped}")
        return size

    def _count(self, index, values, missing, size):
        if index in self._seen:  # the padding of a last batch
            return
        self._seen.add(index)
        name = self._frames.file_name(index)
        if _may_be_cut(values.shape, size):
            (h, w), (height, width) = values.shape, size
            self._cut.append(f"{name}, {h}x{w} of {height}x{width}")
        if missing.any():
            self.not_finite_pixels += int(missing.sum())
            self.not_finite_frames.append(name)
        if not missing.all() and np.ptp(values[~missing]) == 0:
            self.constant.append(name)

    def _converted(self, values, missing):
        """What is interpolated: depth or log depth as the protocol says, or disparity; finite where missing."""
        values = np.where(missing, np.float32(1), values)
        if self._kind == "disparity":
            return values
        if self._kind == "inverse_depth":
            values = 1 / np.maximum(values, np.float32(1 / (10 * self._frames.max_depth)))
        return np.log(np.maximum(values, _NEAREST)) if self._interpolated == "log_depth" else values

    def _sized(self, index, values, missing, picture):
        """Brings values to the size that is scored, as log depth or disparity."""
        resized = self._windows.resized(index, values, picture)
        if self._kind != "disparity" and self._interpolated == "depth":
            resized = np.log(np.maximum(resized, _NEAREST))
        if missing.any():
            covered = self._windows.resized(index, missing.astype(np.float32), picture)
            resized = np.where(covered > 0, np.float32(np.nan), resized)
        return resized


def _same_shape(shape, size):
    """Whether two (height, width) have one ratio of the sides, about."""
    return _difference(shape, size) <= _SHAPE_TOLERANCE


def _may_be_cut(shape, size):
    """Whether a map of `shape` (height, width) is more likely of a part of a picture of `size` than of all of it."""
    share, difference = _CUT
    inside = all(share * whole <= part <= whole for part, whole in zip(shape, size, strict=True))
    return inside and _difference(shape, size) > difference


def _difference(shape, size):
    """By which share the ratio of the sides of two (height, width) differs."""
    return abs(shape[1] * size[0] / (shape[0] * size[1]) - 1)


def _suspicions(per_frame, *, kind, scale):
    """Lines on predictions that are probably not what they are said to be."""
    lines = []
    factor = np.exp(-np.nanmedian(np.asarray(per_frame["log_median_ratio"], np.float64)))
    falling = np.nanmean(np.asarray(per_frame["slope"]) < 0)
    if falling > 0.5:
        seen = "rises with the truth" if kind == "disparity" else "falls where the truth rises"
        other = "inverse depth or disparity" if kind == "depth" else "depth"
        lines.append(f"the prediction {seen} in {falling:.0%} of the frames: is it {other} (--prediction_kind)?")
    elif kind != "disparity" and not 1 / 3 < factor < 3:
        unit = next(
            (
                f": are they {unit} (--{_SETTING}={value * (scale or 1):g})?"
                for unit, value in _UNITS.items()
                if 1 / 3 < factor * value < 3
            ),
            ": is the unit right? The aligned scores do not depend on it",
        )
        lines.append(f"the median of the predictions is {factor:.3g} times that of the truth{unit}")
    return lines


def _folder(argument):
    """The folder of predictions and the pattern of its files, None for all in it and below."""
    path = pathlib.Path(argument)
    if path.is_dir():
        return path, None
    if is_pattern(path):
        if path.parent.is_dir():
            return path.parent, path.name
        path = path.parent
    found = "a file" if path.exists() else "no such folder"
    raise FileNotFoundError(
        f"predictions={str(argument)!r}: {found}: expected a folder of depth maps, a file for each frame"
    )


def _depth_files(folder, pattern):
    """The depth files of a folder, sorted, without hidden ones."""
    os.scandir(folder).close()  # raises an OSError that names it, where a search finds nothing
    paths = folder.glob(pattern) if pattern else (folder / name for name in pairs.files_in(folder))
    known = (path for path in paths if path.suffix.lower() in depth_maps.EXTENSIONS)
    return sorted(path for path in known if not path.name.startswith(".") and path.is_file())


def _pattern_of_one(first, second):
    """A pattern of files that matches one of two in the same folder."""
    shorter = min(first, second, key=lambda path: len(path.name))
    return shorter.with_name(("*" if first.suffix != second.suffix else "?" * len(shorter.stem)) + shorter.suffix)


def _finder(frames):
    """The function from a file's path in its folder, without extension, to the index of its frame, or None.

    All frames of the source count: the file of one that is not scored is no other's.
    """
    names = {frames.file_name(index): index for index in range(len(frames))}
    count = collections.Counter(map(_last_part, names))
    by_last = {_last_part(name): index for name, index in names.items() if count[_last_part(name)] == 1}
    by_id = {int(id_): index for index, id_ in enumerate(frames.ids)} if frames.names is None else {}

    def index_of(stem):
        last = _last_part(stem)
        found = names.get(stem, by_last.get(last))
        if found is None and len(numbers := re.findall(r"\d+", last)) == 1:
            found = by_id.get(int(numbers[0]))
        return found

    return index_of


def _last_part(name):
    return name.rpartition("/")[2]


def _some(names):
    return ", ".join(map(shown, names[:_NAMED])) + (", ..." if len(names) > _NAMED else "")
