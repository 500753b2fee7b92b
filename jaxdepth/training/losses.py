"""Training losses: one value per image, which the caller averages over the images with valid depth."""

import jax
import jax.numpy as jnp

from jaxdepth.geometry.depth import is_valid


def scale_invariant(log_depth: jax.Array, depth: jax.Array, *, lam: float = 0.5) -> jax.Array:
    """Scale-invariant loss in log space (paper, section 4; Eigen 2014, eq. 4).

    With d = log_depth - log(depth) over the n valid pixels of an image: 1/n sum d^2 - lam/n^2 (sum d)^2.

    Args:
      log_depth: [B, H, W], predicted natural logarithm of metres, any float dtype. Any value, NaN included, may stand
        where `depth` is invalid.
      depth: [B, H, W], metres; 0, NaN or infinite where there is no measurement.
      lam: in [0, 1]; 0 is plain L2, 1 ignores any common factor of the prediction.

    Returns:
      float32 [B], never negative; 0 with gradient 0 for an image without valid pixels.

    Raises:
      ValueError: if the shapes differ or are not [B, H, W], or `lam` is out of range.
    """
    if not 0 <= lam <= 1:
        raise ValueError(f"lam={lam}: expected a number in [0, 1]")
    difference, valid = _log_difference(log_depth, depth)
    mean = masked_mean(difference, valid)
    centred = difference - mean[:, None, None]
    # Equal to the formula, but not a difference of two large numbers, which may round below zero.
    return masked_mean(jnp.square(centred), valid) + (1.0 - lam) * jnp.square(mean)


def absolute(log_depth: jax.Array, depth: jax.Array) -> jax.Array:
    """Mean |log_depth - log(depth)|. Arguments, errors and result as for `scale_invariant`."""
    difference, valid = _log_difference(log_depth, depth)
    return masked_mean(jnp.abs(difference), valid)


def gradient_matching(log_depth: jax.Array, depth: jax.Array, *, scales: int = 4) -> jax.Array:
    """Multi-scale gradient matching loss (Li & Snavely 2018, MegaDepth, eq. 4).

    The mean |d_x| and |d_y| of d = log_depth - log(depth), summed over scales. Scale s uses every 2**s-th pixel of d. A
    difference counts if both of its pixels are valid.

    Args:
      log_depth: as for `scale_invariant`.
      depth: as for `scale_invariant`.
      scales: number of scales.

    Returns:
      float32 [B].

    Raises:
      ValueError: as `scale_invariant`.
    """
    difference, valid = _log_difference(log_depth, depth)
    total = jnp.zeros(len(depth))
    for step in (2**s for s in range(scales)):
        d, v = difference[:, ::step, ::step], valid[:, ::step, ::step]
        total += masked_mean(jnp.abs(d[:, 1:] - d[:, :-1]), v[:, 1:] & v[:, :-1])
        total += masked_mean(jnp.abs(d[:, :, 1:] - d[:, :, :-1]), v[:, :, 1:] & v[:, :, :-1])
    return total


def training_loss(log_depth, depth, *, lam, absolute_weight, gradient_weight):
    """`scale_invariant` plus weighted `absolute` and `gradient_matching`: float32 [B]."""
    total = scale_invariant(log_depth, depth, lam=lam)
    if absolute_weight:
        total += absolute_weight * absolute(log_depth, depth)
    if gradient_weight:
        total += gradient_weight * gradient_matching(log_depth, depth)
    return total


def _log_difference(log_depth, depth):
    """log_depth - log(depth) [B, H, W], 0 where `depth` is invalid, and the mask of valid pixels."""
    if log_depth.ndim != 3 or log_depth.shape != depth.shape:
        raise ValueError(f"log_depth {log_depth.shape}, depth {depth.shape}: expected two equal shapes [B, H, W]")
    log_depth, depth = log_depth.astype(jnp.float32), depth.astype(jnp.float32)
    valid = is_valid(depth)
    # Mask the logarithm's argument and the difference: a single `where` leaves 0 * inf in the gradient.
    log_truth = jnp.log(jnp.where(valid, depth, 1.0))
    return jnp.where(valid, log_depth - log_truth, 0.0), valid


def masked_mean(values: jax.Array, valid: jax.Array) -> jax.Array:
    """Mean over each image's valid pixels.

    Args:
      values: [B, H, W].
      valid: bool [B, H, W].

    Returns:
      [B]; 0 for an image without valid pixels.
    """
    pixels = jnp.maximum(jnp.sum(valid, axis=(1, 2)), 1)
    return jnp.sum(jnp.where(valid, values, 0.0), axis=(1, 2)) / pixels.astype(values.dtype)


def mean_over_images(values: jax.Array, depth: jax.Array, *, weight: jax.Array | None = None) -> jax.Array:
    """Mean over the images with valid depth: what a training step minimises.

    Args:
      values: [B], one value per image.
      depth: [B, H, W] metres. An image counts if it has a valid pixel. A mask [B, H, W], or a number of valid pixels
        [B], works as well.
      weight: [B], not negative; None weighs all images alike. An image of weight 0 (padding of a last batch) has no
        effect, even if its value is NaN.

    Returns:
      float32 scalar; 0 if no image counts.

    Raises:
      ValueError: if `values` is not [B], or the lengths differ.
    """
    if values.ndim != 1 or depth.shape[:1] != values.shape:
        raise ValueError(f"values {values.shape}, depth {depth.shape}: expected [B] and [B] or [B, H, W]")
    weight = image_weight(jnp.any(is_valid(depth), axis=tuple(range(1, depth.ndim))), weight)
    total = jnp.sum(weight)
    # Weights may sum to less than 1, so a maximum would not do as the guard against 0/0.
    return jnp.sum(jnp.where(weight > 0, values, 0.0) * weight) / jnp.where(total > 0, total, 1.0)


def image_weight(valid: jax.Array, weight: jax.Array | None) -> jax.Array:
    """Weights of images in a mean.

    Args:
      valid: bool [B], which images count.
      weight: [B], or None for 1.

    Returns:
      float32 [B]; 0 where `valid` is false.

    Raises:
      ValueError: if the shapes differ.
    """
    if weight is None:
        return valid.astype(jnp.float32)
    if weight.shape != valid.shape:
        raise ValueError(f"weight {weight.shape}: expected {valid.shape}, one number per image")
    return jnp.where(valid, weight.astype(jnp.float32), 0.0)
