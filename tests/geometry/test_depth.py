"""Valid depths, and the check of their unit."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxdepth.errors import InputError
from jaxdepth.geometry.depth import PLAUSIBLE_MEDIAN, check_metres, is_valid, mask_invalid


@pytest.mark.parametrize("array", [np.float32, jnp.float32])
def test_only_finite_depths_above_zero_are_valid(array):
    depth = array([0, -0.0, 1e-30, 1e30, -1, np.nan, np.inf, -np.inf])
    assert np.asarray(is_valid(depth)).tolist() == [False, False, True, True, False, False, False, False]


def test_invalid_depths_become_0_and_are_counted():
    depths = np.full((3, 2, 4), 2.5, np.float32)
    depths[0, 0] = np.nan, np.inf, -np.inf, -1
    depths[1, 0, :2] = 0, -0.5
    depths[2] = np.nan
    valid, counts = mask_invalid(depths)
    assert counts == {"nan": 9, "inf": 2, "negative": 2, "empty_frames": 1}
    expected = np.where(np.isfinite(depths) & (depths > 0), depths, 0)
    np.testing.assert_array_equal(valid, expected)
    assert valid.dtype == np.float32


@pytest.mark.parametrize("shape", [(4, 5), (2, 3, 4, 5)])
def test_invalid_depths_of_any_number_of_axes(shape):
    valid, counts = mask_invalid(np.full(shape, -1, np.float32))
    assert not valid.any() and counts["empty_frames"] == int(np.prod(shape[:-2]))


def test_an_implausible_median_is_refused():
    low, high = PLAUSIBLE_MEDIAN
    depths = np.zeros((4, 4), np.float32)
    check_metres(depths, "no measurement at all")
    for median in (low, 3.0, high):
        depths[0] = median
        check_metres(depths, "plausible")  # zeros are no measurement
    for median in (0.99 * low, 1.01 * high, 2500.0):
        depths[0] = median
        with pytest.raises(InputError, match=f"file 'a': median depth {median:.4g}; expected metres, 0.1 to 100"):
            check_metres(depths, "file 'a'")
