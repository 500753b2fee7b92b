"""The form in which every source hands over its frames."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from jaxdepth.geometry.camera import Intrinsics
from jaxdepth.geometry.depth import MAX_DEPTH


class LazyArray:
    """A lazy, read-only array [N, ...] of frames; loads on indexing.

    Args:
      load: i -> array [...], the frame i.
      shape: (N, ...).
      dtype: of the frames.
    """

    def __init__(self, load, shape, dtype):
        self.shape, self.dtype = tuple(shape), np.dtype(dtype)
        self._load = load

    def __len__(self):
        return self.shape[0]

    @property
    def nbytes(self):
        """Size of the whole array in bytes."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def __getitem__(self, index):
        """The frame at an integer, or the frames at a slice or an array of integers."""
        if np.ndim(index) == 0 and not isinstance(index, slice):
            return self._load(range(len(self))[index])  # np.arange of 400,000 would take .1 ms
        chosen = np.arange(len(self))[index]
        frames = np.empty((len(chosen), *self.shape[1:]), self.dtype)
        for frame, i in zip(frames, chosen, strict=True):
            frame[...] = self._load(int(i))
        return frames


class OwnSizes(NamedTuple):
    """How frames are scored that are whole pictures of sizes and cameras of their own, such as those of test sets.

    Attributes:
      sizes: int64 [N, 2], (height, width) of each truth.
      cameras: of each, in pixels of its truth; None where unknown.
      annotations: index -> a NamedTuple with `edges` and `planes`, see `testset.Annotations`; None without.
    """

    sizes: np.ndarray
    cameras: tuple[Intrinsics | None, ...]
    annotations: Callable[[int], NamedTuple] | None = None


@dataclass(frozen=True)
class Frames:
    """The frames of one source at the working resolution H x W. Arrays are numpy arrays, memory-mapped or not, or lazy.

    Attributes:
      name: the source's name in metrics and protocols: "nyu", "folder", "tfds", "rooms", or of a test set.
      images: uint8 [N, H, W, 3], RGB.
      depths: float32 [N, H, W], metres, finite; 0 where there is no measurement.
      ids: int64 [N], distinct names of the frames: NYU's official 1-based ids; for a folder, hashes of file names.
      intrinsics: camera in pixels of H x W; None if unknown.
      full_depth: index -> float32 [480, 640], truth at NYU's full size, masked like `depths`: read from the file,
        rendered once more for rooms, resized for a folder. With `own_sizes`, at the size of that frame's truth.
      splits: {name of a split: (train ids, val ids)}, for `splits.split`.
      counts: what was masked when the source was read, see `geometry.depth.mask_invalid`; empty if it was not counted.
      truth: what the depths are, for protocols, such as "filled depth".
      description: one line for the log: which source, where it was found, and why it was chosen.
      picture_size: index -> (height, width) of the picture whose centre a frame is; None where all have its shape.
        With `own_sizes`, of the picture that is placed in the frame as a whole, see `framing.place`.
      labels: uint16 [N, H, W], classes of the source, 0 where unlabelled, read only when indexed; None without labels.
      invalid: depths in metres that were masked as no measurement.
      max_depth: metres; depth beyond it was masked.
      label_names: names of the classes, by label; None if unknown.
      names: of the frames, where ids tell a person nothing; None otherwise.
      scenes: name of the scene of each frame; None if unknown.
      own_sizes: for frames that are scored at sizes of their own; None where all have NYU's.
    """

    name: str
    images: np.ndarray | LazyArray
    depths: np.ndarray | LazyArray
    ids: np.ndarray
    intrinsics: Intrinsics | None
    full_depth: Callable[[int], np.ndarray]
    splits: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]
    counts: Mapping[str, int]
    truth: str
    description: str
    picture_size: Callable[[int], tuple[int, int]] | None = None
    labels: LazyArray | None = None
    label_names: tuple[str, ...] | None = None
    names: tuple[str, ...] | None = None
    scenes: tuple[str, ...] | None = None
    own_sizes: OwnSizes | None = None
    invalid: tuple[float, ...] = ()
    max_depth: float = MAX_DEPTH

    def __len__(self) -> int:
        return len(self.ids)

    def name_of(self, index) -> str:
        """A name of a frame for people."""
        return f"{self.name} {self.ids[index] if self.names is None else self.names[index]}"

    def file_name(self, index) -> str:
        """What a file that belongs to a frame is called, without extension: its name, or its id in four digits."""
        return f"{self.ids[index]:04d}" if self.names is None else self.names[index]

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the frames."""
        return self.images.shape[1:3]
