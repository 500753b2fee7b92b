"""Scores all outputs of a network over frames, beside the mean depth image."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxdepth import models
from jaxdepth.data.batches import evaluation
from jaxdepth.errors import InputError
from jaxdepth.evaluation import alignment, mean_depth, metrics
from jaxdepth.geometry.depth import MIN_DEPTH
from jaxdepth.models import compiled
from jaxdepth.training import sharding


def make_scorer(network, frames, *, indices, protocol, mean_depth_image, batch_size, crop_size, flip_tta, mesh):
    """Makes the function that scores a network's variables.

    Args:
      network: from `models.build`.
      frames: a Frames.
      indices: int64 [n], which of its frames.
      protocol: a Protocol.
      mean_depth_image: float32 [H, W] metres at the frames' size, scored beside the outputs.
      batch_size: images of all processes together.
      crop_size: (h, w) of the network's input.
      flip_tta: whether predictions average over the mirrored image.
      mesh: the devices.

    Returns:
      A function {"params", "batch_stats"} -> (scores, details, per_frame):
        scores: {output: {metric: mean over images}}, with the baseline as output `mean_depth`.
        details: {output: {"aligned": {"median": {metric: mean}}, "edges": {threshold: {metric: mean}}}} of the final
          output and the baseline, see `alignment.align_median` and `metrics.edges`.
        per_frame: {output: {metric: float32 [n]}} with NaN for a frame without a valid depth; it also has the
          prediction's `mean_log_depth`.
      The function raises InputError if no frame has a valid depth.
    """
    baseline = jnp.asarray(mean_depth.central_log_depth(mean_depth_image, crop_size=crop_size))
    sizes, cap = dict(frame_size=frames.size, crop_size=crop_size), dict(max_depth=frames.max_depth)
    detailed = (network.groups[0], mean_depth.NAME)
    replicated, batched = sharding.replicated(mesh), sharding.batched(mesh)

    @functools.partial(compiled.jit, in_shardings=(None, batched), out_shardings=replicated)
    def eval_step(variables, batch):
        predictions = models.outputs(network, variables, batch["image"], flip_tta=flip_tta)
        predictions[mean_depth.NAME] = jnp.broadcast_to(baseline[None], batch["image"].shape[:3])
        sums, per_frame = {}, {}
        for name, whole in predictions.items():
            log_depth, truth = protocol.window(whole, batch["truth"], **sizes)
            per_image, valid = metrics.depth_metrics(log_depth, truth, **cap)
            summed = functools.partial(metrics.sum_over_images, valid=valid, weight=batch["weight"])
            sums[name] = {"metrics": summed(per_image)}
            if name in detailed:
                aligned, _ = metrics.depth_metrics(alignment.align_median(log_depth, truth, **cap), truth, **cap)
                edges = metrics.edges(log_depth, truth, **cap)
                sums[name] |= {
                    "aligned": {"median": summed(aligned)},
                    "edges": {threshold: summed(values) for threshold, values in edges.items()},
                }
            per_frame[name] = {metric: jnp.where(valid > 0, x, jnp.nan) for metric, x in per_image.items()}
            per_frame[name]["mean_log_depth"] = whole.mean((1, 2))
        return sums, per_frame

    def score(variables):
        sums, per_frame = None, []
        for batch in evaluation.eval_batches(
            frames,
            indices,
            batch_size=batch_size,
            crop_size=crop_size,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
        ):
            truth = batch["depth"]
            if protocol.full_size:
                truth = np.stack([frames.full_depth(index) for index in batch["index"]])
            batch = {"image": batch["image"], "truth": truth, "weight": batch["weight"]}
            new, values = eval_step(variables, sharding.put(batch, batched))
            sums = new if sums is None else jax.tree.map(jnp.add, sums, new)
            per_frame.append(jax.device_get(values))
        sums = jax.device_get(sums)
        if not any(values["metrics"]["count"] for values in sums.values()):
            raise InputError(
                f"source {frames.name!r}, protocol {protocol.name}: none of {len(indices)} frames has valid depth to "
                f"score, from {MIN_DEPTH:g} to config.data.max_depth={frames.max_depth:g} m"
            )
        scores = {name: metrics.finalize(values["metrics"]) for name, values in sums.items()}
        details = {name: _details(sums[name]) for name in detailed}
        return scores, details, jax.tree.map(lambda *parts: np.concatenate(parts)[: len(indices)], *per_frame)

    return score


def _details(sums):
    """Means of an output's aligned metrics and edges, from their sums."""
    edges = {threshold: metrics.finalize(values, metrics.EDGE_NAMES) for threshold, values in sums["edges"].items()}
    return {"aligned": {"median": metrics.finalize(sums["aligned"]["median"])}, "edges": edges}
