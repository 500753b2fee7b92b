"""SUN RGB-D (Song 2015): indoor pictures of four depth cameras; the official test list of 5,050.

Layout, as the authors' SUNRGBD.zip and SUNRGBDtoolbox.zip unpack: SUNRGBD with kv1, kv2, realsense and xtion, in which
each picture has a folder with image/*.jpg, depth/*.png, depth_bfx/*.png (one file each, under names of their own) and
intrinsics.txt; and SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat, whose `alltest` names the folders under the authors'
/n/fs/sun3d/data.

The 16 bits of a depth are rotated by three: metres = ((code >> 3) | (code << 13)) / 1000 (read3dPoints.m of the
toolbox; ESANet only shifts to the right, which is the same wherever the lowest three bits are 0). 0 is no measurement.
The toolbox then sets what is beyond 8 m to 8 m; ZoeDepth masks it, and so does a cap of 8 m here.

Truth is depth_bfx, which the authors improved and filled; plumbline and ESANet read it too. depth holds what the sensor
gave. (ZoeDepth and UniDepth read copies that no longer tell which of the two they are.)

intrinsics.txt has the matrix [fx 0 cx; 0 fy cy; 0 0 1] in one line, which the toolbox counts from 1
(read_3d_pts_general.m), so 1 is subtracted; many readers do not. NYU's part is another matter: its cx 284.5824 is that
of NYU's toolbox (325.5824, counted from 1) less 41, the first column of the crop, also counted from 1, and so it is
counted from 0 already.

kv1/NYUdata is NYU Depth V2, cropped: networks that learned from NYU are at home there. The kind sun_rgbd leaves it out;
sun_rgbd_all has all 5,050, as plumbline for Depth Pro. Caps: ZoeDepth and UniDepth 8 m, Depth Pro 10 m; ZoeDepth inside
the Eigen crop. Taken: 8 m, whole pictures.
"""

import pathlib
import re

import numpy as np
import scipy.io

from jaxdepth.data.sources.testsets import codes, testset
from jaxdepth.errors import InputError
from jaxdepth.geometry.camera import Intrinsics
from jaxdepth.paths import shown

SENSORS = ("kv1", "kv2", "realsense", "xtion")
NYU = "kv1/NYUdata/"
_SPLIT = "SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat"
_EXPECTED = f"SUNRGBD with {', '.join(SENSORS)}, and {_SPLIT} beside it"


def find(path, *, nyu) -> testset.TestSet:
    """Finds the set in a folder: SUNRGBD, or one that has it directly in it.

    Args:
      path: the folder. The list may also lie directly in it, or beside it.
      nyu: whether the pictures of NYU Depth V2 are kept.

    Raises:
      FileNotFoundError: if there is no such folder.
      InputError: if it has another layout, or a file is missing or damaged.
    """
    folder = testset.root(path, SENSORS, expected=_EXPECTED)
    names = _listed(folder, pathlib.Path(path))
    kept = [name for name in names if nyu or not name.startswith(NYU)]
    if not kept:
        raise testset.wrong_layout(folder, "only pictures of NYU Depth V2 on its list", "others too, or sun_rgbd_all")
    examples = tuple(_example(folder, name) for name in kept)
    left_out = len(names) - len(kept)
    notes = (f"{left_out} of {len(names)} pictures left out: they are NYU Depth V2's ({NYU})",) if left_out else ()
    return testset.TestSet(folder, examples, _read_depth, "depth cameras, filled by the authors", notes)


def _listed(folder, path):
    """The folders of the test list, as paths in `folder`, in its order."""
    places = [base / name for base in (folder.parent, folder, path) for name in (_SPLIT, pathlib.Path(_SPLIT).name)]
    file = next((place for place in places if place.is_file()), None)
    if file is None:
        raise testset.wrong_layout(folder, f"no {_SPLIT} beside it", _EXPECTED)
    try:
        entries = [str(np.ravel(cell)[0]) for cell in np.ravel(scipy.io.loadmat(file)["alltest"])]
        if not entries:
            raise ValueError("an empty list")
    except Exception as error:  # of a damaged file, many kinds
        if isinstance(error, OSError) and error.filename is not None:  # no permission
            raise
        told = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{shown(file)}: not the toolbox's list ({told}): expected a cell array 'alltest'") from error
    names = [pathlib.PurePosixPath(entry.partition("SUNRGBD/")[2]).as_posix() for entry in entries]
    for entry, name in zip(entries, names, strict=True):
        if name.partition("/")[0] not in SENSORS or ".." in name.split("/"):
            raise InputError(f"{shown(file)}: {entry[:80]!r}: expected folders such as .../SUNRGBD/{NYU}NYU0001")
    if len(set(names)) < len(names):
        raise InputError(f"{shown(file)}: {len(names) - len(set(names))} folders are listed twice: expected each once")
    return names


def _example(folder, name):
    picture = _only_file(folder, f"{name}/image", (".jpg", ".png"))
    depth = _only_file(folder, f"{name}/depth_bfx", (".png",))
    camera = _camera(folder / name / "intrinsics.txt", first=0 if name.startswith(NYU) else 1)
    return testset.Example(
        picture.relative_to(folder).with_suffix("").as_posix(), picture, depth, codes.size_of_codes(depth), camera
    )


def _only_file(root, name, suffixes):
    """The only file of some kinds in the folder `name`."""
    folder = root / name
    files = folder.iterdir() if folder.is_dir() else ()
    found = [file for file in files if file.suffix.lower() in suffixes and not file.name.startswith(".")]
    if len(found) != 1:
        what = f"{len(found)} files in {name}" if folder.is_dir() else f"no {name}"
        raise testset.wrong_layout(root, what, f"one {' or '.join(suffixes)} in each {folder.name}")
    return found[0]


def _camera(file, *, first):
    """The Intrinsics of a matrix in a file, whose first pixel has the number `first`."""
    testset.missing_files(file.parent, [file])
    try:
        fx, skew, cx, zero, fy, cy, *last = (float(value) for value in re.split(r"[\s,]+", file.read_text().strip()))
        if [skew, zero, *last] != [0, 0, 0, 0, 1] or min(fx, fy) <= 0 or not np.isfinite([fx, fy, cx, cy]).all():
            raise ValueError
    except ValueError as error:
        raise InputError(f"{shown(file)}: not a camera: expected the nine numbers fx 0 cx 0 fy cy 0 0 1") from error
    return Intrinsics(fx, fy, cx - first, cy - first)


def _read_depth(example):
    code = codes.read_codes(example.depth)
    return (((code >> 3) | (code << 13) & 0xFFFF) / 1000).astype(np.float32)
