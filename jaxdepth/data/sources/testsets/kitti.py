"""KITTI, Eigen's test split: 697 street pictures, of which 652 have the improved truth of the depth benchmark.

Pictures are those of the raw data, DATE/DRIVE/image_02/data/0000000005.png (or .jpg, as monodepth2 converts them),
with DATE/calib_cam_to_cam.txt. The truth is that of `data_depth_annotated`: 11 laser scans put together and checked by
stereo (Uhrig 2017), train/DRIVE or val/DRIVE with proj_depth/groundtruth/image_02/0000000005.png: 16 bit, depth is the
code / 256, and 0 is no measurement (the benchmark's readme). Both may lie in the given folder itself or in folders
directly in it; the truth also without train and val (BTS), or inside the raw drives (monodepth2).

The benchmark has no truth for the first and last five pictures of a drive: 45 of Eigen's, which all leave out. Eigen
2014 scored 697 with the points of one scan instead; those are not read here.

The list must lie in the folder, in either form that readers use: `DATE/DRIVE 0000000069 l` (monodepth2, which does not
pad the numbers of its `eigen_benchmark`, the 652), or paths of pictures, and of truth or `None`, with the focal length
(BTS; others leave out columns, or DATE). What the truth has is taken from the files, so that all give the same 652.

Pixels are taken as counted from 0. The raw data's own description does not say; monodepth's projection of scans
subtracts 1 from them, as MATLAB counts. Cameras differ by the date, sizes too (370x1224 to 376x1242). Pictures are not
cropped: some (BTS, ZoeDepth) crop both to 352x1216 first and put Garg's crop into that.
"""

import collections
import pathlib
import re

from jaxdepth.data.sources.testsets import codes, testset
from jaxdepth.errors import InputError
from jaxdepth.paths import shown

METRES = 1 / 256  # per code
LISTS = (
    "test_files.txt",  # monodepth2
    "eigen_test_files_with_gt.txt",  # BTS
    "kitti_eigen_test_files_with_gt.txt",  # AdaBins, ZoeDepth
    "test_files_eigen.txt",  # SfMLearner
    "kitti_eigen_test.txt",  # iDisc, UniDepth
)
_EXPECTED = (
    "raw data DATE/DRIVE/image_02/data, data_depth_annotated with train/DRIVE/proj_depth and val/DRIVE/proj_depth, and "
    "a list of Eigen's test pictures"
)
_NO_LIST = (
    f"one of {', '.join(LISTS)}, such as splits/eigen/test_files.txt of github.com/nianticlabs/monodepth2 or "
    "train_test_inputs/kitti_eigen_test_files_with_gt.txt of github.com/isl-org/ZoeDepth"
)
_LINE = re.compile(
    r"(?:\S*/)?(?P<drive>(?P<date>\d{4}_\d\d_\d\d)_drive_\d{4}_sync)"
    r"(?:/image_02/data/(?P<path>\d{1,10})(?:\.png|\.jpg)?(?:\s+(?P<truth>\S+)(?:\s+\S+)?)?|\s+(?P<number>\d{1,10})\s+l)"
)


def find(path) -> testset.TestSet:
    """Finds the pictures of the list that have a truth.

    Raises:
      FileNotFoundError: if there is no such folder.
      InputError: if there is no list or a line is of another form, a drive has no truth at all, or files are missing or
        damaged.
    """
    path = pathlib.Path(path)
    if not path.is_dir():
        raise FileNotFoundError(f"{str(path)!r}: no such folder: expected {_EXPECTED}")
    lists = [path / name for name in LISTS if (path / name).is_file()]
    if not lists:
        raise testset.wrong_layout(path, "no list of Eigen's test pictures", _NO_LIST)
    frames = _frames(lists[0])
    folders = [path, *sorted(entry for entry in path.iterdir() if entry.is_dir())]
    found = {drive: _drive(path, folders, drive) for drive in dict.fromkeys(drive for drive, _, _ in frames)}
    examples, without = [], 0
    for drive, number, said in frames:
        raw, annotated = found[drive]
        truth = annotated / f"{number}.png"
        if not said and not truth.is_file():
            without += 1
        else:
            examples.append((drive, number, _picture(raw / "image_02" / "data", number), truth))
    testset.missing_files(path, [file for *_, picture, truth in examples for file in (picture, truth)])
    cameras = {drive: _camera(raw.parent / "calib_cam_to_cam.txt") for drive, (raw, _) in found.items()}
    return testset.TestSet(
        path,
        tuple(_example(*example, cameras[example[0]]) for example in examples),
        read_depth,
        "laser scans put together",
        _notes(frames, without, [cameras[drive] for drive, *_ in examples]),
    )


def read_depth(example):
    """Depth of an Example whose `depth` is a PNG of the benchmark; raises as `codes.read_depth`."""
    return codes.read_depth(example.depth, METRES, example.size)


def _notes(frames, without, cameras):
    notes = []
    if without:
        notes.append(f"{without} of the {len(frames)} listed pictures left out: the benchmark has no truth for them")
    if unknown := cameras.count(None):
        notes.append(f"{unknown} pictures without a camera: no calib_cam_to_cam.txt in the folder of their date")
    return tuple(notes)


def _frames(file):
    """(drive, number with ten digits, whether the list names its truth) of each line."""
    frames = []
    for parts in testset.lines_of(file, expected="a picture of KITTI"):
        match = _LINE.fullmatch(" ".join(parts))
        if match is None:
            raise InputError(
                f"{shown(file)}: line {' '.join(parts)[:80]!r}: expected DATE/DRIVE NUMBER l, or "
                "DATE/DRIVE/image_02/data/NUMBER.png TRUTH FOCAL"
            )
        truth = match["truth"]
        frames.append((match["drive"], (match["path"] or match["number"]).zfill(10), truth not in (None, "None")))
    if not frames:
        raise InputError(f"{shown(file)}: no lines: expected the pictures of Eigen's test split")
    (frame, count), *_ = collections.Counter(frame[:2] for frame in frames).most_common(1)
    if count > 1:
        raise InputError(f"{shown(file)}: {'/'.join(frame)} is listed {count} times: expected each picture once")
    return frames


def _drive(path, folders, drive):
    """The folders of a drive's raw data and of its truth."""
    date = drive[:10]
    raws = [folder / date / drive for folder in folders]
    raws += [folder / drive for folder in folders]  # BTS's older lists have no dates
    raw = next((folder for folder in raws if (folder / "image_02" / "data").is_dir()), None)
    if raw is None:
        raise testset.wrong_layout(path, f"no {date}/{drive}/image_02/data", _EXPECTED)
    inner = [part / drive for folder in folders for part in (folder / "val", folder / "train", folder, folder / date)]
    truths = [folder / "proj_depth" / "groundtruth" / "image_02" for folder in inner]
    truth = next((folder for folder in truths if folder.is_dir()), None)
    if truth is None:
        raise testset.wrong_layout(path, f"no {drive}/proj_depth/groundtruth/image_02", _EXPECTED)
    return raw, truth


def _picture(folder, number):
    jpeg = folder / f"{number}.jpg"
    return jpeg if jpeg.is_file() and not (folder / f"{number}.png").is_file() else folder / f"{number}.png"


def _example(drive, number, picture, truth, camera):
    size = codes.header_size(truth)
    if (seen := codes.header_size(picture)) != size:
        raise InputError(
            f"{shown(picture)}: {seen[1]}x{seen[0]} pixels: expected {size[1]}x{size[0]}, the size of the truth"
        )
    name = f"{drive[:10]}/{drive}/image_02/data/{number}"
    return testset.Example(name, picture, truth, size, camera, drive)


def _camera(file):
    """The rectified left colour camera, P_rect_02; None without the file."""
    if not file.is_file():
        return None
    for key, *values in testset.lines_of(file):
        if key == "P_rect_02:":
            return codes.camera_of(file, values, (3, 4))
    raise InputError(f"{shown(file)}: no line P_rect_02: expected KITTI's calib_cam_to_cam.txt")
