"""Training losses: one value an image, which the caller reduces over the images that have a measurement."""

import jax
import jax.numpy as jnp


def valid_mask(depth: jax.Array) -> jax.Array:
    """True where a depth was measured: finite and above zero.

    Args:
      depth: metres, any shape; 0, negative, NaN and infinite values mean "no measurement".

    Returns:
      Booleans of the same shape.
    """
    return jnp.isfinite(depth) & (depth > 0)


def scale_invariant(log_depth: jax.Array, depth: jax.Array, *, lam: float = 0.5) -> jax.Array:
    """The scale-invariant loss of each image, 1/n sum d^2 - lam/n^2 (sum d)^2 with d = log_depth - log(depth).

    Section 4 of the paper, Eigen 2014, eq. 4. `lam=0` is the squared error of the logarithm, `lam=1` the error that
    no common factor of the prediction changes. The sum runs over the n pixels where `depth` is valid; an image
    without one has loss 0 and gradient 0. Computed in float32, so bfloat16 predictions are welcome.

    Args:
      log_depth: [B, H, W], predicted natural logarithm of metres, any float dtype. Any value, NaN included, may
        stand where `depth` is not valid.
      depth: [B, H, W], true metres, 0 (or NaN, or infinite) = no measurement.
      lam: in [0, 1].

    Returns:
      float32 [B], never negative.

    Raises:
      ValueError: the shapes differ or are not [B, H, W], or `lam` is outside [0, 1].
    """
    if not 0 <= lam <= 1:
        raise ValueError(f"lam={lam}: expected a number in [0, 1]")
    difference, valid = _log_difference(log_depth, depth)
    mean = masked_mean(difference, valid)
    centred = difference - mean[:, None, None]
    # Equal to the formula above, but without the difference of two large numbers, which may come out below zero.
    return masked_mean(jnp.square(centred), valid) + (1.0 - lam) * jnp.square(mean)


def absolute(log_depth: jax.Array, depth: jax.Array) -> jax.Array:
    """The mean |d| of each image, d = log_depth - log(depth): arguments, errors and result as in `scale_invariant`."""
    difference, valid = _log_difference(log_depth, depth)
    return masked_mean(jnp.abs(difference), valid)


def gradient_matching(log_depth: jax.Array, depth: jax.Array, *, scales: int = 4) -> jax.Array:
    """The multi-scale gradient loss of each image: the mean |d_x| and |d_y| of d = log_depth - log(depth), summed.

    Li & Snavely 2018 (MegaDepth), eq. 4. Scale s of `scales` has every 2**s-th pixel of d; a difference counts where
    both of its pixels have a measurement. Arguments, errors and result as in `scale_invariant`.
    """
    difference, valid = _log_difference(log_depth, depth)
    total = jnp.zeros(len(depth))
    for step in (2**s for s in range(scales)):
        d, v = difference[:, ::step, ::step], valid[:, ::step, ::step]
        total += masked_mean(jnp.abs(d[:, 1:] - d[:, :-1]), v[:, 1:] & v[:, :-1])
        total += masked_mean(jnp.abs(d[:, :, 1:] - d[:, :, :-1]), v[:, :, 1:] & v[:, :, :-1])
    return total


def training_loss(log_depth, depth, *, lam, absolute_weight, gradient_weight):
    """`scale_invariant` of each image, plus `absolute` and `gradient_matching` times their weights: [B]."""
    total = scale_invariant(log_depth, depth, lam=lam)
    if absolute_weight:
        total += absolute_weight * absolute(log_depth, depth)
    if gradient_weight:
        total += gradient_weight * gradient_matching(log_depth, depth)
    return total


def _log_difference(log_depth, depth):
    """d [B, H, W], 0 where `depth` is not valid, and where it is. Raises ValueError for shapes that do not fit."""
    if log_depth.ndim != 3 or log_depth.shape != depth.shape:
        raise ValueError(f"log_depth {log_depth.shape}, depth {depth.shape}: expected two equal shapes [B, H, W]")
    log_depth, depth = log_depth.astype(jnp.float32), depth.astype(jnp.float32)
    valid = valid_mask(depth)
    # Both the logarithm's argument and the difference are masked: one `where` alone leaves 0 * inf in the gradient.
    log_truth = jnp.log(jnp.where(valid, depth, 1.0))
    return jnp.where(valid, log_depth - log_truth, 0.0), valid


def masked_mean(values: jax.Array, valid: jax.Array) -> jax.Array:
    """Mean over the valid pixels of each image: values and bool valid [B, H, W] -> [B], 0 where no pixel is valid."""
    pixels = jnp.maximum(jnp.sum(valid, axis=(1, 2)), 1)
    return jnp.sum(jnp.where(valid, values, 0.0), axis=(1, 2)) / pixels.astype(values.dtype)


def mean_over_images(values: jax.Array, depth: jax.Array, *, weight: jax.Array | None = None) -> jax.Array:
    """Mean over the images that have a valid pixel, 0 if none has: what a training step minimises.

    Args:
      values: [B], one value an image, such as `scale_invariant` gives.
      depth: [B, H, W] metres; an image counts if `valid_mask` finds a pixel in it. A mask, or the number of valid
        pixels [B], serves as well.
      weight: [B], at least 0, None = all 1. An image of weight 0 (the padding of a last batch) has no part in the
        mean, even if its value is NaN.

    Returns:
      A float32 scalar.

    Raises:
      ValueError: `values` is not [B], or `depth` or `weight` is of another length.
    """
    if values.ndim != 1 or depth.shape[:1] != values.shape:
        raise ValueError(f"values {values.shape}, depth {depth.shape}: expected [B] and [B] or [B, H, W]")
    weight = image_weight(jnp.any(valid_mask(depth), axis=tuple(range(1, depth.ndim))), weight)
    total = jnp.sum(weight)
    # Weights may sum to less than 1, so the guard against 0/0 is a `where`, not a maximum.
    return jnp.sum(jnp.where(weight > 0, values, 0.0) * weight) / jnp.where(total > 0, total, 1.0)


def image_weight(valid: jax.Array, weight: jax.Array | None) -> jax.Array:
    """Weight of each image in a mean over images: float32 [B], 0 where `valid` (bool [B]) is false; None = all 1."""
    if weight is None:
        return valid.astype(jnp.float32)
    if weight.shape != valid.shape:
        raise ValueError(f"weight {weight.shape}: expected {valid.shape}, one number an image")
    return jnp.where(valid, weight.astype(jnp.float32), 0.0)
