"""Writes built-in rooms as a folder of one's own pictures and depths, by a camera other than NYU's."""

import io
import pathlib

import numpy as np
from PIL import Image
from tqdm import tqdm

from jaxdepth import rooms
from jaxdepth.data.files.writing import check_folder, write_together
from jaxdepth.errors import InputError
from jaxdepth.geometry.camera import NYU_SIZE, Intrinsics, crop_intrinsics, nyu_intrinsics
from jaxdepth.output import encode

_MOST = 4.0  # times NYU's focal length
_BLOCK = 8  # rooms in memory at once
_SEED = 1_000_000  # rooms that no training has seen by default


def write(folder, *, count, zoom, size=NYU_SIZE, seed=_SEED) -> Intrinsics:
    """Writes images/0000.jpg, ... and depths/0000.png, ... (16 bit, millimetres), as `open_folder` reads them.

    The pictures are the middle of larger frames of NYU's camera, so the focal length in pixels is `zoom` times as long.

    Args:
      folder: a new or empty folder.
      count: number of rooms.
      zoom: 1 to 4.
      size: (height, width) of the pictures.
      seed: of the rooms.

    Returns:
      The camera, in pixels of the pictures.

    Raises:
      InputError: for a number out of range.
      OSError: if the folder holds something, or cannot be written.
    """
    if count < 1:
        raise InputError(f"count={count}: expected 1 or more")
    if not 1 <= zoom <= _MOST:
        raise InputError(f"zoom={zoom:g}: expected 1 to {_MOST:g}")
    folder = pathlib.Path(folder)
    check_folder(folder, advice="give another folder")
    if folder.is_dir() and any(folder.iterdir()):
        raise FileExistsError(f"{str(folder)!r}: expected a new or empty folder")
    large = tuple(round(zoom * n) for n in size)
    top, left = ((n - m) // 2 for n, m in zip(large, size, strict=True))
    inside = np.s_[:, top : top + size[0], left : left + size[1]]
    for part in ("images", "depths"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    with tqdm(total=count, unit="room", disable=None) as bar:
        for start in range(0, count, _BLOCK):
            made = rooms.frames(seed, start, count=min(_BLOCK, count - start), size=large)
            for i, (image, depth) in enumerate(zip(made["image"][inside], made["depth"][inside], strict=True), start):
                jpeg = io.BytesIO()
                Image.fromarray(image).save(jpeg, "JPEG", quality=95)
                files = {f"images/{i:04d}.jpg": jpeg.getvalue(), f"depths/{i:04d}.png": encode.png(depth)}
                write_together({folder / name: data for name, data in files.items()})
                bar.update()
    return crop_intrinsics(nyu_intrinsics(large), top=top, left=left)
