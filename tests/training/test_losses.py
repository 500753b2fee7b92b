"""The training loss against explicit float64 loops, hand-worked cases and finite differences."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdepth.geometry.depth import is_valid
from jaxdepth.training import losses

# Compiled once for each shape: operation by operation these tests take many times as long.
scale_invariant = jax.jit(losses.scale_invariant, static_argnames="lam")
mean_over_images = jax.jit(losses.mean_over_images)


def loop_loss(log_depth, depth, lam):
    """The formula of the paper's section 4, pixel by pixel in float64."""
    result = []
    for prediction, truth in zip(np.float64(log_depth), np.float64(depth), strict=True):
        differences = []
        for y, t in zip(prediction.ravel(), truth.ravel(), strict=True):
            if math.isfinite(t) and t > 0:
                differences.append(y - math.log(t))
        n = len(differences)
        if n == 0:
            result.append(0.0)
            continue
        squares = math.fsum(d * d for d in differences)
        result.append(squares / n - lam / n**2 * math.fsum(differences) ** 2)
    return np.array(result)


def random_batch(seed, *, scale=3.0):
    """Six images: dense, holes as 0, holes as NaN / inf / negative, one single pixel, none at all, dense again."""
    rng = np.random.default_rng(seed)
    depth = (scale * np.exp(0.5 * rng.standard_normal((6, 9, 7)))).astype(np.float32)
    log_depth = (math.log(scale) + 0.6 * rng.standard_normal((6, 9, 7))).astype(np.float32)
    depth[1][rng.random((9, 7)) < 0.6] = 0
    depth[2] = np.where(rng.random((9, 7)) < 0.5, rng.choice([np.nan, np.inf, -np.inf, -1.0], (9, 7)), depth[2])
    depth[3] = 0
    depth[3, 4, 5] = scale
    depth[4] = rng.choice([0.0, np.nan, np.inf], (9, 7))
    return log_depth, depth


def test_a_valid_depth_is_finite_and_positive():
    depth = jnp.array([[1e-6, 1e6, 2.0], [0.0, -1.0, np.nan], [np.inf, -np.inf, 10.0]])
    expected = [[True, True, True], [False, False, False], [False, False, True]]
    np.testing.assert_array_equal(is_valid(depth), expected)


# Two valid pixels with d = 1 and d = 3: sum d^2 / n = 5, (sum d / n)^2 = 4.
@pytest.mark.parametrize(("lam", "expected"), [(0.0, 5.0), (0.5, 3.0), (1.0, 1.0)])
def test_hand_worked(lam, expected):
    depth = jnp.array([[[1.0, math.e, 0.0]]])
    log_depth = jnp.array([[[1.0, 4.0, 100.0]]])
    np.testing.assert_allclose(scale_invariant(log_depth, depth, lam=lam), [expected], rtol=1e-6)


@pytest.mark.parametrize("lam", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("scale", [1e-6, 1e-2, 3.0, 1e6])
def test_equals_float64_loops(scale, lam):
    for seed in range(5):
        log_depth, depth = random_batch(seed, scale=scale)
        loss = scale_invariant(jnp.array(log_depth), jnp.array(depth), lam=lam)
        assert loss.shape == (6,) and loss.dtype == jnp.float32
        np.testing.assert_allclose(loss, loop_loss(log_depth, depth, lam), rtol=2e-5, atol=1e-11)


def test_default_lambda_is_one_half():
    log_depth, depth = random_batch(0)
    loss = scale_invariant(jnp.array(log_depth), jnp.array(depth))
    np.testing.assert_allclose(loss, loop_loss(log_depth, depth, 0.5), rtol=1e-5)


def test_bfloat16_prediction_is_computed_in_float32():
    log_depth, depth = random_batch(1)
    rounded = jnp.array(log_depth).astype(jnp.bfloat16)
    loss = scale_invariant(rounded, jnp.array(depth))
    assert loss.dtype == jnp.float32
    np.testing.assert_allclose(loss, loop_loss(np.array(rounded, np.float64), depth, 0.5), rtol=1e-5)


def test_nearly_constant_difference_stays_accurate_and_never_negative():
    # sum d^2 / n - (sum d / n)^2 in float32 would lose all digits here: d = 100 +- 1e-3 gives 10000 - 10000.
    rng = np.random.default_rng(2)
    depth = np.ones((8, 60, 80), np.float32)
    log_depth = (100 + 1e-3 * rng.standard_normal(depth.shape)).astype(np.float32)
    loss = np.array(scale_invariant(jnp.array(log_depth), jnp.array(depth), lam=1.0))
    assert (loss >= 0).all()
    np.testing.assert_allclose(loss, np.float64(log_depth).reshape(8, -1).var(1), rtol=1e-3)


def test_scale_invariant_part_ignores_a_common_factor():
    log_depth, depth = random_batch(3)
    one, other = (scale_invariant(jnp.array(log_depth + c), jnp.array(depth), lam=1.0) for c in (0.0, 2.0))
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("scale", [1e-6, 3.0, 1e6])
@pytest.mark.parametrize("lam", [0.0, 0.5, 1.0])
def test_gradient_equals_float64_finite_differences(scale, lam):
    log_depth, depth = random_batch(4, scale=scale)
    gradient = jax.grad(lambda y: jnp.sum(scale_invariant(y, jnp.array(depth), lam=lam)))(jnp.array(log_depth))
    expected = np.zeros(depth.shape)
    for index in np.ndindex(depth.shape):
        step = np.zeros(depth.shape[1:])
        step[index[1:]] = 1e-4
        image = slice(index[0], index[0] + 1)
        above, below = (loop_loss(np.float64(log_depth[image]) + s, depth[image], lam)[0] for s in (step, -step))
        expected[index] = (above - below) / 2e-4
    np.testing.assert_allclose(gradient, expected, atol=2e-6)
    invalid = ~(np.isfinite(depth) & (depth > 0))
    np.testing.assert_array_equal(np.array(gradient)[invalid], 0.0)


@pytest.mark.parametrize("garbage", [np.nan, np.inf, -np.inf, 1e30])
def test_predictions_at_invalid_pixels_do_not_matter(garbage):
    log_depth, depth = random_batch(5)
    dirty = np.where(np.isfinite(depth) & (depth > 0), log_depth, garbage).astype(np.float32)

    def objective(y, depth):
        return mean_over_images(scale_invariant(y, depth), depth)

    grad = jax.jit(jax.value_and_grad(objective, argnums=(0, 1)))
    value, gradients = grad(jnp.array(log_depth), jnp.array(depth))
    dirty_value, dirty_gradients = grad(jnp.array(dirty), jnp.array(depth))
    assert value == dirty_value and np.isfinite(value)
    for clean, other in zip(gradients, dirty_gradients, strict=True):
        assert np.isfinite(other).all()
        np.testing.assert_array_equal(clean, other)


def test_batch_without_any_valid_pixel():
    depth = jnp.zeros((2, 3, 4)).at[1].set(jnp.nan)

    def objective(y):
        return mean_over_images(scale_invariant(y, depth), depth)

    value, gradient = jax.value_and_grad(objective)(jnp.full((2, 3, 4), jnp.nan))
    assert value == 0
    np.testing.assert_array_equal(gradient, np.zeros((2, 3, 4)))


def test_mean_over_images_counts_measured_images_only():
    log_depth, depth = random_batch(6)
    per_image = scale_invariant(jnp.array(log_depth), jnp.array(depth))
    expected = loop_loss(log_depth, depth, 0.5)[[0, 1, 2, 3, 5]].mean()  # image 4 has no valid pixel
    np.testing.assert_allclose(mean_over_images(per_image, jnp.array(depth)), expected, rtol=1e-5)
    has_pixel = jnp.array([True, True, True, True, False, True])
    np.testing.assert_allclose(mean_over_images(per_image, has_pixel), expected, rtol=1e-5)


def test_mean_over_images_is_weighted_and_forgets_padding():
    values = jnp.array([1.0, 3.0, jnp.nan, 7.0])
    valid = jnp.array([True, True, True, False])
    mean = mean_over_images(values, valid, weight=jnp.array([0.25, 0.5, 0.0, 1.0]))
    np.testing.assert_allclose(mean, (0.25 * 1 + 0.5 * 3) / 0.75, rtol=1e-6)
    assert mean_over_images(values, valid, weight=jnp.zeros(4)) == 0
    gradient = jax.grad(lambda v: mean_over_images(v, valid, weight=jnp.array([1.0, 1.0, 0.0, 1.0])))(values)
    np.testing.assert_array_equal(gradient, [0.5, 0.5, 0.0, 0.0])


def test_errors_name_the_thing():
    maps = jnp.ones((2, 3, 4))
    with pytest.raises(ValueError, match=r"log_depth \(2, 3, 4\), depth \(2, 3, 5\)"):
        scale_invariant(maps, jnp.ones((2, 3, 5)))
    with pytest.raises(ValueError, match=r"expected two equal shapes \[B, H, W\]"):
        scale_invariant(maps[..., None], maps[..., None])
    with pytest.raises(ValueError, match="lam=1.5"):
        scale_invariant(maps, maps, lam=1.5)
    with pytest.raises(ValueError, match=r"values \(2,\), depth \(3,\)"):
        mean_over_images(jnp.ones(2), jnp.ones(3))
    with pytest.raises(ValueError, match=r"weight \(1,\)"):
        mean_over_images(jnp.ones(2), jnp.ones(2), weight=jnp.ones(1))


def differences(log_depth, depth):
    """d in float64, NaN where there is no measurement."""
    truth = np.where(np.isfinite(depth) & (depth > 0), depth, np.nan).astype(np.float64)
    return log_depth.astype(np.float64) - np.log(truth)


def case_with_holes():
    rng = np.random.default_rng(0)
    depth = rng.uniform(0.5, 9, (3, 16, 24)).astype(np.float32)
    depth[0, 3:7, 2:9], depth[1, ::2], depth[2] = 0, np.nan, np.inf
    return rng.normal(0.5, 0.4, depth.shape).astype(np.float32), depth


def test_absolute_is_the_mean_over_measured_pixels():
    log_depth, depth = case_with_holes()
    expected = [np.nanmean(np.abs(d)) for d in differences(log_depth, depth)[:2]]
    np.testing.assert_allclose(losses.absolute(log_depth, depth), [*expected, 0], rtol=1e-5)


def test_gradient_matching_is_the_sum_over_scales_of_mean_differences():
    log_depth, depth = case_with_holes()
    expected = []
    for d in differences(log_depth, depth)[:2]:
        total = 0.0
        for step in (1, 2, 4):
            for steps in (np.diff(d[::step, ::step], axis=axis) for axis in (0, 1)):
                total += np.nanmean(np.abs(steps)) if np.isfinite(steps).any() else 0.0
        expected.append(total)
    np.testing.assert_allclose(losses.gradient_matching(log_depth, depth, scales=3), [*expected, 0], rtol=1e-5)
    shifted = losses.gradient_matching(log_depth + 1, depth, scales=3)  # no common factor of the depth changes it
    np.testing.assert_allclose(shifted, [*expected, 0], rtol=1e-4)


def test_the_training_loss_is_the_weighted_sum_with_finite_gradients():
    log_depth, depth = case_with_holes()
    weights = dict(lam=0.3, absolute_weight=0.5, gradient_weight=0.25)
    expected = (
        losses.scale_invariant(log_depth, depth, lam=0.3)
        + 0.5 * losses.absolute(log_depth, depth)
        + 0.25 * losses.gradient_matching(log_depth, depth)
    )
    np.testing.assert_allclose(losses.training_loss(log_depth, depth, **weights), expected, rtol=1e-6)
    gradient = jax.grad(lambda x: losses.training_loss(x, depth, **weights).sum())(log_depth)
    assert np.isfinite(gradient).all() and (np.asarray(gradient)[2] == 0).all()
