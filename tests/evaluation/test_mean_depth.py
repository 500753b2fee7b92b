"""The mean depth image."""

import types

import numpy as np
import pytest

from jaxdepth.data.frames import LazyArray
from jaxdepth.evaluation import mean_depth


def test_it_is_the_geometric_mean_of_the_valid_depths():
    depths = np.array([[[1.0, 2.0, 0.0]], [[4.0, 0.0, 0.0]], [[9.0, 9.0, 9.0]]], np.float32)
    frames = types.SimpleNamespace(name="made", size=(1, 3), depths=depths)
    overall = (1 * 2 * 4) ** (1 / 3)
    np.testing.assert_allclose(mean_depth.mean_depth_image(frames, [0, 1]), [[2.0, 2.0, overall]], rtol=1e-6)


def recorded_frames(n):
    """Frames whose depth is 1 + their index, and the list of the indices that are read."""
    read = []
    depths = LazyArray(lambda i: read.append(i) or np.full((1, 3), 1 + i), (n, 1, 3), np.float32)
    return types.SimpleNamespace(name="made", size=(1, 3), depths=depths), read


def test_a_large_set_is_sampled_evenly_and_the_log_says_so(monkeypatch, caplog):
    monkeypatch.setattr(mean_depth, "SAMPLE", 5)
    frames, read = recorded_frames(100)
    indices = np.arange(10, 91)
    with caplog.at_level("INFO", "absl"):
        image = mean_depth.mean_depth_image(frames, indices)
    assert read == [10, 30, 50, 70, 90]
    np.testing.assert_allclose(image, np.prod([11.0, 31, 51, 71, 91]) ** (1 / 5), rtol=1e-6)
    assert "mean depth image: from 5 of 81 training frames, evenly spaced" in caplog.text


def test_a_small_set_is_read_whole(monkeypatch, caplog):
    monkeypatch.setattr(mean_depth, "SAMPLE", 5)
    frames, read = recorded_frames(9)
    with caplog.at_level("INFO", "absl"):
        mean_depth.mean_depth_image(frames, np.array([1, 2, 5, 7, 8]))
    assert read == [1, 2, 5, 7, 8] and "evenly spaced" not in caplog.text


@pytest.mark.parametrize("n", [mean_depth.SAMPLE + 1, 2 * mean_depth.SAMPLE, 123_456])
def test_the_sample_has_distinct_indices_from_end_to_end(n):
    chosen = mean_depth.sample(np.arange(n))
    assert len(np.unique(chosen)) == mean_depth.SAMPLE
    assert (chosen[0], chosen[-1]) == (0, n - 1) and np.diff(chosen).max() <= np.diff(chosen).min() + 1


def test_the_central_log_depth_is_the_log_of_the_centre_crop():
    depth = np.random.default_rng(0).uniform(1, 9, (7, 8))
    np.testing.assert_array_equal(mean_depth.central_log_depth(depth, crop_size=(4, 4)), np.log(depth[1:5, 2:6]))
