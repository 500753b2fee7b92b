"""Speed of the parts of the package on this machine, as rows for a table."""

import time

import numpy as np

from jaxdepth.data import pipeline
from jaxdepth.data.frames import Frames


def data(*, seconds=5.0, batch_size=8):
    """Training batches a second of the tf.data pipeline with the paper's augmentation, 304x228 crops of 320x240 frames.

    The frames are noise in memory, so the number is that of the augmentation and the batching and not of a disk.
    Measures for `seconds` after the pipeline has started up. Prints the result.

    Returns:
      One row, in a list: "what", "network", "batch", "unit", "ours" and, as nothing is compared, None for "peer",
      "peer_name" and "ratio".
    """
    batches = pipeline.train_batches(
        _noise(64),
        np.arange(64),
        batch_size=batch_size,
        seed=0,
        crop_size=(228, 304),
        scale=(0.75, 1.25),
        rotation=5.0,
        flip=False,
        colour=0.0,
    )
    for _ in range(10):
        next(batches)
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        next(batches)
        count += batch_size
    rate = count / (time.perf_counter() - start)
    batches.close()
    print(f"tfdata, batch {batch_size}: {rate:.0f} examples/s")
    return [
        {
            "what": "tfdata",
            "network": None,
            "batch": batch_size,
            "unit": "examples/s",
            "ours": round(rate, 1),
            "peer": None,
            "peer_name": None,
            "ratio": None,
        }
    ]


def _noise(n, size=(240, 320)):
    rng = np.random.default_rng(0)
    return Frames(
        name="noise",
        images=rng.integers(0, 256, (n, *size, 3), np.uint8),
        depths=rng.uniform(0.5, 9.5, (n, *size)).astype(np.float32),
        labels=np.zeros((n, *size), np.uint16),
        ids=np.arange(n),
        intrinsics=(1.0, 1.0, 0.0, 0.0),
        full_depth=None,
        splits={},
        counts={},
        description="noise",
    )
