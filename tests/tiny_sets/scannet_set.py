"""Tiny sets in the layouts of ScanNet: scannet_frames_25k, and whole scans as SensReader exports them."""

import pathlib

import fake_nyu
import numpy as np
from PIL import Image

from jaxdepth.geometry.camera import Intrinsics

CAMERA = Intrinsics(577.590698, 578.729797, 318.905426, 242.683609)
SCENES = {"scene0000_00": (0, 200), "scene0011_00": (100, 1000), "scene0011_01": (0,)}  # numbers of frames
VALIDATION = ("scene0011_00", "scene0011_01")


def write_frame(scene, name, index):
    """Writes a picture and its depth; returns both as they are read."""
    image, depth, _ = fake_nyu.frame(index, (480, 640))
    large = np.asarray(Image.fromarray(image).resize((1296, 968), Image.Resampling.BILINEAR))
    codes = np.round(depth * 1000).astype(np.uint16)
    codes[:, :20] = 0  # the sensor sees less than the camera
    for part in ("color", "depth"):
        (scene / part).mkdir(parents=True, exist_ok=True)
    Image.fromarray(large).save(scene / "color" / f"{name}.jpg", quality=90)
    Image.fromarray(codes).save(scene / "depth" / f"{name}.png")
    with Image.open(scene / "color" / f"{name}.jpg") as picture:
        return np.asarray(picture), (codes / 1000).astype(np.float32)


def write_camera(file, camera):
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = ((camera.fx, 0, camera.cx, 0), (0, camera.fy, camera.cy, 0), (0, 0, 1, 0), (0, 0, 0, 1))
    file.write_text("".join(" ".join(f"{value:.6f}" for value in row) + "\n" for row in rows))


def write(folder):
    """Writes scannet_frames_25k with three scenes, and the list of two of them."""
    folder, expected = pathlib.Path(folder), {}
    for name, numbers in SCENES.items():
        scene = folder / "scannet_frames_25k" / name
        for number in numbers:
            picture, depth = write_frame(scene, f"{number:06d}", number)
            if name in VALIDATION:
                expected[f"{name}/color/{number:06d}"] = (picture, depth, CAMERA)
        write_camera(scene / "intrinsics_depth.txt", CAMERA)
        write_camera(scene / "intrinsics_color.txt", Intrinsics(1169.621094, 1167.105103, 646.295044, 489.927032))
    (folder / "scannetv2_val.txt").write_text("".join(f"{name}\n" for name in VALIDATION))
    return expected


def write_scan(folder):
    """Writes a whole scan of 4 frames, 0, 1, 100 and 101, without a list; of these, 0 and 100 are expected."""
    scene, expected = pathlib.Path(folder) / "scene0707_00", {}
    for number in (0, 1, 100, 101):
        picture, depth = write_frame(scene, str(number), number)
        if number % 100 == 0:
            expected[f"scene0707_00/color/{number}"] = (picture, depth, CAMERA)
    write_camera(scene / "intrinsic" / "intrinsic_depth.txt", CAMERA)
    return expected
