"""The standard measures of a batch: each output's metrics, and of some outputs aligned scores and edges."""

import functools
import math

import jax
import jax.numpy as jnp

from jaxdepth.evaluation import alignment, metrics
from jaxdepth.geometry.depth import MIN_DEPTH


def measure(windows, truth, *, max_depth, detailed, fill=False, frame_by_frame=False):
    """Measures some outputs against one truth.

    Args:
      windows: {output: log depth [B, H, W]}.
      truth: float32 [B, H, W], metres, 0 where there is none; negative where it continues a smaller image, see
        `windows.PictureWindows`.
      max_depth: metres.
      detailed: names of the outputs with aligned scores and edges, at least one.
      fill: whether NaN is replaced, see `fill_missing`. Otherwise it makes an image's scores NaN.
      frame_by_frame: whether one frame is measured after the other: on a CPU, whose cache holds their maps.

    Returns:
      {output: {flat name: float32 [B]}}, see `scorer.make_scorer`; NaN for an image without valid pixels. And the edges
      of the truth, bool [B, H, W], as `metrics.edges` has them at the lowest threshold.
    """
    per_frame, true_edges = {}, None
    for details, names in ((True, detailed), (False, [name for name in windows if name not in detailed])):
        if not names:
            continue
        measured = functools.partial(_measure_outputs, max_depth=max_depth, details=details, fill=fill)
        measured = _one_by_one(measured) if frame_by_frame else measured
        values, edges = measured(jnp.stack([windows[name] for name in names], axis=1), truth)
        per_frame |= {output: {name: x[:, i] for name, x in values.items()} for i, output in enumerate(names)}
        true_edges = edges if details else true_edges
    return per_frame, true_edges


def fill_missing(log_depth, truth, *, max_depth):
    """Log depth in which NaN is the end of the depth range that is farther from the truth in log."""
    middle = math.sqrt(MIN_DEPTH * max_depth)
    farther = jnp.where(jnp.abs(truth) > middle, math.log(MIN_DEPTH), math.log(max_depth))
    return jnp.where(jnp.isnan(log_depth), farther, log_depth)


def _measure_outputs(log_depths, truth, *, max_depth, details, fill):
    """The measures of log depths [B, outputs, H, W], {name: [B, outputs]}, and the truth's edges, None without details.

    One output is measured after the other, so that they are compiled once.
    """
    edges = median = None
    if details:
        edges = metrics.true_edges(jnp.abs(truth), beyond=truth < 0, max_depth=max_depth)
        median = alignment.median(truth, metrics.valid_pixels(truth, max_depth=max_depth))
    of_truth = dict(truth=truth, max_depth=max_depth, true_edges=edges, median_depth=median)
    measured = functools.partial(_measure_output, fill=fill, **of_truth)
    values = jax.lax.map(measured, jnp.moveaxis(log_depths.astype(jnp.float32), 1, 0))
    return {name: jnp.moveaxis(x, 0, 1) for name, x in values.items()}, edges and edges.levels > 0


def _measure_output(log_depth, *, truth, max_depth, true_edges, median_depth, fill):
    cap, details = dict(max_depth=max_depth), true_edges is not None
    filled = functools.partial(fill_missing, truth=truth, **cap) if fill else lambda x: x
    aligned, told = alignment.aligned(log_depth, truth, median_depth=median_depth, **cap) if details else ({}, {})
    every = jnp.stack([log_depth, *aligned.values()])
    scores, pixels = jax.lax.map(lambda x: metrics.depth_metrics(filled(x), truth, **cap), every)  # compiled once
    values, pixels = told | {name: x[0] for name, x in scores.items()}, pixels[0]
    for i, how in enumerate(aligned, 1):
        values |= {f"aligned.{how}.{name}": x[i] for name, x in scores.items()}
    if details:
        for threshold, shares in metrics.compare_edges(filled(log_depth), true_edges, **cap).items():
            values |= {f"edges.{threshold}.{name}": x for name, x in shares.items()}
    values = {name: jnp.where(pixels > 0, x, jnp.nan) for name, x in values.items()}
    return values | {"pixels": pixels.astype(jnp.float32)}


def _one_by_one(measured):
    """A function of batches, applied to one frame after the other."""

    def frames(*batch):
        return jax.lax.map(lambda frame: jax.tree.map(lambda x: x[0], measured(*(x[None] for x in frame))), batch)

    return frames
