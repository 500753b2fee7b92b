"""How fast each data path makes batches."""

import time
from itertools import islice

import numpy as np

from jaxdepth.benchmark.record import row
from jaxdepth.data import pipeline
from jaxdepth.data.frames import Frames


def measure(*, batches=60) -> list[dict]:
    """Examples a second out of `pipeline.train_batches`: batches of 8, the paper's augmentation (section 3.2).

    Frames of 240x320 lie in memory and hold noise: what they show does not change the cost.
    """
    count, size, batch_size = 64, (240, 320), 8
    rng = np.random.default_rng(0)
    depths = rng.uniform(0.5, 10, (count, *size)).astype(np.float32)
    frames = Frames(
        name="rooms",
        images=rng.integers(0, 256, (count, *size, 3), np.uint8),
        depths=depths,
        labels=np.zeros((count, *size), np.uint16),
        ids=np.arange(count),
        intrinsics=(1.0, 1.0, 0.0, 0.0),
        full_depth=depths.__getitem__,
        splits={},
        counts={},
        description="noise",
    )
    stream = pipeline.train_batches(
        frames,
        np.arange(count),
        batch_size=batch_size,
        seed=0,
        crop_size=(228, 304),
        scale=(0.75, 1.25),
        rotation=5.0,
        flip=False,
        colour=0.0,
    )
    for _ in islice(stream, 5):  # fills the buffers, so that as much lies in them at the start as at the end
        pass
    start = time.perf_counter()
    for _ in islice(stream, batches):
        pass
    seconds = time.perf_counter() - start
    stream.close()
    return [row("tfdata", batch=batch_size, unit="examples/s", ours=batches * batch_size / seconds)]
