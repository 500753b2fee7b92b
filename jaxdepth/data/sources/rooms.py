"""The built-in rooms as a source of frames: rendered, so that everything runs without a download."""

import ast
import hashlib
import pathlib

import jax
import numpy as np
from tqdm import tqdm

from jaxdepth import rooms
from jaxdepth.data import cache
from jaxdepth.data.frames import Frames, LazyArray
from jaxdepth.data.splits import room_ids, rooms_lists
from jaxdepth.errors import InputError
from jaxdepth.geometry import camera
from jaxdepth.geometry.camera import NYU_SIZE, nyu_intrinsics
from jaxdepth.geometry.depth import MAX_DEPTH, mask_invalid
from jaxdepth.rooms.labels import LABELS

_BLOCK = 64  # frames in memory at once


def open_rooms(
    train: int, val: int, *, sensor=False, seed=0, max_depth=MAX_DEPTH, frame_size=(240, 320), cache_dir=None
) -> Frames:
    """Opens built-in rooms, which are rendered once and kept on the disk.

    Frame i is a pure function of (seed, i). Its id is seed * 2^32 + i, so that the split hash differs between seeds.
    The camera is NYU's. The truth at full size and the labels are rendered when they are asked for.

    Args:
      train: number of frames to train on.
      val: number of frames to validate on.
      sensor: whether the frames are seen through `rooms.sensor`; the truth at full size remains exact.
      seed: of the rooms.
      max_depth: metres; depth beyond it is masked. No room is deeper than MAX_DEPTH.
      frame_size: (h, w).
      cache_dir: see `cache.arrays`.

    Returns:
      A Frames.

    Raises:
      InputError: for numbers of frames that are not positive, or a seed out of range.
    """
    if train < 1 or val < 1:
        raise InputError(f"config.data.rooms_frames=({train}, {val}): expected at least one frame each")
    if not 0 <= seed < 2**31:
        raise InputError(f"seed={seed}: expected 0 <= seed < 2^31")
    n, size = train + val, tuple(frame_size)

    def make(folder):
        empty = 0
        kinds = {"image": ((*size, 3), np.uint8), "depth": (size, np.float32)}
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

    key = _key(seed, n, size, sensor)
    made, counts = cache.arrays("rooms", key, make, cache_dir=cache_dir)
    ids, depths = room_ids(seed, n), made["depth"]

    def capped(depth):
        return mask_invalid(np.asarray(depth), max_depth=max_depth)[0]

    if max_depth < MAX_DEPTH:
        depths = LazyArray(lambda i: capped(made["depth"][i]), depths.shape, depths.dtype)
    return Frames(
        name="rooms",
        images=made["image"],
        depths=depths,
        ids=ids,
        intrinsics=nyu_intrinsics(size),
        full_depth=lambda i: capped(rooms.render(seed, i, size=NYU_SIZE)["depth"]),
        splits=rooms_lists(ids, train),
        counts={"nan": 0, "inf": 0, "negative": 0, **counts},
        truth="depth through a sensor (at full size exact)" if sensor else "exact depth",
        description=f"built-in rooms: {train} + {val} frames at {size[0]}x{size[1]}, seed {seed}"
        + (", through a sensor" if sensor else ""),
        labels=LazyArray(lambda i: _label(seed, i, size), (n, *size), np.uint16),
        label_names=LABELS,
        max_depth=max_depth,
    )


def _key(seed, count, size, sensor):
    """What the rendered frames depend on, for the cache: their settings, the renderer's code, and what compiles it."""
    files = [*sorted(pathlib.Path(rooms.__file__).parent.glob("*.py")), pathlib.Path(camera.__file__)]
    code = "".join(code_without_comments(file.read_text()) for file in files)
    made_by = [hashlib.sha256(code.encode()).hexdigest(), jax.__version__, jax.devices()[0].device_kind]
    return [*made_by, seed, count, *size, sensor]


def code_without_comments(source):
    """Python code in a form that no comment, docstring or line break changes."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)


def _label(seed, index, size):
    return np.asarray(rooms.render(seed, index, size=size)["label"]).astype(np.uint16)
