"""Orders the frames of all parts, cuts them into shards, and writes one."""

import collections
import dataclasses
import hashlib
import pathlib
from typing import NamedTuple

from jaxdepth.data.sources import tfds_shards
from jaxdepth.errors import InputError
from jaxdepth.geometry.camera import NYU_INTRINSICS, NYU_SIZE
from jaxdepth.geometry.framing import frame_intrinsics
from jaxdepth.prepare.nyu_raw import parts

_BYTES = 256 << 20  # of a shard, about
_DEPTH_PACKED = 0.4  # bytes of packed depth in those of float16, about


class Frame(NamedTuple):
    """A frame in a part's file."""

    part: pathlib.Path
    scene: str
    name: str
    seconds: float
    gap: float

    @property
    def full_name(self):
        """Its name among those of all scenes."""
        return f"{self.scene}/{self.name}"


@dataclasses.dataclass(frozen=True)
class Shard:
    """A shard to be written: its file, and its frames in order."""

    path: pathlib.Path
    frames: tuple[Frame, ...]


def planned(told, folder, *, dataset, size):
    """The shards of a data set.

    Args:
      told: {path of a part: its part.json}.
      folder: of the shards.
      dataset: its name.
      size: (h, w) of the frames.

    Returns:
      A list of Shard: all frames in the order of the sha256 of SCENE/NAME.
    """
    frames = [
        Frame(path, part["scene"], frame["name"], frame["seconds"], frame["gap"])
        for path, part in told.items()
        for frame in part["frames"]
    ]
    frames.sort(key=lambda frame: hashlib.sha256(frame.full_name.encode()).digest())
    pictures = sum(frame["png_bytes"] for part in told.values() for frame in part["frames"])
    total = pictures + len(frames) * _DEPTH_PACKED * 2 * size[0] * size[1]
    count = max(1, min(len(frames), round(total / _BYTES)))
    edges = [len(frames) * i // count for i in range(count + 1)]
    return [
        Shard(pathlib.Path(folder, tfds_shards.shard_name(dataset, i, count)).absolute(), tuple(frames[start:end]))
        for i, (start, end) in enumerate(zip(edges, edges[1:], strict=False))
    ]


def make(size, shard):
    """Writes a shard, unless it is there. Beside one that cannot be written lies a file with the reason.

    A part that turns out to be damaged is removed, so that it is made again.

    Args:
      size: (h, w) of the frames.
      shard: the Shard.
    """
    if is_complete(shard):
        return
    try:
        tfds_shards.write_shard(shard.path, _records(size, shard.frames))
    except (OSError, InputError) as error:
        parts.note_failure(shard.path, error)


def is_complete(shard) -> bool:
    """Whether a shard is there, which it is under its name only if it is whole."""
    return shard.path.exists()


def _records(size, frames):
    """The records of some frames in their order; each part's file is opened once."""
    serialize = tfds_shards.serializer(size)
    intrinsics = tuple(frame_intrinsics(NYU_INTRINSICS, size=NYU_SIZE, frame_size=size))
    of_part = collections.defaultdict(dict)
    for i, frame in enumerate(frames):
        of_part[frame.part][frame.name] = i
    records = [b""] * len(frames)
    for path, wanted in of_part.items():
        try:
            for name, picture, depth in parts.read_frames(path, wanted):
                frame = frames[wanted[name]]
                records[wanted[name]] = serialize(
                    {
                        "image": picture,
                        "depth": depth,
                        "intrinsics": intrinsics,
                        "name": frame.name,
                        "scene": frame.scene,
                        "seconds": frame.seconds,
                        "gap": frame.gap,
                    }
                )
        except InputError:
            path.unlink(missing_ok=True)
            raise
    return records
