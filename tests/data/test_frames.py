"""Lazy arrays of frames."""

import numpy as np
import pytest

from jaxdepth.data.frames import LazyArray


def test_a_lazy_array_is_indexed_like_an_array():
    array = np.random.default_rng(0).integers(0, 9, (7, 2, 3)).astype(np.uint16)
    lazy = LazyArray(lambda i: array[i], array.shape, array.dtype)
    assert (len(lazy), lazy.shape, lazy.dtype, lazy.nbytes) == (7, array.shape, array.dtype, array.nbytes)
    for index in (3, -1, np.int64(2), slice(1, 6, 2), slice(9, 9), np.array([5, 0, 5]), np.array([], int)):
        np.testing.assert_array_equal(lazy[index], array[index])
        assert lazy[index].dtype == array.dtype
    with pytest.raises(IndexError):
        lazy[7]


def test_a_lazy_array_loads_the_indexed_frames_only():
    loaded = []
    lazy = LazyArray(lambda i: loaded.append(i) or np.zeros(2), (7, 2), np.float32)
    assert not loaded
    lazy[np.array([5, 1])], lazy[3]
    assert loaded == [5, 1, 3]
