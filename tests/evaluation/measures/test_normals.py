"""Angles between surface normals, against a fit of each window on its own and cases worked by hand."""

import math

import numpy as np
import pytest
from surface_frames import FRAMES, angle, hard_frame, plane_depth, ray, scored

from jaxdepth.evaluation.measures.normals import surface_normals

NAMES = ["mean", "median", "within_11.25", "within_22.5", "within_30"]


def expected(frame):
    """By definition: the plane a x + b y + c = 1 / Z of each whole window of 9x9, whose normal is (a, b, c)."""
    height, width = frame.truth.shape
    angles = []
    for i in range(4, height - 4):
        for j in range(4, width - 4):
            window = [(k, m) for k in range(i - 4, i + 5) for m in range(j - 4, j + 5)]
            if all(frame.valid[pixel] for pixel in window):
                rays = np.array([ray(*pixel, frame.camera) for pixel in window])
                inverse = np.array(
                    [[1 / depth[pixel] for depth in (frame.prediction, frame.truth)] for pixel in window]
                )
                angles.append(angle(*np.linalg.lstsq(rays, inverse, rcond=None)[0].T))
    if not angles:
        return dict.fromkeys(NAMES, math.nan)
    shares = [sum(a < threshold for a in angles) / len(angles) for threshold in (11.25, 22.5, 30)]
    return dict(zip(NAMES, [sum(angles) / len(angles), np.median(angles), *shares], strict=True))


@pytest.mark.parametrize("name", FRAMES)
def test_equal_a_fit_of_each_window(name):
    frame = hard_frame(name)
    found = surface_normals(frame)
    assert list(found) == NAMES and all(type(value) is float for value in found.values())
    assert found == pytest.approx(expected(frame), abs=1e-6, nan_ok=True)
    assert math.isnan(found["mean"]) == (name == "one pixel")


def test_a_tilted_plane_seen_as_parallel_to_the_image():
    """Every pixel is off by the angle between (.6, 0, .8) and the axis, acos .8 = 36.87 degrees."""
    found = surface_normals(scored(3.0, plane_depth((0.6, 0.0, 0.8), 2.5)))
    tilt = math.degrees(math.acos(0.8))
    assert found == pytest.approx(dict(zip(NAMES, (tilt, tilt, 0, 0, 0), strict=True)), abs=1e-9)


def test_planes_at_the_distances_of_the_thresholds():
    truth = plane_depth((0.0, 0.0, 1.0), 2.0)
    for degrees, shares in ((10, (1, 1, 1)), (20, (0, 1, 1)), (25, (0, 0, 1))):
        normal = (0.0, math.sin(math.radians(degrees)), math.cos(math.radians(degrees)))
        found = surface_normals(scored(plane_depth(normal, 2.0), truth))
        assert found == pytest.approx(dict(zip(NAMES, (degrees, degrees, *shares), strict=True)), abs=1e-9)


def test_a_factor_turns_no_surface():
    truth = hard_frame("boxes").truth
    assert surface_normals(scored(truth, truth)) == dict(zip(NAMES, (0, 0, 1, 1, 1), strict=True))
    assert surface_normals(scored(1.1 * truth, truth))["mean"] == pytest.approx(0, abs=1e-9)


def test_the_camera_matters_and_without_one_nothing_is_known():
    frame = scored(3.0, plane_depth((0.6, 0.0, 0.8), 2.5))
    longer = frame._replace(camera=frame.camera._replace(fx=2 * frame.camera.fx))  # half as wide: twice the slope
    assert surface_normals(longer)["mean"] == pytest.approx(math.degrees(math.atan(2 * 0.6 / 0.8)))
    assert all(math.isnan(value) for value in surface_normals(frame._replace(camera=None)).values())


def test_what_is_not_valid_does_not_count():
    frame = hard_frame("holes")
    prediction = np.where(frame.valid, frame.prediction, 9.0)
    assert surface_normals(frame._replace(prediction=prediction)) == surface_normals(frame)
