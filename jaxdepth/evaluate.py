"""Evaluation: protocols, the mean-depth baseline, and the measures of a checkpoint under a protocol."""

import dataclasses
import functools
import json

import jax
import jax.numpy as jnp
import numpy as np

from jaxdepth import models, predict
from jaxdepth.data import splits
from jaxdepth.data.batches import tfdata
from jaxdepth.data.frames import centre_corner
from jaxdepth.data.sources import selection
from jaxdepth.evaluation import metrics
from jaxdepth.runs import lineage, workdir
from jaxdepth.training import sharding

BASELINE = "mean_depth"
FULL_SIZE = (480, 640)


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How a prediction is judged: at which size, inside which window, up to which depth.

    Attributes:
      name: what `--protocol` takes.
      full_size: judged at 480x640, or at the network's size inside the centre crop.
      rows, columns: (first, past the last) pixel of the window, or None for all.
      min_depth, max_depth: metres; truth outside is left out, predictions are clipped.
    """

    name: str
    full_size: bool
    rows: tuple | None = None
    columns: tuple | None = None
    min_depth: float = 1e-3
    max_depth: float = 10.0

    def describe(self, frames, split, *, crop_size):
        """All that a number needs beside it, for JSON."""
        size = FULL_SIZE if self.full_size else tuple(crop_size)
        (h, w), (height, width) = crop_size, frames.size
        return {
            "name": self.name,
            "source": frames.name,
            "split": split.name,
            "split_hash": split.hash,
            "frames": len(split.val),
            "truth": frames.truth,
            "network_input": f"centre {h}x{w} of {height}x{width} (rows x columns)",
            "judged_at": list(size),
            "resize": "border continued to the frame, then bilinear depth" if self.full_size else "none",
            "rows": list(self.rows or (0, size[0])),
            "columns": list(self.columns or (0, size[1])),
            "min_depth": self.min_depth,
            "max_depth": self.max_depth,
            "pooling": "mean over images of per-image values",
        }


PROTOCOLS = {
    p.name: p
    for p in (
        Protocol("paper", full_size=False),
        Protocol("eigen_crop", full_size=True, rows=(45, 471), columns=(41, 601)),
        Protocol("full", full_size=True),
    )
}


def mean_depth_baseline(frames, positions):
    """The per-pixel geometric mean of the valid depths of some frames: float32 [H, W], metres.

    A pixel that is never valid takes the geometric mean of all; some depth has to be valid.
    """
    total, count = np.zeros(frames.size), np.zeros(frames.size)
    for position in positions:
        depth = np.asarray(frames.depths[position], np.float64)
        total += np.log(np.where(depth > 0, depth, 1.0))
        count += depth > 0
    mean = np.where(count > 0, total / np.maximum(count, 1), total.sum() / count.sum())
    return np.exp(mean).astype(np.float32)


def central_log_depth(depth, *, crop_size):
    """The log of the centre crop (h, w) of a depth image [H, W] in metres."""
    top, left = centre_corner(depth.shape, crop_size=crop_size)
    return np.log(depth[top : top + crop_size[0], left : left + crop_size[1]])


def make_scorer(network, frames, *, positions, protocol, mean_depth, batch_size, crop_size, mirrored, mesh):
    """A function of the network's variables that measures all its outputs over some frames.

    Args:
      network: see `jaxdepth.models`.
      frames: the source; positions: which of its frames.
      protocol: a Protocol.
      mean_depth: float32 [H, W] metres at the working resolution, judged beside the outputs.
      batch_size: of all processes together; crop_size: (h, w), the network's; mirrored: see `models.outputs`; mesh:
        from `jaxdepth.training.sharding`.

    Returns:
      `score({"params", "batch_stats"}) -> (scores, per_frame)`: {output: {metric: mean over images}}, the baseline as
      output `mean_depth`, and {output: {metric: float32 [len(positions)]}} with NaN for a frame without valid depth.
    """
    baseline = {"batch_stats": {"stored": central_log_depth(mean_depth, crop_size=crop_size)}}
    replicated, batched = sharding.replicated(mesh), sharding.batched(mesh)

    @functools.partial(jax.jit, in_shardings=(replicated, batched), out_shardings=replicated)
    def eval_step(variables, batch):
        predictions = models.outputs(network, variables, batch["image"], mirrored=mirrored)
        predictions[BASELINE], _ = models.build(BASELINE, dtype="float32").apply(baseline, batch["image"])
        size = dict(frame_size=frames.size, crop_size=crop_size)
        sums, per_frame = {}, {}
        for name, log_depth in predictions.items():
            per_image, valid = judge(log_depth, batch["truth"], protocol, **size)
            sums[name] = metrics.sum_over_images(per_image, valid, weight=batch["weight"])
            per_frame[name] = {metric: jnp.where(valid > 0, x, jnp.nan) for metric, x in per_image.items()}
        return sums, per_frame

    def score(variables):
        sums, per_frame = None, []
        for batch in tfdata.eval_batches(
            frames,
            positions,
            batch_size=batch_size,
            crop_size=crop_size,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
        ):
            truth = batch["depth"]
            if protocol.full_size:
                truth = np.stack([frames.full_depth(position) for position in batch["position"]])
            batch = {"image": batch["image"], "truth": truth, "weight": batch["weight"]}
            new, of_batch = eval_step(variables, sharding.put(batch, batched))
            sums = new if sums is None else jax.tree.map(jnp.add, sums, new)
            per_frame.append(jax.device_get(of_batch))
        scores = {name: metrics.finalize(values) for name, values in jax.device_get(sums).items()}
        return scores, jax.tree.map(lambda *parts: np.concatenate(parts)[: len(positions)], *per_frame)

    return score


def judge(log_depth, truth, protocol, *, frame_size, crop_size):
    """The measures of log depth [B, h, w] of the centre crop, against truth at the protocol's size, for each image.

    As `metrics.depth_metrics` gives them: {metric: [B]} and the number of valid pixels [B].
    """
    mask = None
    if protocol.full_size:
        log_depth = to_full_size(log_depth, frame_size=frame_size, crop_size=crop_size)
    if protocol.rows is not None:
        rows, columns = (jnp.arange(n) for n in truth.shape[1:])
        inside_rows = (rows >= protocol.rows[0]) & (rows < protocol.rows[1])
        inside_columns = (columns >= protocol.columns[0]) & (columns < protocol.columns[1])
        mask = inside_rows[:, None] & inside_columns[None, :]
    return metrics.depth_metrics(
        log_depth, truth, min_depth=protocol.min_depth, max_depth=protocol.max_depth, mask=mask
    )


def to_full_size(log_depth, *, frame_size, crop_size):
    """Log depth [B, h, w] of the centre crop -> [B, 480, 640]: the border continued to the frame, depth bilinear."""
    depth = predict.continue_to_frame(jnp.exp(log_depth), frame_size=frame_size, crop_size=crop_size)
    return jnp.log(jax.image.resize(depth, (depth.shape[0], *FULL_SIZE), "bilinear"))


def evaluate_checkpoint(
    folder,
    *,
    step=None,
    protocol="eigen_crop",
    source=None,
    path=None,
    split=None,
    frames_of=None,
    output=None,
):
    """Evaluate a checkpoint of a training run.

    Args:
      folder: the run's workdir.
      step: which checkpoint; None for the last.
      protocol: one of PROTOCOLS.
      source, path, split: the frames; None for those of the run (its validation frames). `all` is every frame.
      frames_of: the workdir of another run, whose frames are taken instead where source, path and split name none.
      output: a JSON file to write.

    Returns:
      {"protocol", "frames", "metrics", "mean_depth_baseline", "outputs" (of each scale), "checkpoint", "per_frame":
      the frames' ids, their places (successive numbers where neighbours may show the same room), delta1 and abs_rel}.

    Raises:
      ValueError, FileNotFoundError: an unknown protocol, source or split, a workdir without config or checkpoint.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol={protocol!r}: expected one of {', '.join(PROTOCOLS)}")
    protocol = PROTOCOLS[protocol]
    record = workdir.read_config(folder)
    config = record["config"]
    workdir.check_output(output)
    other = workdir.read_config(frames_of or folder)["config"]
    data = other["data"]
    mesh = sharding.make_mesh()
    batch_size = -(-config["batch_size"] // mesh.size) * mesh.size  # a last batch is padded anyway
    size = config["data"]["frame_size"]
    frames = selection.of_settings(data, seed=other["seed"], source=source, path=path, frame_size=size)
    chosen = splits.split(split or data["split"], frames.ids, lists=frames.splits, parts=("val",))
    trained = predict.load(folder, step=step)
    score = make_scorer(
        trained.network,
        frames,
        positions=chosen.val,
        protocol=protocol,
        mean_depth=workdir.mean_depth(folder),
        batch_size=batch_size,
        crop_size=trained.crop_size,
        mirrored=trained.mirrored,
        mesh=mesh,
    )
    scores, per_frame = score(trained.variables)
    described = protocol.describe(frames, chosen, crop_size=trained.crop_size)
    described |= {
        "mirrored": trained.mirrored,
        "trained_on": lineage.in_words(record),
        "frames_seen_in_training": lineage.seen(record, frames, chosen.val, path=path or data["path"]),
    }
    result = as_result(scores, trained.network.groups, described, folder, trained.step)
    of_fused = per_frame[trained.network.groups[0]]
    result["per_frame"] = {"id": frames.ids[chosen.val].tolist(), "place": _places(frames, chosen.val).tolist()} | {
        name: [None if np.isnan(x) else round(float(x), 4) for x in of_fused[name]] for name in ("delta1", "abs_rel")
    }
    if output is not None and jax.process_index() == 0:
        workdir.write_atomically(output, (json.dumps(result, indent=2) + "\n").encode())
    return result


def _places(frames, positions):
    """Successive numbers for neighbours: official ids where there are any, else the order in the source."""
    if frames.name == "rooms":
        return 2 * positions  # each is a room of its own
    official = any(name in frames.splits for name in splits.NAMES)
    return frames.ids[positions] if official else positions


def table(scores, names=("delta1", "delta2", "delta3", "abs_rel", "rmse", "log10", "silog")):
    """{row: {metric: value}} as text, a row a line."""
    width = max(map(len, scores))
    lines = [" " * width + "".join(f"{name:>9}" for name in names)]
    lines += [f"{row:<{width}}" + "".join(f"{values[name]:9.4f}" for name in names) for row, values in scores.items()]
    return "\n".join(lines)


def as_result(scores, groups, protocol, folder, step):
    """Scores of the outputs `groups` (fused first) and the baseline in the form of evaluate's JSON."""
    fused, *others = groups
    return {
        "protocol": protocol,
        "frames": protocol["frames"],
        "metrics": scores[fused],
        "mean_depth_baseline": scores[BASELINE],
        "outputs": {name: scores[name] for name in others},
        "checkpoint": {"workdir": str(folder), "step": step},
    }


def heading(result):
    """The frames and the protocol of a result, as two lines to read."""
    p = result["protocol"]
    (top, bottom), (left, right), (height, width) = p["rows"], p["columns"], p["judged_at"]
    return (
        f"{p['source']}, split {p['split']} ({p['split_hash']}), {result['frames']} frames\n"
        f"protocol {p['name']}: rows {top}:{bottom}, columns {left}:{right} of {height}x{width}, "
        f"{p['truth']} up to {p['max_depth']:g} m, {p['pooling']}"
    )


def report(result):
    """A result as lines to read: the protocol, then a row for each output."""
    seen = result["protocol"].get("frames_seen_in_training", 0)
    warning = f"warning: the network was trained on {seen} of these frames\n" if seen else ""
    rows = {"prediction": result["metrics"], **result["outputs"], "mean depth": result["mean_depth_baseline"]}
    return f"step {result['checkpoint']['step']} on {heading(result)}\n{warning}{table(rows)}"
