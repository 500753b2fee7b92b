"""Depth metrics: a value per image, then sums over images that add up over batches and shards."""

import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp

from jaxdepth.errors import InputError
from jaxdepth.geometry.depth import MAX_DEPTH, MIN_DEPTH, is_valid
from jaxdepth.training import losses

METRIC_NAMES = (
    "delta1",
    "delta2",
    "delta3",
    "abs_rel",
    "sq_rel",
    "rmse",
    "rmse_log",
    "log10",
    "silog",
    "d_scale_invariant",
    "loss",
)


def depth_metrics(
    log_depth: jax.Array,
    depth: jax.Array,
    *,
    min_depth: float = MIN_DEPTH,
    max_depth: float = MAX_DEPTH,
    mask: jax.Array | None = None,
) -> tuple[dict[str, jax.Array], jax.Array]:
    """Computes all metrics of each image over its valid pixels (paper, section 4; Eigen 2014, section 4).

    A pixel is valid if the truth is finite, min_depth < depth <= max_depth (the cap), and `mask` is true. Predictions y
    are clipped to [min_depth, max_depth] before every metric, so that all of them, `loss` and `d_scale_invariant`
    included, see the same depth map; `loss` may therefore be below the training loss, which does not clip. With the
    truth y* and d = log y - log y* (natural logarithm):

      delta1, delta2, delta3   share of pixels with max(y / y*, y* / y) = exp |d| below 1.25, 1.25^2, 1.25^3
      abs_rel, sq_rel          mean of |y - y*| / y* and of (y - y*)^2 / y* (metres)
      rmse                     root of the mean of (y - y*)^2, metres
      rmse_log, log10          root of the mean of d^2; mean of |log10 y - log10 y*|
      silog                    scale-invariant log error, 100 sqrt(mean d^2 - (mean d)^2)
      d_scale_invariant, loss  mean d^2 - lambda (mean d)^2 with lambda 1 and .5

    Args:
      log_depth: [B, H, W], predicted natural logarithm of metres, any float dtype. A NaN at a valid pixel makes the
        errors of its image NaN and fails all three thresholds.
      depth: [B, H, W], metres; 0, NaN or infinite where there is no measurement.
      min_depth: metres, positive.
      max_depth: metres, above `min_depth`.
      mask: bool [B, H, W] or [H, W], the pixels to score (a crop); None for all.

    Returns:
      {name: float32 [B]} for METRIC_NAMES, 0 for an image without valid pixels, and the number of valid pixels int32
      [B].

    Raises:
      ValueError: if the shapes do not fit, or the depth range is empty.
    """
    if log_depth.ndim != 3 or log_depth.shape != depth.shape:
        raise ValueError(f"log_depth {log_depth.shape}, depth {depth.shape}: expected two equal shapes [B, H, W]")
    if not 0 < min_depth < max_depth:
        raise ValueError(f"min_depth={min_depth}, max_depth={max_depth}: expected 0 < min_depth < max_depth")
    log_depth, depth = log_depth.astype(jnp.float32), depth.astype(jnp.float32)
    valid = is_valid(depth) & (depth > min_depth) & (depth <= max_depth)
    if mask is not None:
        if mask.shape not in (depth.shape, depth.shape[1:]):
            raise ValueError(f"mask {mask.shape}: expected {depth.shape} or {depth.shape[1:]}")
        valid = valid & jnp.broadcast_to(mask, depth.shape)

    log_depth = jnp.clip(log_depth, math.log(min_depth), math.log(max_depth))
    truth = jnp.where(valid, depth, 1.0)
    error = jnp.exp(log_depth) - truth
    log_error = jnp.abs(log_depth - jnp.log(truth))

    def mean(values):
        return losses.masked_mean(values, valid)

    def scale_invariant(lam):
        return losses.scale_invariant(log_depth, jnp.where(valid, depth, 0.0), lam=lam)

    def share_within(power):
        return mean((log_error < power * math.log(1.25)).astype(jnp.float32))

    d_scale_invariant = scale_invariant(1.0)
    per_image = {
        "delta1": share_within(1),
        "delta2": share_within(2),
        "delta3": share_within(3),
        "abs_rel": mean(jnp.abs(error) / truth),
        "sq_rel": mean(jnp.square(error) / truth),
        "rmse": jnp.sqrt(mean(jnp.square(error))),
        "rmse_log": jnp.sqrt(mean(jnp.square(log_error))),
        "log10": mean(log_error) / math.log(10.0),
        "silog": 100.0 * jnp.sqrt(d_scale_invariant),
        "d_scale_invariant": d_scale_invariant,
        "loss": scale_invariant(0.5),
    }
    return per_image, jnp.sum(valid, axis=(1, 2), dtype=jnp.int32)


def sum_over_images(
    per_image: Mapping[str, jax.Array], valid: jax.Array, *, weight: jax.Array | None = None
) -> dict[str, jax.Array]:
    """Sums per-image values; sums of batches and shards add up.

    Args:
      per_image: {name: [B]} from `depth_metrics`.
      valid: [B], number of valid pixels (or bool); an image with 0 does not count.
      weight: [B], 1 for a frame and 0 for the padding of a last batch; None for all 1.

    Returns:
      {name: float32 scalar}, weighted sums over images, and "count", the sum of the weights.

    Raises:
      ValueError: if `weight` is not [B].
    """
    weight = losses.image_weight(valid > 0, weight)
    sums = {name: jnp.sum(jnp.where(weight > 0, values, 0.0) * weight) for name, values in per_image.items()}
    return {**sums, "count": jnp.sum(weight)}


def finalize(sums: Mapping[str, float | jax.Array]) -> dict[str, float]:
    """Means over images.

    Args:
      sums: added-up results of `sum_over_images`.

    Returns:
      {name: float} in the order of METRIC_NAMES.

    Raises:
      InputError: if no image counts: 0 would read as a perfect error.
    """
    count = float(sums["count"])
    if not count > 0:
        raise InputError("no frame has a valid pixel to score: expected at least one")
    return {name: float(sums[name]) / count for name in METRIC_NAMES}  # jit sorts the names of a dict
