"""Depth metrics: a value for each image. `summary.means` pools them."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxdepth.geometry.depth import MAX_DEPTH, MIN_DEPTH, is_valid

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
EDGE_NAMES = ("precision", "recall", "f1")
EDGE_THRESHOLDS = (0.05, 0.125, 0.25)  # metres per pixel
_EDGE_TOLERANCE = 3  # pixels


def depth_metrics(
    log_depth: jax.Array,
    depth: jax.Array,
    *,
    min_depth: float = MIN_DEPTH,
    max_depth: float = MAX_DEPTH,
) -> tuple[dict[str, jax.Array], jax.Array]:
    """Computes all metrics of each image over its valid pixels (paper, section 4; Eigen 2014, section 4).

    A pixel is valid if `valid_pixels` says so. Predictions y are clipped to [min_depth, max_depth] before every metric,
    so that all of them, `loss` and `d_scale_invariant` included, see the same depth map; `loss` may therefore be below
    the training loss, which does not clip. With the truth y* and d = log y - log y* (natural logarithm):

      delta1, delta2, delta3   share of pixels with max(y / y*, y* / y) = exp |d| below 1.25, 1.25^2, 1.25^3
      abs_rel, sq_rel          mean of |y - y*| / y* and of (y - y*)^2 / y* (metres)
      rmse                     root of the mean of (y - y*)^2, metres
      rmse_log, log10          root of the mean of d^2; mean of |log10 y - log10 y*|
      silog                    scale-invariant log error, 100 sqrt(mean d^2 - (mean d)^2)
      d_scale_invariant, loss  mean d^2 - lambda (mean d)^2 with lambda 1 and .5 (paper, section 4)
      log_bias                 mean d: how much too far, as a whole

    Args:
      log_depth: [B, H, W], predicted natural logarithm of metres, any float dtype. A NaN at a valid pixel makes the
        errors of its image NaN and fails all three thresholds.
      depth: [B, H, W], metres; 0, NaN or infinite where there is no measurement.
      min_depth: metres, positive.
      max_depth: metres, above `min_depth`.

    Returns:
      {name: float32 [B]} for METRIC_NAMES and "log_bias", 0 for an image without valid pixels, and the number of valid
      pixels int32 [B].

    Raises:
      ValueError: if the shapes do not fit, or the depth range is empty.
    """
    _check(log_depth, depth, min_depth=min_depth, max_depth=max_depth)
    log_depth, depth = log_depth.astype(jnp.float32), depth.astype(jnp.float32)
    valid = valid_pixels(depth, min_depth=min_depth, max_depth=max_depth)

    # Kept in memory, since XLA's CPU backend would compute the logarithms again for each of the sums.
    y, truth, d = jax.lax.optimization_barrier(
        _errors(log_depth, depth, valid, min_depth=min_depth, max_depth=max_depth)
    )
    error, pixels = y - truth, count_pixels(valid)
    count = jnp.maximum(pixels, 1).astype(jnp.float32)

    def mean(values):  # columns first: twice as fast on a CPU
        return jnp.sum(jnp.sum(values, axis=1), axis=1) / count

    def share_within(power):
        return count_pixels(valid & (jnp.abs(d) < power * math.log(1.25))) / count

    bias = mean(d)
    # Equal to mean d^2 - (mean d)^2, but not a difference of two large numbers, which may round below zero.
    d_scale_invariant = mean(jnp.where(valid, jnp.square(d - bias[:, None, None]), 0.0))
    per_image = {
        "delta1": share_within(1),
        "delta2": share_within(2),
        "delta3": share_within(3),
        "abs_rel": mean(jnp.abs(error) / truth),
        "sq_rel": mean(jnp.square(error) / truth),
        "rmse": jnp.sqrt(mean(jnp.square(error))),
        "rmse_log": jnp.sqrt(mean(jnp.square(d))),
        "log10": mean(jnp.abs(d)) / math.log(10.0),
        "silog": 100.0 * jnp.sqrt(d_scale_invariant),
        "d_scale_invariant": d_scale_invariant,
        "loss": d_scale_invariant + 0.5 * jnp.square(bias),
        "log_bias": bias,
    }
    return per_image, pixels


def edges(
    log_depth: jax.Array, depth: jax.Array, *, min_depth: float = MIN_DEPTH, max_depth: float = MAX_DEPTH
) -> dict[str, dict[str, jax.Array]]:
    """Compares the edges of each image's predicted depth with those of the truth.

    A pixel is an edge where hypot(gx, gy) / 8 exceeds a threshold: the slope in metres per pixel, with the 3x3 Sobel
    derivatives gx and gy of the depth in metres, reflected at the border. An edge is a hit if the other map has an edge
    at most three steps away, each to one of the four neighbours.

      precision  share of the prediction's edges that are hits
      recall     share of the truth's edges that are hits
      f1         2 precision recall / (precision + recall)

    In both maps only pixels count whose 3x3 neighbourhood in the truth is valid throughout (see `valid_pixels`), so
    the border of a hole is no edge. Predictions are clipped to [min_depth, max_depth], as for `depth_metrics`.

    Args:
      log_depth, depth, min_depth, max_depth: as for `depth_metrics`.

    Returns:
      {threshold such as "0.05": {name: float32 [B]}} for EDGE_THRESHOLDS and EDGE_NAMES; 0 where there is nothing to
      divide by, such as the precision of an image without predicted edges.

    Raises:
      ValueError: as `depth_metrics`.
    """
    _check(log_depth, depth, min_depth=min_depth, max_depth=max_depth)
    caps = dict(min_depth=min_depth, max_depth=max_depth)
    return compare_edges(log_depth, true_edges(depth, **caps), **caps)


class EdgeMap(NamedTuple):
    """The edges of true depth, see `edges`.

    Attributes:
      levels: uint8 [B, H, W], how many of EDGE_THRESHOLDS a pixel's slope exceeds.
      grown: uint8 [B, H, W], the highest level at most three steps away.
      counts: bool [B, H, W], the pixels that count.
    """

    levels: jax.Array
    grown: jax.Array
    counts: jax.Array


def true_edges(
    depth: jax.Array, *, min_depth: float = MIN_DEPTH, max_depth: float = MAX_DEPTH, beyond: jax.Array | None = None
) -> EdgeMap:
    """The EdgeMap of true depth, which can be compared with several predictions.

    Args:
      depth, min_depth, max_depth: as for `depth_metrics`.
      beyond: bool [B, H, W], where a smaller image was continued, in depth and predictions, with the values of its
        border: this does not count, and the border is as that of an image by itself. None for images of one size.
    """
    valid = valid_pixels(depth, min_depth=min_depth, max_depth=max_depth)
    counts = _in_valid_neighbourhood(valid)
    counts = counts if beyond is None else counts & ~beyond
    levels = _edge_levels(jnp.where(valid, depth, 0.0).astype(jnp.float32)) * counts
    return EdgeMap(levels, _grown(levels), counts)


def compare_edges(
    log_depth: jax.Array, true: EdgeMap, *, min_depth: float = MIN_DEPTH, max_depth: float = MAX_DEPTH
) -> dict[str, dict[str, jax.Array]]:
    """What `edges` returns for predictions [B, H, W], of the truth's EdgeMap."""
    prediction = jnp.exp(jnp.clip(log_depth.astype(jnp.float32), math.log(min_depth), math.log(max_depth)))
    predicted = _edge_levels(prediction) * true.counts
    hits, found = jnp.minimum(predicted, true.grown), jnp.minimum(true.levels, _grown(predicted))

    def share(part, edges, level):
        return _ratio(*(count_pixels(x >= level).astype(jnp.float32) for x in (part, edges)))

    def compare(level):
        precision, recall = share(hits, predicted, level), share(found, true.levels, level)
        f1 = _ratio(2 * precision * recall, precision + recall)
        return {"precision": precision, "recall": recall, "f1": f1}

    return {f"{threshold:g}": compare(level) for level, threshold in enumerate(EDGE_THRESHOLDS, 1)}


def valid_pixels(depth: jax.Array, *, min_depth: float = MIN_DEPTH, max_depth: float = MAX_DEPTH) -> jax.Array:
    """The pixels that are scored: those with a finite truth, min_depth < depth <= max_depth (the cap)."""
    return is_valid(depth) & (depth > min_depth) & (depth <= max_depth)


def count_pixels(mask: jax.Array) -> jax.Array:
    """The number of true pixels of each image's mask [B, H, W], int32 [B].

    Columns are summed first, in 16 bits: twice as fast on a CPU as one sum, and exact for images of up to 65535 rows.
    """
    return jnp.sum(jnp.sum(mask, axis=1, dtype=jnp.uint16), axis=1, dtype=jnp.int32)


def _check(log_depth, depth, *, min_depth, max_depth):
    if log_depth.ndim != 3 or log_depth.shape != depth.shape:
        raise ValueError(f"log_depth {log_depth.shape}, depth {depth.shape}: expected two equal shapes [B, H, W]")
    if not 0 < min_depth < max_depth:
        raise ValueError(f"min_depth={min_depth}, max_depth={max_depth}: expected 0 < min_depth < max_depth")


def _errors(log_depth, depth, valid, *, min_depth, max_depth):
    """The clipped prediction and the truth in metres, 1 where invalid, and the difference of their logarithms."""
    clipped = jnp.where(valid, jnp.clip(log_depth, math.log(min_depth), math.log(max_depth)), 0.0)
    truth = jnp.where(valid, depth, 1.0)
    return jnp.exp(clipped), truth, clipped - jnp.log(truth)


def _ratio(a, b):
    """a / b, 0 where b is 0."""
    return jnp.where(b > 0, a / jnp.where(b > 0, b, 1.0), 0.0)


def _edge_levels(depth):
    """How many of the thresholds the slope of depth [B, H, W] exceeds, uint8 [B, H, W]."""
    depth = jnp.pad(depth, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = depth[:, :-2] + 2 * depth[:, 1:-1] + depth[:, 2:]
    columns = depth[:, :, :-2] + 2 * depth[:, :, 1:-1] + depth[:, :, 2:]
    across, down = rows[:, :, 2:] - rows[:, :, :-2], columns[:, 2:] - columns[:, :-2]
    slope = jnp.sqrt(across**2 + down**2) / 8
    return sum((slope > threshold).astype(jnp.uint8) for threshold in EDGE_THRESHOLDS)


def _in_valid_neighbourhood(valid):
    """Whether all pixels of the 3x3 around each one that are inside the image are valid, bool [B, H, W]."""
    padded = jnp.pad(valid, ((0, 0), (1, 1), (1, 1)), constant_values=True)
    rows = padded[:, :-2] & padded[:, 1:-1] & padded[:, 2:]
    return rows[:, :, :-2] & rows[:, :, 1:-1] & rows[:, :, 2:]


def _grown(levels):
    """The highest edge level at most three steps between neighbours away: each level's edges dilated by the cross."""

    def grow(_, levels):
        padded = jnp.pad(levels, ((0, 0), (1, 1), (1, 1)))
        vertical = jnp.maximum(padded[:, :-2, 1:-1], padded[:, 2:, 1:-1])
        horizontal = jnp.maximum(padded[:, 1:-1, :-2], padded[:, 1:-1, 2:])
        return jnp.maximum(levels, jnp.maximum(vertical, horizontal))

    return jax.lax.fori_loop(0, _EDGE_TOLERANCE, grow, levels)  # unrolled, XLA repeats the work of earlier rounds
