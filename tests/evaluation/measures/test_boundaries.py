"""Measures of boundaries against plain loops in float64 and cases worked by hand."""

import itertools

import loops_boundaries
import numpy as np
import pytest
from scipy import ndimage

from jaxdepth import rooms
from jaxdepth.evaluation.measures import boundaries
from jaxdepth.evaluation.measures.frame import ScoredFrame

SHAPE = (24, 32)
ROWS, COLUMNS = np.mgrid[: SHAPE[0], : SHAPE[1]]
MEASURES = ("edges_hu", "depth_boundary_error", "boundary_f1")


def frame_of(prediction, truth, valid=True):
    valid = np.broadcast_to(valid, np.shape(truth)).copy()
    return ScoredFrame(np.array(prediction, float), np.where(valid, truth, 0.0).astype(float), valid)


def stepped(*steps):
    """A depth map of 3 m that jumps by `metres` before `column`, for each (column, metres)."""
    return np.full(SHAPE, 3.0) + sum(metres * (COLUMNS >= column) for column, metres in steps)


def boxes(seed, *, holes=0.0):
    """A slanted wall with boxes; the prediction has them displaced, with noise."""
    rng = np.random.default_rng(seed)
    truth = 3.0 + 0.021 * COLUMNS
    prediction = truth.copy()
    for _ in range(4):
        top, left, i, j = *rng.integers(0, 20, 2), *rng.integers(-1, 2, 2)
        metres = rng.uniform(-1.5, 1.5)
        truth[top : top + 9, left : left + 11] += metres
        prediction[max(top + i, 0) : top + i + 9, max(left + j, 0) : left + j + 11] += metres
    noise = rng.normal(0, [[[0.004]], [[0.02]]], (2, *SHAPE))
    return frame_of(prediction + noise[1], truth + noise[0], rng.random(SHAPE) >= holes)


def room(index, rendered):
    """A room whose prediction is blurred, with rays that missed."""
    truth = rendered[index].astype(float)
    rng = np.random.default_rng(index)
    return frame_of(ndimage.gaussian_filter(truth, 0.7) * 1.1, truth, rng.random(truth.shape) >= 0.01)


def hard(name):
    plane, noise = 2.0 + 0.037 * ROWS + 0.053 * COLUMNS, np.random.default_rng(5).normal(0, 0.05, SHAPE)
    truth = {
        "a plane": plane,
        "two planes": np.minimum(plane, 4.1 - 0.083 * COLUMNS),
        "two planes apart": np.where(ROWS + 2 * COLUMNS < 40, 1.3 + 0.011 * ROWS, plane),
        "edges at the border": stepped((1, 1.1), (31, -0.7)) + 0.9 * (ROWS == 0) + 0.6 * (ROWS == 23),
    }.get(name, stepped((9, 1.2), (20, -0.9)))
    valid = {
        "one valid pixel": (ROWS == 11) & (COLUMNS == 9),
        "nothing valid": False,
        "a block of holes": (abs(ROWS - 12) > 4) | (abs(COLUMNS - 21) > 2),
        "stripes of holes": ROWS % 5 != 0,
        "a corner": (ROWS < 3) & (COLUMNS < 12),
    }.get(name, True)
    prediction = {
        "perfect": truth,
        "constant": np.full(SHAPE, 2.5),
        "a constant's rounding": 2.5 + 1e-7 * noise,
        "no edges in the truth": truth,
    }.get(name, truth + noise)
    return frame_of(prediction, np.full(SHAPE, 2.0) if name == "no edges in the truth" else truth, valid)


HARD = (
    *("a plane", "two planes", "two planes apart", "edges at the border", "one valid pixel", "nothing valid"),
    *("a block of holes", "stripes of holes", "a corner", "perfect", "constant", "a constant's rounding"),
    "no edges in the truth",
)


@pytest.fixture(scope="module")
def frames():
    rendered = rooms.frames(3, 0, 2, size=(36, 48))["depth"]
    return {
        **{f"boxes {seed}": boxes(seed, holes=0.02 * (seed % 2)) for seed in range(4)},
        **{f"room {index}": room(index, rendered) for index in range(2)},
        **{name: hard(name) for name in HARD},
    }


@pytest.mark.parametrize("measure", MEASURES)
def test_equal_loops_by_definition(measure, frames):
    defined = 0
    for name, frame in frames.items():
        found = getattr(boundaries, measure)(frame)
        expected = getattr(loops_boundaries, measure)(frame.prediction, frame.truth, frame.valid)
        assert found == pytest.approx(expected, abs=1e-6, nan_ok=True), name
        assert all(type(value) is float for value in found.values())
        defined += any(0 < value < 10 and value != 1 for value in found.values())
    assert defined >= 8


@pytest.mark.parametrize("seed", range(2))
def test_annotated_edges_equal_loops_at_every_pixel(seed):
    frame, true_edges = boxes(seed, holes=0.1), np.random.default_rng(seed).random(SHAPE) < 0.02
    found = boundaries.depth_boundary_error(frame._replace(edges=true_edges))
    assert found == pytest.approx(loops_boundaries.depth_boundary_error(*frame[:3], true_edges=true_edges), abs=1e-6)
    without_truth = frame_of(frame.prediction, frame.truth, valid=False)
    assert boundaries.depth_boundary_error(without_truth._replace(edges=true_edges)) == found


@pytest.mark.parametrize("measure", MEASURES)
def test_a_frame_without_a_valid_pixel_has_no_value(measure):
    assert np.isnan(list(getattr(boundaries, measure)(hard("nothing valid")).values())).all()


@pytest.mark.parametrize(("measure", "perfect"), list(zip(MEASURES, (1, 0, 1), strict=True)))
def test_the_truth_itself_is_perfect(measure, perfect, frames):
    for name, frame in frames.items():
        values = np.array(list(getattr(boundaries, measure)(frame._replace(prediction=frame.truth)).values()))
        assert np.isin(values[~np.isnan(values)], perfect).all(), name


@pytest.mark.parametrize("measure", MEASURES)
def test_a_hole_plays_no_part(measure):
    """Neither what the prediction says in it nor its outline."""
    frame = hard("a block of holes")
    filled = frame._replace(prediction=np.where(frame.valid, frame.prediction, 9.0))
    found = getattr(boundaries, measure)(frame)
    assert getattr(boundaries, measure)(filled) == pytest.approx(found)
    flat = frame_of(np.where(frame.valid, 3.0, 9.0), np.full(SHAPE, 3.0), frame.valid)
    assert np.isnan(list(getattr(boundaries, measure)(flat).values())).all()


def hu(prediction, truth):
    """[precision, recall, F1] at each threshold, metres."""
    values = list(boundaries.edges_hu(frame_of(prediction, truth)).values())
    return {threshold: values[3 * k : 3 * k + 3] for k, threshold in enumerate((0.25, 0.5, 1.0))}


def test_hu_a_step_of_h_metres_has_magnitude_4h_in_two_columns():
    found = hu(stepped((10, 0.2)), stepped((10, 0.3)))  # .8 and 1.2
    assert found[0.25] == found[0.5] == [1, 1, 1]
    assert found[1.0] == pytest.approx([np.nan, 0, 0], nan_ok=True)
    assert hu(stepped((11, 0.3)), stepped((10, 0.3)))[1.0] == [0.5, 0.5, 0.5]  # one column of two
    assert hu(stepped((12, 0.3)), stepped((10, 0.3)))[1.0] == [0, 0, 0]  # no tolerance
    assert hu(stepped((10, 1), (20, 1)), stepped((10, 1)))[0.5] == pytest.approx([1 / 2, 1, 2 / 3])
    assert hu(stepped((10, 1)), np.full(SHAPE, 3.0))[0.5] == pytest.approx([0, np.nan, 0], nan_ok=True)


def test_hu_the_border_of_the_picture_is_no_edge():
    assert np.isnan(hu(np.full(SHAPE, 2.0), np.full(SHAPE, 3.0))[0.25]).all()
    assert hu(stepped((31, 1)), stepped((31, 1), (16, 1)))[0.25] == pytest.approx([1, 1 / 2, 2 / 3])


def dbe(prediction, truth, edges=None):
    return tuple(boundaries.depth_boundary_error(frame_of(prediction, truth)._replace(edges=edges)).values())


@pytest.mark.parametrize(
    ("shift", "accuracy", "completeness"), [(0, 0, 0), (1, 0.5, 0.5), (3, 2.5, 2.5), (10, 9, 9.5), (12, 10, 10)]
)
def test_dbe_distances_in_pixels(shift, accuracy, completeness):
    """A step leaves both columns beside it: 3 columns on, they are 2 and 3 from the nearer of the true ones.

    10 columns on, they are 9 and 10: accuracy leaves out the second. 12 columns on, nothing is near.
    """
    assert dbe(stepped((8 + shift, 1)), stepped((8, 1))) == (accuracy, completeness)


def test_dbe_accuracy_ignores_edges_far_from_any_and_completeness_caps_what_is_missing():
    one, two = stepped((8, 1)), stepped((8, 1), (22, 1))
    assert dbe(two, one) == (0, 0)
    assert dbe(one, two) == (0, 5)  # half of the true edges have none within 10 pixels
    assert dbe(np.full(SHAPE, 3.0), one) == (10, 10)
    assert np.isnan(dbe(one, np.full(SHAPE, 3.0))).all()


def test_dbe_thresholds_are_shares_of_the_range():
    """Beside a step of the whole range, one of 1 / 8 has magnitude .25: above .15, but not .3, so only if joined."""
    wide = stepped((8, 7), (22, 1))  # 7 / 8 and 1 / 8
    assert dbe(wide, stepped((8, 1), (22, 1))) == (0, 5)
    strong = stepped((8, 6), (22, 2))  # 3 / 4 and 1 / 4
    assert dbe(strong, stepped((8, 1), (22, 1))) == (0, 0)
    grows = stepped((8, 7)) + np.where(COLUMNS >= 22, np.where(ROWS < 12, 0.9, 2.0), 0)
    assert dbe(grows, stepped((8, 1), (22, 1)))[1] < 1  # the weak half hangs together with the strong one


def test_dbe_annotated_edges():
    edges = (COLUMNS == 10) & (ROWS > 0) & (ROWS < 23)  # the columns 9 and 10 are beside the predicted step
    assert dbe(stepped((10, 1)), np.zeros(SHAPE), edges) == (0.5, 0)
    with pytest.raises(ValueError, match=r"edges \(2, 3\), truth \(24, 32\)"):
        dbe(stepped((10, 1)), np.zeros(SHAPE), np.ones((2, 3), bool))


def f1(prediction, truth):
    return list(boundaries.boundary_f1(frame_of(prediction, truth)).values())


def test_f1_ratios_and_their_weights():
    """A predicted ratio of 1.1 exceeds the first three of ten ratios 1.05, ..., 1.25, whose sum is 11.5."""
    truth = 2.0 + 1.0 * (COLUMNS >= 10)
    first_three = (3 * 1.05 + 3 * 0.2 / 9) / 11.5
    assert f1(truth, truth) == [1, 1, 1]
    assert f1(2 + 0.2 * (COLUMNS >= 10), truth) == pytest.approx([first_three] * 3)
    assert f1(truth, 2 + 0.2 * (COLUMNS >= 10)) == pytest.approx([first_three] * 3)
    assert f1(2 + 0.2 * (COLUMNS >= 10), 2 + 0.2 * (COLUMNS >= 10)) == [1, 1, 1]  # no boundary at the other ratios
    assert f1(2 + 1.0 * (COLUMNS >= 11), truth) == [0, 0, 0]
    assert np.isnan(f1(np.full(SHAPE, 2.0), np.full(SHAPE, 3.0))).all()


def test_f1_means_over_the_directions():
    near = 3.0 - 1.0 * ((COLUMNS >= 10) & (COLUMNS < 20))  # a boundary to the left and one to the right
    right, both = 2.0 + 1.0 * (COLUMNS >= 20), 2.0 + 1.0 * (COLUMNS >= 10) + 2.0 * (COLUMNS >= 20)
    assert f1(right, near) == f1(near, right) == [0.5, 0.5, 0.5]
    assert f1(both, right) == pytest.approx([2 / 3, 1 / 2, 1])  # one of two to the right
    post, row = 3.0 - 1.0 * ((COLUMNS == 10) & (ROWS == 10)), np.where(ROWS == 10, near, 3.0)
    # The row of ten near pixels has boundaries to the right (1), the left (1), up and down (10); the post has 1 each.
    precision, recall = (0 + 1 + 1 / 10 + 1 / 10) / 4, (0 + 1 + 1 + 1) / 4
    assert f1(row, post) == pytest.approx([2 * precision * recall / (precision + recall), precision, recall])


@pytest.mark.parametrize(("measure", "factor", "metres"), [(1, 3.0, 0.0), (1, 0.7, 0.4), (2, 3.0, 0.0), (2, 0.25, 0.0)])
def test_scale_of_the_prediction_changes_nothing(measure, factor, metres):
    """Nor does a shift change the boundary errors."""
    for frame in map(boxes, range(3)):
        changed = frame._replace(prediction=factor * frame.prediction + metres)
        found, expected = (getattr(boundaries, MEASURES[measure])(x) for x in (changed, frame))
        assert found == pytest.approx(expected)


def test_measures_turn_with_the_picture():
    frame = boxes(1, holes=0.02)
    for measure, turns in itertools.product(MEASURES, (1, 2, 3)):
        turned = ScoredFrame(*(np.ascontiguousarray(np.rot90(x, turns)) for x in frame[:3]))
        found, expected = (getattr(boundaries, measure)(x) for x in (turned, frame))
        assert found == pytest.approx(expected), (measure, turns)
