"""TUM RGB-D (Sturm 2012): video of an office and a hall with the depth of a Kinect or Xtion.

Layout of a sequence, as its archive unpacks: rgbd_dataset_freiburgN_NAME with rgb/TIME.png and depth/TIME.png, and
rgb.txt and depth.txt of lines TIME FILE. The folder is a sequence or holds several.

Pairs are those of the authors' associate.py with its defaults: all pairs of times closer than .02 s, the closest
first, each picture and each depth once; pictures without a partner are left out. All pairs of a sequence are taken:
readers that take fewer (90 frames, or a stride) do so for trajectories.

Depth is 16 bit, code / 5000, 0 where there is none, and is registered to the picture (the authors' page on formats).
The page's factors for the sensors, 1.035, 1.031 and 1, are in the files already, so that nothing is multiplied here;
ORB-SLAM2's authors find the depths of freiburg2 still off by 4 % and correct them, which is not done either.

Cameras are the page's, found by the authors' own calibration for each of the three sensors. The page recommends the
driver's 525, 525, 319.5, 239.5 for making points of depth, which Open3D takes; most readers take the calibration. The
pictures of freiburg1 and freiburg2 have some lens distortion, which a pinhole leaves out; those of freiburg3 have none.
"""

import bisect
import math
import pathlib
import re

from jaxdepth.data.sources.testsets import codes, testset
from jaxdepth.errors import InputError
from jaxdepth.geometry.camera import Intrinsics
from jaxdepth.paths import shown

SIZE = (480, 640)
METRES = 1 / 5000  # per code
MAX_DIFFERENCE = 0.02  # seconds
CAMERAS = {
    "1": Intrinsics(517.3, 516.5, 318.6, 255.3),
    "2": Intrinsics(520.9, 521.0, 325.1, 249.7),
    "3": Intrinsics(535.4, 539.2, 320.1, 247.6),
}
_LISTS = ("rgb.txt", "depth.txt")
_EXPECTED = "a sequence rgbd_dataset_freiburgN_NAME with rgb.txt and depth.txt, or a folder of such"


def find(path) -> testset.TestSet:
    """Finds the pairs of one sequence, or of all in a folder.

    Raises:
      FileNotFoundError: if there is no such folder.
      InputError: if there is no sequence, a line of a list is of another form, or a file is missing.
    """
    path = pathlib.Path(path)
    if not path.is_dir():
        raise FileNotFoundError(f"{str(path)!r}: no such folder: expected {_EXPECTED}")
    folders = [path] if _is_sequence(path) else sorted(entry for entry in path.iterdir() if _is_sequence(entry))
    if not folders:
        raise testset.wrong_layout(path, f"no {_LISTS[0]} with {_LISTS[1]} in it or in a folder of it", _EXPECTED)
    examples, notes, alone = [], [], 0
    for folder in folders:
        pictures, depths = (_times(folder / name) for name in _LISTS)
        pairs = associate(pictures, depths)
        alone += len(pictures) - len(pairs)
        name = folder.resolve().name
        camera = _camera(name)
        if camera is None:
            notes.append(f"{name}: no camera is known: expected a name with freiburg1, freiburg2 or freiburg3")
        for time, depth_time in pairs:
            picture, depth = pictures[time], depths[depth_time]
            frame = f"{name}/{picture.relative_to(folder).with_suffix('').as_posix()}"
            examples.append(testset.Example(frame, picture, depth, SIZE, camera, name))
    if not examples:
        raise InputError(f"{shown(path)}: no picture has a depth within {MAX_DIFFERENCE} s: expected some pairs")
    testset.missing_files(path, [file for example in examples for file in (example.picture, example.depth)])
    if alone:
        notes.append(f"{alone} pictures left out: no depth within {MAX_DIFFERENCE} s of their own")
    return testset.TestSet(path, tuple(examples), read_depth, "structured light", tuple(notes))


def read_depth(example):
    """Depth of an Example; raises as `codes.read_depth`."""
    return codes.read_depth(example.depth, METRES, SIZE)


def associate(first, second, *, max_difference=MAX_DIFFERENCE):
    """Pairs times one to one, the closest first.

    Args:
      first: times in seconds, distinct.
      second: times in seconds, distinct.
      max_difference: pairs are closer than this.

    Returns:
      A list of (time of `first`, time of `second`) in the order of `first`.
    """
    ordered = sorted(second)
    candidates = []
    for time in first:
        start = bisect.bisect_left(ordered, time - 2 * max_difference)
        end = bisect.bisect_right(ordered, time + 2 * max_difference)
        near = ((abs(time - other), time, other) for other in ordered[start:end])
        candidates += [pair for pair in near if pair[0] < max_difference]
    left, right, pairs = set(first), set(second), []
    for _, time, other in sorted(candidates):
        if time in left and other in right:
            left.remove(time)
            right.remove(other)
            pairs.append((time, other))
    return sorted(pairs)


def _is_sequence(folder):
    return folder.is_dir() and all((folder / name).is_file() for name in _LISTS)


def _times(file):
    """{seconds: file} of rgb.txt or depth.txt."""
    expected = "TIME FILE, as 1305031102.175304 rgb/1305031102.175304.png"
    found = {}
    for time, name in testset.lines_of(file, columns=2, expected=expected):
        try:
            seconds = float(time)
            if not math.isfinite(seconds):
                raise ValueError
        except ValueError as error:
            raise InputError(f"{shown(file)}: {time[:40]!r} is not a time: expected {expected}") from error
        found[seconds] = codes.listed_path(file, file.parent, name)
    return found


def _camera(name):
    """The camera of a sequence by its name; None if that does not tell."""
    match = re.search(r"freiburg([123])(?!\d)", name)
    return CAMERAS[match[1]] if match else None
