"""iBims-1 in its two layouts, with two pictures."""

import numpy as np
import scipy.io
from PIL import Image

from jaxdepth.geometry.camera import Intrinsics

SIZE = (480, 640)
NAMES = ("corridor_10", "livingroom_02")
CAMERAS = {
    "corridor_10": Intrinsics(550.25, 551.5, 319.0, 241.75),
    "livingroom_02": Intrinsics(560.0, 561.0, 320.5, 240.5),
}


def content(name):
    """A picture and what is known of it: {name of a field: array}; depth in the PNG's steps."""
    rng = np.random.default_rng(NAMES.index(name))
    row, column = np.indices(SIZE)
    depth = np.where(column < 400, 3 + row / 480 + NAMES.index(name), 25 + column / 200)
    depth = np.round(depth * 65535 / 50) * 50 / 65535
    depth[rng.random(SIZE) < 0.01] = 0
    walls = np.where(column < 200, 1, np.where(column < 380, 2, 0))
    return {
        "rgb": rng.integers(0, 256, (*SIZE, 3), np.uint8),
        "depth": depth,
        "edges": np.uint8(column == 400),
        "mask_invalid": np.uint8(row >= 10),
        "mask_transp": np.uint8(column >= 20),
        "mask_wall": np.uint8(walls),
        "mask_table": np.zeros(SIZE, np.uint8),
        "mask_floor": np.uint8((row > 400) & (column > 420)),
    }


def expected(name):
    """(picture, depth in metres with 0 where it does not count, camera)."""
    of = content(name)
    valid = (of["mask_invalid"] == 1) & (of["mask_transp"] == 1)
    return of["rgb"], np.where(valid, of["depth"], 0).astype(np.float32), CAMERAS[name]


def write(folder, *, raw=False):
    """Writes `ibims1_core_mat`, or `ibims1_core_raw`, and the list; returns {name: `expected`} in the list's order."""
    part = folder / ("ibims1_core_raw" if raw else "ibims1_core_mat")
    part.mkdir(parents=True)
    (folder / "imagelist.txt").write_text("".join(f"{name}\n" for name in NAMES))
    for name in NAMES:
        of, camera = content(name), CAMERAS[name]
        if raw:
            codes = np.uint16(np.round(of["depth"] * 65535 / 50))
            files = {"rgb": of["rgb"], "depth": codes, **{k: of[k] * 255 for k in ("mask_invalid", "mask_transp")}}
            for kind, array in files.items():
                (part / kind).mkdir(exist_ok=True)
                Image.fromarray(array).save(part / kind / f"{name}.png")
            (part / "calib").mkdir(exist_ok=True)
            (part / "calib" / f"{name}.txt").write_text(",".join(f"{value:.4f}" for value in camera) + "\n")
        else:
            matrix = np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1.0]])
            scipy.io.savemat(part / f"{name}.mat", {"data": of | {"calib": matrix, "mask_wall_paras": np.ones((2, 4))}})
    return {name: expected(name) for name in NAMES}
