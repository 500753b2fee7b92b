"""Tiny sets in the layouts of KITTI: Eigen's test split, and the validation selection of the depth benchmark."""

import pathlib

import fake_nyu
import numpy as np
from PIL import Image

from jaxdepth.geometry.camera import Intrinsics

# drive: (part of data_depth_annotated, size, f, cx, cy as in the calibration, frames with truth, frames without)
DRIVES = {
    "2011_09_26_drive_0002_sync": ("val", (375, 1242), "7.215377e+02 6.095593e+02 1.728540e+02", (54, 69), (0,)),
    "2011_10_03_drive_0027_sync": ("train", (376, 1241), "7.188560e+02 6.071928e+02 1.852157e+02", (362,), ()),
}
CALIBRATION = """calib_time: 09-Jan-2012 13:57:47
corner_dist: 9.950000e-02
S_rect_02: {width:e} {height:e}
R_rect_00: 0.9999239 9.837760e-03 -7.445048e-03 -9.869795e-03 0.9999421 -4.278459e-03 7.402527e-03 4.351614e-03 0.999963
P_rect_00: 1.0 0.0 2.0 0.0 0.0 1.0 3.0 0.0 0.0 0.0 1.0 0.0
P_rect_02: {f} 0.000000e+00 {cx} 4.485728e+01 0.000000e+00 {f} {cy} 2.163791e-01 0.0 0.0 1.0 2.745884e-03
"""

SCANNER = """calib_time: 15-Mar-2012 11:37:16
R: 7.533745e-03 -9.999714e-01 -6.166020e-04 0.01480249 7.280733e-04 -0.9998902 0.9998621 7.523790e-03 0.01480755
T: -4.069766e-03 -7.631618e-02 -2.717806e-01
"""


def street(index, size):
    """A picture, and sparse depth codes uint16 of which the largest are beyond 80 m."""
    picture, depth, _ = fake_nyu.frame(index, size)
    measured = np.random.default_rng(index).random(size) < 0.2
    measured[: size[0] // 4] = False  # the scanner does not see the sky
    metres = depth * 12
    metres[size[0] // 2] += 80
    return picture, np.where(measured, np.round(metres * 256), 0).astype(np.uint16)


def save(file, array):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(file)


def truth_file(folder, drive, number):
    return folder / drive / "proj_depth/groundtruth/image_02" / f"{number:010d}.png"


def write(folder):
    """Writes raw data, truth and monodepth2's list, of four pictures; one has no truth."""
    folder = pathlib.Path(folder)
    expected, lines = {}, []
    for drive, (part, size, camera, numbers, without) in DRIVES.items():
        date = drive[:10]
        f, cx, cy = camera.split()
        for number in without + numbers:
            picture, codes = street(number, size)
            name = f"{date}/{drive}/image_02/data/{number:010d}"
            save(folder / f"{name}.png", picture)
            lines.append(f"{date}/{drive} {number:010d} l")
            if number in numbers:
                save(truth_file(folder / "data_depth_annotated" / part, drive, number), codes)
                depth = (codes / 256).astype(np.float32)
                expected[name] = (picture, depth, Intrinsics(float(f), float(f), float(cx), float(cy)))
        text = CALIBRATION.format(f=f, cx=cx, cy=cy, height=size[0], width=size[1])
        (folder / date / "calib_cam_to_cam.txt").write_text(text)
    (folder / "test_files.txt").write_text("\n".join(lines) + "\n")
    return expected


def write_selection(folder):
    """Writes depth_selection/val_selection_cropped with two pictures, one of each camera."""
    inner, expected = pathlib.Path(folder) / "depth_selection" / "val_selection_cropped", {}
    for index, (drive, camera) in enumerate((("2011_09_26_drive_0002_sync", 2), ("2011_09_26_drive_0005_sync", 3))):
        name = f"{drive}_image_{index + 5:010d}_image_0{camera}"
        picture, codes = street(index, (352, 1216))
        save(inner / "image" / f"{name}.png", picture)
        truth = f"{drive}_groundtruth_depth_{index + 5:010d}_image_0{camera}"
        save(inner / "groundtruth_depth" / f"{truth}.png", codes)
        (inner / "intrinsics").mkdir(exist_ok=True)
        (inner / "intrinsics" / f"{name}.txt").write_text("721.5377 0.0 596.5593 0.0 721.5377 149.854 0.0 0.0 1.0\n")
        expected[name] = (picture, (codes / 256).astype(np.float32), Intrinsics(721.5377, 721.5377, 596.5593, 149.854))
    return expected


def write_velodyne(folder):
    """Writes raw data with laser scans for the four pictures of `write`, which all have this truth."""
    folder = pathlib.Path(folder)
    write(folder)
    expected = {}
    for drive, (_, size, _, numbers, without) in DRIVES.items():
        date = folder / drive[:10]
        (date / "calib_velo_to_cam.txt").write_text(SCANNER)
        values = {}
        for file in ("calib_cam_to_cam.txt", "calib_velo_to_cam.txt"):
            for line in (date / file).read_text().splitlines():
                key, _, text = line.partition(": ")
                values[key] = text.split()
        for number in without + numbers:
            scan = date / drive / "velodyne_points" / "data" / f"{number:010d}.bin"
            scan.parent.mkdir(parents=True, exist_ok=True)
            points = street_scan(number)
            points.tofile(scan)
            with Image.open(date / drive / "image_02" / "data" / f"{number:010d}.png") as png:
                picture = np.asarray(png)
            f, _, cx, _, _, _, cy = map(float, values["P_rect_02"][:7])
            name = f"{drive[:10]}/{drive}/image_02/data/{number:010d}"
            expected[name] = (picture, project(points, values, size), Intrinsics(f, f, cx, cy))
    return expected


def street_scan(index):
    """Points float32 [N, 4] around the scanner: a road 1.7 m below it and walls at both sides, so behind it too."""
    rng = np.random.default_rng(index)
    turn, reach = rng.uniform(-np.pi, np.pi, 3000), rng.uniform(3, 90, 3000)
    x, y, z = reach * np.cos(turn), np.clip(reach * np.sin(turn), -6, 6), rng.choice([-1.7, -0.5, 0.3], 3000)
    return np.stack([x, y, z, rng.random(3000)], axis=-1).astype(np.float32)


def project(points, values, size):
    """Depth of the nearest point in each pixel, point by point: scanner to camera, rectified, to the picture."""
    turn, shift, rectify, camera = (np.array(values[key], np.float64) for key in ("R", "T", "R_rect_00", "P_rect_02"))
    depth = np.zeros(size, np.float32)
    for x, y, z, _ in points.astype(np.float64):
        seen = rectify.reshape(3, 3) @ (turn.reshape(3, 3) @ [x, y, z] + shift)
        u, v, w = camera.reshape(3, 4)[:, :3] @ seen + camera.reshape(3, 4)[:, 3]
        if x < 0 or w <= 0:
            continue
        column, row = round(u / w) - 1, round(v / w) - 1
        if 0 <= row < size[0] and 0 <= column < size[1] and not 0 < depth[row, column] < w:
            depth[row, column] = w
    return depth
