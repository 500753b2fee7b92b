"""The vocabulary of furniture: lengths by hand, tables of a small example, and errors."""

import numpy as np
import pytest

from jaxdepth.rooms.labels import LABELS, label_index
from jaxdepth.rooms.parts import BOXES, CM, ROUNDS, Kind, Length, Paint, box, cylinder, ellipsoid, tabulate
from jaxdepth.rooms.texture import Texture


def test_lengths_add_relative_parts_and_metres():
    assert 1 - 4 * CM == Length(1, -0.04)
    assert -1 + 25 * CM == 25 * CM + -1 == Length(-1, 0.25)
    assert (1 - 2 * CM) - 8 * CM == Length(1, -0.1)
    assert ((1 + 8 * CM) - 4 * CM) * 3 / 4 == Length(0.75, 0.03)


def stool(*parts, **changes):
    sizes = dict(width=(0.4, 0.6), depth=(0.3, 0.5), height=(0.5, 0.7))
    return Kind("chair", **(sizes | changes), texture=Texture.WOOD, parts=parts)


def test_tables_of_a_stool():
    seat = ellipsoid((-1, 1), (-0.5 + 1 * CM, 0.5), (1 - 10 * CM, 1), Paint.OWN, Texture.CLOTH, "pillow")
    foot = box((-1, 1), (-1, 1), (0, 3 * CM))
    leg = cylinder((-0.2, 0.2), (-0.2, 0.2), (3 * CM, 1 - 5 * CM), Paint.SECOND)
    tables = tabulate((stool(foot, leg, seat),))
    np.testing.assert_array_equal(tables.present[0], [True, *[False] * (BOXES - 1), True, True])
    np.testing.assert_array_equal(tables.ellipsoid[0, BOXES:], [False, True])
    np.testing.assert_allclose(tables.least, [[0.4, 0.3, 0.5]])
    np.testing.assert_allclose(tables.greatest, [[0.6, 0.5, 0.7]])
    np.testing.assert_allclose(tables.relative[0, BOXES + 1], [[-1, 1], [-0.5, 0.5], [1, 1]])
    np.testing.assert_allclose(tables.metres[0, BOXES + 1], [[0, 0], [0.01, 0], [-0.1, 0]])
    np.testing.assert_allclose(tables.relative[0, 0, 2], [0, 0])
    np.testing.assert_allclose(tables.metres[0, 0, 2], [0, 0.03])
    np.testing.assert_array_equal(tables.paint[0, [0, BOXES, BOXES + 1]], [Paint.MAIN, Paint.SECOND, Paint.OWN])
    np.testing.assert_array_equal(tables.texture[0, [0, BOXES + 1]], [Texture.WOOD, Texture.CLOTH])
    assert [LABELS[i] for i in tables.label[0, [0, BOXES + 1]]] == ["chair", "pillow"]


def test_too_many_parts_and_unknown_labels():
    block = box((-1, 1), (-1, 1), (0, 1))
    tube = cylinder((-1, 1), (-1, 1), (0, 1))
    for parts, found in (
        ([block] * (BOXES + 1), "7 boxes and 0 round"),
        ([tube] * (ROUNDS + 1), "0 boxes and 3 round"),
    ):
        with pytest.raises(ValueError, match=f"furniture 'chair' has {found} parts: expected at most 6 and 2"):
            tabulate((stool(*parts),))
    with pytest.raises(ValueError, match="label 'stool': expected one of unlabelled, wall"):
        label_index("stool")
