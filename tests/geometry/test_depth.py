"""Valid depths, and the check of their unit."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxdepth.errors import InputError
from jaxdepth.geometry.depth import PLAUSIBLE_MEDIAN, check_metres, check_range, is_valid, mask_invalid


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
    assert {name: n for name, n in counts.items() if n} == {"nan": 9, "inf": 2, "negative": 2, "empty_frames": 1}
    expected = np.where(np.isfinite(depths) & (depths > 0), depths, 0)
    np.testing.assert_array_equal(valid, expected)
    assert valid.dtype == np.float32


def test_values_that_are_no_measurement_and_depth_out_of_range_are_masked():
    depths = np.float32([[[65.535, 65.534, 1e10, 10.0, 10.001, 1e-3, 1e-30, 0.5, np.inf, np.nan]]])
    valid, counts = mask_invalid(depths, invalid=(65.535, 1e10, 0), max_depth=10.0)
    assert valid[0, 0].tolist() == [0, 0, 0, 10, 0, 0, 0, 0.5, 0, 0]
    assert counts == {
        "nan": 1, "inf": 1, "negative": 0, "invalid": 2, "near": 2, "beyond": 2, "empty_frames": 0
    }  # fmt: skip
    valid, counts = mask_invalid(depths, invalid=(65.535,))
    np.testing.assert_array_equal(valid[0, 0, 1:8], depths[0, 0, 1:8])
    assert counts["near"] == counts["beyond"] == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(invalid=("far",)), "config.data.invalid=far: expected depths in metres"),
        (dict(invalid=(-1.0,)), "config.data.invalid=-1.0"),
        (dict(invalid=(float("nan"),)), "config.data.invalid=nan"),
        (dict(max_depth=0.0), "config.data.max_depth=0.0: expected metres, finite and above 0.001"),
        (dict(max_depth=float("inf")), "config.data.max_depth=inf"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        check_range(**{"invalid": (), "max_depth": 10.0} | settings)


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
