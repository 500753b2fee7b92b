"""A few pictures in the layout of SUN RGB-D and its toolbox, each camera with sizes and names of its own."""

import numpy as np
import scipy.io
from PIL import Image

from jaxdepth.geometry.camera import Intrinsics

NYU = "kv1/NYUdata/NYU0001"
_AUTHORS = "/n/fs/sun3d/data/SUNRGBD/"  # where the lists have them
# folder: (name of the picture, name of the depth, size, line of intrinsics.txt)
FRAMES = {
    NYU: ("NYU0001", "NYU0001", (427, 561), "518.857901 0.000000 284.582449 0.000000 519.469611 208.736166 0 0 1 "),
    "realsense/sa/2014_10_21-18_16_30-1311000073": (
        "0000143",
        "0000143",
        (531, 681),
        "691.584229 0.000000 362.777557 0.000000 691.584229 264.750000 0.000000 0.000000 1.000000",
    ),
    "kv2/kinect2data/000002_2014-05-26_14-23-37_260595134347_rgbf000103-resize": (
        "0000103",
        "0000103",
        (530, 730),
        "529.500000 0.000000 365.000000\n0.000000 529.500000 265.000000\n0.000000 0.000000 1.000000\n",
    ),
    "xtion/sun3ddata/brown_bm_1/brown_bm_1/0000103-000003446693": (
        "0000103-000003446693",
        "0000205-000003433694",
        (441, 591),
        "570.342205 0.000000 310.000000 0.000000 570.342205 225.000000 0.000000 0.000000 1.000000",
    ),
}


def write(folder):
    """Writes one picture of each camera: {name: (picture, metres with 0 where there are none, camera)}."""
    expected = {}
    for seed, (name, (picture_name, depth_name, size, line)) in enumerate(FRAMES.items()):
        rng = np.random.default_rng(seed)
        frame = folder / "SUNRGBD" / name
        for part in ("image", "depth", "depth_bfx"):
            (frame / part).mkdir(parents=True)
        Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(frame / f"image/{picture_name}.jpg")
        millimetres = rng.integers(400, 9000, size, np.uint16)
        millimetres[:30, :40], millimetres[-1, -1] = 0, 65535
        rotated = (millimetres << 3) | (millimetres >> 13)  # as the authors' saveDepth.m
        Image.fromarray(rotated).save(frame / f"depth_bfx/{depth_name}.png", compress_level=1)
        Image.fromarray(np.zeros(size, np.uint16)).save(frame / f"depth/{depth_name}.png")
        (frame / "intrinsics.txt").write_text(line)
        fx, _, cx, _, fy, cy = map(float, line.split()[:6])
        first = 0 if name == NYU else 1
        picture = np.asarray(Image.open(frame / f"image/{picture_name}.jpg"))
        camera = Intrinsics(fx, fy, cx - first, cy - first)
        expected[f"{name}/image/{picture_name}"] = picture, np.float32(millimetres / 1000), camera
    write_list(folder, [f"{_AUTHORS}{name}" for name in FRAMES])
    return expected


def write_list(folder, entries):
    """Writes allsplit.mat with a test list."""
    file = folder / "SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat"
    file.parent.mkdir(parents=True, exist_ok=True)
    train = np.array([[f"{_AUTHORS}kv1/NYUdata/NYU0003"]], object)
    scipy.io.savemat(file, {"alltest": np.array([entries], object), "alltrain": train})
    return file
