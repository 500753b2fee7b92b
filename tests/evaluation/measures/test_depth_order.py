"""Directed depth error and ordinal error, against plain loops and cases worked by hand."""

import math

import numpy as np
import pytest
from surface_frames import FRAMES, SIZE, hard_frame, scored

from jaxdepth.evaluation.measures.order import directed_depth_error, ordinal


def expected_directed(frame):
    counts = {"correct": 0, "too_near": 0, "too_far": 0}
    for pixel in zip(*np.nonzero(frame.valid), strict=True):
        behind, truly_behind = frame.prediction[pixel] > 3, frame.truth[pixel] > 3
        counts["correct" if behind == truly_behind else "too_far" if behind else "too_near"] += 1
    return {name: count / frame.valid.sum() for name, count in counts.items()}


def relation(a, b):
    return "farther" if a / b >= 1.03 else "nearer" if a / b <= 1 / 1.03 else "equal"


def expected_ordinal(frame):
    """By definition: from a list of the valid pixels, row by row, and the pairs that the frame's seed draws."""
    height, width = frame.truth.shape
    pixels = [(i, j) for i in range(height) for j in range(width) if frame.valid[i, j]]
    if len(pixels) < 2:
        return {"error": math.nan, "error_unequal": math.nan}
    rng = np.random.default_rng(frame.seed)
    first, steps = rng.integers(0, len(pixels), 5000), rng.integers(1, len(pixels), 5000)
    wrong, unequal_wrong = [], []
    for i, k in zip(first.tolist(), steps.tolist(), strict=True):
        a, b = pixels[i], pixels[(i + k) % len(pixels)]
        true = relation(frame.truth[a], frame.truth[b])
        wrong.append(relation(frame.prediction[a], frame.prediction[b]) != true)
        if true != "equal":
            unequal_wrong.append(wrong[-1])
    return {
        "error": sum(wrong) / 5000,
        "error_unequal": sum(unequal_wrong) / len(unequal_wrong) if unequal_wrong else math.nan,
    }


@pytest.mark.parametrize("name", FRAMES)
def test_equal_plain_loops(name):
    frame = hard_frame(name)
    for measure, expected in ((directed_depth_error, expected_directed), (ordinal, expected_ordinal)):
        found = measure(frame)
        assert list(found) == list(expected(frame)) and all(type(value) is float for value in found.values())
        assert found == pytest.approx(expected(frame), abs=1e-12, nan_ok=True)


def four(prediction, truth, **attributes):
    """A frame in which only the first four pixels are valid, with these depths."""
    maps = np.ones((2, *SIZE))
    maps[:, 0, :4] = prediction, truth
    return scored(*maps, valid=np.arange(SIZE[0] * SIZE[1]).reshape(SIZE) < 4, **attributes)


def test_sides_of_the_plane_by_hand():
    """3 m is in front: the pixels are right, right, too far, too near."""
    found = directed_depth_error(four([3.0, 9.0, 3.01, 3.0], [1.0, 3.01, 3.0, 4.0]))
    assert found == {"correct": 0.5, "too_near": 0.25, "too_far": 0.25}
    nothing = directed_depth_error(scored(2.0, 0.0))
    assert list(nothing) == list(found) and all(math.isnan(value) for value in nothing.values())


def test_relations_by_hand():
    """Of the 6 pairs of (1, 1, 1, 2) three are equal; 5000 draws give half to within .03."""
    truth = [1.0, 1.0, 1.0, 2.0]
    assert ordinal(four([0.5, 0.5, 0.5, 1.0], truth)) == {"error": 0, "error_unequal": 0}
    flat = ordinal(four([2.0] * 4, truth))
    assert flat == {"error": pytest.approx(0.5, abs=0.03), "error_unequal": 1}
    assert ordinal(four([2.0, 2.0, 2.0, 1.0], truth)) == flat  # the wrong way round is as wrong as equal
    assert ordinal(four([1.0, 1.029, 1.0, 1.029], [1.0] * 4)) == {
        "error": 0,
        "error_unequal": pytest.approx(math.nan, nan_ok=True),
    }
    assert ordinal(four([1.0, 1.031, 1.0, 1.031], [1.0] * 4))["error"] == pytest.approx(4 / 6, abs=0.03)


def test_a_factor_changes_no_order_and_the_seed_only_the_pairs():
    frame = hard_frame("boxes")
    assert ordinal(frame._replace(prediction=1.1 * frame.truth)) == {"error": 0, "error_unequal": 0}
    assert ordinal(frame) == ordinal(frame._replace(camera=None, labels=None))
    other = ordinal(frame._replace(seed=frame.seed + 1))
    assert other != ordinal(frame) and other == pytest.approx(ordinal(frame), abs=0.05)
