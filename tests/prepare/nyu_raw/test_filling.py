"""Holes in depth are filled along similar grey: a hand-worked case, and rooms beside the nearest neighbour."""

import fake_nyu
import numpy as np
import pytest
from scipy import ndimage

from jaxdepth.prepare.nyu_raw import filling


def test_a_hole_between_two_greys_has_the_depth_of_its_own():
    """One hole, of the left part's grey. Of its eight neighbours, five are like it and three are not."""
    picture = np.zeros((3, 3, 3), np.uint8)
    picture[:, 2] = 255
    depth = np.array([[1, 2, 9], [2, 0, 9], [1, 2, 9]], np.float32)
    # Grey 0 or 1: mean 1/3, variance (3 (2/3)^2 + 6 (1/3)^2) / 9 = 2/9, and a weight exp(-1 / (.6 * 2/9)) = e^-7.5.
    far = np.exp(-7.5)
    expected = (1 + 2 + 2 + 1 + 2 + 3 * 9 * far) / (5 + 3 * far)
    found = filling.filled(picture, depth)
    assert found[1, 1] == pytest.approx(expected, rel=1e-6)
    np.testing.assert_array_equal(found[depth > 0], depth[depth > 0])


def test_two_holes_in_a_row_of_one_grey():
    """On a row, a and b are the means of their two neighbours: 1, a, b, 4 rise evenly."""
    found = filling.filled(np.full((1, 4, 3), 77, np.uint8), np.array([[1, 0, 0, 4]], np.float32))
    np.testing.assert_allclose(found, [[1, 2, 3, 4]], rtol=1e-6)


def test_a_hole_at_the_corner_behind_a_sharp_edge_is_tied_to_what_was_measured():
    picture = np.zeros((6, 6, 3), np.uint8)
    picture[:2, :2] = 255
    depth = np.full((6, 6), 3, np.float32)
    depth[:2, :2] = 0
    np.testing.assert_allclose(filling.filled(picture, depth), 3, rtol=1e-5)


def test_nothing_to_fill_and_nothing_to_fill_from():
    depth = np.full((4, 5), 2.5, np.float32)
    np.testing.assert_array_equal(filling.filled(np.zeros((4, 5, 3), np.uint8), depth), depth)
    with pytest.raises(ValueError, match="no pixel has depth"):
        filling.filled(np.zeros((4, 5, 3), np.uint8), 0 * depth)


def test_holes_of_rooms_are_filled_better_than_by_the_nearest_pixel():
    """Holes as the Kinect has them: shadows at the left of what is near, and blots."""
    ours, nearest = [], []
    for seed in range(4):
        picture, depth, _ = fake_nyu.frame(seed, (120, 160))
        rng = np.random.default_rng(seed)
        hole = ndimage.gaussian_filter(rng.normal(size=depth.shape), 4) > 0.08
        edge = np.abs(np.diff(depth, axis=1, append=depth[:, -1:])) > 0.3
        hole |= ndimage.binary_dilation(edge, np.ones((1, 9)))
        seen = np.where(hole, 0, depth)
        rows, columns = ndimage.distance_transform_edt(hole, return_distances=False, return_indices=True)
        for errors, found in ((ours, filling.filled(picture, seen)), (nearest, seen[rows, columns])):
            assert (found > 0).all()
            np.testing.assert_array_equal(found[~hole], depth[~hole])
            errors.append(np.abs(np.log(found / depth))[hole].mean())
    print(f"mean log error: {np.mean(ours):.4f}, of the nearest pixel {np.mean(nearest):.4f}")
    assert np.mean(ours) < 0.6 * np.mean(nearest)
