"""Means over frames, and their intervals, against pooled pixels and plain loops in float64."""

import functools

import jax
import numpy as np
import pytest

from jaxdepth.errors import InputError
from jaxdepth.evaluation import metrics, summary
from jaxdepth.evaluation.metrics import METRIC_NAMES

SHAPE = (7, 9, 12)
EMPTY = 3  # the frame without truth


@jax.jit
def scores(log_depth, truth):
    return metrics.depth_metrics(log_depth, truth)


@functools.cache
def images(bias=0.2):
    """Seven predictions (log) and truths with ever more holes, one without any truth."""
    rng = np.random.default_rng(3)
    truth = np.float32(rng.uniform(0.5, 9.5, SHAPE))
    log_depth = np.float32(np.log(truth) + bias + 0.3 * rng.standard_normal(SHAPE) * np.arange(1, 8)[:, None, None] / 4)
    truth[rng.random(SHAPE) < np.arange(7)[:, None, None] / 8] = 0.0
    truth[EMPTY] = 0.0
    return log_depth, truth


def values_of(log_depth, truth):
    """What the scorer gives of each frame: the metrics, NaN where there is no truth."""
    values, pixels = jax.device_get(scores(log_depth, truth))
    values = {name: np.where(pixels > 0, x, np.nan) for name, x in values.items()}
    return values | {"pixels": np.float32(pixels), "mean_log_depth": values["log_bias"], "slope": values["log_bias"]}


def by_definition(log_depth, truth):
    """The metrics of all pixels of all images together, in float64."""
    valid = truth > 0
    t = np.float64(truth[valid])
    y = np.exp(np.clip(np.float64(log_depth[valid]), np.log(1e-3), np.log(10.0)))
    d, ratio = np.log(y / t), np.maximum(y / t, t / y)
    return {
        **{f"delta{k}": (ratio < 1.25**k).mean() for k in (1, 2, 3)},
        "abs_rel": (np.abs(y - t) / t).mean(),
        "sq_rel": ((y - t) ** 2 / t).mean(),
        "rmse": np.sqrt(((y - t) ** 2).mean()),
        "rmse_log": np.sqrt((d**2).mean()),
        "log10": np.abs(np.log10(y / t)).mean(),
        "silog": 100 * d.std(),
        "d_scale_invariant": d.var(),
        "loss": (d**2).mean() - d.mean() ** 2 / 2,
        "log_bias": d.mean(),
    }


def test_pooled_metrics_are_those_of_all_pixels_together():
    found = summary.means(values_of(*images()), pooling="pixels")
    expected = by_definition(*images())
    assert found.keys() == expected.keys() >= set(METRIC_NAMES)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=2e-6), name


def test_a_pooled_silog_survives_a_bias_far_above_it():
    """All predictions e^-5 times too near, and only 2e-4 apart in log: rmse_log has no digits left for that."""
    rng = np.random.default_rng(0)
    truth = np.float32(rng.uniform(5, 9, SHAPE))
    log_depth = np.float32(np.log(np.float64(truth)) - 5 + 2e-4 * rng.standard_normal(SHAPE))
    found = summary.means(values_of(log_depth, truth), pooling="pixels")
    assert found["silog"] == pytest.approx(by_definition(log_depth, truth)["silog"], rel=1e-3)


def test_a_mean_over_images_counts_every_frame_once():
    log_depth, truth = images()
    found = summary.means(values_of(log_depth, truth))
    of_frames = [by_definition(log_depth[[i]], truth[[i]]) for i in range(7) if i != EMPTY]
    for name in (*METRIC_NAMES, "log_bias"):
        assert found[name] == pytest.approx(np.mean([of[name] for of in of_frames]), rel=2e-6), name
    assert "pixels" not in found and "slope" not in found


def made(**values):
    """Values of four frames, of which the last has no truth."""
    nan = np.nan
    numbers = dict(delta1=[0.5, 0.25, 1.0, nan], rmse=[1.0, 2.0, 2.0, nan], pixels=np.float32([10, 30, 0, 0]))
    return {name: np.array(x) for name, x in (numbers | values).items()}


def test_each_pooling_by_hand():
    """Edges and further measures are means over the images that have them, in both poolings."""
    frames = made(pixels=np.float32([10, 30, 10, 0]))
    frames |= {"edges.0.05.f1": [0.2, 0.4, 0.6, np.nan], "measures.normals.rmse": [np.nan, 3.0, 5.0, np.nan]}
    frames |= {"aligned.median.rmse": frames["rmse"], "measures.planarity.flatness": [np.nan] * 4}
    images, pixels = summary.means(frames), summary.means(frames, pooling="pixels")
    assert images["delta1"] == pytest.approx(1.75 / 3) and pixels["delta1"] == pytest.approx((5 + 7.5 + 10) / 50)
    assert images["rmse"] == pytest.approx(5 / 3)
    assert pixels["rmse"] == pixels["aligned.median.rmse"] == pytest.approx(np.sqrt((10 + 120 + 40) / 50))
    for found in (images, pixels):
        assert found["edges.0.05.f1"] == pytest.approx(0.4) and found["measures.normals.rmse"] == 4.0
        assert np.isnan(found["measures.planarity.flatness"])


GROUPS = np.array([7, 7, 0, 2, 5, 2, 9])  # five groups, or one less in the frame without truth


def by_loops(log_depth, truth, name, *, pooling):
    """The ends of the middle 95 % of a mean, when whole groups of frames are drawn one by one."""
    members = [np.flatnonzero(group == GROUPS) for group in np.unique(GROUPS)]
    drawn = np.random.default_rng(0).integers(len(members), size=(2000, len(members)))
    of_frame = [by_definition(log_depth[[i]], truth[[i]])[name] if truth[i].any() else None for i in range(7)]
    found = []
    for draw in drawn:
        chosen = [i for group in draw for i in members[group] if of_frame[i] is not None]
        if pooling == "images":
            found.append(np.mean([of_frame[i] for i in chosen]))
        else:  # all pixels of all the frames that are drawn, with repetitions
            found.append(by_definition(log_depth[chosen], truth[chosen])[name])
    return np.quantile(found, (0.025, 0.975))


@pytest.mark.parametrize(
    ("name", "pooling"), [("delta1", "images"), ("silog", "images"), ("rmse", "pixels"), ("silog", "pixels")]
)
def test_intervals_equal_a_bootstrap_in_plain_loops(name, pooling):
    found = summary.intervals(values_of(*images()), GROUPS, pooling=pooling)
    expected = by_loops(*images(), name, pooling=pooling)
    np.testing.assert_allclose(found[name], expected, rtol=1e-5)
    low, high = found[name]
    assert low < summary.means(values_of(*images()), pooling=pooling)[name] < high


def test_the_draws_are_whole_resamples_and_always_the_same():
    drawn = summary.draw(6)
    assert drawn.shape == (2000, 6) and (drawn.sum(1) == 6).all()
    np.testing.assert_array_equal(drawn, summary.draw(6))
    np.testing.assert_allclose(drawn.mean(0), 1, atol=0.1)


def test_few_groups_have_no_interval_and_a_constant_has_one_of_no_width():
    frames = {"delta1": np.full(6, 0.25), "rmse": np.arange(6.0), "pixels": np.ones(6, np.float32)}
    frames["measures.planarity.flatness"] = np.where(np.arange(6) < 2, np.nan, 1.0)  # four groups have one
    found = summary.intervals(frames, np.arange(6))
    assert found["delta1"] == [0.25, 0.25] and found["rmse"][0] < 2.5 < found["rmse"][1]
    assert found["measures.planarity.flatness"] is None
    few = summary.intervals(frames, [0, 0, 1, 1, 2, 3])
    assert set(few.values()) == {None} and few.keys() == found.keys()


def test_bootstrap_of_values():
    values, groups = np.array([1.0, np.nan, 3.0, 4.0, 8.0, 2.0, 9.0]), np.array([4, 4, 4, 1, 0, 8, 6])
    mean, low, high = summary.bootstrap(values, groups)
    members = [[8.0], [4.0], [1.0, 3.0], [9.0], [2.0]]  # of the groups 0, 1, 4, 6, 8
    drawn = np.random.default_rng(0).integers(5, size=(2000, 5))
    expected = np.quantile([np.mean([x for g in row for x in members[g]]) for row in drawn], (0.025, 0.975))
    assert mean == pytest.approx(27 / 6) and (low, high) == pytest.approx(tuple(expected))
    assert summary.bootstrap(values[:5], groups[:5]) == (4.0, None, None)  # three groups
    assert summary.bootstrap(np.full(5, -0.5), np.arange(5)) == (-0.5, -0.5, -0.5)
    none, *interval = summary.bootstrap(np.full(3, np.nan), np.arange(3))
    assert np.isnan(none) and interval == [None, None]


@pytest.mark.parametrize(
    ("order", "groups"),
    [
        ([3, 4, 5, 9, 11, 12], [0, 0, 0, 1, 2, 2]),
        ([12, 3, 11, 5, 4, 9], [2, 0, 2, 0, 0, 1]),
        ([0, 2, 4], [0, 1, 2]),
        ([7, 7, 8], [0, 0, 0]),
        ([5], [0]),
        ([], []),
    ],
)
def test_runs_of_consecutive_numbers(order, groups):
    assert summary.runs(np.array(order, int)).tolist() == groups


def test_nested_parts_have_the_metrics_in_order():
    """As jit gives them: sorted by name, with dots in thresholds."""
    numbers = {name: float(i) for i, name in enumerate((*METRIC_NAMES, "log_bias"))}
    flat = {f"aligned.{how}.{name}": x for how in ("median", "scale") for name, x in numbers.items()} | numbers
    flat |= {f"edges.{t}.{name}": 0.5 for t in ("0.05", "0.125", "0.25") for name in ("f1", "precision", "recall")}
    flat |= {"measures.edges_hu.f1_0.25": 0.25, "measures.planarity.flatness": np.nan}
    found = summary.nested(dict(sorted(flat.items())))
    assert found.keys() == {"metrics", "aligned", "edges", "measures"}
    for part in (found["metrics"], found["aligned"]["median"], found["aligned"]["scale"]):
        assert list(part.items()) == [(name, numbers[name]) for name in METRIC_NAMES]
    assert list(found["edges"]) == ["0.05", "0.125", "0.25"]
    assert all(list(values) == ["precision", "recall", "f1"] for values in found["edges"].values())
    assert found["measures"] == {"edges_hu": {"f1_0.25": 0.25}, "planarity": {"flatness": None}}
    assert summary.nested(numbers) == {"metrics": {name: numbers[name] for name in METRIC_NAMES}}


def test_nothing_to_score_is_no_result():
    with pytest.raises(InputError, match="no frame has a valid pixel"):
        summary.nested(dict.fromkeys(METRIC_NAMES, np.nan))
