"""KITTI, Eigen's test split with its first truth: the points of one laser scan, for all 697 pictures.

Pictures, list and cameras are those of `kitti_raw`. Beside the pictures of a drive lie
velodyne_points/data/0000000005.bin, float32 x, y, z, reflectance of points in metres, and in the folder of the date
calib_velo_to_cam.txt. A point projects by P_rect_02 R_rect_00 (R T), its pixel is the rounded position less
1, and the nearest of the points in a pixel counts, as in monodepth, monodepth2 and SfMLearner.

Depth is the camera's z. monodepth and monodepth2, as they score this split, take the scanner's forward x instead, which
is some .27 m more. The scanner sees from above the camera: points that the camera does not see are among the truth.
"""

import functools
import math
import pathlib

import numpy as np

from jaxdepth.data.sources.testsets import kitti_raw, testset
from jaxdepth.errors import InputError
from jaxdepth.paths import shown

_EXPECTED = (
    "raw data DATE/DRIVE with image_02/data and velodyne_points/data, DATE/calib_cam_to_cam.txt, "
    "DATE/calib_velo_to_cam.txt, and a list of Eigen's test pictures"
)


def find(path) -> testset.TestSet:
    """Finds the pictures of the list.

    Raises:
      FileNotFoundError: if there is no such folder.
      InputError: if there is no list or a line is of another form, or files are missing or damaged.
    """
    path = pathlib.Path(path)
    places = kitti_raw.folders(path, _EXPECTED)
    frames = kitti_raw.read_list(path)
    raws = {drive: kitti_raw.drive_folder(places, drive) for drive in dict.fromkeys(frame.drive for frame in frames)}
    files = [
        (kitti_raw.picture_file(raw, frame.number), raw / "velodyne_points" / "data" / f"{frame.number}.bin")
        for frame in frames
        for raw in [raws[frame.drive]]
    ]
    calibrations = {
        drive: (raw.parent / "calib_cam_to_cam.txt", raw.parent / "calib_velo_to_cam.txt")
        for drive, raw in raws.items()
    }
    testset.missing_files(path, [file for pair in [*calibrations.values(), *files] for file in pair])
    projections = {drive: _projection(*pair) for drive, pair in calibrations.items()}
    sizes = {drive: _size(pair[0]) for drive, pair in calibrations.items()}
    cameras = {drive: kitti_raw.camera(pair[0]) for drive, pair in calibrations.items()}
    examples = tuple(
        kitti_raw.example(frame, *pair, sizes[frame.drive], cameras[frame.drive])
        for frame, pair in zip(frames, files, strict=True)
    )
    return testset.TestSet(path, examples, functools.partial(_read_depth, projections), "laser scan")


def _read_depth(projections, example):
    """Depth of an Example whose `depth` is a scan; `projections` are by drive."""
    height, width = example.size
    points = _points(example.depth)
    positions = np.column_stack([points[:, :3], np.ones(len(points))]) @ projections[example.scene].T  # [N, 3]
    positions = positions[positions[:, 2] > 0]
    x, y = np.round(positions[:, :2] / positions[:, 2:]).T - 1
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    depth = np.full((height, width), np.inf)
    np.minimum.at(depth, (y[inside].astype(int), x[inside].astype(int)), positions[inside, 2])
    return np.where(np.isfinite(depth), depth, 0).astype(np.float32)


def _points(file):
    """The points of a scan, float64 [N, 4]."""
    data = file.read_bytes()
    if not data or len(data) % 16:
        raise InputError(f"{shown(file)}: {len(data)} bytes: expected points of 4 float32 each")
    points = np.frombuffer(data, "<f4").reshape(-1, 4).astype(np.float64)
    if not np.isfinite(points).all():
        raise InputError(f"{shown(file)}: points that are not finite: expected x, y, z, reflectance")
    return points


def _projection(cameras, scanner):
    """The matrix [3, 4] from a scan's points to positions in the picture times depth."""
    rectified, turned = np.eye(4), np.eye(4)
    rectified[:3, :3] = _matrix(cameras, "R_rect_00", (3, 3))
    turned[:3, :3] = _matrix(scanner, "R", (3, 3))
    turned[:3, 3] = _matrix(scanner, "T", (3,))
    return _matrix(cameras, "P_rect_02", (3, 4)) @ rectified @ turned


def _size(file):
    """The (height, width) of the rectified pictures, S_rect_02."""
    width, height = _matrix(file, "S_rect_02", (2,))
    return int(height), int(width)


def _matrix(file, key, shape):
    """A matrix of a calibration file."""
    try:
        values = np.array([float(value) for value in kitti_raw.calibration(file)[key]])
        if len(values) != math.prod(shape) or not np.isfinite(values).all():
            raise ValueError
    except (KeyError, ValueError) as error:
        raise InputError(
            f"{shown(file)}: no {key} of {'x'.join(map(str, shape))} numbers: expected KITTI's {file.name}"
        ) from error
    return values.reshape(shape)
