"""Scores predictions of frames, beside the mean depth image: a value for each frame and measure."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from jaxdepth import models
from jaxdepth.data.batches import evaluation
from jaxdepth.errors import InputError
from jaxdepth.evaluation import alignment, mean_depth, metrics, standard
from jaxdepth.geometry.depth import MIN_DEPTH
from jaxdepth.models import compiled
from jaxdepth.training import sharding

FINAL = "prediction"  # the only output of predictions from files


def network_outputs(network, *, flip_tta, focal_ratio=1.0):
    """What `make_scorer` takes for a network: (variables, batch) -> {output: log depth [B, h, w] of the crop}.

    `focal_ratio` is that of the frames' camera to the training's, see `framing.focal_ratio`: depths are multiplied by
    it.
    """

    def outputs(variables, batch):
        log_depths = models.outputs(network, variables, batch["image"], flip_tta=flip_tta)
        if focal_ratio == 1:
            return log_depths
        return {name: log_depth + math.log(focal_ratio) for name, log_depth in log_depths.items()}

    return outputs


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
        windows of the final output and the baseline, float32 metres, and the edges of the truth; None for nothing.
      progress: whether a bar shows how many frames are done, and the time left.

    Returns:
      A function {"params", "batch_stats"} -> {output: {name: float32 [n]}}, with the baseline as output `mean_depth`.
      The names are METRIC_NAMES, "log_bias", "pixels" and "mean_log_depth"; of the final output and the baseline also
      "aligned.HOW.METRIC", see `alignment`, "edges.THRESHOLD.METRIC", see `metrics.edges`, "slope" and
      "log_median_ratio". Frames without a valid depth have NaN. The function raises InputError if no frame has one.
    """
    sizes = dict(frame_size=frames.size, crop_size=crop_size)
    batched = sharding.batched(mesh)
    forward = outputs and compiled.jit(outputs, in_shardings=(None, batched), out_shardings=batched)
    measure = _make_measure(
        window_of=None if outputs is None else lambda log_depth: protocol.cut(protocol.enlarge(log_depth, **sizes)),
        final=groups[0],
        baseline=_baseline(mean_depth_image, protocol=protocol, **sizes),
        max_depth=frames.max_depth,
        mesh=mesh,
        is_disparity=is_disparity,
        with_windows=examine is not None,
    )

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
                batch["loaded"] = np.stack([protocol.cut(load(index)[None])[0] for index in chosen])
            batch = sharding.put(batch, batched)
            maps = {groups[0]: batch["loaded"]} if forward is None else forward(variables, batch)
            scored = measure(maps, batch["truth"])  # runs while the next frames are read
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


def _make_measure(*, window_of, final, baseline, max_depth, mesh, is_disparity, with_windows):
    """Makes the compiled function (maps, truth) -> (values of each frame, what `examine` takes).

    Args:
      window_of: of a map, log depth [B, h, w] of the crop, its window [B, H, W] at the size that is scored. None for
        maps that are windows, with NaN where there is no prediction.
      final: name of the final output.
      baseline: from `_baseline`.
      max_depth, mesh, is_disparity: as for `make_scorer`.
      with_windows: whether `examine` is called.
    """
    cap = dict(max_depth=max_depth)
    fill = window_of is None
    frame_by_frame = mesh.size == 1 and jax.default_backend() == "cpu"

    def measure(maps, truth):
        windows = {name: window_of(x) for name, x in maps.items()} if window_of else dict(maps)
        mean_log_depths = {name: x.mean((1, 2)) for name, x in maps.items()}
        if is_disparity:
            windows[final], slope = alignment.align_disparity(windows[final], truth, **cap)
        detailed = [final]
        if baseline is not None:
            windows[mean_depth.NAME] = jnp.broadcast_to(baseline, truth.shape)
            mean_log_depths[mean_depth.NAME] = jnp.broadcast_to(baseline.mean(), len(truth))
            detailed.append(mean_depth.NAME)
        options = dict(detailed=detailed, fill=fill, frame_by_frame=frame_by_frame)
        per_frame, edges = standard.measure(windows, truth, **cap, **options)
        per_frame = {name: values | {"mean_log_depth": mean_log_depths[name]} for name, values in per_frame.items()}
        if is_disparity:
            names = (*metrics.METRIC_NAMES, "log_bias")
            once = {f"aligned.scale_shift.{x}": per_frame[final][x] for x in names}
            _keep_one_alignment(per_frame[final], once | {"slope": slope})
        if not with_windows:
            return per_frame, ()
        shown = {name: windows[name] for name in detailed}
        if fill:
            shown[final] = standard.fill_missing(shown[final], truth, **cap)
        low, high = math.log(MIN_DEPTH), math.log(max_depth)
        return per_frame, ({name: jnp.exp(jnp.clip(x, low, high)) for name, x in shown.items()}, truth, edges)

    # Not `compiled.jit`, whose options are for convolutions and make this slower.
    batched = sharding.batched(mesh)
    return jax.jit(measure, in_shardings=(batched, batched), out_shardings=sharding.replicated(mesh))


def _baseline(mean_depth_image, *, protocol, frame_size, crop_size):
    """The window of the mean depth image, log depth [1, H, W]; None without one."""
    if mean_depth_image is None:
        return None
    log_depth = jnp.asarray(mean_depth.central_log_depth(mean_depth_image, crop_size=crop_size))[None]
    return protocol.cut(protocol.enlarge(log_depth, frame_size=frame_size, crop_size=crop_size))


def _keep_one_alignment(per_frame, kept):
    """Replaces the aligned scores: a disparity has been fitted already, and has no size to align."""
    for name in [name for name in per_frame if name.startswith("aligned.")]:
        del per_frame[name]
    per_frame |= kept


def _batches(frames, indices, *, protocol, batch_size, crop_size):
    """Yields (rank of the first frame, {"image", "truth" inside the window, "index"}) of this process."""
    sizes = dict(batch_size=batch_size, crop_size=crop_size)
    processes = dict(process_index=jax.process_index(), process_count=jax.process_count())
    batches = evaluation.eval_batches(frames, indices, **sizes, **processes)
    for start, batch in zip(range(0, len(indices), batch_size), batches, strict=True):
        truth = batch["depth"]
        if protocol.full_size:
            truth = np.stack([protocol.cut(frames.full_depth(index)[None])[0] for index in batch["index"]])
        else:
            truth = protocol.cut(truth)
        yield start, {"image": batch["image"], "truth": truth, "index": batch["index"]}
