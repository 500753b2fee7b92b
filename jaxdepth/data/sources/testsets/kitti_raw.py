"""KITTI's raw data as Eigen's test split needs it: the list of its pictures, their files, cameras and sizes.

Pictures are DATE/DRIVE/image_02/data/0000000005.png (or .jpg, as monodepth2 converts them), with calib_cam_to_cam.txt
in the folder of the date. They may lie in the given folder itself or in one directly in it.

The list must lie in the folder, in either form that readers use: `DATE/DRIVE 0000000069 l` (monodepth2, which does not
pad the numbers of its `eigen_benchmark`), or paths of pictures, and of truth or `None`, with the focal length (BTS;
others leave out columns, or DATE).

Pixels are taken as counted from 0. The data's own description does not say; monodepth's projection of laser scans
subtracts 1 from them, as MATLAB counts. Cameras differ by the date, and sizes too (370x1224 to 376x1242).
"""

import collections
import pathlib
import re
from typing import NamedTuple

from jaxdepth.data.sources.testsets import codes, testset
from jaxdepth.errors import InputError
from jaxdepth.paths import shown

EXPECTED = "raw data DATE/DRIVE/image_02/data, and a list of Eigen's test pictures"
LISTS = (
    "test_files.txt",  # monodepth2
    "eigen_test_files_with_gt.txt",  # BTS
    "kitti_eigen_test_files_with_gt.txt",  # AdaBins, ZoeDepth
    "test_files_eigen.txt",  # SfMLearner
    "kitti_eigen_test.txt",  # iDisc, UniDepth
)
_NO_LIST = (
    f"one of {', '.join(LISTS)}, such as splits/eigen/test_files.txt of github.com/nianticlabs/monodepth2 or "
    "train_test_inputs/kitti_eigen_test_files_with_gt.txt of github.com/isl-org/ZoeDepth"
)
_LINE = re.compile(
    r"(?:\S*/)?(?P<drive>(?P<date>\d{4}_\d\d_\d\d)_drive_\d{4}_sync)"
    r"(?:/image_02/data/(?P<path>\d{1,10})(?:\.png|\.jpg)?(?:\s+(?P<truth>\S+)(?:\s+\S+)?)?|\s+(?P<number>\d{1,10})\s+l)"
)


class Frame(NamedTuple):
    """A picture of the list.

    Attributes:
      drive: such as 2011_09_26_drive_0002_sync.
      number: ten digits.
      has_truth: whether the list names its improved truth; False also for a list that tells nothing.
    """

    drive: str
    number: str
    has_truth: bool


def folders(path, expected=EXPECTED) -> list[pathlib.Path]:
    """The given folder and those directly in it; raises FileNotFoundError if it is none."""
    path = pathlib.Path(path)
    if not path.is_dir():
        raise FileNotFoundError(f"{str(path)!r}: no such folder: expected {expected}")
    return [path, *sorted(entry for entry in path.iterdir() if entry.is_dir())]


def read_list(path) -> list[Frame]:
    """The Frames of the list in a folder.

    Raises:
      InputError: if there is none, or a line is of another form or there twice.
    """
    lists = [path / name for name in LISTS if (path / name).is_file()]
    if not lists:
        raise testset.wrong_layout(path, "no list of Eigen's test pictures", _NO_LIST)
    file, frames = lists[0], []
    for parts in testset.lines_of(file, expected="a picture of KITTI"):
        match = _LINE.fullmatch(" ".join(parts))
        if match is None:
            raise InputError(
                f"{shown(file)}: line {' '.join(parts)[:80]!r}: expected DATE/DRIVE NUMBER l, or "
                "DATE/DRIVE/image_02/data/NUMBER.png TRUTH FOCAL"
            )
        number = (match["path"] or match["number"]).zfill(10)
        frames.append(Frame(match["drive"], number, match["truth"] not in (None, "None")))
    if not frames:
        raise InputError(f"{shown(file)}: no lines: expected the pictures of Eigen's test split")
    (frame, count), *_ = collections.Counter(frame[:2] for frame in frames).most_common(1)
    if count > 1:
        raise InputError(f"{shown(file)}: {'/'.join(frame)} is listed {count} times: expected each picture once")
    return frames


def drive_folder(places, drive) -> pathlib.Path:
    """The folder of a drive in one of several places; raises InputError if there is none."""
    date = drive[:10]
    raws = [place / date / drive for place in places]
    raws += [place / drive for place in places]  # some of BTS's lists have no dates
    raw = next((folder for folder in raws if (folder / "image_02" / "data").is_dir()), None)
    if raw is None:
        raise testset.wrong_layout(places[0], f"no {date}/{drive}/image_02/data", EXPECTED)
    return raw


def picture_file(drive, number) -> pathlib.Path:
    """The picture of a number in the folder of a drive, .png unless there is only .jpg."""
    file = drive / "image_02" / "data" / f"{number}.png"
    jpeg = file.with_suffix(".jpg")
    return jpeg if jpeg.is_file() and not file.is_file() else file


def example(frame, picture, truth, size, camera) -> testset.Example:
    """The Example of a Frame.

    Args:
      frame: the Frame.
      picture: its file.
      truth: what reads its depth.
      size: (height, width) of its depth, which the picture must have too.
      camera: its Intrinsics or None.

    Raises:
      OSError: if there is no picture.
      InputError: if it is damaged or has another size.
    """
    if (seen := codes.header_size(picture)) != tuple(size):
        raise InputError(
            f"{shown(picture)}: {seen[1]}x{seen[0]} pixels: expected {size[1]}x{size[0]}, the size of the truth"
        )
    name = f"{frame.drive[:10]}/{frame.drive}/image_02/data/{frame.number}"
    return testset.Example(name, picture, truth, size, camera, frame.drive)


def calibration(file) -> dict[str, list[str]]:
    """The values of a calibration file as text by their key, such as P_rect_02."""
    return {key.removesuffix(":"): values for key, *values in testset.lines_of(file)}


def camera(file):
    """The rectified left colour camera in calib_cam_to_cam.txt, as Intrinsics; None without the file."""
    if not file.is_file():
        return None
    values = calibration(file)
    if "P_rect_02" not in values:
        raise InputError(f"{shown(file)}: no line P_rect_02: expected KITTI's calib_cam_to_cam.txt")
    return codes.camera_of(file, values["P_rect_02"], (3, 4))
