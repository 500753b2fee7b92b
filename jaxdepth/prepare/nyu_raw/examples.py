"""Training frames of one raw scene: chosen by how much is new in them, colour and depth brought together."""

import collections
from typing import NamedTuple

import numpy as np

from jaxdepth.errors import InputError
from jaxdepth.geometry import resize
from jaxdepth.geometry.camera import NYU_INTRINSICS, NYU_SIZE, Intrinsics
from jaxdepth.geometry.framing import frame_intrinsics
from jaxdepth.prepare.nyu_raw import projection, scene

_MOTION_SIZE = (24, 32)  # at which pictures are compared
_STILL = 1.0  # levels; two pictures that differ by less on average are one


class Example(NamedTuple):
    """A training frame.

    Attributes:
      name: of its colour file, without extension.
      scene: name of the scene.
      seconds: when the colour picture was taken.
      gap: seconds from it to the depth picture.
      picture: uint8 [h, w, 3].
      depth: float32 [h, w], metres; 0 where there is no measurement.
      intrinsics: in pixels of the picture.
    """

    name: str
    scene: str
    seconds: float
    gap: float
    picture: np.ndarray
    depth: np.ndarray
    intrinsics: Intrinsics


def examples(recording, *, count, size=(240, 320), max_gap=scene.MAX_GAP, left_out=None):
    """Yields the training frames of a scene.

    Args:
      recording: a Recording.
      count: how many at most; fewer where little moves.
      size: (h, w), of the largest central part in its shape.
      max_gap: seconds between colour and depth of a frame.
      left_out: a collections.Counter, to which the reasons are added for what is not used.

    Yields:
      An Example each, in the order of time.
    """
    left_out = collections.Counter() if left_out is None else left_out
    colour, depth = scene.timed(recording.files)
    pairs, alone = scene.pair(colour, depth, max_gap=max_gap)
    left_out["no depth picture near in time"] += len(alone)
    camera = frame_intrinsics(NYU_INTRINSICS, size=NYU_SIZE, frame_size=size)
    with recording.opened() as read:
        small, readable = [], []
        for pair in pairs:
            picture = _read(read, scene.read_colour, pair.colour.name, left_out)
            if picture is not None:
                small.append(resize.shrink(picture, _MOTION_SIZE).mean(-1))
                readable.append(pair)
        wanted = chosen(np.array(small), count)
        left_out["too like its neighbours"] += len(readable) - len(wanted)
        for i in wanted:
            pair = readable[i]
            codes = _read(read, scene.read_depth, pair.depth.name, left_out)
            picture = _read(read, scene.read_colour, pair.colour.name, left_out)
            if picture is None or codes is None:
                continue
            found = resize.central_nearest(projection.projected_depth(codes), frame_size=size, out_size=size)
            if not found.any():
                left_out["no valid depth"] += 1
                continue
            yield Example(
                pair.colour.name.removesuffix(".ppm"),
                recording.scene,
                pair.colour.seconds,
                pair.gap,
                projection.undistorted_picture(picture, size),
                found,
                camera,
            )


def chosen(pictures, count):
    """Chooses pictures of a sequence that are evenly far from each other, by how much they differ.

    The distance along the sequence is the sum of the mean differences of neighbours. A step below _STILL is none: the
    noise of a camera that does not move adds up to nothing.

    Args:
      pictures: float [n, h, w], grey levels from 0 to 255.
      count: how many at most.

    Returns:
      A list of indices that grow, the first picture among them.
    """
    if not len(pictures) or count < 1:
        return []
    steps = np.abs(np.diff(pictures, axis=0)).mean((1, 2))
    along = np.concatenate([[0.0], np.cumsum(np.where(steps < _STILL, 0, steps))])
    wanted = np.linspace(0, along[-1], count + 1)[:-1]
    return sorted(set(np.searchsorted(along, wanted, side="left").tolist()))


def _read(read, parse, name, left_out):
    """A file's content by `parse`; None, and a reason more in `left_out`, where it is damaged."""
    try:
        return parse(read(name), name)
    except InputError as error:
        told = str(error)
        kind = next(
            (kind for kind in ("an empty file", "cut off", "damaged member") if kind in told), "not such a file"
        )
        left_out[f"{'colour' if name.startswith('r') else 'depth'}: {kind}"] += 1
        return None
