"""Edges against float64 numpy and cases worked by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import numpy_edges
import pytest

from jaxdepth.evaluation import metrics

NAMES = ("precision", "recall", "f1")
SHAPE = (5, 24, 40)
edges = jax.jit(metrics.edges)  # for one shape of batches: it takes longer to compile than to compute


def edges_of(prediction, truth):
    """{threshold: [precision, recall, f1]} of one prediction and truth [24, 40] in metres."""
    log_depth, truth = (np.broadcast_to(np.float32(x), SHAPE) for x in (np.log(prediction), truth))
    return {t: [float(values[name][0]) for name in NAMES] for t, values in edges(log_depth, truth).items()}


def stepped(*steps):
    """A depth map of 3 m that jumps by `metres` before `column`, for each (column, metres)."""
    return np.full(SHAPE[1:], 3.0) + sum(metres * (np.arange(40) >= column) for column, metres in steps)


def boxes(seed):
    """Log depth and truth of five images with boxes: dense, with holes, beyond the cap; flat; without any truth."""
    rng = np.random.default_rng(seed)
    truth = np.full(SHAPE, 3.0) + 0.02 * np.arange(40)
    log_depth = np.log(truth)
    for b, farther in enumerate((0, 0, 6)):
        for _ in range(4):
            top, left = rng.integers(0, 12), rng.integers(0, 28)
            size, (i, j) = rng.uniform(0.2, 2.5), rng.integers(-6, 7, 2)
            truth[b, top : top + 12, left : left + 12] += size + farther * (left > 14)
            there = np.s_[max(top + i, 0) : top + i + 12, max(left + j, 0) : left + j + 12]
            log_depth[b][there] += np.log1p((size + farther * (left > 14)) / 3)
    truth[1][rng.random(SHAPE[1:]) < 0.02] = rng.choice([0.0, np.nan, np.inf, -1.0])
    truth[3], truth[4] = 2.0, 0.0
    log_depth[3] = np.log(2.5)
    return np.float32(log_depth + 0.005 * rng.standard_normal(SHAPE)), np.float32(truth)


@pytest.mark.parametrize("seed", range(4))
def test_equal_float64_numpy(seed):
    log_depth, truth = boxes(seed)
    found = edges(log_depth, truth)
    expected = [numpy_edges.edges(*pair) for pair in zip(log_depth, truth, strict=True)]
    assert tuple(found) == numpy_edges.THRESHOLDS
    for threshold, values in found.items():
        assert set(values) == set(NAMES) and values["f1"].dtype == jnp.float32
        got = np.stack([values[name] for name in NAMES], axis=1)
        np.testing.assert_allclose(got, [of_image[threshold] for of_image in expected], rtol=1e-5, err_msg=threshold)
        assert 0 < got[0, 2] < 1
        assert (got[3:] == 0).all()  # no edge in the truth, or no truth at all: 0, not NaN


@pytest.mark.parametrize(("shift", "share"), [(0, 1.0), (3, 1.0), (4, 0.5), (5, 0.0), (-3, 1.0), (-4, 0.5), (-5, 0.0)])
def test_an_edge_is_a_hit_up_to_three_pixels_away(shift, share):
    """A jump makes an edge of the two columns beside it: shifted by 4, one of them is still 3 columns away."""
    assert edges_of(stepped((20 + shift, 1)), stepped((20, 1)))["0.25"] == [share, share, share]


def test_precision_is_the_predictions_share_and_recall_the_truths():
    """Of four jumps the prediction has two, and one that is not there."""
    truth = stepped((4, 1), (14, 1), (24, 1), (34, 1))
    assert edges_of(stepped((4, 1), (9, 1), (24, 1)), truth)["0.125"] == pytest.approx([2 / 3, 1 / 2, 4 / 7])


def test_steps_are_to_the_four_neighbours():
    """A single pixel 1 m in front makes edges of its eight neighbours."""
    truth, apart, closer = np.full((3, *SHAPE[1:]), 4.0)
    truth[5, 5] = apart[9, 9] = closer[8, 9] = 3.0
    assert edges_of(apart, truth)["0.05"] == [0, 0, 0]  # the nearest corners, (6, 6) and (8, 8), are 4 steps apart
    assert edges_of(closer, truth)["0.05"] == [1 / 8, 1 / 8, 1 / 8]  # (6, 6) and (7, 8) are 3


def test_the_slope_is_in_metres_a_pixel():
    """Half of a jump: one of .2 m is an edge at .05 only, one of .3 m at .125 too. So is a ramp, less at the border."""
    assert [edges_of(stepped((20, 0.2)), stepped((20, 0.2)))[t][2] for t in numpy_edges.THRESHOLDS] == [1, 0, 0]
    assert [edges_of(stepped((20, 0.3)), stepped((20, 0.3)))[t][2] for t in numpy_edges.THRESHOLDS] == [1, 1, 0]
    ramp = np.broadcast_to(1 + 0.2 * np.arange(40), SHAPE[1:])  # .2 m a pixel inside, .1 in the columns 0 and 39
    found = edges_of(stepped((39, 1)), ramp)  # the prediction has the edges 38 and 39
    assert found["0.05"] == pytest.approx([1, 5 / 40, 2 / 9])
    assert found["0.125"] == pytest.approx([1, 4 / 38, 8 / 42])  # 35 to 38 of 1 to 38
    assert found["0.25"] == [0, 0, 0]


@pytest.mark.parametrize("hole", [0.0, np.nan, np.inf, -2.0, 10.5])
def test_the_border_of_a_hole_is_no_edge_of_either_map(hole):
    truth, prediction = stepped((20, 1)), stepped((20, 1))
    truth[5:9, 4:9] = hole
    prediction[5:9, 4:9] = 9.0
    assert edges_of(prediction, truth)["0.25"] == [1, 1, 1]
    prediction[5:9, 3:10] = 9.0  # a pixel beyond the hole on either side: the columns 2 and 10 have all their truth
    assert edges_of(prediction, truth)["0.25"][:2] == [pytest.approx(48 / (48 + 2 * 6)), 1]


def test_predictions_are_clipped():
    """Beyond the cap there is no edge: 11 and 50 m are 10 m each."""
    prediction = np.full(SHAPE[1:], 11.0)
    prediction[:, 20:] = 50.0
    assert edges_of(prediction, stepped((20, 1)))["0.05"] == [0, 0, 0]


def test_maps_that_do_not_fit_are_named():
    maps = jnp.ones((2, 3, 4))
    with pytest.raises(ValueError, match=r"log_depth \(2, 3, 4\), depth \(1, 3, 4\)"):
        metrics.edges(maps, maps[:1])
    with pytest.raises(ValueError, match="min_depth=2.0, max_depth=1.0"):
        metrics.edges(maps, maps, min_depth=2.0, max_depth=1.0)
