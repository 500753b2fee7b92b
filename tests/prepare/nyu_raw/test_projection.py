"""Depth of the Kinect in its colour picture, against rays cast into walls and a box, with both cameras' lenses."""

import numpy as np
import pytest
from scipy import ndimage

from jaxdepth.prepare.nyu_raw import calibration, projection
from jaxdepth.prepare.nyu_raw.calibration import COLOUR, DEPTH, ROTATION, SIZE, TRANSLATION

ROWS, COLUMNS = np.indices(SIZE, float)


def rays_of(camera):
    return np.stack([(COLUMNS - camera.cx) / camera.fx, (ROWS - camera.cy) / camera.fy, np.ones(SIZE)], -1)


def toolbox_distortion(x, y, lens):
    """As the data set's authors' calibration defines it, written out once more."""
    r2 = x**2 + y**2
    radial = 1 + lens.k1 * r2 + lens.k2 * r2**2 + lens.k3 * r2**3
    dx = 2 * lens.p1 * x * y + lens.p2 * (r2 + 2 * x**2)
    dy = lens.p1 * (r2 + 2 * y**2) + 2 * lens.p2 * x * y
    return radial * x + dx, radial * y + dy


def cast(origin, rays, planes):
    """Distance along each ray (in units of the ray) to the nearest of some rectangles, inf if none is hit.

    A rectangle is (a point, its normal, [(axis, least, greatest)]), in the colour camera's frame.
    """
    nearest = np.full(rays.shape[:-1], np.inf)
    for point, normal, bounds in planes:
        along = rays @ normal
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = ((point - origin) @ normal) / along
            hit = origin + distance[..., None] * rays
        inside = np.isfinite(distance) & (distance > 0)
        for axis, least, greatest in bounds:
            inside &= (hit[..., axis] >= least) & (hit[..., axis] <= greatest)
        nearest = np.where(inside, np.minimum(nearest, np.where(inside, distance, np.inf)), nearest)
    return nearest


WALL = (np.array([0, 0, 3.5]), np.array([0.1, 0.05, -1.0]), [])
FLOOR = (np.array([0, 1.2, 0]), np.array([0.0, -1.0, 0.1]), [])
BOX = (np.array([0, 0, 1.5]), np.array([0.0, 0.0, -1.0]), [(0, -0.4, 0.5), (1, -0.3, 0.4)])


def depth_camera_rays():
    """Rays of the depth camera's pixels in the colour camera's frame: directions whose lens shows them there."""
    wanted = rays_of(DEPTH.intrinsics)
    x, y = wanted[..., 0].copy(), wanted[..., 1].copy()
    for _ in range(60):
        shown = toolbox_distortion(x, y, DEPTH)
        x, y = x + wanted[..., 0] - shown[0], y + wanted[..., 1] - shown[1]
    return np.stack([x, y, np.ones(SIZE)], -1) @ ROTATION.T


def codes_of(planes):
    z = cast(TRANSLATION, depth_camera_rays(), planes)  # along the depth camera's z, since its rays have z = 1
    with np.errstate(divide="ignore"):
        codes = np.rint(1092.5 - 351.3 / z)
    return np.where(np.isfinite(z), np.clip(codes, 0, 2047), calibration.NO_DEPTH).astype(np.uint16)


def half_step(z):
    """Half a code's step in metres, at a depth."""
    return 0.5 * z**2 / 351.3 + 1e-6


def change_in_half_a_pixel(depth):
    """Largest change of a surface over a bit more than half a pixel, from its depths."""
    return 0.75 * sum(np.abs(np.gradient(depth, axis=axis)) for axis in (0, 1))


@pytest.mark.parametrize("lens", [COLOUR, DEPTH])
def test_lenses_are_undone(lens):
    x, y = rays_of(lens.intrinsics)[..., 0], rays_of(lens.intrinsics)[..., 1]
    np.testing.assert_allclose(calibration.distort(x, y, lens), toolbox_distortion(x, y, lens), atol=1e-12)
    there = calibration.undistort(x, y, lens)
    np.testing.assert_allclose(calibration.distort(*there, lens), (x, y), atol=1e-8)


def test_codes_are_metres_by_the_toolboxs_formula():
    codes = np.array([0, 600, 1000, 1057, 1092, 2047], np.uint16)
    expected = [0, 351.3 / 492.5, 351.3 / 92.5, 351.3 / 35.5, 351.3 / 0.5, 0]
    np.testing.assert_allclose(calibration.metres(codes), expected)


def test_the_rotation_is_one_and_the_colour_camera_lies_beside_the_depth_camera():
    np.testing.assert_allclose(ROTATION @ ROTATION.T, np.eye(3), atol=1e-6)
    assert np.linalg.det(ROTATION) == pytest.approx(1, abs=1e-6) and np.trace(ROTATION) > 2.99
    # The toolbox: -(its rows as listed)^T and (t_x, t_z, t_y); a pixel is the same for a point and its negative.
    listed = -np.array(
        [
            [9.9997798940829263e-01, 5.0518419386157446e-03, 4.3011152014118693e-03],
            [-5.0359919480810989e-03, 9.9998051861143999e-01, -3.6879781309514218e-03],
            [-4.3196624923060242e-03, 3.6662365748484798e-03, 9.9998394948385538e-01],
        ]
    )
    point = np.array([0.3, -0.2, 2.0])
    theirs = np.linalg.inv(listed) @ point + [2.5031875059141302e-02, -2.9342312935846411e-04, 6.6238747008330102e-04]
    ours = ROTATION @ point + TRANSLATION
    np.testing.assert_allclose(ours, -theirs, atol=2e-6)


def test_walls_are_where_the_colour_camera_sees_them():
    planes = [WALL, FLOOR]
    found = projection.projected_depth(codes_of(planes))
    expected = cast(np.zeros(3), rays_of(COLOUR.intrinsics), planes)
    inner = found[40:-40, 60:-60] > 0
    assert inner.mean() > 0.98  # few gaps
    far = np.abs(found - expected)
    allowed = half_step(expected) + change_in_half_a_pixel(expected)
    crease = change_in_half_a_pixel(expected) > 0.2  # where wall and floor meet, half a pixel may be the other one
    assert (far <= allowed)[(found > 0) & ~crease].mean() > 0.999
    assert np.median(far[found > 0]) < half_step(3.5)


def test_nothing_shows_through_a_nearer_surface():
    found = projection.projected_depth(codes_of([WALL, BOX]))
    expected = cast(np.zeros(3), rays_of(COLOUR.intrinsics), [WALL, BOX])
    box = cast(np.zeros(3), rays_of(COLOUR.intrinsics), [BOX]) < np.inf
    edge = np.zeros(SIZE, bool)
    for axis in (0, 1):
        for shift in (-1, 1):
            edge |= box != np.roll(box, shift, axis)
    inside = box & ~edge
    assert inside.sum() > 50_000
    shown = found[inside]
    assert (shown > 0).mean() > 0.99 and shown[shown > 0].max() < 1.6  # the wall is beyond 3 m
    # The shadow beside the box, which only the colour camera sees, stays empty or the wall: never between the two.
    outside = ~box & ~edge & (found > 0)
    near_wall = np.abs(found - expected)[outside] <= (half_step(expected) + change_in_half_a_pixel(expected))[outside]
    assert near_wall.mean() > 0.999


def test_nothing_shows_through_single_holes_of_a_nearer_surface():
    """Every third pixel of the box is without a measurement; the wall beside it is seen past its edge."""
    codes = codes_of([WALL, BOX])
    box_codes = codes < 1092.5 - 351.3 / 2
    codes[box_codes & ((ROWS + COLUMNS) % 3 == 0)] = calibration.NO_DEPTH
    found = projection.projected_depth(codes)
    inside = ndimage.binary_erosion(cast(np.zeros(3), rays_of(COLOUR.intrinsics), [BOX]) < np.inf, iterations=2)
    assert (found[inside] == 0).any()
    assert found[inside].max() < 1.6


def test_the_colour_picture_is_undistorted():
    """A picture that holds, in each pixel, the undistorted ray that its lens shows there."""
    x, y = rays_of(COLOUR.intrinsics)[..., 0], rays_of(COLOUR.intrinsics)[..., 1]
    true_x, true_y = x.copy(), y.copy()
    for _ in range(60):
        shown = toolbox_distortion(true_x, true_y, COLOUR)
        true_x, true_y = true_x + x - shown[0], true_y + y - shown[1]
    levels = np.stack([127 + 150 * true_x, 127 + 150 * true_y, 0 * x], -1)
    found = projection.undistorted_picture(np.uint8(np.clip(np.round(levels), 0, 255)))
    expected = np.stack([127 + 150 * x, 127 + 150 * y], -1)
    inner = np.s_[30:-30, 40:-40]
    assert np.abs(found[inner][..., :2] - expected[inner]).max() <= 1.01


@pytest.mark.parametrize(("size", "part"), [((240, 320), np.s_[:, :]), ((160, 160), np.s_[:, 80:560])])
def test_a_small_picture_is_the_mean_of_the_large_one(size, part):
    picture = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    large = projection.undistorted_picture(picture)[part].astype(float)
    n = large.shape[0] // size[0]
    mean = large.reshape(size[0], n, size[1], n, 3).mean((1, 3))
    found = projection.undistorted_picture(picture, size)
    assert found.shape == (*size, 3) and np.abs(found - mean).max() <= 1.0  # both are rounded
