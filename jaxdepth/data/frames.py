"""The form in which every source hands over its frames."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

METRES = (0.1, 100.0)  # a median of depths outside is a unit misunderstood


class Rows:
    """Of an array [N, ...] of frames what sources are asked for, where it is not to be in memory.

    `load(i)` gives the frame i; an index is a number, a slice or an array of numbers.
    """

    def __init__(self, load, shape, dtype):
        self.shape, self.dtype = tuple(shape), np.dtype(dtype)
        self._load = load

    def __len__(self):
        return self.shape[0]

    @property
    def nbytes(self):
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def __getitem__(self, index):
        places = np.arange(len(self))[index]
        if places.ndim == 0:
            return self._load(int(places))
        frames = np.empty((len(places), *self.shape[1:]), self.dtype)
        for frame, place in zip(frames, places, strict=True):
            frame[...] = self._load(int(place))
        return frames


@dataclass(frozen=True)
class Frames:
    """The frames of one source at the working resolution H x W: numpy arrays, memory-mapped or not, or `Rows`.

    Attributes:
      name: the source's name in metrics and protocols, "nyu", "folder" or "rooms".
      images: uint8 [N, H, W, 3], RGB.
      depths: float32 [N, H, W], metres, finite; 0 = no measurement.
      labels: uint16 [N, H, W], classes of the source, 0 = unlabelled.
      ids: int64 [N], distinct, the source's own name for a frame (NYU: the official 1-based id; a folder: made of the
        names of its files).
      intrinsics: (fx, fy, cx, cy) in pixels of H x W, in the convention of `geometry.camera`; () where a folder's
        camera is not known.
      full_depth: position -> float32 [480, 640], the truth at NYU's full size: read from its file on demand and masked
        like `depths`; rooms are rendered once more, and a folder's depths brought to that size.
      splits: split's name -> (train ids, val ids), for `jaxdepth.data.splits.split`.
      counts: what was masked when the source was read: pixels "nan", "inf", "negative", and "empty_frames",
        the number of frames without a single measurement.
      truth: what the depths are, for protocols, such as "filled depth".
      description: one line for the log: which source, where it was found, and why it was taken.
    """

    name: str
    images: np.ndarray
    depths: np.ndarray
    labels: np.ndarray
    ids: np.ndarray
    intrinsics: tuple[float, ...]
    full_depth: Callable[[int], np.ndarray]
    splits: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]
    counts: Mapping[str, int]
    truth: str
    description: str

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the stored frames."""
        return self.images.shape[1:3]


def check_metres(depths, where):
    """Raise ValueError, with `where`, for depths whose median above 0 is that of no picture in metres."""
    valid = depths[depths > 0]
    if valid.size and not METRES[0] <= (median := float(np.median(valid))) <= METRES[1]:
        raise ValueError(f"{where}: median depth {median:.4g}; expected metres, {METRES[0]:g} to {METRES[1]:g}")


def mask_invalid(depths: np.ndarray) -> tuple[np.ndarray, dict]:
    """Depths [..., H, W] with NaN, infinite and negative values as 0, no measurement, and how many there were of each.

    The counts are of pixels "nan", "inf" and "negative", and of "empty_frames", those without any depth above 0.
    """
    nan, inf = np.isnan(depths), np.isinf(depths)
    negative = (depths < 0) & ~inf
    valid = np.where(nan | inf | negative, np.float32(0), depths)
    empty = ~(valid > 0).any((-2, -1))
    masks = {"nan": nan, "inf": inf, "negative": negative, "empty_frames": empty}
    return valid, {name: int(mask.sum()) for name, mask in masks.items()}


def centre_crop(image, depth, *, crop_size):
    """The central (h, w) of pictures [..., H, W, 3] and depths [..., H, W]; the test set's crop (paper, section 3.2).

    An odd remainder leaves the larger part below and to the right. Raises ValueError where the crop is larger.
    """
    top, left = centre_corner(depth.shape[-2:], crop_size=crop_size)
    rows, columns = slice(top, top + crop_size[0]), slice(left, left + crop_size[1])
    return image[..., rows, columns, :], depth[..., rows, columns]


def centre_corner(size, *, crop_size):
    """(row, column) of the first pixel of the central `crop_size` (h, w) in a frame of `size` (H, W)."""
    if not all(0 < c <= s for c, s in zip(crop_size, size, strict=True)):
        raise ValueError(f"crop_size={tuple(crop_size)}: expected (height, width) within the frame's {tuple(size)}")
    return (size[0] - crop_size[0]) // 2, (size[1] - crop_size[1]) // 2
