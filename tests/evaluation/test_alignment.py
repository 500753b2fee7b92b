"""The median, and scores of predictions that are aligned by it."""

import jax
import jax.numpy as jnp
import numpy as np
import numpy_edges
import pytest

from jaxdepth.evaluation import alignment, metrics

median = jax.jit(alignment.median)
aligned = jax.jit(alignment.align_median)
depth_metrics = jax.jit(metrics.depth_metrics)


SHAPE = (5, 11, 8)


@pytest.mark.parametrize("seed", range(6))
def test_the_median_is_numpys(seed):
    """Of odd and even counts, repeated values, zeros, numbers of every size, a single pixel, and none."""
    rng = np.random.default_rng(seed)
    values, valid = np.float32(rng.uniform(0, 10, SHAPE)), rng.random(SHAPE) < 0.7
    values[1] = values[1].round()
    values[2] = 10.0 ** rng.integers(-37, 38, SHAPE[1:])
    values[2, : seed + 1] = 0.0
    valid[3] = np.arange(88).reshape(11, 8) == 7 * seed
    valid[4] = False
    found = median(values, valid)
    assert found.dtype == jnp.float32 and np.isnan(found[4])
    expected = [np.median(np.float64(x[mask])) for x, mask in zip(values[:4], valid[:4], strict=True)]
    np.testing.assert_array_equal(found[:4], np.float32(expected))


def test_an_even_count_takes_the_mean_of_the_middle_two():
    truth, prediction = np.zeros(SHAPE), np.full(SHAPE, 7.0)
    truth[0, 0, :6] = 1, 2, 4, 9, 0, 12  # median 3 of four pixels; a hole, and one beyond the cap
    prediction[0, 0, :4] = 0.5, 1, 2, 15  # median 1.5
    found = aligned(jnp.log(jnp.float32(prediction)), jnp.float32(truth))
    np.testing.assert_allclose(np.exp(found[0, 0]), [1, 2, 4, 30, 14, 14, 14, 14], rtol=1e-5)
    np.testing.assert_allclose(np.exp(found[1]), 7.0, rtol=1e-6)  # nothing to align with


def random_images(seed):
    """Log depth and truth: dense, with holes, beyond the cap, a single pixel, none."""
    rng = np.random.default_rng(seed)
    depth = np.float32(3 * np.exp(0.6 * rng.standard_normal(SHAPE)))
    log_depth = np.float32(np.log(depth) + 0.4 * rng.standard_normal(depth.shape) - 0.7)
    depth[1][rng.random((11, 8)) < 0.4] = rng.choice([0.0, np.nan, np.inf])
    depth[2] *= 3
    depth[3] = 0.0
    depth[3, 4, 5] = 2.0
    depth[4] = np.nan
    return log_depth, depth


@pytest.mark.parametrize("seed", range(3))
def test_aligned_metrics_equal_float64_numpy(seed):
    log_depth, depth = random_images(seed)
    per_image, pixels = depth_metrics(aligned(log_depth, depth), depth)
    for b in range(4):
        valid = numpy_edges.valid_pixels(depth[b])
        y, truth = numpy_edges.aligned(log_depth[b], depth[b])[valid], np.float64(depth[b][valid])
        ratio = np.maximum(y / truth, truth / y)
        expected = {
            "delta1": (ratio < 1.25).mean(),
            "abs_rel": (np.abs(y - truth) / truth).mean(),
            "rmse": np.sqrt(((y - truth) ** 2).mean()),
            "log10": np.abs(np.log10(y / truth)).mean(),
            "silog": 100 * np.log(y / truth).std(),
        }
        for name, value in expected.items():
            np.testing.assert_allclose(per_image[name][b], value, rtol=1e-4, atol=1e-3, err_msg=name)
    assert pixels[4] == 0 and all(float(values[4]) == 0.0 for values in per_image.values())


@pytest.mark.parametrize("factor", [1e-3, 0.4, 1.0, 3.0, 1e4])
def test_a_scaled_prediction_has_the_aligned_metrics_of_the_unscaled(factor):
    """Alignment comes before the clip: even a prediction that is out of range as a whole is mended."""
    log_depth, depth = random_images(3)
    expected, _ = depth_metrics(aligned(log_depth, depth), depth)
    found, _ = depth_metrics(aligned(log_depth + np.float32(np.log(factor)), depth), depth)
    for name in metrics.METRIC_NAMES:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-4, atol=1e-4, err_msg=name)
