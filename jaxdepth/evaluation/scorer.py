"""Scores predictions of frames, beside the mean depth image: a value for each frame and measure."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from jaxdepth import models
from jaxdepth.data.batches import evaluation
from jaxdepth.errors import InputError
from jaxdepth.evaluation import alignment, mean_depth, metrics
from jaxdepth.geometry.depth import MIN_DEPTH
from jaxdepth.models import compiled
from jaxdepth.training import sharding

FINAL = "prediction"  # the only output of predictions from files


def network_outputs(network, *, flip_tta):
    """What `make_scorer` takes for a network: (variables, batch) -> {output: log depth [B, h, w] of the crop}."""
    return lambda variables, batch: models.outputs(network, variables, batch["image"], flip_tta=flip_tta)


def make_scorer(
    outputs,
    frames,
    *,
    indices,
    protocol,
    mean_depth_image,
    batch_size,
    crop_size,
    mesh,
    groups,
    load=None,
    is_disparity=False,
    examine=None,
    progress=False,
):
    """Makes the function that scores predictions.

    Args:
      outputs: from `network_outputs`; None for predictions that `load` reads.
      frames: a Frames.
      indices: int64 [n], which of its frames.
      protocol: a Protocol.
      mean_depth_image: float32 [H, W] metres at the frames' size, scored beside the outputs; None for no baseline.
      batch_size: images of all processes together.
      crop_size: (h, w) of the frames' centre crop.
      mesh: the devices.
      groups: names of the outputs, the final one first.
      load: index -> float32 [H, W] at the size that the protocol scores, log depth or disparity; NaN where there is no
        prediction, which counts as the end of the depth range that is farther from the truth.
      is_disparity: whether `load` gives disparity: fitted to the truth, see `alignment.align_disparity`.
      examine: (rank in `indices`, {output: depth [h, w]}, truth [h, w], edges [h, w]) -> None, called in order with the
        windows of the final output and the baseline, float32 metres, and of `metrics.edge_pixels`; None for nothing.
      progress: whether a bar shows how many frames are done, and the time left.

    Returns:
      A function {"params", "batch_stats"} -> {output: {name: float32 [n]}}, with the baseline as output `mean_depth`.
      The names are METRIC_NAMES, "log_bias", "pixels" and "mean_log_depth"; of the final output and the baseline also
      "aligned.HOW.METRIC", see `alignment`, "edges.THRESHOLD.METRIC", see `metrics.edges`, "slope" and
      "log_median_ratio". Frames without a valid depth have NaN. The function raises InputError if no frame has one.
    """
    sizes, cap = dict(frame_size=frames.size, crop_size=crop_size), dict(max_depth=frames.max_depth)
    final = groups[0]
    frame_by_frame = mesh.size == 1 and jax.default_backend() == "cpu"
    replicated, batched = sharding.replicated(mesh), sharding.batched(mesh)
    if mean_depth_image is not None:
        baseline = jnp.asarray(mean_depth.central_log_depth(mean_depth_image, crop_size=crop_size))

    def measure(windows, truth, *, detailed):
        """The standard measures of some outputs, one after the other, so that they are compiled once."""
        measured = functools.partial(standard, detailed=detailed, fill=outputs is None, **cap)
        measured = _one_by_one(measured) if frame_by_frame else measured
        if not windows:
            return {}
        values = jax.lax.map(lambda log_depth: measured(log_depth, truth), jnp.stack(list(windows.values())))
        return {name: {metric: x[i] for metric, x in values.items()} for i, name in enumerate(windows)}

    @functools.partial(compiled.jit, in_shardings=(None, batched), out_shardings=replicated)
    def eval_step(variables, batch):
        truth, windows = protocol.cut(batch["truth"]), {}
        whole = {final: batch["loaded"]} if outputs is None else outputs(variables, batch)
        for name, log_depth in whole.items():
            windows[name] = protocol.cut(log_depth if outputs is None else protocol.enlarge(log_depth, **sizes))
        if is_disparity:
            windows[final], slope = alignment.align_disparity(windows[final], truth, **cap)
        if mean_depth_image is not None:
            whole[mean_depth.NAME] = jnp.broadcast_to(baseline[None], (len(truth), *baseline.shape))
            windows[mean_depth.NAME] = protocol.cut(protocol.enlarge(whole[mean_depth.NAME], **sizes))

        detailed = [name for name in windows if name in (final, mean_depth.NAME)]
        others = [name for name in windows if name not in detailed]
        per_frame = measure({name: windows[name] for name in detailed}, truth, detailed=True)
        per_frame |= measure({name: windows[name] for name in others}, truth, detailed=False)
        for name, log_depth in whole.items():
            per_frame[name]["mean_log_depth"] = log_depth.mean((1, 2))
        if is_disparity:
            names = (*metrics.METRIC_NAMES, "log_bias")
            once = {f"aligned.scale_shift.{x}": per_frame[final][x] for x in names}
            _keep_one_alignment(per_frame[final], once | {"slope": slope})
        if examine is None:
            return per_frame, ()
        low, high = math.log(MIN_DEPTH), math.log(frames.max_depth)
        shown = {name: windows[name] for name in (final, mean_depth.NAME) if name in windows}
        if outputs is None:
            shown[final] = fill_missing(shown[final], truth, **cap)
        shown = {name: jnp.exp(jnp.clip(x, low, high)) for name, x in shown.items()}
        return per_frame, (shown, truth, metrics.edge_pixels(truth, **cap))

    def score(variables):
        per_frame, running = [], None
        bar = tqdm(total=len(indices), desc="evaluation", unit="frame", disable=None if progress else True, delay=2)

        def take(start, scored):
            values, windows = jax.device_get(scored)
            count = min(batch_size, len(indices) - start)
            if examine is not None:
                shown, truth, edges = windows
                for i in range(count):
                    examine(start + i, {name: x[i] for name, x in shown.items()}, truth[i], edges[i])
            bar.update(count)
            return values

        for start, batch in _batches(frames, indices, protocol=protocol, batch_size=batch_size, crop_size=crop_size):
            chosen = batch.pop("index")
            if load is not None:
                batch["loaded"] = np.stack([load(index) for index in chosen])
            scored = eval_step(variables, sharding.put(batch, batched))  # runs while the next frames are read
            if running is not None:
                per_frame.append(take(*running))
            running = start, scored
        per_frame.append(take(*running))
        bar.close()
        per_frame = jax.tree.map(lambda *parts: np.concatenate(parts)[: len(indices)], *per_frame)
        if not any(values["pixels"].any() for values in per_frame.values()):
            raise InputError(
                f"source {frames.name!r}, protocol {protocol.name}: none of {len(indices)} frames has valid depth to "
                f"score, from {MIN_DEPTH:g} to config.data.max_depth={frames.max_depth:g} m"
            )
        return per_frame

    return score


def standard(log_depth, truth, *, max_depth, detailed, fill):
    """The standard measures of each image, by flat names.

    Args:
      log_depth: float32 [B, H, W].
      truth: float32 [B, H, W], metres, 0 where there is none.
      max_depth: metres.
      detailed: whether aligned scores and edges are among them.
      fill: whether NaN is replaced, see `fill_missing`. Otherwise it makes an image's scores NaN.

    Returns:
      {name: float32 [B]}, see `make_scorer`; NaN for an image without valid pixels.
    """
    cap = dict(max_depth=max_depth)
    filled = functools.partial(fill_missing, truth=truth, **cap) if fill else lambda x: x
    aligned, told = alignment.aligned(log_depth, truth, **cap) if detailed else ({}, {})
    every = jnp.stack([log_depth.astype(jnp.float32), *aligned.values()])
    scores, pixels = jax.lax.map(lambda x: metrics.depth_metrics(filled(x), truth, **cap), every)  # compiled once
    values, pixels = told | {name: x[0] for name, x in scores.items()}, pixels[0]
    for i, how in enumerate(aligned, 1):
        values |= {f"aligned.{how}.{name}": x[i] for name, x in scores.items()}
    if detailed:
        for threshold, scores in metrics.edges(filled(log_depth), truth, **cap).items():
            values |= {f"edges.{threshold}.{name}": x for name, x in scores.items()}
    values = {name: jnp.where(pixels > 0, x, jnp.nan) for name, x in values.items()}
    return values | {"pixels": pixels.astype(jnp.float32)}


def _one_by_one(measured):
    """A function of batches, applied to one frame after the other: on a CPU, whose cache holds their maps."""

    def frames(*batch):
        return jax.lax.map(lambda frame: jax.tree.map(lambda x: x[0], measured(*(x[None] for x in frame))), batch)

    return frames


def fill_missing(log_depth, truth, *, max_depth):
    """Log depth in which NaN is the end of the depth range that is farther from the truth in log."""
    low, high = math.log(MIN_DEPTH), math.log(max_depth)
    log_truth = jnp.log(jnp.where(truth > 0, truth, 1.0))
    farther = jnp.where(log_truth - low > high - log_truth, low, high)
    return jnp.where(jnp.isnan(log_depth), farther, log_depth)


def _keep_one_alignment(per_frame, kept):
    """Replaces the aligned scores: a disparity has been fitted already, and has no size to align."""
    for name in [name for name in per_frame if name.startswith("aligned.")]:
        del per_frame[name]
    per_frame |= kept


def _batches(frames, indices, *, protocol, batch_size, crop_size):
    """Yields (rank of the first frame, {"image", "truth", "index"}) of this process."""
    sizes = dict(batch_size=batch_size, crop_size=crop_size)
    processes = dict(process_index=jax.process_index(), process_count=jax.process_count())
    batches = evaluation.eval_batches(frames, indices, **sizes, **processes)
    for start, batch in zip(range(0, len(indices), batch_size), batches, strict=True):
        truth = batch["depth"]
        if protocol.full_size:
            truth = np.stack([frames.full_depth(index) for index in batch["index"]])
        yield start, {"image": batch["image"], "truth": truth, "index": batch["index"]}
