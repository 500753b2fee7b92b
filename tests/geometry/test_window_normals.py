"""Normals of planes worked by hand, with the map's border and with holes."""

import numpy as np
import pytest

from jaxdepth.geometry.camera import Intrinsics
from jaxdepth.geometry.normals import normals

CAMERA = Intrinsics(fx=20.0, fy=24.0, cx=7.2, cy=4.6)
PLANES = [(0.0, 0.0, 1.0), (0.6, 0.0, 0.8), (0.0, -0.6, 0.8), (2 / 7, 3 / 7, 6 / 7)]  # away from the camera


def plane_depth(normal, size=(12, 16)):
    """Depth of the plane n . P = 2."""
    rows, columns = np.indices(size)
    x, y = (columns - CAMERA.cx) / CAMERA.fx, (rows - CAMERA.cy) / CAMERA.fy
    return 2 / (normal[0] * x + normal[1] * y + normal[2])


@pytest.mark.parametrize("normal", PLANES)
@pytest.mark.parametrize("window", [3, 5])
def test_a_plane_has_its_normal_up_to_the_border(normal, window):
    found = normals(plane_depth(normal), CAMERA, window=window)
    np.testing.assert_allclose(found, np.broadcast_to(-np.array(normal), found.shape), atol=1e-9)


def test_rows_do_not_depend_on_the_choice():
    depth = np.random.default_rng(0).uniform(1, 5, (13, 9))
    depth[6, 4] = 0
    whole = normals(depth, CAMERA)
    np.testing.assert_allclose(np.linalg.norm(whole, axis=-1)[whole.any(-1)], 1)
    for first in range(0, 13, 3):
        np.testing.assert_array_equal(normals(depth, CAMERA, rows=slice(first, first + 3)), whole[first : first + 3])


@pytest.mark.parametrize("hole", [0, np.nan, np.inf])
def test_no_normal_where_the_window_has_a_hole(hole):
    depth = plane_depth(PLANES[3])
    depth[7, 9] = hole
    found = normals(depth, CAMERA, window=3)
    expected = np.ones(depth.shape, bool)
    expected[6:9, 8:11] = False
    np.testing.assert_array_equal(found.any(axis=-1), expected)
    np.testing.assert_allclose(found[expected], np.broadcast_to(-np.array(PLANES[3]), found[expected].shape), atol=1e-9)


def test_a_single_row_or_pixel_faces_the_way_it_is_seen():
    for size in ((1, 1), (1, 6), (6, 1)):
        found = normals(np.full(size, 3.0), CAMERA)
        assert found.shape == (*size, 3) and np.isfinite(found).all() and (found[..., 2] < 0).all()
