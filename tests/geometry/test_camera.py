"""The camera: conventions worked by hand, and intrinsics of resizes and crops against their rays."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxdepth.geometry.camera import (
    NYU_INTRINSICS,
    Intrinsics,
    back_project,
    crop_intrinsics,
    nyu_intrinsics,
    rays,
    rays64,
    resize_intrinsics,
)

CAMERA = Intrinsics(fx=10.0, fy=8.0, cx=3.25, cy=1.5)


def test_nyus_camera_is_the_toolboxs_with_pixels_counted_from_0():
    np.testing.assert_allclose(NYU_INTRINSICS, (518.8579, 519.4696, 325.5824 - 1, 253.7362 - 1), rtol=0, atol=1e-9)
    halved = (518.8579 / 2, 519.4696 / 2, (325.5824 - 0.5) / 2 - 0.5, (253.7362 - 0.5) / 2 - 0.5)
    np.testing.assert_allclose(nyu_intrinsics((240, 320)), halved, rtol=1e-12)


def test_resize_by_hand():
    # 100 pixels wide to 50: the middle 49.5 goes to the middle 24.5. 60 high to 90: row 0's centre, half a pixel from
    # the edge, goes to .75 pixels from the edge, which is .25.
    resized = resize_intrinsics(Intrinsics(100.0, 80.0, 49.5, 0.0), from_size=(60, 100), to_size=(90, 50))
    assert resized == Intrinsics(50.0, 120.0, 24.5, 0.25)


def test_resize_agrees_with_averaged_rays():
    # A ray is linear in the pixel, so the mean ray of each 2 x 3 block is the ray of the resized pixel.
    full = np.asarray(rays(CAMERA, (4, 9)), np.float64)
    blocks = full.reshape(2, 2, 3, 3, 3).mean(axis=(1, 3))
    resized = resize_intrinsics(CAMERA, from_size=(4, 9), to_size=(2, 3))
    np.testing.assert_allclose(rays(resized, (2, 3)), blocks, atol=1e-6)


def test_resize_and_back_is_the_same():
    there = resize_intrinsics(NYU_INTRINSICS, from_size=(480, 640), to_size=(228, 304))
    back = resize_intrinsics(there, from_size=(228, 304), to_size=(480, 640))
    np.testing.assert_allclose(back, NYU_INTRINSICS, rtol=1e-12)


@pytest.mark.parametrize("sizes", [{"from_size": (0, 4), "to_size": (2, 2)}, {"from_size": (4, 4), "to_size": (2, -1)}])
def test_resize_refuses_an_empty_frame(sizes):
    with pytest.raises(ValueError, match=r"_size=\(.*\): expected a positive \(height, width\)"):
        resize_intrinsics(CAMERA, **sizes)


def test_crop_agrees_with_cropped_rays():
    full = np.asarray(rays(CAMERA, (6, 8)))
    np.testing.assert_allclose(rays(crop_intrinsics(CAMERA, top=2, left=3), (4, 5)), full[2:, 3:], atol=1e-6)
    padded = np.asarray(rays(crop_intrinsics(CAMERA, top=-1, left=-2), (7, 10)))
    np.testing.assert_allclose(padded[1:, 2:], full, atol=1e-6)


def test_rays_by_hand():
    directions = rays(CAMERA, (3, 4))
    assert directions.shape == (3, 4, 3) and directions.dtype == jnp.float32
    np.testing.assert_allclose(directions[0, 1], [(1 - 3.25) / 10, (0 - 1.5) / 8, 1], atol=1e-7)


def test_rays_in_float64_by_hand():
    directions = rays64(CAMERA, (3, 4))
    assert directions.shape == (3, 4, 3) and directions.dtype == np.float64
    for i, j in np.ndindex(3, 4):
        np.testing.assert_allclose(directions[i, j], [(j - 3.25) / 10, (i - 1.5) / 8, 1], rtol=1e-15)


@pytest.mark.parametrize("batch", [(), (2,), (2, 3)])
def test_back_project_against_float64(batch):
    depth = np.random.default_rng(0).uniform(0.5, 10, (*batch, 5, 7)).astype(np.float32)
    points = back_project(jnp.asarray(depth), CAMERA)
    assert points.shape == (*batch, 5, 7, 3) and points.dtype == jnp.float32
    expected = np.empty((*batch, 5, 7, 3))
    for index in np.ndindex(depth.shape):
        z = float(depth[index])
        expected[index] = (index[-1] - 3.25) * z / 10, (index[-2] - 1.5) * z / 8, z
    np.testing.assert_allclose(points, expected, rtol=1e-6, atol=1e-6)


def test_axes_are_right_down_forward():
    # Right of the principal point x is positive, below it y is.
    points = back_project(jnp.full((3, 5), 2.0), Intrinsics(4.0, 4.0, 2.0, 1.0))
    np.testing.assert_allclose(points[1, 2], [0, 0, 2])
    np.testing.assert_allclose(points[1, 4], [1, 0, 2])
    np.testing.assert_allclose(points[2, 2], [0, 0.5, 2])


def test_no_measurement_is_the_camera_itself():
    assert not np.any(back_project(jnp.zeros((3, 5)), CAMERA))


def test_back_project_refuses_a_row():
    with pytest.raises(ValueError, match=r"depth of shape \(4,\): expected \[\.\.\., H, W\]"):
        back_project(jnp.ones(4), CAMERA)
