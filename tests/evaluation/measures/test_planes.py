"""Flatness and orientation of planes, against singular values and plain loops, and cases worked by hand."""

import math

import numpy as np
import pytest
from surface_frames import CAMERA, FRAMES, NAMES, SIZE, angle, hard_frame, plane_depth, ray, scored

from jaxdepth.evaluation.measures.planes import planarity


def labelled_parts(frame):
    """Lists of pixels: connected, of one surface, without those that see a second label in their window of 5x5."""
    height, width = frame.labels.shape
    surfaces = {i for i, name in enumerate(frame.label_names) if name in ("wall", "floor", "ceiling", "table")}
    inside = set()
    for i, j in np.ndindex(height, width):
        if set(frame.labels[max(i - 2, 0) : i + 3, max(j - 2, 0) : j + 3].flat) == {frame.labels[i, j]} <= surfaces:
            inside.add((i, j))
    while inside:
        part, reached = [], [inside.pop()]
        while reached:
            i, j = reached.pop()
            part.append((i, j))
            for neighbour in ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)):
                if neighbour in inside:
                    inside.remove(neighbour)
                    reached.append(neighbour)
        yield part


def fit(depth, pixels, camera):
    """Normal, and standard deviation of the distances to the plane, of the pixels' points."""
    points = np.array([depth[pixel] * ray(*pixel, camera) for pixel in pixels])
    normal = np.linalg.svd(points - points.mean(axis=0))[2][2]
    return normal, np.std(points @ normal)


def expected(frame, regions=None):
    errors = []
    for pixels in labelled_parts(frame) if regions is None else regions:
        pixels = [pixel for pixel in pixels if frame.valid[pixel]]
        if len(pixels) < 0.01 * frame.valid.size:
            continue
        true, predicted = ([depth[p] for p in pixels] for depth in (frame.truth, frame.prediction))
        normal, residual = fit(frame.truth, pixels, frame.camera)
        if regions is None and residual > 0.01 * np.mean(true):
            continue
        scaled = frame.prediction * np.median(true) / np.median(predicted)
        turned, flatness = fit(scaled, pixels, frame.camera)
        errors.append((flatness, min(angle(normal, turned), angle(normal, -turned))))
    flatness, orientation = np.mean(errors, axis=0) if errors else (math.nan, math.nan)
    return {"flatness": flatness, "orientation": orientation}, len(errors)


@pytest.mark.parametrize("name", FRAMES)
def test_equal_singular_values(name):
    frame = hard_frame(name)
    found = planarity(frame)
    by_definition, planes = expected(frame)
    assert list(found) == ["flatness", "orientation"] and all(type(value) is float for value in found.values())
    assert found == pytest.approx(by_definition, abs=1e-6, nan_ok=True)
    assert (planes == 0) == (name == "one pixel") == math.isnan(found["flatness"])


@pytest.mark.parametrize("name", ["boxes", "holes", "room 1"])
def test_masks_stand_for_labels(name):
    frame = hard_frame(name)
    masks = np.zeros((4, *frame.truth.shape), bool)  # the third is too small, the last empty
    masks[0, :9, 2:30], masks[1, 10:, 8:20], masks[2, 2:3, 2:6] = True, True, True
    by_definition, planes = expected(frame, [list(zip(*np.nonzero(mask), strict=True)) for mask in masks])
    assert planes == 2
    assert planarity(frame._replace(planes=masks)) == pytest.approx(by_definition, abs=1e-6)
    without = frame._replace(labels=None, label_names=None, planes=masks)
    assert planarity(without) == planarity(frame._replace(planes=masks))


def wall(prediction, truth, **attributes):
    attributes = {"labels": np.ones(SIZE, np.uint16), "label_names": NAMES} | attributes
    return scored(prediction, truth, **attributes)


def undefined(found):
    return list(found) == ["flatness", "orientation"] and all(math.isnan(value) for value in found.values())


def test_a_tilted_plane_seen_as_parallel_to_the_image():
    """Flat, but turned by the angle between (.6, 0, .8) and the axis, acos .8 = 36.87 degrees."""
    found = planarity(wall(3.0, plane_depth((0.6, 0.0, 0.8), 2.5)))
    assert found == pytest.approx({"flatness": 0, "orientation": math.degrees(math.acos(0.8))}, abs=1e-9)


def test_a_rough_plane():
    """Two walls, one with depth 1 % off either way: .02 m at 2 m, so .01 m on average over both."""
    rough = 2 + 0.02 * (-1.0) ** np.add.outer(np.arange(SIZE[0]), np.arange(SIZE[1]))
    labels = np.ones(SIZE, np.uint16)
    labels[:, 16:] = 3
    prediction = np.where(labels == 1, rough, 2.0)
    wide = CAMERA._replace(fx=8.0, fy=8.0)
    found = planarity(wall(prediction, 2.0, labels=labels, camera=wide))
    assert found["flatness"] == pytest.approx(0.01, rel=1e-3)
    assert found["orientation"] < 0.1


def test_a_factor_changes_nothing():
    truth = plane_depth((0.3, 0.1, 0.9), 2.0)
    found = planarity(wall(1.1 * truth, truth))
    assert found == pytest.approx({"flatness": 0, "orientation": 0}, abs=1e-9)
    frame = hard_frame("boxes")
    assert planarity(frame._replace(prediction=0.5 * frame.prediction)) == pytest.approx(planarity(frame), abs=1e-9)


def test_two_walls_with_one_label_are_no_plane():
    frame = hard_frame("two planes")
    assert not undefined(planarity(frame))
    as_one = frame._replace(labels=np.ones(SIZE, np.uint16))
    assert undefined(planarity(as_one))
    assert not undefined(planarity(as_one._replace(planes=[np.ones(SIZE, bool)])))  # who gives a mask vouches for it


def test_walls_that_touch_at_their_outline_are_two():
    """Joined by a bridge of 4 pixels, which disappears with the outline; one of 5 makes them one part, and no plane."""
    truth, labels = np.full(SIZE, 2.0), np.ones(SIZE, np.uint16)
    truth[:, 16:], labels[:, 15:17] = 3.0, 2
    for bridge, whole in ((4, True), (5, False)):
        joined = labels.copy()
        joined[8 : 8 + bridge, 15:17] = 1
        assert undefined(planarity(wall(truth, truth, labels=joined))) != whole


def test_what_is_not_a_surface_is_left_out():
    truth = plane_depth((0.3, 0.1, 0.9), 2.0)
    assert undefined(planarity(wall(truth, truth, labels=np.full(SIZE, 2, np.uint16))))  # a chair
    line = np.zeros((8, SIZE[1]), bool)
    line[5] = True  # an eighth of the pixels, but any plane through them fits
    low = wall(truth, truth)._replace(prediction=truth[:8], truth=truth[:8], valid=np.ones(line.shape, bool))
    assert undefined(planarity(low._replace(planes=[line])))
    assert not undefined(planarity(low._replace(planes=[line | np.roll(line, 1, axis=0)])))
    for unknown in ("camera", "labels", "label_names"):
        assert undefined(planarity(wall(truth, truth)._replace(**{unknown: None})))
