"""Resizing by area means and nearest pixels, against float64 overlaps."""

from fractions import Fraction

import numpy as np
import pytest

from jaxdepth.geometry import resize


def overlaps(size, out_size, pitch):
    """Share of each pixel in each part, by comparing all edges: float64 [out_size, size]."""
    start = (size - out_size * float(pitch)) / 2
    shares = np.zeros((out_size, size))
    for i in range(out_size):
        for pixel in range(size):
            low, high = max(pixel, start + i * pitch), min(pixel + 1, start + (i + 1) * pitch)
            shares[i, pixel] = max(0, high - low) / pitch
    return shares


def test_the_nearest_pixel_holds_the_parts_centre():
    np.testing.assert_array_equal(resize.nearest_index(480, 240), 2 * np.arange(240) + 1)
    for size, out_size in ((96, 60), (97, 60), (30, 64), (5, 5), (7, 1)):
        expected = [(2 * i + 1) * size // (2 * out_size) for i in range(out_size)]
        np.testing.assert_array_equal(resize.nearest_index(size, out_size), expected)
    centred = resize.nearest_index(10, 3, pitch=Fraction(2))  # parts at 2-4, 4-6, 6-8
    np.testing.assert_array_equal(centred, [3, 5, 7])


@pytest.mark.parametrize(
    ("size", "out_size", "pitch"),
    [
        ((12, 16), (6, 8), None),  # the fast way
        ((12, 16), (3, 4), Fraction(3)),  # the fast way, a central part
        ((13, 17), (6, 8), None),
        ((13, 17), (5, 6), Fraction(5, 2)),
        ((12, 16), (12, 16), None),
    ],
)
def test_shrink_averages_areas(size, out_size, pitch):
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    pitches = [pitch or Fraction(n, m) for n, m in zip(size, out_size, strict=True)]
    rows, columns = (overlaps(*axis) for axis in zip(size, out_size, pitches, strict=True))
    expected = np.einsum("iy,jx,yxc->ijc", rows, columns, picture.astype(np.float64))
    got = resize.shrink(picture, out_size, pitch=pitch)
    assert got.shape == (*out_size, 3) and got.dtype == np.uint8
    assert np.abs(got - expected).max() <= 0.5 + 1e-3


def test_shrink_enlarges_bilinearly():
    ramp = np.broadcast_to(np.arange(0, 200, 10, dtype=np.uint8)[None, :, None], (20, 20, 3))
    got = resize.shrink(ramp, (40, 40))
    expected = np.clip((np.arange(40) + 0.5) / 2 - 0.5, 0, 19) * 10
    np.testing.assert_allclose(got, np.broadcast_to(expected[None, :, None], (40, 40, 3)), atol=1)


def test_the_central_part_touches_two_borders():
    assert resize.central_pitch((40, 100), (20, 30)) == 2  # rows 0 to 39, columns 20 to 79
    assert resize.central_pitch((97, 60), (40, 30)) == 2
    assert resize.central_pitch((5, 7), (10, 7)) == Fraction(1, 2)
    array = np.arange(40 * 100).reshape(40, 100)
    got = resize.central_nearest(array, frame_size=(20, 30), out_size=(20, 30))
    np.testing.assert_array_equal(got, array[1::2, 21:80:2])
    full = resize.central_nearest(array, frame_size=(20, 30), out_size=(40, 60))
    np.testing.assert_array_equal(full, array[:, 20:80])
