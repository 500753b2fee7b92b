"""What config.json has to hold: the types and bounds of all that is read from it.

A record comes with the weights of others. None asks for more memory or time than these bounds allow.
"""

import math
import reprlib
from collections.abc import Callable
from typing import NamedTuple

from jaxdepth.errors import InputError

MAX_BYTES = 1 << 20  # of config.json
MAX_PIXELS = 1 << 22  # of a frame
_LARGE = 1 << 53


class _Rule(NamedTuple):
    accepts: Callable[[object], bool]
    words: str


def _is_whole(value, low, high):
    return type(value) is int and low <= value <= high


def _whole(low, high=_LARGE):
    return _Rule(lambda x: _is_whole(x, low, high), f"a whole number from {low} to {high}")


def _or_none(rule):
    return _Rule(lambda x: x is None or rule.accepts(x), f"{rule.words}, or null")


def _numbers(*counts):
    def accept(value):
        listed = isinstance(value, list | tuple) and len(value) in counts
        return listed and all(type(x) in (int, float) and abs(x) < _LARGE for x in value)  # NaN is not

    return _Rule(accept, f"{' or '.join(map(str, counts))} finite numbers")


def _is_size(value):
    sides = isinstance(value, list | tuple) and len(value) == 2 and all(_is_whole(x, 1, MAX_PIXELS) for x in value)
    return sides and math.prod(value) <= MAX_PIXELS


_FLAG = _Rule(lambda x: type(x) is bool, "true or false")
_TEXT = _Rule(lambda x: isinstance(x, str) and len(x) <= 4096, "text")
_SIZE = _Rule(_is_size, f"[height, width] of at most {MAX_PIXELS:,} pixels")
_ROOMS = _Rule(
    lambda x: isinstance(x, list | tuple) and len(x) == 2 and all(_is_whole(n, 1, 1 << 24) for n in x),
    f"two whole numbers from 1 to {1 << 24}",
)
_SCALE = _Rule(lambda x: type(x) in (int, float) and 0 < x < _LARGE, "a number above 0")

_DEPTHS = _Rule(
    lambda x: isinstance(x, list | tuple) and all(type(n) in (int, float) and 0 <= n < math.inf for n in x),
    "finite numbers from 0",
)

_SETTINGS = {
    "seed": _whole(0),
    "batch_size": _whole(1, 1 << 16),
    "flip_tta": _FLAG,
    "model.name": _TEXT,
    "model.dtype": _TEXT,
    "data.source": _TEXT,
    "data.path": _or_none(_TEXT),
    "data.split": _TEXT,
    "data.depth": _TEXT,
    "data.batches": _TEXT,
    "data.max_depth": _SCALE,
    "data.invalid": _DEPTHS,
    "data.frame_size": _SIZE,
    "data.crop_size": _SIZE,
    "data.rooms_frames": _ROOMS,
    "data.mix": _TEXT,
    "data.sensor": _FLAG,
    "data.folder.image": _or_none(_TEXT),
    "data.folder.depth": _or_none(_TEXT),
    "data.folder.depth_scale": _or_none(_SCALE),
    "data.folder.intrinsics": _or_none(_numbers(1, 2, 4)),
}
_NAMES = _Rule(
    lambda x: isinstance(x, list) and len(x) <= 10_000 and all(map(_TEXT.accepts, x)), "a list of at most 10,000 names"
)
_COUNT, _HASH = _or_none(_whole(0)), _or_none(_TEXT)
_DATA = {
    "split_hash": _HASH,
    "train_frames": _COUNT,
    "val_frames": _COUNT,
    "mean_depth_frames": _COUNT,
    "masked": _Rule(
        lambda x: isinstance(x, dict) and all(_is_whole(n, 0, _LARGE) for n in x.values()), "counts by their names"
    ),
    "intrinsics": _Rule(lambda x: x in (None, []) or _numbers(4).accepts(x) and min(x[:2]) > 0, "fx, fy, cx, cy"),
    "scenes": _NAMES,
    "began_with": _Rule(lambda x: isinstance(x, list) and len(x) <= 1000, "a list"),
}
_TRAINING = {
    "source": _TEXT,
    "split": _TEXT,
    "split_hash": _HASH,
    "mix": _HASH,
    "depth": _HASH,
    "seed": _COUNT,
    "train_frames": _COUNT,
    "scenes": _NAMES,
}


def check(settings, data):
    """Checks the content of a record.

    Args:
      settings: {name: value}, with names such as "data.path".
      data: what is kept beside the settings; what is missing has a default.

    Raises:
      InputError: naming the first setting that is missing, of another type or out of bounds.
    """
    for name, rule in _SETTINGS.items():
        if name not in settings:
            raise InputError(f"config.{name} is missing: expected {rule.words}")
        _check(f"config.{name}", settings[name], rule)
    for name in data.keys() & _DATA.keys():
        _check(f"data.{name}", data[name], _DATA[name])
    for entry in data.get("began_with", ()):
        if not isinstance(entry, dict) or not {"source", "split"} <= entry.keys() <= _TRAINING.keys():
            raise InputError(f"data.began_with={reprlib.repr(entry)}: expected {', '.join(_TRAINING)}")
        for name, value in entry.items():
            _check(f"data.began_with.{name}", value, _TRAINING[name])
    height, width = settings["data.crop_size"]
    frame = tuple(settings["data.frame_size"])
    if height > frame[0] or width > frame[1]:
        raise InputError(f"config.data.crop_size={(height, width)}: expected a size within the frame's {frame}")


def _check(name, value, rule):
    if not rule.accepts(value):
        raise InputError(f"{name}={reprlib.repr(value)}: expected {rule.words}")
