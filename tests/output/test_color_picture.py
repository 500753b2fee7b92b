"""The coloured picture, decoded by Pillow: its colours, its legend and its size."""

import io

import numpy as np
import pytest
from PIL import Image

from jaxdepth.data.files import writing
from jaxdepth.output import color_picture, colors


def decoded(depth):
    return np.asarray(Image.open(io.BytesIO(color_picture.color_png(depth))).convert("RGB"))


@pytest.mark.parametrize("size", [(2, 2), (50, 400), (400, 50), (48, 64), (1, 900)])
def test_colours_have_a_colour_bar_in_metres(size):
    depth = np.linspace(1, 5, size[0] * size[1], dtype=np.float32).reshape(size)
    picture = decoded(depth)
    for colour in colors.table()[[0, colors.LEVELS - 1]]:
        at = (picture == colour).all(-1).nonzero()[1]
        assert at.min() < size[1] * max(1, 400 // max(size)) < at.max()  # in the map, and in the bar
    assert (picture[:, -1] == 255).all() and (picture.sum(-1) < 60).any()  # white border, dark text


def test_the_map_is_thinned_out_or_repeated_and_keeps_its_place():
    depth = np.full((3000, 4100), 2.0, np.float32)
    depth[:1500] = 4.0
    picture = decoded(depth)
    assert picture.shape[0] == 1000  # every third pixel: every second one would leave 2050
    near, far = colors.table()[[0, colors.LEVELS - 1]]
    assert (picture[:500, :1300] == far).all() and (picture[500:, :1300] == near).all()
    assert decoded(depth[:2, :4]).shape[0] >= 120


def test_without_a_measurement_all_is_grey():
    picture = decoded(np.array([[0.0, np.nan], [np.inf, -1.0]]))
    assert (picture[200, :300] == 153).all()


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (1.0, 5.0, [1, 2, 3, 4, 5]),
        (0.93, 7.2, [1, 2, 3, 4, 5, 6, 7]),
        (2.1, 2.35, [2.1, 2.15, 2.2, 2.25, 2.3, 2.35]),
        (0.0, 10.0, [0, 2, 4, 6, 8, 10]),
        (0.4, 78.0, [20, 40, 60]),
        (1.0, 1.0001, [1, 1.00002, 1.00004, 1.00006, 1.00008, 1.0001]),
    ],
)
def test_ticks_are_round_numbers(low, high, expected):
    assert color_picture._ticks(low, high) == pytest.approx(expected)


def test_the_picture_is_known_as_a_result(tmp_path):
    file = tmp_path / "a.png"
    file.write_bytes(color_picture.color_png(np.eye(5)))
    assert writing.is_result(file)
