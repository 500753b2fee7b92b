"""A tiny set in the layout of TUM RGB-D."""

import pathlib

import fake_nyu
import numpy as np
from PIL import Image

from jaxdepth.geometry.camera import Intrinsics

CAMERAS = {
    "rgbd_dataset_freiburg1_desk": Intrinsics(517.3, 516.5, 318.6, 255.3),
    "rgbd_dataset_freiburg3_teddy": Intrinsics(535.4, 539.2, 320.1, 247.6),
}
# (time of the picture, time of its depth or None); the depth 1305031453.1 is nearer to the second picture than to the
# first, and that of the last is too late.
TIMES = (
    ("1305031453.085000", None),
    ("1305031453.095000", "1305031453.100000"),
    ("1305031453.130000", "1305031453.149000"),
    ("1305031453.200000", None),
)
ALONE = ("1305031453.221000",)


def write(folder):
    """Writes two sequences of four pictures and three depths each, of which two are pairs."""
    expected = {}
    for name, camera in CAMERAS.items():
        sequence = pathlib.Path(folder) / name
        for part in ("rgb", "depth"):
            (sequence / part).mkdir(parents=True)
        lists = {"rgb": [], "depth": []}
        for index, (time, depth_time) in enumerate(TIMES):
            picture, depth, _ = fake_nyu.frame(index + len(name), (480, 640))
            Image.fromarray(picture).save(sequence / "rgb" / f"{time}.png")
            lists["rgb"].append(time)
            if depth_time is not None:
                codes = np.round(depth * 5000).astype(np.uint16)
                codes[:, :20] = 0
                Image.fromarray(codes).save(sequence / "depth" / f"{depth_time}.png")
                lists["depth"].append(depth_time)
                expected[f"{name}/rgb/{time}"] = (picture, (codes / 5000).astype(np.float32), camera)
        for time in ALONE:
            Image.fromarray(np.ones((480, 640), np.uint16)).save(sequence / "depth" / f"{time}.png")
            lists["depth"].append(time)
        for part, title in (("rgb", "color images"), ("depth", "depth maps")):
            lines = [f"# {title}", f"# file: '{name}.bag'", "# timestamp filename"]
            lines += [f"{time} {part}/{time}.png" for time in lists[part]]
            (sequence / f"{part}.txt").write_text("\n".join(lines) + "\n")
    return expected
