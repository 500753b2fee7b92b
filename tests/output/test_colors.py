"""Depth in colours, against the colour map itself."""

import numpy as np
import pytest

from jaxdepth.output import colors


def test_colours_are_the_colour_maps_to_one_level():
    depth = np.float32(np.random.default_rng(0).uniform(0.5, 9.0, (40, 60)))
    expected = colors.DEPTH_COLORS((depth - 0.5) / 8.5, bytes=True)[..., :3]
    found = colors.colored(depth, low=0.5, high=9.0)
    assert found.dtype == np.uint8 and found.shape == (40, 60, 3)
    assert np.abs(found.astype(int) - expected).max() <= 4  # two of 256 levels of the map, here and there
    assert (
        found[depth.argmin() // 60, depth.argmin() % 60].sum() > found[depth.argmax() // 60, depth.argmax() % 60].sum()
    )


def test_no_measurement_is_grey_and_depth_beyond_the_ends_has_their_colour():
    depth = np.float32([[0.0, np.nan, np.inf, -1.0, 0.5, 1.0, 2.0, 3.0, 99.0]])
    found = colors.levels(depth, low=1.0, high=3.0)[0]
    assert found.tolist() == [240, 240, 240, 240, 0, 0, 120, 239, 239]
    grey, near, far = colors.table()[[240, 0, 239]].astype(int)
    assert colors.table()[[colors.BLACK, colors.WHITE]].tolist() == [[0] * 3, [255] * 3]
    assert grey.tolist() == [153] * 3 and near.sum() > 600 and far.sum() < 30


def test_the_table_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        colors.table()[0] = 0
