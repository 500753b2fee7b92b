"""Alignments: scores as if something had been told, such as the size of the room, which tells size from shape.

Each image's prediction is fitted to its truth over the pixels that are scored. Pixels without a prediction (NaN) have
no part in a fit, and stay without.
"""

import jax
import jax.numpy as jnp

from jaxdepth.evaluation import metrics
from jaxdepth.geometry.depth import MAX_DEPTH, MIN_DEPTH
from jaxdepth.training import losses

_PAST_ALL = 2**31 - 1  # bits beyond those of every finite float32


def align_median(
    log_depth: jax.Array,
    depth: jax.Array,
    *,
    min_depth: float = MIN_DEPTH,
    max_depth: float = MAX_DEPTH,
    median_depth: jax.Array | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Multiplies each image's prediction by median(truth) / median(prediction).

    Args:
      log_depth: [B, H, W], predicted natural logarithm of metres.
      depth: [B, H, W], metres; 0, NaN or infinite where there is no measurement.
      min_depth, max_depth: metres; see `metrics.valid_pixels`.
      median_depth: [B], metres, where it is known already: the median of each image's valid depths.

    Returns:
      float32 [B, H, W], log depth that is not clipped yet; an image without valid pixels stays as it is. And the log of
      the factor, float32 [B].
    """
    log_depth, depth, used = _used(log_depth, depth, min_depth=min_depth, max_depth=max_depth)
    if median_depth is None:
        median_depth = median(depth, used)
    else:
        some_are_missing = jnp.any(jnp.isnan(log_depth))
        median_depth = jax.lax.cond(some_are_missing, lambda: median(depth, used), lambda: median_depth)
    factor = median_depth / median(jnp.exp(jnp.where(used, log_depth, 0.0)), used)
    log_factor = jnp.where(jnp.any(used, axis=(1, 2)), jnp.log(factor), 0.0)
    return log_depth + log_factor[:, None, None], log_factor


def align_scale(
    log_depth: jax.Array, depth: jax.Array, *, min_depth: float = MIN_DEPTH, max_depth: float = MAX_DEPTH
) -> jax.Array:
    """Multiplies each image's prediction by the factor s of the least sum of (s prediction - truth)^2, in metres.

    Arguments as for `align_median`, the result as its first.
    """
    log_depth, depth, used = _used(log_depth, depth, min_depth=min_depth, max_depth=max_depth)
    top = jnp.max(jnp.where(used, log_depth, -jnp.inf), axis=(1, 2), keepdims=True)
    y = jnp.exp(jnp.where(used, log_depth - top, 0.0))  # at most 1: its square is finite
    factor = losses.masked_mean(y * depth, used) / losses.masked_mean(jnp.square(y), used)
    return jnp.where(
        jnp.any(used, axis=(1, 2), keepdims=True), log_depth - top + jnp.log(factor)[:, None, None], log_depth
    )


def align_scale_shift(
    log_depth: jax.Array, depth: jax.Array, *, min_depth: float = MIN_DEPTH, max_depth: float = MAX_DEPTH
) -> tuple[jax.Array, jax.Array]:
    """Fits s prediction + t to the truth by least squares in metres (as Ranftl 2020 in disparity, eq. 4).

    Arguments as for `align_median`.

    Returns:
      float32 [B, H, W], log depth clipped to the depth range, since s prediction + t may be negative. And s, float32
      [B]: negative where what is far is predicted near, 0 for a constant prediction.
    """
    log_depth, depth, used = _used(log_depth, depth, min_depth=min_depth, max_depth=max_depth)
    fitted, s = _fit(jnp.exp(log_depth), depth, used)
    return jnp.log(jnp.clip(fitted, min_depth, max_depth)), s


def align_disparity(
    disparity: jax.Array, depth: jax.Array, *, min_depth: float = MIN_DEPTH, max_depth: float = MAX_DEPTH
) -> tuple[jax.Array, jax.Array]:
    """Fits s disparity + t to 1 / truth by least squares, and inverts it (Ranftl 2020, eq. 4).

    Args:
      disparity: [B, H, W], in any unit and with any shift; larger is nearer.
      depth, min_depth, max_depth: as for `align_median`.

    Returns:
      float32 [B, H, W], log depth in the depth range; NaN where there is no prediction. And s, float32 [B]: negative
      where a large disparity is far, 0 for a constant one.
    """
    disparity, depth, used = _used(disparity, depth, min_depth=min_depth, max_depth=max_depth)
    fitted, s = _fit(disparity, 1.0 / jnp.where(used, depth, 1.0), used)
    return -jnp.log(jnp.clip(fitted, 1.0 / max_depth, 1.0 / min_depth)), s


def aligned(
    log_depth: jax.Array,
    depth: jax.Array,
    *,
    min_depth: float = MIN_DEPTH,
    max_depth: float = MAX_DEPTH,
    median_depth: jax.Array | None = None,
) -> tuple[dict[str, jax.Array], dict[str, jax.Array]]:
    """All alignments of predicted depth by name, {name: [B, H, W]}, and what they tell of each image, {name: [B]}.

    Arguments as for `align_median`. The second has "log_median_ratio" and "slope", from `align_median` and
    `align_scale_shift`.
    """
    caps = dict(min_depth=min_depth, max_depth=max_depth)
    median, log_median_ratio = align_median(log_depth, depth, median_depth=median_depth, **caps)
    scale_shift, slope = align_scale_shift(log_depth, depth, **caps)
    disparity, _ = align_disparity(jnp.exp(-log_depth.astype(jnp.float32)), depth, **caps)
    scale = align_scale(log_depth, depth, **caps)
    found = {"median": median, "scale": scale, "scale_shift": scale_shift, "scale_shift_disparity": disparity}
    return found, {"log_median_ratio": log_median_ratio, "slope": slope}


def median(values: jax.Array, valid: jax.Array) -> jax.Array:
    """The median of each image's valid pixels, of an even number the mean of the middle two.

    The bits of floats that are not negative, read as integers, have the floats' order. So 31 counts find a median's
    bits from the first to the last, in a tenth of the time that sorting takes on a CPU.

    Args:
      values: float32 [B, H, W], not negative.
      valid: bool [B, H, W].

    Returns:
      float32 [B]; NaN for an image without valid pixels.
    """
    bits = jnp.where(valid, jax.lax.bitcast_convert_type(values, jnp.int32), _PAST_ALL)
    pixels = metrics.count_pixels(valid)
    lower_rank = (pixels - 1) // 2

    def add_bit(i, found):
        candidate = found | (1 << (30 - i))
        return jnp.where(metrics.count_pixels(bits < candidate[:, None, None]) <= lower_rank, candidate, found)

    lower = jax.lax.fori_loop(0, 31, add_bit, jnp.zeros_like(pixels))
    at_most = bits <= lower[:, None, None]
    next_higher = jnp.min(jnp.where(at_most, _PAST_ALL, bits), axis=(1, 2))
    upper = jnp.where(pixels // 2 < metrics.count_pixels(at_most), lower, next_higher)
    lower, upper = (jax.lax.bitcast_convert_type(x, jnp.float32) for x in (lower, upper))
    return (lower + upper) / 2


def _used(prediction, depth, *, min_depth, max_depth):
    """Both as float32, and which pixels a fit uses."""
    prediction, depth = prediction.astype(jnp.float32), depth.astype(jnp.float32)
    scored = metrics.valid_pixels(depth, min_depth=min_depth, max_depth=max_depth)
    return prediction, depth, scored & ~jnp.isnan(prediction)


def _fit(x, y, used):
    """s x + t of the least squares over the used pixels, and s; a constant x becomes the mean of y."""

    def mean(values):
        return losses.masked_mean(values, used)[:, None, None]

    x_mean, y_mean = mean(x), mean(y)
    centred = x - x_mean
    centred -= mean(centred)  # what rounding has left, which counts where x_mean is far larger than the spread
    spread = jnp.max(jnp.where(used, jnp.abs(centred), 0.0), axis=(1, 2), keepdims=True)
    unit = centred / jnp.where(spread > 0, spread, 1.0)  # its square is finite in every unit of x
    variance = mean(jnp.square(unit))
    varies = jnp.sqrt(variance) * spread > 1e-6 * jnp.abs(x_mean)  # beyond what rounding makes of a constant
    s = jnp.where(varies, mean(unit * (y - y_mean)) / jnp.where(varies, variance, 1.0), 0.0)
    return s * unit + y_mean, (s / jnp.where(spread > 0, spread, 1.0))[:, 0, 0]
