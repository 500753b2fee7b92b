"""The device pipeline: frames on the devices, and the same batch on any number of devices."""

import dataclasses
import functools
import math
import re

import jax
import numpy as np
import pytest
from small_frames import AUGMENTATION, CROP, FRAMES, INDICES, SIZE, same

from jaxdepth.data.batches import device
from jaxdepth.data.batches.order import draw_examples
from jaxdepth.training import sharding


def shardings(devices):
    """(replicated, batched) over so many devices."""
    mesh = sharding.make_mesh(jax.devices()[:devices])
    return sharding.replicated(mesh), sharding.batched(mesh)


@functools.cache
def compiled(devices, settings):
    return jax.jit(functools.partial(device.draw_batch, **dict(settings)), out_shardings=shardings(devices)[1])


def batch(step, *, frames=FRAMES, batch_size=4, devices=1, divided=False, **changes):
    """The batch of a step as numpy, with its data replicated or divided over some devices."""
    data = device.put(frames, INDICES, sharding=shardings(devices)[divided])
    settings = dict(AUGMENTATION, count=len(INDICES), batch_size=batch_size, seed=0) | changes
    return jax.device_get(compiled(devices, tuple(settings.items()))(data, step))


def test_shapes_dtypes_and_ranges():
    bright = dataclasses.replace(FRAMES, images=np.full_like(FRAMES.images, 255))
    for frames in (FRAMES, bright):
        drawn = batch(0, frames=frames)
        assert {name: (value.shape, value.dtype) for name, value in drawn.items()} == {
            "image": ((4, *CROP, 3), np.float32),
            "depth": ((4, *CROP), np.float32),
        }
        assert 0 <= drawn["image"].min() and drawn["image"].max() <= 1
    assert drawn["image"].max() == 1  # clipped


@pytest.mark.parametrize("step", [0, 2, 10**7])
def test_image_and_depth_are_those_of_the_index(step):
    indices = INDICES[np.asarray(draw_examples(step, count=len(INDICES), seed=0, batch_size=4)[0])]
    drawn = batch(step, colour=0.0, light=0.0)
    np.testing.assert_allclose(drawn["image"].mean((1, 2, 3)) * 255, 10 * indices + 2.5, atol=1)
    for depth, index in zip(drawn["depth"], indices, strict=True):
        values = np.unique(depth[depth > 0])
        assert len(values) == 1 and 0.75 <= (1 + index) / values[0] <= 1.25


def test_a_batch_is_a_pure_function_of_seed_and_step():
    first = batch(3)
    assert same(first, batch(3))
    assert same(first, batch(np.int32(3)))
    assert not same(first, batch(4)) and not same(first, batch(3, seed=1))


@pytest.mark.parametrize("devices, divided, batch_size", [(4, False, 4), (4, True, 8), (2, True, 4)])
def test_the_number_of_devices_changes_no_bit(devices, divided, batch_size):
    for step in (0, 5):
        expected = batch(step, batch_size=batch_size, light=0.0)
        assert same(expected, batch(step, batch_size=batch_size, devices=devices, divided=divided, light=0.0))


def test_divided_frames_stay_divided():
    data = device.put(FRAMES, INDICES, sharding=shardings(2)[1])
    settings = dict(AUGMENTATION, count=11, batch_size=4, seed=0)
    text = compiled(2, tuple(settings.items())).lower(data, 0).compile().as_text()
    sizes = [math.prod(map(int, shape.split(","))) for shape in re.findall(r"u8\[([\d,]+)\]", text)]
    assert max(sizes) == FRAMES.images[:6].size  # no device holds more than its half


class Recorded:
    """An array that records which frames are read."""

    def __init__(self, array):
        self.array, self.shape, self.dtype, self.nbytes, self.reads = array, array.shape, array.dtype, array.nbytes, []

    def __getitem__(self, index):
        self.reads.append(int(index))
        return self.array[index]


@pytest.mark.parametrize("divided", [False, True])
def test_put_reads_each_frame_once_in_the_order_of_the_source(divided):
    frames = dataclasses.replace(FRAMES, images=Recorded(FRAMES.images), depths=Recorded(FRAMES.depths))
    data = device.put(frames, INDICES, sharding=shardings(4)[divided])
    filled = np.append(INDICES, INDICES[-1]) if divided else INDICES
    for name, source in (("images", frames.images), ("depths", frames.depths)):
        assert data[name].dtype == source.dtype
        np.testing.assert_array_equal(data[name], source.array[filled])
        parts = filled.reshape(4 if divided else 1, -1)
        assert source.reads == [index for part in parts for index in sorted(part)]
    assert device.nbytes(frames, INDICES) == 11 * SIZE[0] * SIZE[1] * (3 + 4)
    if not divided:
        assert device.nbytes(frames, INDICES) == sum(array.nbytes for array in data.values())
