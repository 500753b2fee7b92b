"""The median, and alignments: by the median, a scale, and a scale and shift in depth or disparity, in float64."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import numpy_edges
import pytest

from jaxdepth.evaluation import alignment, metrics

median = jax.jit(alignment.median)
aligned = jax.jit(lambda *x: alignment.align_median(*x)[0])
depth_metrics = jax.jit(metrics.depth_metrics)
of_depth = jax.jit(lambda *x: functools.reduce(dict.__or__, alignment.aligned(*x)))
of_disparity = jax.jit(alignment.align_disparity)

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


def least_squares(x, y):
    """The s and t of the least sum of (s x + t - y)^2; s = 0 of a constant x."""
    if np.ptp(x) == 0:
        return 0.0, y.mean()
    middle = x.mean()  # lstsq takes a large shift for a singular matrix
    s, t = np.linalg.lstsq(np.stack([x - middle, np.ones_like(x)], 1), y)[0]
    return s, t - s * middle


def by_definition(log_depth, depth):
    """The alignments of one image that has truth and predictions, and the numbers beside them, in float64."""
    used = numpy_edges.valid_pixels(depth) & ~np.isnan(log_depth)
    y, truth = np.exp(np.float64(log_depth)), np.float64(depth[used])
    (scale,) = np.linalg.lstsq(y[used][:, None], truth)[0]
    s, t = least_squares(y[used], truth)
    of_inverse, shift = least_squares(1 / y[used], 1 / truth)
    ratio = np.median(truth) / np.median(y[used])
    return {
        "median": np.log(ratio * y),
        "scale": np.log(scale * y),
        "scale_shift": np.log(np.clip(s * y + t, 1e-3, 10)),
        "scale_shift_disparity": -np.log(np.clip(of_inverse / y + shift, 1 / 10, 1 / 1e-3)),
        "slope": s,
        "log_median_ratio": np.log(ratio),
    }


@pytest.mark.parametrize("seed", range(3))
def test_every_alignment_equals_float64_least_squares(seed):
    """With holes in truth and prediction, one valid pixel, and a prediction that falls where the truth rises."""
    log_depth, depth = random_images(seed)
    log_depth[0] = np.where(depth[0] > 0, 1 - 0.5 * log_depth[0], 0)  # a negative slope
    missing = np.random.default_rng(seed).random(SHAPE) < 0.2
    missing[3, 4, 5] = False
    log_depth[missing] = np.nan
    found = of_depth(log_depth, depth)
    assert found["slope"][0] < 0 < found["slope"][1] and found["slope"][3] == 0  # one pixel has no slope
    for b in range(4):
        for name, expected in by_definition(log_depth[b], depth[b]).items():
            values = np.asarray(found[name][b])
            assert values.dtype == np.float32, name
            np.testing.assert_allclose(values, expected, rtol=1e-5, atol=2e-5, err_msg=f"{name} of image {b}")
            assert np.isnan(values).tolist() == (missing[b].tolist() if values.ndim else False), name
    for how in ("scale", "scale_shift", "scale_shift_disparity"):
        assert np.exp(found[how][3, 4, 5]) == pytest.approx(2.0, rel=1e-6), how  # the only pixel's truth


def test_without_truth_or_prediction_nothing_is_aligned():
    """No valid truth; no prediction at the only valid pixel; none at all."""
    log_depth, depth = random_images(0)
    log_depth[3, 4, 5] = np.nan
    log_depth[1] = np.nan
    found = of_depth(log_depth, depth)
    for b in (1, 3, 4):
        assert found["slope"][b] == 0 and found["log_median_ratio"][b] == 0
        for how in ("median", "scale"):
            np.testing.assert_array_equal(found[how][b], log_depth[b], err_msg=how)
        for how in ("scale_shift", "scale_shift_disparity"):
            np.testing.assert_array_equal(np.isnan(found[how][b]), np.isnan(log_depth[b]), err_msg=how)


@pytest.mark.parametrize("value", [1e-4, 0.7, 3.0, 60.0])
def test_a_constant_becomes_what_fits_best(value):
    _, depth = random_images(1)
    log_depth = np.full(SHAPE, np.log(value), np.float32)
    found = of_depth(log_depth, depth)
    for b in range(4):
        truth = np.float64(depth[b][numpy_edges.valid_pixels(depth[b])])
        expected = {"median": np.median(truth), "scale": truth.mean(), "scale_shift": truth.mean()}
        for how, metres in (expected | {"scale_shift_disparity": 1 / (1 / truth).mean()}).items():
            np.testing.assert_allclose(np.exp(found[how][b]), metres, rtol=1e-5, err_msg=how)
        assert found["slope"][b] == 0
    constant = of_disparity(np.full(SHAPE, 30000.3, np.float32), depth)
    np.testing.assert_allclose(constant[0][:4], found["scale_shift_disparity"][:4], rtol=1e-5)
    assert not np.any(constant[1])


def test_an_exact_multiple_or_affine_map_of_the_truth_becomes_the_truth():
    _, depth = random_images(2)
    valid = np.array([numpy_edges.valid_pixels(x) for x in depth])
    truth = np.where(valid, depth, 2.0)
    prediction = {"median": truth / 7, "scale": truth / 7, "scale_shift": 0.2 * truth + 3}
    prediction["scale_shift_disparity"] = 1 / (0.2 / truth + 3)
    for how, y in prediction.items():
        found = np.exp(of_depth(np.float32(np.log(y)), depth)[how])
        np.testing.assert_allclose(found[valid], truth[valid], rtol=1e-4, err_msg=how)


@pytest.mark.parametrize(
    ("scale", "shift"), [(1.0, 0.0), (-3.0, 0.5), (1e-24, 0.0), (1e24, 0.0), (1e3, 3e4), (0.01, -0.3)]
)
def test_an_affine_disparity_gives_what_the_depth_gives(scale, shift):
    """In any unit, with any shift, and turned round."""
    log_depth, depth = random_images(5)
    log_depth[0, 2, 3] = np.nan
    disparity = np.exp(-np.float64(log_depth))
    found, slope = of_disparity(np.float32(scale * disparity + shift), depth)
    expected = of_depth(log_depth, depth)["scale_shift_disparity"]
    np.testing.assert_allclose(found[:4], expected[:4], rtol=1e-4, atol=1e-4)
    for b in range(3):
        used = numpy_edges.valid_pixels(depth[b]) & ~np.isnan(disparity[b])
        s, _ = least_squares(disparity[b][used], 1 / np.float64(depth[b][used]))
        assert slope[b] == pytest.approx(s / scale, rel=1e-3)
    assert slope[3] == slope[4] == 0


def test_a_disparity_in_16_bits_is_as_good_as_its_steps():
    log_depth, depth = random_images(6)
    disparity = np.exp(-np.float64(log_depth))
    low, high = disparity.min(), disparity.max()
    codes = np.uint16(np.round(65535 * (disparity - low) / (high - low)))
    found, slope = of_disparity(np.float32(codes), depth)
    expected = of_depth(log_depth, depth)["scale_shift_disparity"]
    steps = np.abs(np.exp(-np.float64(found)) - np.exp(-np.float64(expected)))[:3] / np.asarray(slope)[:3, None, None]
    assert np.abs(steps).max() < 1.0  # of one code
    assert np.abs(steps).max() > 0.1  # they are not the same numbers


def test_a_shift_far_above_the_spread_loses_no_digits():
    """Disparity around 30000 +- 100, and the mean of very many of them."""
    rng = np.random.default_rng(0)
    depth = np.float32(rng.uniform(1, 9, (1, 200, 300)))
    disparity = np.float32(30000 + 100 * (2 / depth - 1) + rng.normal(0, 5, depth.shape))
    found, slope = of_disparity(disparity, depth)
    s, t = least_squares(np.float64(disparity).ravel(), 1 / np.float64(depth).ravel())
    expected = np.clip(s * np.float64(disparity) + t, 1 / 10, 1e3)
    np.testing.assert_allclose(np.exp(-np.float64(found)), expected, rtol=1e-5)
    assert slope[0] == pytest.approx(s, rel=1e-5)
