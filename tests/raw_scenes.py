"""Raw scenes as NYU's recorder writes them, byte for byte: a camera that pans over a room."""

import pathlib
import zipfile

import fake_nyu
import numpy as np

from jaxdepth.prepare.nyu_raw import calibration

START = 1294886360.0  # seconds
SIZE = (480, 640)


def ppm(picture):
    """A colour picture, uint8 [480, 640, 3], as a file."""
    return b"P6 640 480 255\n" + picture.tobytes()


def pgm(codes):
    """A depth picture's codes, uint16 [480, 640], as a file."""
    return b"P5 640 480 65535\n" + codes.astype("<u2").tobytes()


def codes_of(depth):
    """The codes of depth in metres, with a hole where there is none and beyond 7 m."""
    codes = np.rint(1092.5 - 351.3 / np.maximum(depth, 0.4))
    return np.where((depth > 7) | (depth == 0), calibration.NO_DEPTH, codes).astype(np.uint16)


def files(seed, *, count, step=12, room=None, start=START):
    """A scene's files: {name: content}. Depth is taken 10 ms after colour.

    Args:
      seed: of the room.
      count: number of colour pictures, and of depths.
      step: pixels by which the camera moves between two.
      room: a function of (seed, (h, w)) -> picture uint8 [h, w, 3], depth [h, w] in metres.
      start: seconds.
    """
    wide = (SIZE[0], SIZE[1] + 40 * step)
    picture, depth, *_ = (room or fake_nyu.frame)(seed, wide)
    rng = np.random.default_rng(seed)
    if room is None:  # whose surfaces have no texture
        tiles = rng.integers(-40, 41, (wide[0] // 16, -(-wide[1] // 16), 1)).repeat(16, 0).repeat(16, 1)
        picture = np.uint8(np.clip(picture + tiles[:, : wide[1]], 0, 255))
    codes = codes_of(depth)
    made = {"INDEX.txt": b""}
    for i in range(count):
        left = step * (i % 40)
        view = np.s_[:, left : left + SIZE[1]]
        colour, ir = (f"{start + i / 15 + late:.6f}-{1000 + i}" for late in (0, 0.01))
        made[f"r-{colour}.ppm"], made[f"d-{ir}.pgm"] = ppm(picture[view]), pgm(codes[view])
        made[f"a-{colour}.dump"] = bytes(32)
    made["INDEX.txt"] = "".join(f"{name}\n" for name in made).encode()
    return made


def write_folder(folder, scene, made):
    """Writes a scene as a folder."""
    (target := pathlib.Path(folder, scene)).mkdir(parents=True)
    for name, content in made.items():
        (target / name).write_bytes(content)


def write_archive(path, scenes, *, method=zipfile.ZIP_DEFLATED):
    """Writes scenes, {name: files}, as an archive."""
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", method, compresslevel=1) as archive:
        for scene, made in scenes.items():
            for name, content in made.items():
                archive.writestr(f"{scene}/{name}", content)
