"""How fast each data path makes batches, and how fast rooms are rendered."""

import itertools

import jax
import numpy as np

import jaxdepth.data.batches.inputs
from jaxdepth import rooms
from jaxdepth.benchmark import timing
from jaxdepth.benchmark.record import row
from jaxdepth.data.frames import Frames
from jaxdepth.training import sharding


def measure(*, batches=30, seconds=20) -> list[dict]:
    """Examples a second of each path of `inputs`, in turns: batches of 8, the paper's augmentation.

    Frames of 240x320 lie in memory and hold noise: what they show does not change the cost. And rooms a second.
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
        truth="noise",
        description="noise",
    )
    settings = dict(
        mesh=sharding.make_mesh(jax.devices()[:1]),
        batch_size=batch_size,
        seed=0,
        start_step=0,
        process_index=0,
        process_count=1,
        crop_size=(228, 304),
        scale=(0.75, 1.25),
        rotation=5.0,
        flip=False,
        colour=0.0,
        light=0.0,
    )
    makers = {path: _maker(path, frames, settings, batches) for path in jaxdepth.data.batches.inputs.PATHS}
    times = timing.in_turns(makers, seconds=seconds)
    rates = {path: batches * batch_size / float(np.median(times[path])) for path in makers}
    return [
        row("batches by tfdata", batch=batch_size, unit="examples/s", ours=rates["tfdata"]),
        row(
            "batches by device",
            batch=batch_size,
            unit="examples/s",
            ours=rates["device"],
            peer=rates["tfdata"],
            peer_name="tfdata",
        ),
        row("rooms of 240x320", unit="frames/s", ours=_rooms_rate(seconds)),
    ]


def _rooms_rate(seconds, count=64):
    times = timing.in_turns({"rooms": lambda: rooms.frames(0, 0, count)}, seconds=seconds)["rooms"]
    return count / float(np.median(times))


def _maker(path, frames, settings, batches):
    """A function that makes so many batches and waits for them."""
    inputs, draw = jaxdepth.data.batches.inputs.make(path, frames, np.arange(len(frames)), **settings)
    if draw is None:
        return lambda: jax.block_until_ready(list(itertools.islice(inputs, batches)))
    draw, data, steps = jax.jit(draw), next(inputs), itertools.count()
    return lambda: jax.block_until_ready([draw(data, step) for step in itertools.islice(steps, batches)])
