"""The baseline that looks at no picture: the mean depth image of the training frames."""

import numpy as np
from absl import logging
from tqdm import tqdm

from jaxdepth.geometry.framing import centre_corner

NAME = "mean_depth"  # of the baseline among a network's outputs
SAMPLE = 5000  # frames: of more than that, this many are read


def sample(indices):
    """At most SAMPLE of some frames' indices, evenly spaced."""
    if len(indices) <= SAMPLE:
        return indices
    return np.asarray(indices)[np.linspace(0, len(indices) - 1, SAMPLE).round().astype(int)]


def mean_depth_image(frames, indices):
    """The per-pixel geometric mean of the valid depths of some frames.

    Args:
      frames: a Frames with at least one valid depth.
      indices: int64 [n], which of its frames; of many, a sample is read, see `sample`.

    Returns:
      float32 [H, W], metres; where no frame has a valid depth, the geometric mean of all.
    """
    chosen = sample(indices)
    if len(chosen) < len(indices):
        logging.info("mean depth image: from %d of %d training frames, evenly spaced", len(chosen), len(indices))
    total, count = np.zeros(frames.size), np.zeros(frames.size)
    for index in tqdm(chosen, desc="mean depth image", unit="frame", disable=None, delay=2):
        depth = np.asarray(frames.depths[index], np.float64)
        total += np.log(np.where(depth > 0, depth, 1.0))
        count += depth > 0
    mean = np.where(count > 0, total / np.maximum(count, 1), total.sum() / count.sum())
    return np.exp(mean).astype(np.float32)


def central_log_depth(depth, *, crop_size):
    """The natural log of the centre crop (h, w) of a depth image [H, W]."""
    top, left = centre_corner(depth.shape, crop_size=crop_size)
    return np.log(depth[top : top + crop_size[0], left : left + crop_size[1]])
