"""The built-in rooms as a source of frames: made, not read, so that everything runs without a download."""

import hashlib
import pathlib

import jax
import numpy as np
from PIL import Image
from tqdm import tqdm

from jaxdepth import rooms
from jaxdepth.data import cache
from jaxdepth.data.frames import Frames
from jaxdepth.data.sources.nyu import FULL_SIZE
from jaxdepth.data.splits import room_ids, rooms_lists
from jaxdepth.geometry import camera

_BLOCK = 64  # frames in memory at once


def open_rooms(train: int, val: int, *, sensor=False, seed=0, frame_size=(240, 320), cache_dir=None) -> Frames:
    """`train` frames for training and `val` for validation, rendered once at `frame_size` (h, w) and kept on the disk.

    Frame i is a pure function of (seed, i). Its id is seed 2^32 + i, so that rooms of another seed are other frames in
    the hash of a split. The camera is NYU's at `frame_size`. With `sensor` they are seen through
    `jaxdepth.rooms.sensor`; the truth at full size stays exact. `cache_dir`: see `jaxdepth.data.cache.arrays`; an entry
    belongs to the seed, the number of frames, their size, and what renders them.

    Raises ValueError where a number of frames is not positive or the seed does not fit.
    """
    if train < 1 or val < 1:
        raise ValueError(
            f"config.data.rooms_frames=({train}, {val}): expected at least one frame for train and for val"
        )
    if not 0 <= seed < 2**31:
        raise ValueError(f"seed={seed}: expected 0 <= seed < 2^31")
    files = [*sorted(pathlib.Path(rooms.__file__).parent.glob("*.py")), pathlib.Path(camera.__file__)]
    renderer = [file.read_bytes() for file in files]
    made_by = [hashlib.sha256(b"".join(renderer)).hexdigest(), jax.__version__, jax.devices()[0].device_kind]
    key = [*made_by, seed, train + val, *frame_size, sensor]

    def make(folder):
        n, size, empty = train + val, tuple(frame_size), 0
        kinds = {"image": ((*size, 3), np.uint8), "depth": (size, np.float32), "label": (size, np.uint16)}
        arrays = {name: cache.create(folder, name, (n, *shape), dtype) for name, (shape, dtype) in kinds.items()}
        with tqdm(total=n, desc="rooms", unit="frame", disable=None) as bar:
            for start in range(0, n, _BLOCK):
                made = rooms.frames(seed, start, count=min(_BLOCK, n - start), size=size, sensor=sensor)
                for name, array in arrays.items():
                    array[start : start + _BLOCK] = made[name]
                empty += int((~(made["depth"] > 0).any((1, 2))).sum())
                bar.update(len(made["depth"]))
        for array in arrays.values():
            array.flush()
        return {"empty_frames": empty}

    made, counts = cache.arrays("rooms", key, make, cache_dir=cache_dir)
    ids = room_ids(seed, train + val)
    return Frames(
        name="rooms",
        images=made["image"],
        depths=made["depth"],
        labels=made["label"],
        ids=ids,
        intrinsics=camera.resize_intrinsics(camera.NYU_INTRINSICS, from_size=FULL_SIZE, to_size=tuple(frame_size)),
        full_depth=lambda i: np.asarray(rooms.render(seed, i, size=FULL_SIZE)["depth"]),
        splits=rooms_lists(ids, train),
        counts={"nan": 0, "inf": 0, "negative": 0, **counts},
        truth="depth through a sensor (at full size exact)" if sensor else "exact depth",
        description=f"built-in rooms: {train} + {val} frames at {frame_size[0]}x{frame_size[1]}, seed {seed}"
        + (", through a sensor" if sensor else ""),
    )


def contact_sheet(path, *, seed=0, rows=3, columns=4, size=(240, 320)):
    """Writes a picture of the first rows * columns rooms of a seed, each of `size` (h, w), to a file of any format."""
    pictures = rooms.frames(seed, 0, count=rows * columns, size=size)["image"]
    sheet = pictures.reshape(rows, columns, *size, 3).swapaxes(1, 2).reshape(rows * size[0], columns * size[1], 3)
    Image.fromarray(sheet).save(path)
