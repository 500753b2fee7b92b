"""The measures of depth estimation: a value an image, then sums over images that add up over batches and shards."""

import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp

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
    min_depth: float = 1e-3,
    max_depth: float = 10.0,
    mask: jax.Array | None = None,
) -> tuple[dict[str, jax.Array], jax.Array]:
    """All measures of each image, over its valid pixels (section 4 of the paper; Eigen 2014, section 4).

    A pixel is valid where the truth is finite, min_depth < depth <= max_depth (the cap) and `mask` is true.
    Predictions y are clipped to [min_depth, max_depth] before every measure, `loss` and `d_scale_invariant`
    included, so that all of them judge the same depth map; hence `loss` may be below the training loss, which
    `losses.scale_invariant` computes without clipping. With y* the truth and d = log y - log y* (natural):

      delta1, delta2, delta3   share of pixels with max(y / y*, y* / y) = exp |d| below 1.25, 1.25^2, 1.25^3
      abs_rel, sq_rel          mean of |y - y*| / y* and of (y - y*)^2 / y* (metres)
      rmse                     root of the mean of (y - y*)^2, metres
      rmse_log, log10          root of the mean of d^2; mean of |log10 y - log10 y*|
      silog                    100 sqrt(mean d^2 - (mean d)^2)
      d_scale_invariant, loss  mean d^2 - lambda (mean d)^2 with lambda 1 and .5

    Args:
      log_depth: [B, H, W], predicted natural logarithm of metres, any float dtype. A NaN at a valid pixel makes the
        errors of its image NaN and fails all three thresholds.
      depth: [B, H, W], true metres, 0 (or NaN, or infinite) = no measurement.
      min_depth: metres, above 0.
      max_depth: metres, above `min_depth`.
      mask: bool [B, H, W] or [H, W], the pixels to look at (a crop), None = all.

    Returns:
      A dict from each of METRIC_NAMES to float32 [B] (0 for an image without valid pixels), and the number of valid
      pixels of each image, int32 [B].

    Raises:
      ValueError: the shapes do not fit, or the range of depths is empty.
    """
    if log_depth.ndim != 3 or log_depth.shape != depth.shape:
        raise ValueError(f"log_depth {log_depth.shape}, depth {depth.shape}: expected two equal shapes [B, H, W]")
    if not 0 < min_depth < max_depth:
        raise ValueError(f"min_depth={min_depth}, max_depth={max_depth}: expected 0 < min_depth < max_depth")
    log_depth, depth = log_depth.astype(jnp.float32), depth.astype(jnp.float32)
    valid = losses.valid_mask(depth) & (depth > min_depth) & (depth <= max_depth)
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
    """Sums of per-image values and the number of images, which add up over batches and shards name by name.

    Args:
      per_image: name -> [B], the first result of `depth_metrics`.
      valid: [B], the number of valid pixels of each image, its second result (or bool); an image with 0 does not count.
      weight: [B], 1 for a frame and 0 for the padding of a last batch, None = all 1.

    Returns:
      name -> float32 scalar, the weighted sum over images, and "count", the sum of the weights.

    Raises:
      ValueError: `weight` is not [B].
    """
    weight = losses.image_weight(valid > 0, weight)
    sums = {name: jnp.sum(jnp.where(weight > 0, values, 0.0) * weight) for name, values in per_image.items()}
    return {**sums, "count": jnp.sum(weight)}


def finalize(sums: Mapping[str, float | jax.Array]) -> dict[str, float]:
    """Means over images from added-up results of `sum_over_images`: METRIC_NAMES, in that order -> Python float.

    Raises:
      ValueError: no image counted; there is no mean then, and 0 would read as a perfect error.
    """
    count = float(sums["count"])
    if not count > 0:
        raise ValueError(f"count={count:g}: expected at least one image with a valid pixel")
    return {name: float(sums[name]) / count for name in METRIC_NAMES}  # jit sorts the names of a dict
