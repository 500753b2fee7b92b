"""Depth statistics against known numbers, and their plot."""

import numpy as np
import pytest

from jaxdepth.errors import InputError
from jaxdepth.output import figures
from jaxdepth.prepare.statistics import ROWS, depth_statistics


def test_statistics_of_known_depths():
    depths = np.zeros((3, 2 * ROWS, 64), np.float32)
    depths[0, :ROWS], depths[0, ROWS:] = 2, 8
    depths[1, :, ::2] = 4  # half of it without depth; the third frame has none at all
    found = depth_statistics(depths)
    np.testing.assert_allclose(found.spread, [np.log(2), 0], atol=1e-6)
    np.testing.assert_allclose(found.medians, [4, 4], rtol=1e-6)  # halfway from 2 to 8 by logarithm
    upper, lower = (np.exp((2 * np.log(depth) + np.log(4)) / 3) for depth in (2, 8))
    np.testing.assert_allclose(found.rows, np.repeat([upper, lower], ROWS // 2), rtol=1e-6)
    assert found.summary().startswith("2 frames: median 4.00 m, 80 % within 2.00 to 8.00 m, spread within a frame 0.35")
    with pytest.raises(InputError, match="none of 1 frames has a valid depth"):
        depth_statistics(depths[2:])


def test_the_plot_has_a_line_for_each_source():
    depths = np.random.default_rng(0).uniform(1, 8, (4, ROWS, 32)).astype(np.float32)
    figure = figures.depth_statistics_figure({"one": depth_statistics(depths), "other": depth_statistics(depths / 2)})
    (line, _) = figure.axes[-1].lines
    assert line.get_label() == "one" and len(line.get_xdata()) == ROWS
    assert figure.axes[-1].get_ylim() == (1, 0)  # the frame's top is at the top
