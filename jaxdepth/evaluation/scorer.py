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
from jaxdepth.evaluation.windows import make_windows
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
    camera=None,
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
      camera: Intrinsics of the training, in pixels of the frame: depths of pictures with cameras of their own
        (`Frames.own_sizes`) are multiplied by the ratio of the focal lengths; None leaves them as they are.
      load: index -> float32 [H, W] at the size that is scored, log depth or disparity; NaN where there is no
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
    window = make_windows(frames, protocol=protocol, crop_size=crop_size)
    central_mean = None if mean_depth_image is None else _central(mean_depth_image, crop_size=crop_size)
    if window.of_crops is None and jax.process_count() > 1:
        raise InputError(f"source {frames.name!r}: scored by one process only, not by {jax.process_count()}")
    batched = sharding.batched(mesh)
    forward = outputs and compiled.jit(outputs, in_shardings=(None, batched), out_shardings=batched)
    measure = _make_measure(
        window_of=outputs and window.of_crops,
        final=groups[0],
        baseline=None if central_mean is None or window.of_crops is None else window.of_crops(central_mean),
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

        for start, batch in _batches(frames, indices, window=window, batch_size=batch_size, crop_size=crop_size):
            chosen = batch.pop("index").tolist()
            if load is not None:
                batch["loaded"] = np.stack([window.cut(load(index)) for index in chosen])
            batch = sharding.put(batch, batched)
            maps = {groups[0]: batch["loaded"]} if forward is None else forward(variables, batch)
            if window.of_crops is None:
                if forward is not None:
                    maps = sharding.put(window.of_outputs(jax.device_get(maps), chosen, camera=camera), batched)
                if central_mean is not None:
                    floor = {mean_depth.NAME: np.repeat(central_mean, len(chosen), axis=0)}
                    maps |= sharding.put(window.of_outputs(floor, chosen, camera=None), batched)
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
      baseline: window of the mean depth image, log depth [1, H, W]; None without one, or if it is among the maps.
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
        if mean_depth.NAME in windows:
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


def _central(mean_depth_image, *, crop_size):
    """Log depth of the centre crop of the mean depth image, float32 [1, h, w]."""
    return np.asarray(mean_depth.central_log_depth(mean_depth_image, crop_size=crop_size), np.float32)[None]


def _keep_one_alignment(per_frame, kept):
    """Replaces the aligned scores: a disparity has been fitted already, and has no size to align."""
    for name in [name for name in per_frame if name.startswith("aligned.")]:
        del per_frame[name]
    per_frame |= kept


def _batches(frames, indices, *, window, batch_size, crop_size):
    """Yields (rank of the first frame, {"image", "truth" in the window, "index"}) of this process."""
    sizes = dict(batch_size=batch_size, crop_size=crop_size)
    processes = dict(process_index=jax.process_index(), process_count=jax.process_count())
    batches = evaluation.eval_batches(frames, indices, **sizes, **processes)
    for start, batch in zip(range(0, len(indices), batch_size), batches, strict=True):
        truth = np.stack([window.truth(int(i), crop) for i, crop in zip(batch["index"], batch["depth"], strict=True)])
        yield start, {"image": batch["image"], "truth": truth, "index": batch["index"]}
