"""The data path on the devices: against tf.data's, against float64 numpy, and on one device as on four."""

import dataclasses
import functools
import math
import os
import pathlib
import re
import subprocess
import sys

import jax
import numpy as np
import pytest
from test_tfdata import CROP, FRAMES, POSITIONS, SETTINGS, SIZE, make_frames
from test_tfdata_augment import noise, origins

from jaxdepth.data.batches import device, tfdata
from jaxdepth.data.batches import tfdata_augment as augment
from jaxdepth.data.frames import centre_crop
from jaxdepth.training import sharding


def shardings(devices):
    """(replicated, batched) over so many devices."""
    mesh = sharding.make_mesh(jax.devices()[:devices])
    return sharding.replicated(mesh), sharding.batched(mesh)


@functools.cache
def compiled(devices, settings):
    return jax.jit(functools.partial(device.draw_batch, **dict(settings)), out_shardings=shardings(devices)[1])


def batch(step, *, frames=FRAMES, positions=POSITIONS, batch_size=4, devices=1, sharded=False, **changes):
    """The batch of a step, its data replicated or sharded over some devices, as numpy."""
    data = device.put(frames, positions, sharding=shardings(devices)[sharded])
    settings = dict(SETTINGS, count=len(positions), batch_size=batch_size, seed=0) | changes
    return jax.device_get(compiled(devices, tuple(settings.items()))(data, step))


def same(a, b):
    return a.keys() == b.keys() and all(a[name].tobytes() == b[name].tobytes() for name in a)


@functools.partial(jax.jit, static_argnames="crop_size")
def compiled_transform(image, depth, scale, angle, offset, mirrored, *, crop_size):
    return device.transform(
        image, depth, scale=scale, angle=angle, offset=offset, mirrored=mirrored, crop_size=crop_size
    )


def transform(image, depth, *, scale=1.0, angle=0.0, offset=(0.0, 0.0), mirrored=False, crop_size):
    """`device.transform`, angle in degrees, as numpy."""
    arguments = np.float32(scale), np.float32(math.radians(angle)), np.float32(offset), mirrored
    return jax.device_get(compiled_transform(image, depth, *arguments, crop_size=crop_size))


def reference(image, depth, *, crop_size, **settings):
    """The same in float64, on a frame that is continued far enough, and where no two pixels are equally near."""
    y, x = origins(depth.shape, crop_size, **settings)
    far = 400
    picture = np.pad(image / 255.0, ((far, far), (far, far), (0, 0)), mode="symmetric")
    row, column = np.floor(y).astype(int), np.floor(x).astype(int)
    dy, dx = (y - row)[..., None], (x - column)[..., None]
    (nw, ne), (sw, se) = ([picture[row + far + i, column + far + j] for j in (0, 1)] for i in (0, 1))
    picture = (nw * (1 - dx) + ne * dx) * (1 - dy) + (sw * (1 - dx) + se * dx) * dy
    near = np.pad(depth, far)[np.round(y).astype(int) + far, np.round(x).astype(int) + far] / settings["scale"]
    return picture, near, (abs(y % 1 - 0.5) > 1e-3) & (abs(x % 1 - 0.5) > 1e-3)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize(
    "scale, angle, offset",
    [
        (1.2, 4.0, (3.3, -5.1)),
        (0.8, -5.0, (0.0, 0.0)),
        (1.0, 30.0, (2, 9)),
        (0.17, 77.0, (-4.0, 1.0)),  # reflected many times
    ],
)
def test_geometry_is_that_of_tf_data_and_of_float64(scale, angle, offset, mirrored):
    size, crop = (41, 60), (36, 50)
    image, depth = noise(size)
    settings = dict(scale=scale, angle=angle, offset=offset, mirrored=mirrored)
    picture, near = transform(image, depth, crop_size=crop, **settings)
    expected, expected_near, clear = reference(image, depth, crop_size=crop, **settings)
    assert 0 < (expected_near > 0).mean() and clear.mean() > 0.98
    np.testing.assert_allclose(picture, expected, atol=1e-3)
    np.testing.assert_allclose(near[clear], expected_near[clear], rtol=1e-6)

    settings = dict(scale=np.float32(scale), angle=np.float32(math.radians(angle)), offset=np.float32(offset))
    by_tf, depth_by_tf = augment.transform(image, depth, mirrored=mirrored, crop_size=crop, **settings)
    np.testing.assert_allclose(picture, by_tf, atol=1e-3)
    np.testing.assert_allclose(near[clear], depth_by_tf.numpy()[clear], rtol=1e-6)


def test_without_any_change_it_is_a_crop():
    image, depth = noise((240, 320))
    picture, near = transform(image, depth, crop_size=(228, 304))
    expected = centre_crop(image, depth, crop_size=(228, 304))
    np.testing.assert_allclose(picture, expected[0] / np.float32(255), atol=1e-7)
    np.testing.assert_array_equal(near, expected[1])
    moved = transform(image, depth, offset=(-6, 8), crop_size=(228, 304))
    np.testing.assert_array_equal(moved[1], depth[:228, 16:])


def test_what_lies_outside_is_no_measurement_and_no_black_frame():
    image, depth = np.full((240, 320, 3), 200, np.uint8), np.full((240, 320), 3, np.float32)
    picture, near = transform(image, depth, scale=0.75, crop_size=(228, 304))
    expected = np.zeros((228, 304), np.float32)
    expected[24:204, 32:272] = 4  # 180 x 240 pixels of the frame in the middle
    np.testing.assert_array_equal(near, expected)
    np.testing.assert_allclose(picture, 200 / 255, rtol=1e-6)


def ramps():
    """One frame whose red and green tell column and row, 1 m deep everywhere."""
    image = np.full((1, *SIZE, 3), 128, np.uint8)
    image[..., 0], image[..., 1] = 8 * np.arange(SIZE[1]), 8 * np.arange(SIZE[0])[:, None]
    return dataclasses.replace(make_frames(1), images=image, depths=np.ones((1, *SIZE), np.float32))


def seen_parameters(batch):
    """Scale, angle in degrees, whether mirrored, and offset of the crop, read off the pixels of `ramps`."""
    found = []
    i, j = np.mgrid[: CROP[0], : CROP[1]] - (np.array(CROP)[:, None, None] - 1) / 2
    for image, depth in zip(batch["image"], batch["depth"], strict=True):
        x, y = image[..., 0] * 255 / 8, image[..., 1] * 255 / 8
        inner = (depth > 0) & (x > 0.1) & (x < SIZE[1] - 1.1) & (y > 0.1) & (y < SIZE[0] - 1.1)
        basis = np.stack([j[inner], i[inner], np.ones(inner.sum())], 1)
        (a, b, c), (d, e, f) = (np.linalg.lstsq(basis, v[inner], rcond=None)[0] for v in (x, y))
        scale = 1 / depth.max()
        np.testing.assert_allclose([abs(a), math.hypot(d, e)], [e, 1 / scale], rtol=1e-2)
        offset = np.linalg.solve([[a, b], [d, e]], [c - (SIZE[1] - 1) / 2, f - (SIZE[0] - 1) / 2])[::-1]
        found.append((scale, math.degrees(math.atan2(d, e)), a < 0, *offset))
    return np.array(found)


def farthest(sample, other):
    """Kolmogorov and Smirnov's distance of two samples."""
    at = np.sort(np.concatenate([sample, other]))
    shares = [np.searchsorted(np.sort(s), at, side="right") / len(s) for s in (sample, other)]
    return abs(shares[0] - shares[1]).max()


def both_paths(frames, **changes):
    """400 examples of a frame from each of the two paths."""
    settings = dict(batch_size=100, seed=0) | SETTINGS | changes
    stream = tfdata.train_batches(frames, np.array([0]), **settings)
    by_tf = [next(stream) for _ in range(4)]
    stream.close()
    return [batch(step, frames=frames, positions=np.array([0]), **settings) for step in range(4)], by_tf


# With 400 examples a distance above these has a chance of 1 in 1000 where the distributions are equal.
FROM_UNIFORM, FROM_EACH_OTHER = 1.95 / math.sqrt(400), 1.95 * math.sqrt(2 / 400)


def test_the_distribution_of_crops_is_that_of_tf_data():
    samples = [
        np.concatenate([seen_parameters(b) for b in path]) for path in both_paths(ramps(), colour=0.0, light=0.0)
    ]
    even = np.linspace(0, 1, 10001)
    for name, column, low, high in (("scale", 0, 0.75, 1.25), ("angle", 1, -5, 5)):
        ours, theirs = samples[0][:, column], samples[1][:, column]
        reach = (np.array([ours.min(), ours.max()]) - low) / (high - low)
        np.testing.assert_allclose(reach, [0, 1], atol=0.02, err_msg=name)
        assert farthest(ours, low + (high - low) * even) < FROM_UNIFORM, name
        assert farthest(ours, theirs) < FROM_EACH_OTHER, name
    assert abs(samples[0][:, 2].mean() - 0.5) < 0.1  # mirrored
    shares = []
    for sample in samples:
        room = sample[:, :1] * SIZE - CROP
        assert abs(sample[:, 3:][room < 0]).max() < 0.05
        shares.append([sample[:, 3 + axis][room[:, axis] > 1] / room[:, axis][room[:, axis] > 1] for axis in (0, 1)])
    for ours, theirs in zip(*shares, strict=True):
        scarcity = math.sqrt(400 / len(ours))
        assert len(ours) > 150
        np.testing.assert_allclose([ours.min(), ours.max()], [-0.5, 0.5], atol=0.03)
        assert farthest(ours, even - 0.5) < FROM_UNIFORM * scarcity
        assert farthest(ours, theirs) < FROM_EACH_OTHER * scarcity * 1.1
    assert abs(np.corrcoef(samples[0].T) - np.eye(5)).max() < 0.2  # one does not tell another


def test_the_distribution_of_colours_is_that_of_tf_data():
    grey = dataclasses.replace(ramps(), images=np.full((1, *SIZE, 3), 128, np.uint8))
    samples = [
        np.concatenate([b["image"][:, 5, 5] * 255 / 128 for b in path])
        for path in both_paths(grey, colour=0.2, light=0.0)
    ]
    for ours, theirs in zip(*(sample.T for sample in samples), strict=True):
        np.testing.assert_allclose([ours.min(), ours.max()], [0.8, 1.2], atol=0.01)
        assert farthest(ours, np.linspace(0.8, 1.2, 10001)) < FROM_UNIFORM
        assert farthest(ours, theirs) < FROM_EACH_OTHER
    assert abs(np.corrcoef(samples[0].T) - np.eye(3)).max() < 0.2


def test_colour_is_one_factor_a_channel_and_leaves_the_rest():
    plain, coloured = batch(0, colour=0.0, light=0.0), batch(0, colour=0.1, light=0.0)
    np.testing.assert_array_equal(plain["depth"], coloured["depth"])
    for before, after in zip(plain["image"], coloured["image"], strict=True):
        seen = (before.min(-1) > 0.05) & (after.max(-1) < 1)
        if seen.any():
            assert np.ptp(after[seen] / before[seen], axis=0).max() < 1e-4


def test_the_distribution_of_light_is_that_of_tf_data():
    """Of a picture that is dark above and bright below: its mean, its contrast, its saturation."""
    rng = np.random.default_rng(0)
    rows = np.linspace(60, 160, SIZE[0])[:, None, None] + np.array([30, 0, -30]) + rng.normal(0, 5, (*SIZE, 1))
    frames = dataclasses.replace(ramps(), images=rows[None].astype(np.uint8))
    plain = dict(scale=(1.0, 1.0), rotation=0.0, flip=False, crop_size=SIZE, colour=0.0)
    measured = []
    for path in both_paths(frames, **plain, light=0.3):
        image = np.concatenate([b["image"] for b in path])
        grey = image.mean(-1)
        spread = (image.max(-1) - image.min(-1)).mean((1, 2))
        measured.append([image.mean((1, 2, 3)), grey.std((1, 2)) / grey.mean((1, 2)), spread / grey.mean((1, 2))])
    for ours, theirs in zip(*measured, strict=True):
        assert farthest(ours, theirs) < FROM_EACH_OTHER and ours.std() / ours.mean() > 0.1


def test_light_changes_saturation_contrast_brightness_and_gamma():
    image = np.random.default_rng(0).uniform(0.2, 0.7, (6, 8, 3))
    changed = {i: np.asarray(device.relight(np.float32(image), np.float32(0.2 * np.eye(4)[i]))) for i in range(4)}
    grey = image.mean(-1, keepdims=True)
    np.testing.assert_allclose(changed[0], grey + 1.2 * (image - grey), atol=1e-6)
    np.testing.assert_allclose(changed[1], 0.5 + 1.2 * (image - 0.5), atol=1e-6)
    np.testing.assert_allclose(changed[2], 1.2 * image, atol=1e-6)
    np.testing.assert_allclose(changed[3], image ** np.exp(0.2), atol=1e-6)


def test_shapes_types_and_ranges():
    bright = dataclasses.replace(FRAMES, images=np.full_like(FRAMES.images, 255))
    for frames in (FRAMES, bright):
        drawn = batch(0, frames=frames)
        assert {name: (value.shape, value.dtype) for name, value in drawn.items()} == {
            "image": ((4, *CROP, 3), np.float32),
            "depth": ((4, *CROP), np.float32),
        }
        assert 0 <= drawn["image"].min() and drawn["image"].max() <= 1
    assert drawn["image"].max() == 1  # clipped


def examples(step, *, count=11, batch_size=4, seed=0):
    """Positions and keys of a step's examples, as numpy."""
    position, keys = compiled_examples(step, count=count, batch_size=batch_size, seed=seed)
    return np.asarray(position), np.asarray(jax.random.key_data(keys))


compiled_examples = jax.jit(device.draw_examples, static_argnames=("count", "batch_size"))


@pytest.mark.parametrize("step", [0, 2, 10**7])
def test_picture_depth_and_position_belong_together_under_the_scale(step):
    drawn, positions = batch(step, colour=0.0, light=0.0), POSITIONS[examples(step)[0]]
    np.testing.assert_allclose(drawn["image"].mean((1, 2, 3)) * 255, 10 * positions + 2.5, atol=1)
    for depth, position in zip(drawn["depth"], positions, strict=True):
        values = np.unique(depth[depth > 0])
        assert len(values) == 1 and 0.75 <= (1 + position) / values[0] <= 1.25


@pytest.mark.parametrize("count", [1, 2, 11, 700])
def test_an_epoch_is_a_permutation_and_each_is_another(count):
    position, keys = examples(0, count=count, batch_size=3 * count)
    epochs = position.reshape(3, count)
    np.testing.assert_array_equal(np.sort(epochs), np.tile(np.arange(count), (3, 1)))
    assert len(np.unique(keys, axis=0)) == 3 * count
    if count > 5:
        assert len({tuple(epoch) for epoch in epochs}) == 3
        assert tuple(examples(0, count=count, batch_size=3 * count, seed=1)[0]) != tuple(position)


def test_examples_do_not_depend_on_the_size_of_batches():
    whole = examples(0, batch_size=24)
    parts = zip(*[examples(step, batch_size=4) for step in range(6)], strict=True)
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(a, np.concatenate(b))


def test_every_order_is_as_likely():
    orders = examples(0, count=4, batch_size=4 * 2400)[0].reshape(-1, 4)
    counts = np.unique(orders, axis=0, return_counts=True)[1]
    assert len(counts) == 24
    assert ((counts - 100) ** 2 / 100).sum() < 49.7  # the chance of more is 1 in 1000

    orders = examples(0, count=700, batch_size=30 * 700)[0].reshape(30, 700).astype(float)
    assert abs(np.corrcoef(np.concatenate([orders, np.arange(700.0)[None]])) - np.eye(31)).max() < 0.17
    assert abs(np.diff(orders)).mean() == pytest.approx(701 / 3, abs=5)


@pytest.mark.parametrize("batch_size, count", [(1, 1), (8, 700), (4095, 47000), (4096, 47001), (4096, 2**30 - 1)])
def test_places_are_exact_beyond_32_bits(batch_size, count):
    steps = [0, 1, 5, 2**19, 10**7, 2**31 - 1]
    find = jax.vmap(functools.partial(device.locate, count=count, batch_size=batch_size))
    epochs, places = find(np.array(steps, np.int32))
    for step, epoch, place in zip(steps, epochs, places, strict=True):
        expected = [divmod(step * batch_size + i, count) for i in range(batch_size)]
        assert [(e % 2**32, p) for e, p in expected] == list(zip(epoch.tolist(), place.tolist(), strict=True))


def test_a_batch_is_a_pure_function_of_seed_and_step():
    first = batch(3)
    assert same(first, batch(3))
    assert same(first, batch(np.int32(3)))
    assert not same(first, batch(4)) and not same(first, batch(3, seed=1))


@pytest.mark.parametrize("devices, sharded, batch_size", [(4, False, 4), (4, True, 8), (2, True, 4)])
def test_devices_and_sharding_change_no_bit(devices, sharded, batch_size):
    for step in (0, 5):
        expected = batch(step, batch_size=batch_size, light=0.0)
        assert same(expected, batch(step, batch_size=batch_size, devices=devices, sharded=sharded, light=0.0))


def test_sharded_frames_stay_where_they_are():
    data = device.put(FRAMES, POSITIONS, sharding=shardings(2)[1])
    settings = dict(SETTINGS, count=11, batch_size=4, seed=0)
    text = compiled(2, tuple(settings.items())).lower(data, 0).compile().as_text()
    sizes = [math.prod(map(int, shape.split(","))) for shape in re.findall(r"u8\[([\d,]+)\]", text)]
    assert max(sizes) == FRAMES.images[:6].size  # no device ever sees more than its half


class Source:
    """An array that notes which frames are read."""

    def __init__(self, array):
        self.array, self.shape, self.dtype, self.nbytes, self.reads = array, array.shape, array.dtype, array.nbytes, []

    def __getitem__(self, index):
        self.reads.append(int(index))
        return self.array[index]


@pytest.mark.parametrize("sharded", [False, True])
def test_frames_on_the_devices(sharded):
    frames = dataclasses.replace(FRAMES, images=Source(FRAMES.images), depths=Source(FRAMES.depths))
    data = device.put(frames, POSITIONS, sharding=shardings(4)[sharded])
    filled = np.append(POSITIONS, POSITIONS[-1]) if sharded else POSITIONS
    for name, source in (("images", frames.images), ("depths", frames.depths)):
        assert data[name].dtype == source.dtype
        np.testing.assert_array_equal(data[name], source.array[filled])
        parts = filled.reshape(4 if sharded else 1, -1)
        assert source.reads == [position for part in parts for position in sorted(part)]  # each part in order, once
    assert device.nbytes(frames, POSITIONS) == 11 * SIZE[0] * SIZE[1] * (3 + 4)
    if not sharded:
        assert device.nbytes(frames, POSITIONS) == sum(array.nbytes for array in data.values())


def test_it_works_without_tensorflow():
    script = """
import sys
sys.modules["tensorflow"] = None  # an import of it fails
import functools
import jax
import numpy as np
from jaxdepth.data.batches import device
from jaxdepth.training import sharding
from jaxdepth.data import frames
from jaxdepth.data.batches import tfdata
arrays = np.zeros((4, 24, 32, 3), np.uint8), np.ones((4, 24, 32), np.float32), np.zeros((4, 24, 32), np.uint16)
source = frames.Frames("test", *arrays, np.arange(4), (1, 1, 0, 0), None, {}, {}, "", "")
settings = dict(crop_size=(20, 28), scale=(0.75, 1.25), colour=0.0, light=0.0)
tfdata.check(source, batch_size=2, process_count=1, **settings)
data = device.put(source, np.arange(4), sharding=sharding.replicated(sharding.make_mesh()))
settings |= dict(count=4, seed=0, batch_size=2, rotation=5.0, flip=False)
batch = jax.jit(functools.partial(device.draw_batch, **settings))(data, 0)
print(batch["image"].shape, any(name.split(".")[0] == "tensorflow" for name in sys.modules if sys.modules[name]))
"""
    environment = os.environ | {"PYTHONPATH": str(pathlib.Path(__file__).parents[3])}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "(2, 20, 28, 3) False", done.stderr
