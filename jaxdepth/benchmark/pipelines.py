"""How fast each pipeline makes batches, and how fast rooms are rendered."""

import itertools

import jax
import numpy as np

from jaxdepth import rooms
from jaxdepth.benchmark import timing
from jaxdepth.benchmark.record import row
from jaxdepth.data.batches import inputs
from jaxdepth.data.frames import Frames
from jaxdepth.training import sharding

_BATCH_SIZE = 8


def measure(*, batches=30, seconds=20) -> list[dict]:
    """Measures the rates of the pipelines, in turns, and of the renderer of rooms.

    The pipelines make batches of 8 with the paper's augmentation from frames of 240x320 in memory. The frames hold
    noise: the cost does not depend on their content.

    Args:
      batches: number of batches of one timed call.
      seconds: of each measurement.

    Returns:
      A row for each pipeline in examples per second, and two for rooms in frames per second.
    """
    frames = _noise(64, (240, 320))
    makers = {pipeline: _maker(pipeline, frames, batches) for pipeline in inputs.PIPELINES}
    times = timing.in_turns(makers, seconds=seconds)
    rates = {pipeline: batches * _BATCH_SIZE / float(np.median(times[pipeline])) for pipeline in makers}
    rooms_per_second = _rooms_rates(seconds)
    labels, against = dict(batch=_BATCH_SIZE, unit="examples/s"), dict(peer=rates["tfdata"], peer_name="tfdata")
    return [
        row("batches by tfdata", **labels, ours=rates["tfdata"]),
        row("batches by device", **labels, ours=rates["device"], **against),
        row("rooms of 240x320", unit="frames/s", ours=rooms_per_second["exact"]),
        row("rooms of 240x320, through the sensor", unit="frames/s", ours=rooms_per_second["sensor"]),
    ]


def _noise(count, size):
    """Frames of noise in memory."""
    rng = np.random.default_rng(0)
    depths = rng.uniform(0.5, 10, (count, *size)).astype(np.float32)
    return Frames(
        name="rooms",
        images=rng.integers(0, 256, (count, *size, 3), np.uint8),
        depths=depths,
        ids=np.arange(count),
        intrinsics=None,
        full_depth=depths.__getitem__,
        splits={},
        counts={},
        truth="noise",
        description="noise",
    )


def _maker(pipeline, frames, batches):
    """A function that makes so many batches and waits for them."""
    stream, draw = inputs.make_inputs(
        pipeline,
        frames,
        np.arange(len(frames)),
        mesh=sharding.make_mesh(jax.devices()[:1]),
        batch_size=_BATCH_SIZE,
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
    if draw is None:
        return lambda: jax.block_until_ready(list(itertools.islice(stream, batches)))
    draw, data, steps = jax.jit(draw), next(stream), itertools.count()
    return lambda: jax.block_until_ready([draw(data, step) for step in itertools.islice(steps, batches)])


def _rooms_rates(seconds, count=64):
    """Rooms rendered per second, with exact depth and through the sensor."""
    render = {"exact": lambda: rooms.frames(0, 0, count), "sensor": lambda: rooms.frames(0, 0, count, sensor=True)}
    return {name: count / float(np.median(times)) for name, times in timing.in_turns(render, seconds=seconds).items()}
