"""Evaluates a checkpoint under a protocol."""

import hashlib
import pathlib

import jax
import numpy as np

from jaxdepth import config as settings
from jaxdepth.data import splits
from jaxdepth.data.files.writing import check_output, write_json
from jaxdepth.data.sources import selection
from jaxdepth.errors import InputError
from jaxdepth.evaluation import report, scorer
from jaxdepth.evaluation.protocols import PROTOCOLS
from jaxdepth.paths import expanded
from jaxdepth.runs import lineage, record, trained, workdir
from jaxdepth.training import sharding

_PER_FRAME = ("delta1", "abs_rel")


def evaluate_checkpoint(
    folder,
    *,
    step="last",
    protocol="eigen_crop",
    source=None,
    path=None,
    split=None,
    frames_of=None,
    image=None,
    depth=None,
    depth_scale=None,
    invalid=None,
    max_depth=None,
    output=None,
):
    """Evaluates a checkpoint of a run.

    Args:
      folder: workdir of the run, or a packed network.
      step: a step, "last" or "best".
      protocol: one of PROTOCOLS.
      source: source of the frames; None for the run's.
      path: where the source lies; None for the run's path.
      split: whose validation frames, or "all" for every frame; None for the run's.
      frames_of: another workdir, whose frames are taken where source, path and split are None.
      image, depth: patterns of a folder's files, see `pairs.find`; None for the run's.
      depth_scale: metres per unit of a folder's depths; None for the run's.
      invalid: depths in metres that are no measurement; None for the run's, if the source is.
      max_depth: metres; truth beyond it is not scored, predictions are clipped to it. None for the run's.
      output: a JSON file to write, or None.

    Returns:
      {"protocol", "frames", "frames_scored" (those with valid depth), "metrics", "mean_depth_baseline", "outputs" (of
      each scale), "checkpoint", "per_frame"}. The last has lists: "id" of the frames, "order" (consecutive numbers
      where neighbours may show the same room), and some metrics, None where a frame was not scored.

    Raises:
      InputError: for an unknown protocol, source or split, a damaged file, or predictions that are not finite.
      FileNotFoundError: for a workdir without a run or checkpoint, or an output in a missing folder.
    """
    if protocol not in PROTOCOLS:
        raise InputError(f"protocol={protocol!r}: expected one of {', '.join(PROTOCOLS)}")
    protocol = PROTOCOLS[protocol]
    check_output(output)
    run = record.read(folder)
    config, other = run.config, record.read(frames_of or folder).config
    arguments = settings.source_arguments(other, source=source, path=path, frame_size=config["data"]["frame_size"])
    given = dict(image=image, depth_files=depth, depth_scale=depth_scale, invalid=invalid, max_depth=max_depth)
    frames = selection.open_frames(**arguments | {name: value for name, value in given.items() if value is not None})
    of_folders = dict(image=image, depth=depth, depth_scale=depth_scale)
    if frames.name != "folder" and (wrong := [name for name, value in of_folders.items() if value is not None]):
        raise InputError(f"{wrong[0]}={of_folders[wrong[0]]}: only for source=folder; the source is {frames.name}")
    chosen = splits.split(split or other["data"]["split"], frames.ids, lists=frames.splits, parts=("val",))
    network = trained.read(folder, step=step)
    crop_size = network.framing.crop_size
    mesh = sharding.make_mesh()
    score = scorer.make_scorer(
        network.network,
        frames,
        indices=chosen.val,
        protocol=protocol,
        mean_depth_image=workdir.read_mean_depth(folder, size=run.frame_size),
        batch_size=-(-config["batch_size"] // mesh.size) * mesh.size,  # the last batch is padded anyway
        crop_size=crop_size,
        flip_tta=run.flip_tta,
        mesh=mesh,
    )
    scores, details, per_frame = score(network.variables)
    groups = network.network.groups
    if bad := [name for name in groups if not np.isfinite(per_frame[name]["mean_log_depth"]).all()]:
        raise InputError(
            f"{folder}: output {bad[0]} of step {network.step} is not finite: expected weights of a sound training"
        )
    described = protocol.describe(frames, chosen, crop_size=crop_size) | {
        "flip_tta": run.flip_tta,
        "trained_on": lineage.in_words(run.trained_on),
        "frames_seen_in_training": lineage.count_seen(run, frames, chosen.val, path=path or other["data"]["path"]),
    }
    if run.mean_depth_frames:
        described["mean_depth_image"] = f"of {run.mean_depth_frames} of {run.train_frames} training frames"
    result = report.result(scores, details, per_frame, groups, described, workdir=folder, step=network.step)
    result["per_frame"] = {
        "id": frames.ids[chosen.val].tolist(),
        "order": _order(frames, chosen.val).tolist(),
        **{name: _rounded(per_frame[groups[0]][name]) for name in _PER_FRAME},
    }
    if output is not None and sharding.is_main_process():
        write_json(output, result)
    return result


def default_output(folder, *, protocol, source=None, path=None, split=None, step="last", invalid=None, max_depth=None):
    """The file for a result in the run's workdir: its name tells apart what was evaluated.

    Args:
      folder: workdir of the run.
      protocol, source, path, split, step, invalid, max_depth: as for `evaluate_checkpoint`.

    Returns:
      A pathlib.Path, such as WORKDIR/evaluation-full-folder-kitchen-1b2c3d.json.
    """
    parts = [protocol, source]
    if path is not None:
        resolved = expanded(path).resolve()
        parts += [resolved.stem, hashlib.sha256(str(resolved).encode()).hexdigest()[:6]]
    parts += [split, None if step == "last" else step, None if max_depth is None else f"max{max_depth:g}"]
    parts += [f"without{value:g}" for value in invalid or ()]
    return pathlib.Path(folder, "-".join(["evaluation", *(str(part) for part in parts if part is not None)]) + ".json")


def _order(frames, indices):
    """Consecutive numbers for neighbouring frames: official ids if there are any, else the order in the source."""
    if frames.name == "rooms":
        return 2 * indices  # no two rooms are neighbours
    official = any(name in frames.splits for name in splits.NYU_SPLITS)
    return frames.ids[indices] if official else indices


def _rounded(values):
    return [None if np.isnan(x) else round(float(x), 4) for x in jax.device_get(values)]
