"""The measures against explicit float64 loops, hand-worked cases, padded batches and shards."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdepth.evaluation import metrics
from jaxdepth.training import losses

# Compiled once for each shape: operation by operation these tests take many times as long.
depth_metrics = jax.jit(metrics.depth_metrics, static_argnames=("min_depth", "max_depth"))

NAMES = "delta1 delta2 delta3 abs_rel sq_rel rmse rmse_log log10 silog d_scale_invariant loss".split()


def loop_metrics(log_depth, depth, *, min_depth=1e-3, max_depth=10.0):
    """Every measure from its definition, pixel by pixel in float64: a dict of lists, and counts of pixels."""
    results, counts = {name: [] for name in NAMES}, []
    for b in range(len(depth)):
        pairs = []
        for i, j in np.ndindex(depth.shape[1:]):
            truth = float(depth[b, i, j])
            if math.isfinite(truth) and min_depth < truth <= max_depth:
                prediction = min(max(math.exp(min(float(log_depth[b, i, j]), 700.0)), min_depth), max_depth)
                pairs.append((prediction, truth))
        counts.append(len(pairs))
        n = max(len(pairs), 1)

        def mean(function, pairs=pairs, n=n):
            return math.fsum(function(y, t) for y, t in pairs) / n

        mean_log = mean(lambda y, t: math.log(y) - math.log(t))
        variance = mean(lambda y, t, m=mean_log: (math.log(y) - math.log(t) - m) ** 2)
        values = {
            "delta1": mean(lambda y, t: max(y / t, t / y) < 1.25),
            "delta2": mean(lambda y, t: max(y / t, t / y) < 1.25**2),
            "delta3": mean(lambda y, t: max(y / t, t / y) < 1.25**3),
            "abs_rel": mean(lambda y, t: abs(y - t) / t),
            "sq_rel": mean(lambda y, t: (y - t) ** 2 / t),
            "rmse": math.sqrt(mean(lambda y, t: (y - t) ** 2)),
            "rmse_log": math.sqrt(mean(lambda y, t: math.log(y / t) ** 2)),
            "log10": mean(lambda y, t: abs(math.log10(y) - math.log10(t))),
            "silog": 100 * math.sqrt(variance),
            "d_scale_invariant": variance,
            "loss": variance + mean_log**2 - 0.5 * mean_log**2,
        }
        for name in NAMES:
            results[name].append(values[name])
    return results, counts


def random_batch(seed, *, scale=3.0, shape=(6, 11, 8)):
    """Six images: dense, holes as 0, holes as NaN / inf / negative, one single pixel, none at all, dense again."""
    rng = np.random.default_rng(seed)
    depth = (scale * np.exp(0.5 * rng.standard_normal(shape))).astype(np.float32)
    log_depth = (np.log(depth) + 0.3 * rng.standard_normal(shape) + 0.1).astype(np.float32)
    depth[1][rng.random(shape[1:]) < 0.6] = 0
    depth[2] = np.where(rng.random(shape[1:]) < 0.5, rng.choice([np.nan, np.inf, -np.inf, -1.0], shape[1:]), depth[2])
    depth[3] = 0
    depth[3, 4, 5] = scale
    depth[4] = rng.choice([0.0, np.nan, np.inf], shape[1:])
    return log_depth, depth


def compare(per_image, expected, *, rtol=1e-4):
    for name in NAMES:
        assert per_image[name].dtype == jnp.float32
        np.testing.assert_allclose(per_image[name], expected[name], rtol=rtol, atol=3e-6, err_msg=name)


def test_names_and_their_order():
    assert list(metrics.METRIC_NAMES) == NAMES
    log_depth, depth = random_batch(0)
    per_image, _ = depth_metrics(jnp.array(log_depth), jnp.array(depth))
    assert set(per_image) == {*NAMES, "log_bias"}


def test_hand_worked():
    # y = 2, 1, 4 on y* = 1, 1, 2; the other pixels are invalid, or beyond the cap.
    depth = jnp.array([[[1.0, 1.0, 2.0, 0.0, 11.0]]])
    log_depth = jnp.log(jnp.array([[[2.0, 1.0, 4.0, 5.0, 1.0]]]))
    per_image, pixels = depth_metrics(log_depth, depth)
    mean_log, mean_square = 2 / 3 * math.log(2), 2 / 3 * math.log(2) ** 2
    expected = {
        "delta1": 1 / 3,
        "delta2": 1 / 3,
        "delta3": 1 / 3,  # 1.25^3 = 1.953 < 2
        "abs_rel": 2 / 3,
        "sq_rel": (1 + 2) / 3,
        "rmse": math.sqrt(5 / 3),
        "rmse_log": math.sqrt(mean_square),
        "log10": 2 / 3 * math.log10(2),
        "silog": 100 * math.sqrt(mean_square - mean_log**2),
        "d_scale_invariant": mean_square - mean_log**2,
        "loss": mean_square - mean_log**2 / 2,
    }
    assert pixels.tolist() == [3]
    for name, value in expected.items():
        np.testing.assert_allclose(per_image[name], [value], rtol=1e-5, err_msg=name)


def test_the_three_thresholds():
    ratios = jnp.array([[[1.2, 1 / 1.2, 1.3, 1 / 1.5, 1.6, 1 / 1.9, 2.0, 0.5]]])
    per_image, _ = depth_metrics(jnp.log(3 * ratios), jnp.full(ratios.shape, 3.0))
    assert [float(per_image[f"delta{k}"][0]) for k in (1, 2, 3)] == [2 / 8, 4 / 8, 6 / 8]


@pytest.mark.parametrize("seed", range(5))
def test_equals_float64_loops(seed):
    log_depth, depth = random_batch(seed)
    per_image, pixels = depth_metrics(jnp.array(log_depth), jnp.array(depth))
    expected, counts = loop_metrics(log_depth, depth)
    assert pixels.dtype == jnp.int32 and pixels.tolist() == counts
    compare(per_image, expected)


@pytest.mark.parametrize(("scale", "low", "high"), [(1e-6, 1e-8, 1e-3), (1e6, 1e2, 1e8), (8.0, 1e-3, 10.0)])
def test_tiny_huge_and_capped_depths(scale, low, high):
    log_depth, depth = random_batch(7, scale=scale)
    log_depth[0, 0, :4] = [-1e4, 1e4, -np.inf, np.inf]  # all come back into the range
    per_image, pixels = depth_metrics(jnp.array(log_depth), jnp.array(depth), min_depth=low, max_depth=high)
    expected, counts = loop_metrics(log_depth, depth, min_depth=low, max_depth=high)
    assert pixels.tolist() == counts
    compare(per_image, expected)


def test_limits_of_the_truth():
    depth = jnp.array([[[1e-3, 2e-3, 10.0, 10.1, 5.0]]], jnp.float32)
    _, pixels = depth_metrics(jnp.zeros((1, 1, 5)), depth)
    assert pixels.tolist() == [3]  # above the minimum, up to the cap


def test_loss_and_error_judge_the_clipped_prediction():
    depth = jnp.array([[[5.0, 5.0]]])
    log_depth = jnp.log(jnp.array([[[5.0, 100.0]]]))  # clipped to 10
    per_image, _ = depth_metrics(log_depth, depth)
    np.testing.assert_allclose(per_image["loss"], [math.log(2) ** 2 * (1 / 2 - 1 / 8)], rtol=1e-5)
    np.testing.assert_allclose(per_image["d_scale_invariant"], [math.log(2) ** 2 / 4], rtol=1e-5)
    inside = jnp.log(jnp.array([[[4.0, 7.0]]]))
    per_image, _ = depth_metrics(inside, depth)
    np.testing.assert_allclose(per_image["loss"], jax.jit(losses.scale_invariant)(inside, depth), rtol=1e-6)


def test_nan_prediction_is_not_hidden():
    depth = jnp.full((2, 1, 2), 3.0)
    log_depth = jnp.log(depth).at[0, 0, 0].set(jnp.nan)
    per_image, pixels = depth_metrics(log_depth, depth)
    assert pixels.tolist() == [2, 2]
    assert per_image["delta1"].tolist() == [0.5, 1.0]
    assert np.isnan(per_image["rmse"][0]) and np.isnan(per_image["loss"][0])
    assert np.isfinite(per_image["rmse"][1])


def test_full_frames_stay_accurate_in_float32():
    rng = np.random.default_rng(9)
    depth = rng.uniform(0.5, 10.0, (2, 480, 640)).astype(np.float32)
    log_depth = (np.log(depth) + 0.2).astype(np.float32)  # all differences of one sign: the hardest sum
    log_depth[1] += (0.1 * rng.standard_normal((480, 640))).astype(np.float32)
    per_image, pixels = depth_metrics(jnp.array(log_depth), jnp.array(depth))
    assert pixels.tolist() == [307200, 307200]
    truth = np.float64(depth)
    y = np.clip(np.exp(np.float64(log_depth)), 1e-3, 10.0)
    d = np.log(y) - np.log(truth)
    ratio = np.maximum(y / truth, truth / y)
    expected = {
        "delta1": [(ratio[b] < 1.25).mean() for b in range(2)],
        "abs_rel": [(np.abs(y - truth) / truth)[b].mean() for b in range(2)],
        "sq_rel": [((y - truth) ** 2 / truth)[b].mean() for b in range(2)],
        "rmse": [np.sqrt(((y - truth) ** 2)[b].mean()) for b in range(2)],
        "rmse_log": [np.sqrt((d**2)[b].mean()) for b in range(2)],
        "log10": [np.abs(d)[b].mean() / np.log(10) for b in range(2)],
        "silog": [100 * d[b].std() for b in range(2)],
        "loss": [(d**2)[b].mean() - 0.5 * d[b].mean() ** 2 for b in range(2)],
    }
    for name, values in expected.items():
        # A pixel may fall on the other side of a threshold by rounding; a few of 307200 are 1e-5.
        np.testing.assert_allclose(per_image[name], values, rtol=1e-5, err_msg=name)


def test_errors_name_the_thing():
    maps = jnp.ones((2, 3, 4))
    with pytest.raises(ValueError, match=r"log_depth \(2, 3, 4\), depth \(1, 3, 4\)"):
        depth_metrics(maps, maps[:1])
    with pytest.raises(ValueError, match="min_depth=2.0, max_depth=1.0"):
        depth_metrics(maps, maps, min_depth=2.0, max_depth=1.0)
