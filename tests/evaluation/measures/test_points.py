"""F-score and Chamfer distance, against brute force and cases worked by hand."""

import math

import numpy as np
import pytest
from surface_frames import FRAMES, SIZE, hard_frame, ray, scored

from jaxdepth.evaluation.measures.points import point_cloud

NAMES = [f"{name}_{threshold}" for threshold in ("0.05", "0.1") for name in ("precision", "recall", "f")] + ["chamfer"]


def expected(frame):
    """By definition, from the distance of every point to every other."""
    height, width = frame.truth.shape
    pixels = [(i, j) for i in range(0, height, 4) for j in range(0, width, 4) if frame.valid[i, j]]
    if not pixels:
        return dict.fromkeys(NAMES, math.nan)
    predicted, true = (np.array([depth[p] * ray(*p, frame.camera) for p in pixels]) for depth in frame[:2])
    distances = np.linalg.norm(predicted[:, None] - true[None], axis=-1)
    to_true, to_predicted = distances.min(axis=1), distances.min(axis=0)
    result = {"chamfer": (to_true.mean() + to_predicted.mean()) / 2}
    for threshold in (0.05, 0.1):
        p, r = (to_true < threshold).mean(), (to_predicted < threshold).mean()
        result |= {
            f"precision_{threshold}": p,
            f"recall_{threshold}": r,
            f"f_{threshold}": 2 * p * r / max(p + r, 1e-9),
        }
    return result


@pytest.mark.parametrize("name", FRAMES)
def test_equal_brute_force(name):
    frame = hard_frame(name)
    found = point_cloud(frame)
    assert list(found) == NAMES and all(type(value) is float for value in found.values())
    assert found == pytest.approx(expected(frame), abs=1e-6)


def only(pixels):
    valid = np.zeros(SIZE, bool)
    valid[tuple(zip(*pixels, strict=True))] = True
    return valid


def test_one_point_by_hand():
    """A pixel on a ray of length 1.5 whose depth is off by .05 m is off by .075 m."""
    camera = hard_frame("boxes").camera._replace(fx=4.0, fy=4.0, cx=4.0, cy=8 - 4 * math.sqrt(1.25))
    frame = scored(2.05, 2.0, valid=only([(8, 4)]), camera=camera)
    by_hand = dict(zip(NAMES, (0, 0, 0, 1, 1, 1, 0.075), strict=True))
    assert point_cloud(frame) == pytest.approx(by_hand, abs=1e-12)


def test_precision_is_the_predictions_share_and_recall_the_truths():
    """Of two pixels with nearly the same ray, one is predicted 4 m too near, where the other one is."""
    camera = hard_frame("boxes").camera._replace(fx=1e9, fy=1e9)
    prediction, truth, valid = np.ones(SIZE), np.ones(SIZE), only([(0, 0), (20, 28)])
    truth[20, 28] = 5.0
    found = point_cloud(scored(prediction, truth, valid=valid, camera=camera))
    assert found == pytest.approx(dict(zip(NAMES, (1, 0.5, 2 / 3, 1, 0.5, 2 / 3, (0 + 2) / 2), strict=True)), abs=1e-6)


def test_only_every_fourth_row_and_column_counts():
    truth = hard_frame("boxes").truth
    prediction = np.full(SIZE, 9.0)
    prediction[::4, ::4] = truth[::4, ::4]
    assert point_cloud(scored(prediction, truth)) == dict(zip(NAMES, (1, 1, 1, 1, 1, 1, 0), strict=True))
    off_the_grid = point_cloud(scored(2.0, 2.0, valid=only([(8, 13), (9, 12)])))
    assert all(math.isnan(value) for value in off_the_grid.values())


def test_nothing_is_known_without_a_camera():
    found = point_cloud(hard_frame("boxes")._replace(camera=None))
    assert sorted(found) == sorted(NAMES) and all(math.isnan(value) for value in found.values())
