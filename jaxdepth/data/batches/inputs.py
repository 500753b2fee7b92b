"""Training batches by one of two paths: made by tf.data on the host, or drawn from frames that live on the devices."""

import functools
import itertools
import os

from absl import logging

from jaxdepth.data.batches import device, mix, tfdata
from jaxdepth.training import sharding

PATHS = ("tfdata", "device")
_SHARE = 4  # of a device's memory that frames may take
_ON_CPU = 1 << 30  # bytes: of a CPU's memory no more, where tf.data reads from the disk


def choose(name, frames, positions, *, mesh):
    """The path of a run, one of PATHS, said in the log.

    `auto` takes `device` where the frames fit into a quarter of the devices' memory (of a CPU's, into a GiB of it),
    because that is the faster one (`python launch/benchmark.py data`), and `tfdata` elsewhere; with several processes,
    where they fit in each.
    Raises ValueError for an unknown name.
    """
    if name not in ("auto", *PATHS):
        raise ValueError(f"config.data.batches={name!r}: expected one of auto, {', '.join(PATHS)}")
    reason = "asked for"
    if name == "auto":
        needed, room = device.nbytes(frames, positions), (_room(mesh) or 0) * mesh.size
        name = "tfdata" if sharding.any_process(needed > room) else "device"
        reason = f"{needed / 1e6:.0f} MB of frames, room for {room / 1e6:.0f} MB"
    where = {"tfdata": "tf.data on the host", "device": "frames on the devices"}[name]
    logging.info("batches: %s, %s (%s)", name, where, reason)
    return name


def make(
    path,
    frames,
    positions,
    *,
    mesh,
    batch_size,
    rooms=0,
    sensor=False,
    seed,
    start_step,
    process_index,
    process_count,
    **augmentation,
):
    """What the train step takes at each step, and its `draw`: see `jaxdepth.training.step.make_train_step`.

    Args:
      path: one of PATHS.
      frames: a Frames; positions: int64 [n], those to train on.
      rooms: how many examples of a batch are endless rooms, see `mix`; sensor: seen through the sensor.
      mesh, batch_size, seed, start_step, process_index, process_count, augmentation: as in `tfdata.train_batches`.

    Returns:
      An endless iterator of the step's second argument, and the function that draws a batch of it, or None where it is
      the batch. Frames that do not fit on one device are divided over all.
    """
    if rooms:
        inputs, draw = itertools.repeat(None), None
        if batch_size > rooms:
            settings = dict(seed=seed, start_step=start_step, process_index=process_index, process_count=process_count)
            of_source = dict(batch_size=batch_size - rooms, **settings, **augmentation)
            inputs, draw = make(path, frames, positions, mesh=mesh, **of_source)
        one_by_one = mesh.size == 1 and mesh.local_devices[0].platform == "cpu"
        settings = dict(seed=seed, frame_size=frames.size, sensor=sensor, **augmentation)
        return inputs, mix.with_rooms(draw, count=rooms, one_by_one=one_by_one, **settings)
    if path == "device":
        room = _room(mesh)
        divided = room is not None and sharding.any_process(device.nbytes(frames, positions) > room)
        data = device.put(frames, positions, sharding=sharding.batched(mesh) if divided else sharding.replicated(mesh))
        settings = dict(count=len(positions), seed=seed, batch_size=batch_size, **augmentation)
        return itertools.repeat(data), functools.partial(device.draw_batch, **settings)
    stream = tfdata.train_batches(
        frames,
        positions,
        batch_size=batch_size,
        seed=seed,
        start_step=start_step,
        process_index=process_index,
        process_count=process_count,
        **augmentation,
    )
    batched = sharding.batched(mesh)
    return (sharding.put({"image": batch["image"], "depth": batch["depth"]}, batched) for batch in stream), None


def _room(mesh):
    """Bytes for frames on one device; None where its memory is not known."""
    device = mesh.local_devices[0]
    if device.platform != "cpu":
        statistics = device.memory_stats()
        return statistics and statistics["bytes_limit"] // _SHARE
    if not hasattr(os, "sysconf"):  # Windows
        return None
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")  # which CPU devices share
    return min(memory // _SHARE, _ON_CPU) // len(mesh.local_devices)
