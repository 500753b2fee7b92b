"""Smoothing over time, by hand."""

import math

import numpy as np

from jaxdepth.prediction.smoothing import smoothed

SHARE = 1 - math.exp(-1 / 3)  # of a frame at 30 a second, with a time constant of .1 s
RATE = dict(seconds=1 / 30, time_constant=0.1)


def test_a_change_of_the_whole_frame_is_followed_with_the_time_constant():
    before = np.random.default_rng(0).normal(1, 0.3, (20, 30)).astype(np.float32)
    np.testing.assert_allclose(smoothed(before + 0.1, before, **RATE), before + SHARE * 0.1, atol=1e-6)
    long = smoothed(before + 0.1, before, seconds=10, time_constant=0.1)
    np.testing.assert_allclose(long, before + 0.1, atol=1e-6)


def test_a_pixel_that_changes_a_little_is_smoothed_and_one_that_changes_much_is_not():
    before = np.zeros((20, 30), np.float32)
    frame = before.copy()
    frame[0, 0], frame[5, 5] = 0.01, 0.8
    found = smoothed(frame, before, **RATE)
    np.testing.assert_allclose(found[0, 0], 0.01 * SHARE, rtol=0.03)
    np.testing.assert_allclose(found[5, 5], 0.8, rtol=1e-3)
    assert found.dtype == np.float32 and np.count_nonzero(found) == 2


def test_flicker_of_a_still_scene_is_less():
    rng = np.random.default_rng(0)
    still = rng.normal(1, 0.3, (20, 30))
    frames = [np.float32(still + rng.normal(0, 0.02) + rng.normal(0, 0.01, still.shape)) for _ in range(60)]
    found = [frames[0]]
    for frame in frames[1:]:
        found.append(smoothed(frame, found[-1], **RATE))
    steps = [np.abs(np.diff(series, axis=0))[20:].mean() for series in (frames, found)]
    assert steps[1] < 0.4 * steps[0]


def test_a_cut_and_the_first_frame_begin_anew_and_none_is_none():
    rng = np.random.default_rng(0)
    one, other = rng.normal(1, 0.5, (2, 20, 30)).astype(np.float32)
    np.testing.assert_array_equal(smoothed(one, None, **RATE), one)
    np.testing.assert_array_equal(smoothed(other, one, **RATE), other)
    np.testing.assert_array_equal(smoothed(one + 0.1, one, seconds=1 / 30, time_constant=0), one + 0.1)
