"""iBims-1 (Koch 2018): 100 indoor pictures with laser depth, annotated edges and planes.

Layout, as the authors' archives unpack: `ibims1_core_raw` with rgb/NAME.png, depth/NAME.png (16 bit, 50 m / 65535),
calib/NAME.txt (fx, fy, cx, cy in one line with commas), mask_invalid/NAME.png and mask_transp/NAME.png, which are 0
where depth does not count (invalid, and on glass); or `ibims1_core_mat` with NAME.mat, whose struct `data` has these
and the annotations: edges, and mask_wall, mask_table, mask_floor, which count planes from 1. Where both are there,
pictures and depths are those of the .mat files, which is what the authors' script scores. `imagelist.txt` names the
pictures; where it is missing, all files count.

The authors' script multiplies both masks with the depth, and caps nothing. Others cap at 10 m.
"""

import functools
import math
import pathlib

import numpy as np
import scipy.io

from jaxdepth.data.files import pictures
from jaxdepth.data.sources.testsets import codes, testset
from jaxdepth.errors import InputError
from jaxdepth.geometry.camera import Intrinsics
from jaxdepth.paths import shown

SIZE = (480, 640)
_METRES = 50 / 65535  # per unit of the raw depth
_RAW, _MAT = "ibims1_core_raw", "ibims1_core_mat"
_PARTS = ("rgb", "depth", "calib", "mask_invalid", "mask_transp")
_PLANES = ("mask_wall", "mask_table", "mask_floor")
_EXPECTED = f"{_MAT} with .mat files, or {_RAW} with {', '.join(_PARTS)}"


def find(path) -> testset.TestSet:
    """Finds the set in a folder: the one that holds the authors' folders, or one of these.

    Raises:
      FileNotFoundError: if there is no such folder.
      InputError: if it has another layout, or a file is missing or damaged.
    """
    path = pathlib.Path(path)
    if not path.is_dir():
        raise FileNotFoundError(f"{str(path)!r}: no such folder: expected {_EXPECTED}")
    for folder in (path / _MAT, path):
        if names := testset.stems(folder, ".mat"):
            return _from_mat(path, folder, _listed(path, names))
    folder = path / _RAW if (path / _RAW).is_dir() else path
    if absent := [part for part in _PARTS if not (folder / part).is_dir()]:
        raise testset.wrong_layout(folder, f"no folder {absent[0]}", _EXPECTED)
    names = _listed(path, testset.stems(folder / "rgb", ".png"))
    files = {part: ".txt" if part == "calib" else ".png" for part in _PARTS}
    testset.missing_files(folder, [folder / part / f"{name}{end}" for name in names for part, end in files.items()])
    examples = [
        testset.Example(
            name,
            folder / "rgb" / f"{name}.png",
            name,
            SIZE,
            _camera(folder / "calib" / f"{name}.txt"),
            _scene(name),
        )
        for name in names
    ]
    read = functools.partial(_raw_depth, folder)
    notes = (f"no {_MAT}: the measures of edges and planes do without the annotations",)
    return testset.TestSet(path, tuple(examples), read, "laser scan", notes)


def _listed(path, names):
    """The names of imagelist.txt, which must be among `names`; all of these without it."""
    lists = [file for folder in (path, path.parent, path / _MAT) if (file := folder / "imagelist.txt").is_file()]
    if not names:
        raise testset.wrong_layout(path, "no pictures in it", _EXPECTED)
    if not lists:
        return names
    wanted = [name for (name, *_) in testset.lines_of(lists[0])]
    if unknown := [name for name in wanted if name not in set(names)]:
        raise InputError(f"{shown(lists[0])}: {unknown[0]!r} is not among the {len(names)} pictures: expected all")
    return wanted


def _scene(name):
    """The kind of room: corridor_01 is of corridor."""
    return name.rpartition("_")[0] or name


def _camera(file):
    """The Intrinsics of a text file."""
    try:
        values = [float(value) for value in file.read_text("utf-8-sig").replace(",", " ").split()]
    except ValueError:
        values = []
    return _intrinsics(file, values)


def _intrinsics(file, values):
    """The Intrinsics of fx, fy, cx and cy, which are from a file."""
    if len(values) != 4 or not all(map(math.isfinite, values)) or min(values[:2]) <= 0:
        raise InputError(f"{shown(file)}: not a camera: expected fx,fy,cx,cy in pixels")
    return Intrinsics(*values)


def _raw_depth(folder, example):
    depth = codes.read_depth(folder / "depth" / f"{example.name}.png", _METRES, SIZE)
    for part in ("mask_invalid", "mask_transp"):
        file = folder / part / f"{example.name}.png"
        mask = pictures.read(file).pixels[..., 0]
        _check_shape(mask, file)
        depth = np.where(mask > 0, depth, 0)
    return depth


def _check_shape(array, file):
    if array.shape != SIZE:
        raise InputError(f"{shown(file)}: {array.shape[1]}x{array.shape[0]} pixels: expected {SIZE[1]}x{SIZE[0]}")


def _from_mat(path, folder, names):
    testset.missing_files(folder, [folder / f"{name}.mat" for name in names])
    examples = tuple(
        testset.Example(name, file, file, SIZE, _mat_camera(file), _scene(name))
        for name in names
        for file in [folder / f"{name}.mat"]
    )
    return testset.TestSet(
        path,
        examples,
        _mat_depth,
        "laser scan",
        read_image=lambda example: _field(_mat(example.depth), example.depth, "rgb", (*SIZE, 3)).astype(np.uint8),
        picture_size=lambda _: SIZE,
        read_annotations=_annotations,
    )


@functools.lru_cache(maxsize=2)  # picture, depth and annotations of one frame are read one after the other
def _mat(file):
    """The struct `data` of a .mat file."""
    try:
        return scipy.io.loadmat(file)["data"][0, 0]
    except Exception as error:  # of a damaged file, many kinds
        if getattr(error, "filename", None) is not None:  # missing, or no permission
            raise
        told = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{shown(file)}: not a .mat file of iBims-1 ({told}): expected a struct 'data'") from error


def _field(data, file, name, *shapes):
    """A field of the struct, numbers in one of some shapes."""
    found = data[name] if name in (data.dtype.names or ()) else None
    if found is None or found.shape not in shapes or found.dtype.kind not in "fiub":
        raise InputError(f"{shown(file)}: field {name!r} is missing or of another shape: expected {shapes[0]}")
    return found


def _mat_camera(file):
    """The Intrinsics of a camera matrix [3, 3], or of four numbers."""
    calib = _field(_mat(file), file, "calib", (3, 3), (1, 4), (4, 1))
    values = calib[[0, 1, 0, 1], [0, 1, 2, 2]] if calib.shape == (3, 3) else calib.ravel()
    return _intrinsics(file, values.tolist())


def _mat_depth(example):
    file, data = example.depth, _mat(example.depth)
    depth, *masks = (_field(data, file, name, SIZE) for name in ("depth", "mask_invalid", "mask_transp"))
    valid = (masks[0] > 0) & (masks[1] > 0) & np.isfinite(depth)
    with np.errstate(over="ignore"):  # of doubles that are infinite, and so beyond every cap
        return np.where(valid, depth, 0).astype(np.float32)


def _annotations(example):
    file, data = example.depth, _mat(example.depth)
    planes = []
    for name in _PLANES:
        numbers = _field(data, file, name, SIZE)
        planes += [numbers == number for number in np.unique(numbers) if number > 0]
    return testset.Annotations(_field(data, file, "edges", SIZE) > 0, tuple(planes))
