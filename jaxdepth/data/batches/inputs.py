"""Builds the training input iterator, by one of two pipelines: tf.data on the host, or frames on the devices."""

import functools
import itertools
import math
import os

import numpy as np
from absl import logging

from jaxdepth.data.batches import device, mix, order, tfdata
from jaxdepth.errors import InputError
from jaxdepth.geometry import framing
from jaxdepth.geometry.camera import nyu_intrinsics
from jaxdepth.geometry.framing import centre_corner
from jaxdepth.paths import shown
from jaxdepth.training import sharding

PIPELINES = ("tfdata", "device")
_SHARE = 4  # a quarter of a device's memory is for frames
_CPU_LIMIT = 1 << 30  # bytes of a CPU's memory, as tf.data can read from the disk


def choose_pipeline(name, frames, indices, *, mesh):
    """Chooses a run's pipeline and logs the choice.

    `auto` takes `device`, the faster one (`python launch/benchmark.py data`), if the frames fit into a quarter of the
    devices' memory (a GiB of a CPU's) in every process, else `tfdata`.

    Args:
      name: "auto" or one of PIPELINES.
      frames: a Frames.
      indices: int64 [n], which of its frames are trained on.
      mesh: the devices.

    Returns:
      One of PIPELINES.

    Raises:
      InputError: for an unknown name.
    """
    if name not in ("auto", *PIPELINES):
        raise InputError(f"config.data.batches={name!r}: expected one of auto, {', '.join(PIPELINES)}")
    reason = "as set"
    if name == "auto":
        needed, available = device.nbytes(frames, indices), (_device_budget(mesh) or 0) * mesh.size
        name = "tfdata" if sharding.any_process(needed > available) else "device"
        reason = f"{needed / 1e6:.0f} MB of frames, {available / 1e6:.0f} MB available"
    where = {"tfdata": "tf.data on the host", "device": "frames on the devices"}[name]
    logging.info("batches: %s, %s (%s)", name, where, reason)
    return name


def make_inputs(
    pipeline,
    frames,
    indices,
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
    """Builds the training input iterator.

    Args:
      pipeline: one of PIPELINES.
      frames: a Frames.
      indices: int64 [n], which of its frames to train on.
      mesh: the devices.
      batch_size: images of all processes together.
      rooms: how many examples of a batch are endless rooms, see `mix`.
      sensor: whether endless rooms are seen through a sensor.
      seed: of order, augmentation and rooms.
      start_step: global step of the first batch.
      process_index: of this process.
      process_count: number of processes.
      **augmentation: crop_size, scale, rotation, flip, colour, light: see `augment.augment`.

    Returns:
      An endless iterator of the train step's second argument, and its `draw`, see `step.make_train_step`. The device
      pipeline divides frames that do not fit on one device over all of them.
    """
    if rooms:
        inputs, draw = itertools.repeat(None), None
        if batch_size > rooms:
            processes = dict(process_index=process_index, process_count=process_count)
            rest = dict(batch_size=batch_size - rooms, seed=seed, start_step=start_step, **processes, **augmentation)
            inputs, draw = make_inputs(pipeline, frames, indices, mesh=mesh, **rest)
        one_by_one = mesh.size == 1 and mesh.local_devices[0].platform == "cpu"
        options = dict(seed=seed, frame_size=frames.size, sensor=sensor, max_depth=frames.max_depth)
        of_rooms = framing.Framing(frames.size, frames.size, nyu_intrinsics(frames.size))
        options |= dict(focal_ratio=framing.frames_focal_ratio(frames.size, frames.intrinsics, of_rooms))
        return inputs, mix.with_rooms(draw, count=rooms, one_by_one=one_by_one, **options, **augmentation)
    if pipeline == "device":
        budget = _device_budget(mesh)
        divide = budget is not None and sharding.any_process(device.nbytes(frames, indices) > budget)
        data = device.put(frames, indices, sharding=sharding.batched(mesh) if divide else sharding.replicated(mesh))
        options = dict(count=len(indices), seed=seed, batch_size=batch_size, **augmentation)
        return itertools.repeat(data), functools.partial(device.draw_batch, **options)
    stream = tfdata.train_batches(
        frames,
        indices,
        batch_size=batch_size,
        seed=seed,
        start_step=start_step,
        process_index=process_index,
        process_count=process_count,
        **augmentation,
    )
    batched = sharding.batched(mesh)
    return (sharding.put({"image": batch["image"], "depth": batch["depth"]}, batched) for batch in stream), None


def example_names(pipeline, frames, indices, *, batch_size, rooms, seed, step):
    """Names the frames of a training step.

    Args:
      pipeline, frames, indices, batch_size, rooms, seed: as for `make_inputs`.
      step: global step of the batch, from 0.

    Returns:
      A list of names, in the order of the batch, such as nyu 12 or endless room 16777216.
    """
    names, count = [], batch_size - rooms
    if count:
        if pipeline == "device":
            ranks, _ = order.draw_examples(step, count=len(indices), seed=seed, batch_size=count)
            chosen = np.asarray(indices)[np.asarray(ranks)]
        else:
            chosen = tfdata.draw_indices(indices, step, batch_size=count, seed=seed)
        names = [shown(frames.name_of(index)) for index in chosen]
    return names + [f"endless room {index}" for index in mix.room_indices(step, count=rooms)]


def check(frames, *, batch_size, process_count, crop_size, scale, rotation, flip, colour, light):
    """Checks the settings of batches. Arguments as for `make_inputs`.

    Raises:
      InputError: for a setting out of range.
    """
    del rotation, flip  # any
    if batch_size < 1 or batch_size % process_count:
        raise InputError(f"config.batch_size={batch_size}: expected a multiple of the {process_count} processes")
    if len(crop_size) != 2 or min(crop_size) < 1:
        raise InputError(f"config.data.crop_size={tuple(crop_size)}: expected (height, width) in pixels")
    centre_corner(frames.size, crop_size=crop_size)
    if not (0 < scale[0] <= scale[1]):
        raise InputError(f"config.data.augmentation.scale={tuple(scale)}: expected 0 < least <= greatest")
    if max(crop_size) / scale[0] > 4000:  # half of what the integers in `augment.transform` can hold
        seen = math.ceil(max(crop_size) / scale[0])
        raise InputError(f"config.data.augmentation.scale={tuple(scale)}: a crop would show {seen} pixels of the frame")
    for name, value in (("colour", colour), ("light", light)):
        if not 0 <= value < 1:
            raise InputError(f"config.data.augmentation.{name}={value}: expected 0 <= {name} < 1")


def _device_budget(mesh):
    """Bytes for frames on one device; None if its memory is unknown."""
    first = mesh.local_devices[0]
    if first.platform != "cpu":
        statistics = first.memory_stats()
        return statistics and statistics["bytes_limit"] // _SHARE
    if not hasattr(os, "sysconf"):  # Windows
        return None
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")  # shared by all CPU devices
    return min(memory // _SHARE, _CPU_LIMIT) // len(mesh.local_devices)
