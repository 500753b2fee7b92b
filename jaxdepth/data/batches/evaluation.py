"""Evaluation batches: centre crops in order, each once."""

import math

import numpy as np

from jaxdepth.geometry.framing import centre_crop


def eval_batches(frames, indices, *, batch_size, crop_size, process_index=0, process_count=1):
    """Yields the centre crops of some frames; the last batch is filled up with examples of weight 0.

    Args:
      frames: a Frames.
      indices: int64 [n], which of its frames.
      batch_size: images of all processes together, a multiple of `process_count`.
      crop_size: (h, w).
      process_index: of this process.
      process_count: number of processes; all get the same number of batches.

    Yields:
      {"image": float32 [b, h, w, 3] in [0, 1], "depth": float32 [b, h, w] metres, "weight": float32 [b], "index": int64
      [b] in `frames`}, with b = batch_size / process_count.
    """
    local = batch_size // process_count
    for step in range(math.ceil(len(indices) / batch_size)):
        ranks = step * batch_size + process_index * local + np.arange(local)
        chosen = np.asarray(indices)[np.minimum(ranks, len(indices) - 1)]
        image, depth = centre_crop(frames.images[chosen], frames.depths[chosen], crop_size=crop_size)
        weight = (ranks < len(indices)).astype(np.float32)
        yield {"image": np.float32(image) / 255, "depth": np.array(depth), "weight": weight, "index": chosen}
