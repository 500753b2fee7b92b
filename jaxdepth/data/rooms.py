"""The built-in rooms as a source of frames: made, not read, so that everything runs without a download."""

import numpy as np

from jaxdepth import geometry, rooms
from jaxdepth.data.frames import Frames
from jaxdepth.data.nyu import FULL_SIZE
from jaxdepth.data.splits import rooms_lists


def open_rooms(train: int, val: int, *, seed=0, frame_size=(240, 320)) -> Frames:
    """`train` frames for training and `val` for validation, rendered at `frame_size` (h, w) in memory.

    Frame i is a pure function of (seed, i). Its id is seed 2^32 + i, so that rooms of another seed are other frames in
    the hash of a split. The camera is NYU's at `frame_size`.

    Raises ValueError where a number of frames is not positive or the seed does not fit.
    """
    if train < 1 or val < 1:
        raise ValueError(
            f"config.data.rooms_frames=({train}, {val}): expected at least one frame for train and for val"
        )
    if not 0 <= seed < 2**31:
        raise ValueError(f"seed={seed}: expected 0 <= seed < 2^31")
    made = rooms.frames(seed, 0, count=train + val, size=tuple(frame_size), show_progress=True)
    ids = (seed << 32) + np.arange(train + val, dtype=np.int64)
    depths = made["depth"]
    return Frames(
        name="rooms",
        images=made["image"],
        depths=depths,
        labels=made["label"].astype(np.uint16),
        ids=ids,
        intrinsics=geometry.resize_intrinsics(geometry.NYU_INTRINSICS, from_size=FULL_SIZE, to_size=tuple(frame_size)),
        full_depth=lambda i: np.asarray(rooms.render(seed, i, size=FULL_SIZE)["depth"]),
        splits=rooms_lists(ids, train),
        counts={"nan": 0, "inf": 0, "negative": 0, "empty_frames": int((~(depths > 0).any((1, 2))).sum())},
        description=f"built-in rooms: {train} + {val} frames at {frame_size[0]}x{frame_size[1]}, seed {seed}",
    )
