"""The augmentation in tensorflow: geometry and ranges, against float64 numpy and hand-worked scenes."""

import math

import numpy as np
import pytest
from small_frames import noise, origins

from jaxdepth.data.batches import tfdata_augment

PAPER = dict(crop_size=(228, 304), scale=(0.75, 1.25), rotation=5.0, flip=False, colour=0.0, light=0.0)


def transform(image, depth, *, scale=1.0, angle=0.0, offset=(0.0, 0.0), mirror=False, crop_size):
    """`tfdata_augment.transform` with the angle in degrees, as numpy."""
    image, depth = tfdata_augment.transform(
        image,
        depth,
        scale=np.float32(scale),
        angle=np.float32(math.radians(angle)),
        offset=np.float32(offset),
        mirror=mirror,
        crop_size=crop_size,
    )
    return image.numpy(), depth.numpy()


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize(
    "scale, angle, offset", [(1.2, 4.0, (3.3, -5.1)), (0.8, -5.0, (0.0, 0.0)), (1.0, 30.0, (2, 9))]
)
def test_against_brute_force(scale, angle, offset, mirror):
    size, crop = (41, 60), (36, 50)
    image, depth = noise(size)
    settings = dict(scale=scale, angle=angle, offset=offset, mirror=mirror)
    got_image, got_depth = transform(image, depth, crop_size=crop, **settings)
    y, x = origins(size, crop, **settings)
    row, column = np.floor(y).astype(int), np.floor(x).astype(int)
    inside = (row >= 0) & (row < size[0] - 1) & (column >= 0) & (column < size[1] - 1)
    assert inside.mean() > 0.5
    r, c = row[inside], column[inside]
    dy, dx = (y[inside] - r)[:, None], (x[inside] - c)[:, None]
    pixel = image / 255.0
    top = pixel[r, c] * (1 - dx) + pixel[r, c + 1] * dx
    bottom = pixel[r + 1, c] * (1 - dx) + pixel[r + 1, c + 1] * dx
    np.testing.assert_allclose(got_image[inside], top * (1 - dy) + bottom * dy, atol=2e-4)

    nearest = np.round(y).astype(int), np.round(x).astype(int)
    seen = (nearest[0] >= 0) & (nearest[0] < size[0]) & (nearest[1] >= 0) & (nearest[1] < size[1])
    clear = (abs(y % 1 - 0.5) > 1e-3) & (abs(x % 1 - 0.5) > 1e-3)  # no tie between two pixels
    expected = np.where(seen, depth[np.clip(nearest[0], 0, 40), np.clip(nearest[1], 0, 59)] / scale, 0)
    np.testing.assert_allclose(got_depth[clear], expected[clear], rtol=1e-6)


@pytest.mark.parametrize("scale", [0.75, 1.25])
def test_an_object_grows_by_the_scale_and_comes_as_much_nearer(scale):
    """A pinhole camera sees a board of width X at depth z as f X / z pixels: s times as wide at z / s, with one f."""
    image, depth = np.zeros((240, 320, 3), np.uint8), np.full((240, 320), 6, np.float32)
    image[100:140, 120:200], depth[100:140, 120:200] = 255, 3  # 80 pixels wide
    got_image, got_depth = transform(image, depth, scale=scale, crop_size=(228, 304))
    board = np.isclose(got_depth, 3 / scale)
    assert board.sum(1).max() == pytest.approx(80 * scale, abs=1)
    assert board.sum(0).max() == pytest.approx(40 * scale, abs=1)
    np.testing.assert_array_equal(np.unique(got_depth[got_depth > 0]), np.float32([3, 6]) / np.float32(scale))
    assert ((got_image[..., 0] > 0.5) == board).mean() > 0.995  # image and depth move together


@pytest.mark.parametrize("scale, angle, mirror", [(1.25, 5.0, False), (0.75, -5.0, False), (0.9, 3.0, True)])
def test_image_and_depth_stay_aligned(scale, angle, mirror):
    """A slanted plane whose image encodes its depth: a shift of half a pixel would show."""
    y, x = np.mgrid[:240, :320]
    code = 20 + y * 0.4 + x * 0.3  # 20..212
    image, depth = np.repeat(np.round(code)[..., None], 3, -1).astype(np.uint8), (code / 40).astype(np.float32)
    got_image, got_depth = transform(image, depth, scale=scale, angle=angle, mirror=mirror, crop_size=(228, 304))
    valid = got_depth > 0
    assert valid.mean() > 0.6
    difference = got_image[valid][:, 0] * 255 - got_depth[valid] * scale * 40
    assert np.abs(difference).max() < 1.0 and abs(difference.mean()) < 0.01


def test_a_positive_angle_turns_anticlockwise():
    image, depth = np.zeros((101, 101, 3), np.uint8), np.ones((101, 101), np.float32)
    image[48:53, 78:83], depth[48:53, 78:83] = 255, 5  # 30 pixels to the right of the centre
    for array in (lambda i, d: i[..., 0] > 0.5, lambda i, d: d > 2):
        spot = np.argwhere(array(*transform(image, depth, angle=30.0, crop_size=(101, 101)))).mean(0)
        np.testing.assert_allclose(spot, [50 - 30 * 0.5, 50 + 30 * math.sqrt(3) / 2], atol=0.2)


def test_mirror_swaps_left_and_right():
    image, depth = noise((24, 32))
    settings = dict(scale=1.1, angle=4.0, offset=(0.5, -1.0), crop_size=(20, 28))
    got = transform(image, depth, mirror=True, **settings)
    expected = transform(image[:, ::-1], depth[:, ::-1], mirror=False, **settings)
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_holes_stay_holes():
    image, depth = noise((240, 320))
    hole = np.zeros((240, 320), bool)
    hole[60:90, 100:180] = True
    depth[hole] = 0
    _, got = transform(image, depth, scale=1.25, angle=2.0, crop_size=(228, 304))
    assert (got == 0).sum() == pytest.approx(hole.sum() * 1.25**2, rel=0.02)
    assert got[got > 0].min() >= 0.5 / 1.25 - 1e-6  # no depth is interpolated with a hole


@pytest.fixture
def drawn(monkeypatch):
    """The parameters that `augment` passes to `transform`, for n seeds."""

    def draw(n=300, size=(240, 320), **settings):
        seen = []

        def record(image, depth, *, crop_size, **parameters):
            seen.append({name: np.asarray(value) for name, value in parameters.items()})
            return image, depth

        monkeypatch.setattr(tfdata_augment, "transform", record)
        image, depth = np.zeros((*size, 3), np.float32), np.zeros(size, np.float32)
        for i in range(n):
            tfdata_augment.augment(image, depth, np.int32([1, i]), **{**PAPER, **settings})
        return {name: np.array([p[name] for p in seen]) for name in seen[0]}

    return draw


def test_ranges_of_the_paper(drawn):
    p = drawn()
    scale, angle = p["scale"], np.degrees(p["angle"])
    assert 0.75 <= scale.min() < 0.78 and 1.22 < scale.max() <= 1.25 and abs(scale.mean() - 1) < 0.03
    assert -5 <= angle.min() < -4.7 and 4.7 < angle.max() <= 5 and abs(angle.mean()) < 0.6
    assert abs(np.corrcoef(scale, angle)[0, 1]) < 0.2
    assert not p["mirror"].any()
    room = np.maximum(scale[:, None] * [240, 320] - [228, 304], 0)
    assert (abs(p["offset"]) <= room / 2 + 1e-4).all()
    assert (p["offset"][room == 0] == 0).all()
    part = p["offset"][(room > 10).all(1)] / room[(room > 10).all(1)]
    assert part.min() < -0.45 and part.max() > 0.45 and abs(part.mean()) < 0.05


def test_flip_mirrors_half_of_the_examples(drawn):
    assert 0.4 < drawn(flip=True)["mirror"].mean() < 0.6


def test_ranges_follow_the_settings(drawn):
    p = drawn(50, scale=(1.0, 1.5), rotation=0.0)
    assert p["scale"].min() >= 1 and 1.4 < p["scale"].max() <= 1.5
    assert (p["angle"] == 0).all()


def test_colour_is_one_factor_for_each_channel_and_leaves_the_rest():
    image, depth = noise((48, 64))
    settings = dict(PAPER, crop_size=(40, 60))
    factors = []
    for i in range(100):
        plain, plain_depth = tfdata_augment.augment(image // 2, depth, np.int32([0, i]), **settings)
        coloured, same_depth = tfdata_augment.augment(
            image // 2, depth, np.int32([0, i]), **{**settings, "colour": 0.2}
        )
        np.testing.assert_array_equal(plain_depth, same_depth)
        factor = (
            np.asarray(coloured)[np.asarray(plain).min(-1) > 0.05] / np.asarray(plain)[plain.numpy().min(-1) > 0.05]
        )
        assert np.ptp(factor, axis=0).max() < 1e-4
        factors.append(factor[0])
    factors = np.array(factors)
    assert 0.8 <= factors.min() < 0.83 and 1.17 < factors.max() <= 1.2
    assert abs(np.corrcoef(factors.T)[0, 1]) < 0.3
    bright, _ = tfdata_augment.augment(np.full_like(image, 255), depth, np.int32([0, 0]), **{**settings, "colour": 0.2})
    assert bright.numpy().max() <= 1


@pytest.mark.parametrize(
    "changes", [(0.2, 0, 0, 0), (0, -0.2, 0, 0), (0, 0, 0.3, 0), (0, 0, 0, -0.2), (0.3,) * 4, (0,) * 4]
)
def test_relight_is_the_formula_in_float64(changes):
    image = noise((48, 64))[0] / 255
    grey = image.mean(-1, keepdims=True)
    expected = grey + (image - grey) * (1 + changes[0])
    expected = 0.5 + (expected - 0.5) * (1 + changes[1])
    expected = np.clip(expected * (1 + changes[2]), 1e-4, 1) ** np.exp(changes[3])
    got = tfdata_augment.relight(np.float32(image), np.float32(changes)).numpy()
    np.testing.assert_allclose(got, expected, atol=1e-6)
    assert got.dtype == np.float32 and 0 <= got.min() and got.max() <= 1


def test_output_is_a_pure_function_of_the_seed():
    image, depth = noise((240, 320))
    first, again, other = (
        tfdata_augment.augment(image, depth, np.int32(seed), **PAPER) for seed in ([3, 4], [3, 4], [3, 5])
    )
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert np.abs(first[0] - other[0]).max() > 0.1
    assert first[0].shape == (228, 304, 3) and first[1].shape == (228, 304)
    assert first[0].dtype == first[1].dtype == np.float32
    assert 0 <= first[0].numpy().min() and first[0].numpy().max() <= 1
