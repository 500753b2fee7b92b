"""Triangles of a depth map, against the angle of each triangle by cross products, and cases worked by hand."""

import math

import numpy as np
import pytest

from jaxdepth.errors import InputError
from jaxdepth.geometry.camera import Intrinsics
from jaxdepth.geometry.surface import surface

CAMERA = Intrinsics(fx=20.0, fy=24.0, cx=7.2, cy=4.6)


def point(depth, i, j, camera=CAMERA):
    return float(depth[i, j]) * np.array([(j - camera.cx) / camera.fx, (i - camera.cy) / camera.fy, 1.0])


def steps(size=(12, 16)):
    """Slopes, jumps of all heights, and holes."""
    random = np.random.default_rng(4)
    depth = np.cumsum(random.normal(0, 0.05, size), axis=1) + 3
    depth[3:8, 5:11] -= random.uniform(0.2, 1.5, (5, 6))
    depth[random.uniform(size=size) < 0.06] = 0
    depth[0, 0], depth[9, 9] = np.nan, np.inf
    return np.float32(depth)


def test_triangles_seen_at_less_than_the_angle_are_left_out():
    depth, edge, seen = steps(), 20.0, {}
    for i in range(11):
        for j in range(15):
            for corners in (((i, j), (i + 1, j), (i, j + 1)), ((i + 1, j + 1), (i, j + 1), (i + 1, j))):
                if all(0 < depth[corner] < math.inf for corner in corners):
                    points = [point(depth, *corner) for corner in corners]
                    normal = np.cross(points[1] - points[0], points[2] - points[0])
                    ray = max(points, key=lambda p: p[2])
                    sine = abs(normal @ ray) / np.linalg.norm(normal) / np.linalg.norm(ray)
                    seen[frozenset(corners)] = math.degrees(math.asin(sine))
    found = surface(depth, CAMERA, edge=edge)
    pixels = list(zip(found.rows.tolist(), found.columns.tolist(), strict=True))
    kept = {frozenset(pixels[k] for k in triangle) for triangle in found.triangles}
    assert len(kept) == len(found.triangles) and kept <= seen.keys()
    clear = {triangle for triangle, angle in seen.items() if abs(angle / edge - 1) > 0.1}
    assert kept & clear == {triangle for triangle in clear if seen[triangle] > edge}
    assert len(kept & clear) > 50 and len(clear - kept) > 50
    everything = surface(depth, CAMERA, edge=0)
    assert len(everything.triangles) == len(seen)
    # Points are where their pixels are, each is used, and triangles turn their front to the camera.
    np.testing.assert_allclose(found.points, [point(depth, *pixel) for pixel in pixels], rtol=1e-6)
    assert set(found.triangles.ravel()) == set(range(len(pixels)))
    a, b, c = np.float64(found.points[found.triangles]).transpose(1, 0, 2)
    assert (np.sum(np.cross(b - a, c - a) * a, axis=1) < 0).all()


@pytest.mark.parametrize("size", [240, 480, 960])
def test_floors_stay_and_jumps_go_at_any_size_and_distance(size):
    """A field of view of 53 degrees. A floor 1.5 m below the camera is seen at 8.5 degrees in 10 m."""
    camera, rows = Intrinsics(size, size, size / 2, size / 2), np.arange(size)
    floor = np.zeros((size, 3))
    floor[:, :] = (1.5 * size / np.maximum(rows - size / 2, 1e-9))[:, None]
    floor[floor > 10] = 0
    assert len(surface(floor, camera).triangles) == 4 * (np.count_nonzero(floor[:, 0]) - 1)
    for scale in (0.3, 1, 5):  # from 2 m to 3 m, over two of 240 pixels as a network draws it
        ramp = scale * np.interp(np.arange(size) * 240 / size, [119, 121], [2.0, 3.0])
        jump = np.broadcast_to(ramp, (3, size))
        columns = np.unique(surface(jump, camera).columns)
        flat = np.flatnonzero((ramp == 2 * scale) | (ramp == 3 * scale))
        assert set(flat) <= set(columns) and len(columns) <= len(flat) + 2
        assert len(surface(jump, camera, edge=0).triangles) == 4 * (size - 1)


def test_a_large_map_is_thinned_and_its_points_stay_where_they_are():
    depth = np.random.default_rng(0).uniform(2, 2.05, (45, 61))
    found = surface(depth, CAMERA, edge=0, most=300)
    assert 150 < len(found.points) <= 330
    assert {*np.diff(np.unique(found.rows)), *np.diff(np.unique(found.columns))} == {4}
    expected = [point(depth, i, j) for i, j in zip(found.rows, found.columns, strict=True)]
    np.testing.assert_allclose(found.points, expected, rtol=1e-6)


@pytest.mark.parametrize("depth", [np.zeros((4, 5)), np.ones((1, 5)), np.ones((5, 1)), np.eye(4)])
def test_without_neighbours_nothing_is_left(depth):
    found = surface(depth, CAMERA)
    assert found.points.shape == found.triangles.shape == (0, 3)


@pytest.mark.parametrize("edge", [-1, 90, math.nan])
def test_an_angle_out_of_range_is_refused(edge):
    with pytest.raises(InputError, match=f"edge={edge:g}: expected degrees from 0 to below 90"):
        surface(np.ones((2, 2)), CAMERA, edge=edge)
