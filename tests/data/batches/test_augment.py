"""The augmentation in jax: geometry against float64 and tf.data's, and distributions against tf.data's."""

import dataclasses
import functools
import math

import jax
import numpy as np
import pytest
from small_frames import AUGMENTATION, CROP, SIZE, make_frames, noise, origins

from jaxdepth.data.batches import augment, device, tfdata, tfdata_augment
from jaxdepth.geometry.framing import centre_crop
from jaxdepth.training import sharding


@functools.partial(jax.jit, static_argnames="crop_size")
def compiled_transform(image, depth, scale, angle, offset, mirror, *, crop_size):
    view = dict(scale=scale, angle=angle, offset=offset, mirror=mirror)
    return augment.transform(image, depth, crop_size=crop_size, **view)


def transform(image, depth, *, scale=1.0, angle=0.0, offset=(0.0, 0.0), mirror=False, crop_size):
    """`augment.transform` with the angle in degrees, as numpy."""
    arguments = np.float32(scale), np.float32(math.radians(angle)), np.float32(offset), mirror
    return jax.device_get(compiled_transform(image, depth, *arguments, crop_size=crop_size))


def transform_by_tf(image, depth, *, scale=1.0, offset=(0.0, 0.0), crop_size):
    """The same by `tfdata_augment.transform`, without rotation."""
    view = dict(scale=np.float32(scale), angle=np.float32(0), offset=np.float32(offset), mirror=False)
    return [x.numpy() for x in tfdata_augment.transform(image, depth, crop_size=crop_size, **view)]


def reference(image, depth, *, crop_size, **view):
    """The same in float64 on a frame with wide reflected borders, and where the nearest pixel is unambiguous."""
    y, x = origins(depth.shape, crop_size, **view)
    far = 400
    picture = np.pad(image / 255.0, ((far, far), (far, far), (0, 0)), mode="symmetric")
    row, column = np.floor(y).astype(int), np.floor(x).astype(int)
    dy, dx = (y - row)[..., None], (x - column)[..., None]
    (nw, ne), (sw, se) = ([picture[row + far + i, column + far + j] for j in (0, 1)] for i in (0, 1))
    picture = (nw * (1 - dx) + ne * dx) * (1 - dy) + (sw * (1 - dx) + se * dx) * dy
    nearest = np.pad(depth, far)[np.round(y).astype(int) + far, np.round(x).astype(int) + far] / view["scale"]
    return picture, nearest, (abs(y % 1 - 0.5) > 1e-3) & (abs(x % 1 - 0.5) > 1e-3)


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize(
    "scale, angle, offset",
    [
        (1.2, 4.0, (3.3, -5.1)),
        (0.8, -5.0, (0.0, 0.0)),
        (1.0, 30.0, (2, 9)),
        (0.17, 77.0, (-4.0, 1.0)),  # reflected many times
    ],
)
def test_geometry_agrees_with_float64_and_with_tf_data(scale, angle, offset, mirror):
    size, crop = (41, 60), (36, 50)
    image, depth = noise(size)
    view = dict(scale=scale, angle=angle, offset=offset, mirror=mirror)
    picture, nearest = transform(image, depth, crop_size=crop, **view)
    expected, expected_nearest, clear = reference(image, depth, crop_size=crop, **view)
    assert 0 < (expected_nearest > 0).mean() and clear.mean() > 0.98
    np.testing.assert_allclose(picture, expected, atol=1e-3)
    np.testing.assert_allclose(nearest[clear], expected_nearest[clear], rtol=1e-6)

    view = dict(scale=np.float32(scale), angle=np.float32(math.radians(angle)), offset=np.float32(offset))
    by_tf, depth_by_tf = tfdata_augment.transform(image, depth, mirror=mirror, crop_size=crop, **view)
    np.testing.assert_allclose(picture, by_tf, atol=1e-3)
    np.testing.assert_allclose(nearest[clear], depth_by_tf.numpy()[clear], rtol=1e-6)


@pytest.mark.parametrize("transform", [transform, transform_by_tf])
def test_the_identity_is_a_centre_crop(transform):
    image, depth = noise((240, 320))
    picture, nearest = transform(image, depth, crop_size=(228, 304))
    expected = centre_crop(image, depth, crop_size=(228, 304))
    np.testing.assert_allclose(picture, expected[0] / np.float32(255), atol=1e-7)
    np.testing.assert_array_equal(nearest, expected[1])
    moved = transform(image, depth, offset=(-6, 8), crop_size=(228, 304))
    np.testing.assert_array_equal(moved[1], depth[:228, 16:])


@pytest.mark.parametrize("transform", [transform, transform_by_tf])
def test_outside_the_frame_the_image_is_reflected_and_the_depth_is_0(transform):
    image, depth = np.full((240, 320, 3), 200, np.uint8), np.full((240, 320), 3, np.float32)
    picture, nearest = transform(image, depth, scale=0.75, crop_size=(228, 304))
    expected = np.zeros((228, 304), np.float32)
    expected[24:204, 32:272] = 4  # the frame's 180 x 240 pixels in the middle
    np.testing.assert_array_equal(nearest, expected)
    np.testing.assert_allclose(picture, 200 / 255, rtol=1e-6)


def test_relight_changes_saturation_contrast_brightness_and_gamma():
    image = np.random.default_rng(0).uniform(0.2, 0.7, (6, 8, 3))
    changed = {i: np.asarray(augment.relight(np.float32(image), np.float32(0.2 * np.eye(4)[i]))) for i in range(4)}
    grey = image.mean(-1, keepdims=True)
    np.testing.assert_allclose(changed[0], grey + 1.2 * (image - grey), atol=1e-6)
    np.testing.assert_allclose(changed[1], 0.5 + 1.2 * (image - 0.5), atol=1e-6)
    np.testing.assert_allclose(changed[2], 1.2 * image, atol=1e-6)
    np.testing.assert_allclose(changed[3], image ** np.exp(0.2), atol=1e-6)


def test_colour_is_one_factor_for_each_channel_and_leaves_the_rest():
    plain, coloured = (drawn(make_frames(4), steps=1, batch_size=4, colour=colour)[0] for colour in (0.0, 0.1))
    np.testing.assert_array_equal(plain["depth"], coloured["depth"])
    compared = 0
    for before, after in zip(plain["image"], coloured["image"], strict=True):
        seen = (before.min(-1) > 0.05) & (after.max(-1) < 1)
        if seen.any():
            assert np.ptp(after[seen] / before[seen], axis=0).max() < 1e-4
            compared += 1
    assert compared


@functools.cache
def compiled_draw(settings):
    return jax.jit(functools.partial(device.draw_batch, **dict(settings)))


def drawn(frames, *, steps=4, batch_size=100, **changes):
    """Batches of the device pipeline, by default without colour and light."""
    settings = AUGMENTATION | dict(colour=0.0, light=0.0) | changes
    data = device.put(frames, np.arange(len(frames)), sharding=sharding.replicated(sharding.make_mesh()))
    draw = compiled_draw(tuple((settings | dict(count=len(frames), batch_size=batch_size, seed=0)).items()))
    return [jax.device_get(draw(data, step)) for step in range(steps)]


def both_pipelines(frames, **changes):
    """400 examples of one frame from each pipeline."""
    settings = AUGMENTATION | dict(colour=0.0, light=0.0) | changes
    stream = tfdata.train_batches(frames, np.array([0]), batch_size=100, seed=0, **settings)
    by_tf = [next(stream) for _ in range(4)]
    stream.close()
    return [drawn(frames, **changes), by_tf]


def ramps():
    """A frame whose red and green encode column and row, with a depth of 1 m."""
    image = np.full((1, *SIZE, 3), 128, np.uint8)
    image[..., 0], image[..., 1] = 8 * np.arange(SIZE[1]), 8 * np.arange(SIZE[0])[:, None]
    return dataclasses.replace(make_frames(1), images=image, depths=np.ones((1, *SIZE), np.float32))


def parameters_of(batch):
    """Scale, angle in degrees, whether mirrored, and the crop's offset, measured in the pixels of `ramps`."""
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


def ks_distance(sample, other):
    """The Kolmogorov-Smirnov distance of two samples."""
    at = np.sort(np.concatenate([sample, other]))
    shares = [np.searchsorted(np.sort(s), at, side="right") / len(s) for s in (sample, other)]
    return abs(shares[0] - shares[1]).max()


# Equal distributions exceed these distances with a probability of 1 in 1000, for 400 examples.
FROM_UNIFORM, FROM_EACH_OTHER = 1.95 / math.sqrt(400), 1.95 * math.sqrt(2 / 400)


def test_scale_angle_mirror_and_offset_are_distributed_as_in_tf_data():
    samples = [np.concatenate([parameters_of(b) for b in batches]) for batches in both_pipelines(ramps())]
    even = np.linspace(0, 1, 10001)
    for name, column, low, high in (("scale", 0, 0.75, 1.25), ("angle", 1, -5, 5)):
        ours, theirs = samples[0][:, column], samples[1][:, column]
        reach = (np.array([ours.min(), ours.max()]) - low) / (high - low)
        np.testing.assert_allclose(reach, [0, 1], atol=0.02, err_msg=name)
        assert ks_distance(ours, low + (high - low) * even) < FROM_UNIFORM, name
        assert ks_distance(ours, theirs) < FROM_EACH_OTHER, name
    assert abs(samples[0][:, 2].mean() - 0.5) < 0.1  # mirrored
    shares = []
    for sample in samples:
        room = sample[:, :1] * SIZE - CROP
        assert abs(sample[:, 3:][room < 0]).max() < 0.05
        shares.append([sample[:, 3 + axis][room[:, axis] > 1] / room[:, axis][room[:, axis] > 1] for axis in (0, 1)])
    for ours, theirs in zip(*shares, strict=True):
        fewer = math.sqrt(400 / len(ours))
        assert len(ours) > 150
        np.testing.assert_allclose([ours.min(), ours.max()], [-0.5, 0.5], atol=0.03)
        assert ks_distance(ours, even - 0.5) < FROM_UNIFORM * fewer
        assert ks_distance(ours, theirs) < FROM_EACH_OTHER * fewer * 1.1
    assert abs(np.corrcoef(samples[0].T) - np.eye(5)).max() < 0.2  # independent of each other


def test_colours_are_distributed_as_in_tf_data():
    grey = dataclasses.replace(ramps(), images=np.full((1, *SIZE, 3), 128, np.uint8))
    samples = [
        np.concatenate([b["image"][:, 5, 5] * 255 / 128 for b in batches])
        for batches in both_pipelines(grey, colour=0.2)
    ]
    for ours, theirs in zip(*(sample.T for sample in samples), strict=True):
        np.testing.assert_allclose([ours.min(), ours.max()], [0.8, 1.2], atol=0.01)
        assert ks_distance(ours, np.linspace(0.8, 1.2, 10001)) < FROM_UNIFORM
        assert ks_distance(ours, theirs) < FROM_EACH_OTHER
    assert abs(np.corrcoef(samples[0].T) - np.eye(3)).max() < 0.2


def test_light_is_distributed_as_in_tf_data():
    """Mean, contrast and saturation of a picture that is dark above and bright below."""
    rng = np.random.default_rng(0)
    rows = np.linspace(60, 160, SIZE[0])[:, None, None] + np.array([30, 0, -30]) + rng.normal(0, 5, (*SIZE, 1))
    frames = dataclasses.replace(ramps(), images=rows[None].astype(np.uint8))
    plain = dict(scale=(1.0, 1.0), rotation=0.0, flip=False, crop_size=SIZE)
    measured = []
    for batches in both_pipelines(frames, **plain, light=0.3):
        image = np.concatenate([b["image"] for b in batches])
        grey = image.mean(-1)
        spread = (image.max(-1) - image.min(-1)).mean((1, 2))
        measured.append([image.mean((1, 2, 3)), grey.std((1, 2)) / grey.mean((1, 2)), spread / grey.mean((1, 2))])
    for ours, theirs in zip(*measured, strict=True):
        assert ks_distance(ours, theirs) < FROM_EACH_OTHER and ours.std() / ours.mean() > 0.1
