"""The augmentation against loops over pixels in float64, written from its words: mirror, turn, enlarge, crop."""

import math

import numpy as np
import pytest
import tensorflow as tf

from jaxdepth.data import augment
from jaxdepth.data.frames import centre_crop

SIZE, CROP = (48, 64), (46, 61)
PAPER = dict(crop_size=CROP, scale=(0.75, 1.25), rotation=5.0, flip=False, colour=0.0)


def transform(image, depth, *, scale=1.0, degrees=0.0, offset=(0.0, 0.0), mirrored=False, crop_size=CROP):
    result = augment.transform(
        tf.constant(image),
        tf.constant(depth),
        scale=tf.constant(scale, tf.float32),
        angle=tf.constant(math.radians(degrees), tf.float32),
        offset=tf.constant(offset, tf.float32),
        mirrored=tf.constant(mirrored),
        crop_size=crop_size,
    )
    return tuple(array.numpy() for array in result)


def scene(seed=0, size=SIZE):
    """A picture whose channels are the depth, the row and the column (or nearly), and a depth without a hole."""
    rng = np.random.default_rng(seed)
    depth = rng.uniform(1, 10, size).astype(np.float32)
    rows, columns = np.indices(size)
    return np.stack([depth * 25, rows * 5, columns * 3], axis=-1).astype(np.uint8), depth


def where_from(scale, degrees, offset, mirrored, size=SIZE, crop_size=CROP):
    """Row and column in the frame of every pixel of the crop, float64, one pixel at a time."""
    t = math.radians(degrees)
    result = np.empty((2, *crop_size))
    for i in range(crop_size[0]):
        for j in range(crop_size[1]):
            # Seen from the centre with y upwards: an anticlockwise turn by t is undone by one by -t.
            x = j - (crop_size[1] - 1) / 2 + offset[1]
            y = -(i - (crop_size[0] - 1) / 2 + offset[0])
            x, y = x / scale, y / scale
            x, y = math.cos(t) * x + math.sin(t) * y, -math.sin(t) * x + math.cos(t) * y
            x = -x if mirrored else x
            result[:, i, j] = (size[0] - 1) / 2 - y, (size[1] - 1) / 2 + x
    return result


CASES = [
    (0.75, 0.0, (0.0, 0.0), False),
    (0.75, 5.0, (0.0, 0.0), True),
    (0.9, -5.0, (0.0, 0.0), False),
    (1.0, 5.0, (1.0, 1.5), False),
    (1.07, 3.3, (2.2, -3.1), True),
    (1.25, -4.1, (-7.0, 9.4), False),
    (1.25, 5.0, (7.0, -9.5), True),
]


@pytest.mark.parametrize("scale, degrees, offset, mirrored", CASES)
def test_depth_is_that_of_the_nearest_pixel_over_the_scale(scale, degrees, offset, mirrored):
    image, depth = scene()
    _, found = transform(image, depth, scale=scale, degrees=degrees, offset=offset, mirrored=mirrored)
    assert found.shape == CROP and found.dtype == np.float32
    rows, columns = where_from(scale, degrees, offset, mirrored)
    expected = np.zeros(CROP)
    for i, j in np.ndindex(*CROP):
        row, column = math.floor(rows[i, j] + 0.5), math.floor(columns[i, j] + 0.5)
        if 0 <= row < SIZE[0] and 0 <= column < SIZE[1]:
            expected[i, j] = depth[row, column] / scale
    # Float32 may fall to the other side only where a place is halfway between two pixels.
    clear = np.minimum(*(abs(p - np.floor(p) - 0.5) for p in (rows, columns))) > 1e-4
    assert clear.mean() > 0.85
    np.testing.assert_allclose(found[clear], expected[clear], rtol=1e-6)
    assert ((expected == 0).sum() > 100) == (scale < 0.95)  # a smaller frame does not fill the crop


@pytest.mark.parametrize("scale, degrees, offset, mirrored", CASES)
def test_picture_is_interpolated_and_reflected_outside(scale, degrees, offset, mirrored):
    image, depth = scene(1)
    found, _ = transform(image, depth, scale=scale, degrees=degrees, offset=offset, mirrored=mirrored)
    assert found.shape == (*CROP, 3) and found.dtype == np.float32
    pad = 20
    padded = np.pad(image / 255, ((pad, pad), (pad, pad), (0, 0)), mode="symmetric")
    rows, columns = where_from(scale, degrees, offset, mirrored)
    expected = np.empty((*CROP, 3))
    for i, j in np.ndindex(*CROP):
        top, left = math.floor(rows[i, j]), math.floor(columns[i, j])
        v, u = rows[i, j] - top, columns[i, j] - left
        block = padded[top + pad : top + pad + 2, left + pad : left + pad + 2]
        weights = np.outer([1 - v, v], [1 - u, u])
        expected[i, j] = (block * weights[..., None]).sum((0, 1))
    np.testing.assert_allclose(found, expected, atol=2e-4)


@pytest.mark.parametrize("scale, degrees, offset, mirrored", CASES)
def test_picture_and_depth_move_together(scale, degrees, offset, mirrored):
    rows, columns = np.indices(SIZE)
    depth = (1 + rows * 0.05 + columns * 0.1).astype(np.float32)  # a slanted plane
    image = np.stack([rows * 5, columns * 4, 0 * rows], axis=-1).astype(np.uint8)
    image, found = transform(image, depth, scale=scale, degrees=degrees, offset=offset, mirrored=mirrored)
    there = found > 0
    seen = 1 + image[..., 0] * 51 * 0.05 + image[..., 1] * 63.75 * 0.1
    # The nearest pixel is at most half a pixel from the place in each direction.
    assert abs(found * scale - seen)[there].max() < (0.05 + 0.1) / 2 + 1e-3
    assert abs((found * scale - seen)[there].mean()) < 0.01


@pytest.mark.parametrize("scale", [0.75, 0.9, 1.25])
def test_constant_plane_comes_nearer(scale):
    image, _ = scene()
    _, found = transform(image, np.full(SIZE, 6, np.float32), scale=scale)
    assert set(np.unique(found)) <= {np.float32(0), np.float32(6) / np.float32(scale)}


def test_an_enlarged_frame_is_what_a_nearer_camera_sees():
    """A wall at 4 m, seen by a pinhole camera through its principal point: at scale s it is the wall at 4 / s."""
    size, focal, scale = (48, 64), 50.0, 1.25

    def photograph(distance):
        y, x = np.indices(size) - (np.array(size)[:, None, None] - 1) / 2
        return 127.5 + 60 * np.sin(x / focal * distance * 2) + 60 * np.cos(y / focal * distance * 3), distance

    near, distance = photograph(4.0 / scale)
    far = np.repeat(photograph(4.0)[0][..., None], 3, axis=-1).astype(np.uint8)
    image, depth = transform(far, np.full(size, 4.0, np.float32), scale=scale, crop_size=size)
    np.testing.assert_allclose(depth, distance, rtol=1e-6)
    np.testing.assert_allclose(image[..., 0] * 255, near, atol=2)


def test_positive_angle_turns_anticlockwise():
    size = (41, 41)
    image, depth = np.zeros((*size, 3), np.uint8), np.ones(size, np.float32)
    image[20, 33:38], depth[20, 33:38] = 255, 9  # to the right of the centre
    image, depth = transform(image, depth, degrees=90.0, crop_size=size)
    for found in (image[..., 0] > 0.5, depth > 5):
        assert set(zip(*np.nonzero(found), strict=True)) == {(row, 20) for row in range(3, 8)}  # above it


def test_scale_below_one_leaves_a_border_without_depth():
    """At .75 the frame of 240x320 becomes 180x240, in the middle of the crop of 228x304."""
    image, depth = scene(size=(240, 320))
    image, found = transform(image, depth, scale=0.75, crop_size=(228, 304))
    there = np.zeros((228, 304), bool)
    there[24:204, 32:272] = True
    np.testing.assert_array_equal(found > 0, there)
    assert image[:24].mean() > 0.01  # the picture goes on there


def test_nothing_to_do_is_the_centre_crop():
    image, depth = scene()
    crop = (46, 60)
    found = transform(image, depth, crop_size=crop)
    expected = centre_crop(np.float32(image) / 255, depth, crop_size=crop)
    for array, truth in zip(found, expected, strict=True):
        np.testing.assert_array_equal(array, truth)
    flipped = transform(image, depth, mirrored=True, crop_size=crop)
    for array, truth in zip(flipped, expected, strict=True):
        np.testing.assert_array_equal(array, truth[:, ::-1])


def draw(image, depth, seeds, **changes):
    """The augmentation of one frame under seeds (0, 0), (0, 1), ...: pictures and depths, stacked."""
    function = tf.function(lambda seed: augment.augment(image, depth, seed, **{**PAPER, **changes}))
    results = [function(tf.constant([0, i], tf.int32)) for i in range(seeds)]
    return tuple(np.stack(arrays) for arrays in zip(*results, strict=True))


def test_scales_fill_their_range():
    image, _ = scene()
    _, depths = draw(image, np.full(SIZE, 6, np.float32), 400)
    scales = 6 / depths.max((1, 2))
    assert 0.75 <= scales.min() < 0.77 and 1.23 < scales.max() <= 1.2500001
    assert abs(scales.mean() - 1) < 0.03 and abs(scales.std() - 0.5 / math.sqrt(12)) < 0.015


def test_angles_fill_their_range():
    rows = np.repeat(np.arange(48, dtype=np.float32)[:, None] + 1, 64, axis=1)
    image = np.zeros((*SIZE, 3), np.uint8)
    _, depths = draw(image, rows, 300, scale=(1.0, 1.0), crop_size=(30, 40))
    assert (depths > 0).all()
    # Rows seen fall off to the right under an anticlockwise turn: the slope is its tangent.
    fits = [np.polyfit(np.arange(40), depth.mean(0), 1)[0] for depth in depths]
    angles = np.degrees(np.arctan(fits))
    assert abs(angles).max() < 5.3 and angles.min() < -4.5 and angles.max() > 4.5
    assert abs(angles.mean()) < 0.6


def test_crops_reach_every_corner_and_never_leave_the_frame():
    rows, columns = np.indices(SIZE)
    image, places = np.zeros((*SIZE, 3), np.uint8), (1 + 64 * rows + columns).astype(np.float32)
    _, found = draw(image, places, 400, scale=(1.0, 1.0), rotation=0.0, crop_size=(44, 60))
    assert (found > 0).all()
    corner = found[:, 0, 0].astype(int) - 1
    assert set(corner // 64) == set(corner % 64) == set(range(5))
    for depth, top, left in zip(found[:20], corner // 64, corner % 64, strict=False):
        np.testing.assert_array_equal(depth, places[top : top + 44, left : left + 60])


def test_flip_is_drawn_for_half_of_the_frames():
    columns = np.repeat(np.arange(64, dtype=np.float32)[None] + 1, 48, axis=0)
    image = np.repeat(np.uint8(3 * columns)[..., None], 3, axis=-1)
    plain = dict(scale=(1.0, 1.0), rotation=0.0)
    for flip, least, most in ((True, 0.4, 0.6), (False, 0, 0)):
        images, depths = draw(image, columns, 300, flip=flip, **plain)
        mirrored = depths[:, 0, 0] > depths[:, 0, -1]
        np.testing.assert_array_equal(mirrored, images[:, 0, 0, 0] > images[:, 0, -1, 0])
        assert least <= mirrored.mean() <= most


def test_colour_is_off_unless_asked_for_and_leaves_depth_alone():
    image, depth = np.full((*SIZE, 3), 100, np.uint8), scene()[1]
    plain, depths = draw(image, depth, 200)
    np.testing.assert_allclose(plain, 100 / 255, rtol=1e-5)
    tinted, same = draw(image, depth, 200, colour=0.2)
    np.testing.assert_array_equal(same, depths)
    factors = tinted / np.float32(100 / 255)
    assert np.ptp(factors, axis=(1, 2)).max() < 1e-4  # one factor a channel
    factors = factors[:, 0, 0]
    assert 0.799 < factors.min() < 0.82 and 1.18 < factors.max() < 1.201
    assert abs(np.corrcoef(factors.T)[np.triu_indices(3, 1)]).max() < 0.25  # each channel its own
    bright, _ = draw(np.full((*SIZE, 3), 250, np.uint8), depth, 20, colour=0.2)
    assert bright.max() == 1


def test_the_same_seed_gives_the_same_bits():
    image, depth = scene()
    settings = {**PAPER, "flip": True, "colour": 0.2}
    first, again, other = (augment.augment(image, depth, seed, **settings) for seed in ((3, 4), (3, 4), (3, 5)))
    for a, b, c in zip(first, again, other, strict=True):
        assert a.numpy().tobytes() == b.numpy().tobytes() != c.numpy().tobytes()
