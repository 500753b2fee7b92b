"""The form in which every source hands over its frames."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Frames:
    """The frames of one source at the working resolution H x W, plain or memory-mapped numpy arrays.

    Attributes:
      name: the source's name in metrics and protocols, "nyu" or "rooms".
      images: uint8 [N, H, W, 3], RGB.
      depths: float32 [N, H, W], metres, finite; 0 = no measurement.
      labels: uint16 [N, H, W], classes of the source, 0 = unlabelled.
      ids: int64 [N], ascending, the source's own name for a frame (NYU: the official 1-based id).
      intrinsics: (fx, fy, cx, cy) in pixels of H x W, in the convention of `jaxdepth.geometry`.
      full_depth: position -> float32 [480, 640], the truth at NYU's full size: read from its file on demand and masked
        like `depths`; rooms are rendered once more.
      splits: split's name -> (train ids, val ids), for `jaxdepth.data.splits.split`.
      counts: what was masked when the source was read: pixels "nan", "inf", "negative", and "empty_frames",
        the number of frames without a single measurement.
      description: one line for the log: which source, where it was found, and why it was taken.
    """

    name: str
    images: np.ndarray
    depths: np.ndarray
    labels: np.ndarray
    ids: np.ndarray
    intrinsics: tuple[float, float, float, float]
    full_depth: Callable[[int], np.ndarray]
    splits: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]
    counts: Mapping[str, int]
    description: str

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the stored frames."""
        return self.images.shape[1:3]


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
