"""The folder of a run: starts or continues it, and keeps its mean depth image."""

import dataclasses
import pathlib

from absl import logging

from jaxdepth.data.files.arrays import read_array
from jaxdepth.data.files.writing import write_array, write_json
from jaxdepth.errors import InputError
from jaxdepth.runs import lock, metrics_log, record, upgrade
from jaxdepth.training import sharding

MEAN_DEPTH = "mean_depth.npy"
_FILES = (MEAN_DEPTH, metrics_log.NAME, "panel.png", "curves.png")  # written after config.json
# Settings that may change when a run is continued: its length, where data and earlier weights are, what only
# affects logs and disk space, and how the devices divide the work.
FREE_SETTINGS = (
    "epochs",
    "steps",
    "validate_every",
    "log_every",
    "checkpoint_every",
    "keep_every",
    "max_skipped_steps",
    "model_parallel",
    "panel_frames",
    "tensorboard",
    "data.path",
    "init_from",
)


def refuse_foreign(workdir):
    """Checks that nothing is replaced in a workdir that no training has written.

    Raises:
      InputError: if config.json is no record of a run; or, without it, if another of a run's names is taken.
    """
    if pathlib.Path(workdir, record.NAME).exists():
        record.read(workdir)
        return
    foreign = [name for name in _FILES if pathlib.Path(workdir, name).exists()] + lock.foreign(workdir)
    if foreign:
        raise InputError(
            f"workdir {str(workdir)!r} has {', '.join(foreign)} and no {record.NAME}, so no training wrote it: use "
            "another --workdir"
        )


def begin_or_continue(workdir, run, *, checkpoint_steps):
    """The record of the run that goes on in a workdir. Nothing is written.

    Args:
      workdir: the folder.
      run: the RunRecord of the config.
      checkpoint_steps: the steps of the checkpoints in the workdir.

    Returns:
      `run`; if it continues one, with the origin of the weights that that one really began with.

    Raises:
      InputError: if the workdir holds another run, or one whose checkpoints are gone.
    """
    if checkpoint_steps:
        before = record.read(workdir)
        check_same_run(before, run, where=workdir)
        return dataclasses.replace(run, began_with=before.began_with)
    if saved := lock.last_saved(workdir):
        raise InputError(
            f"workdir {str(workdir)!r} had a checkpoint of step {saved}, and now has none: put its checkpoints back, "
            f"use another --workdir, or remove {lock.WRITER} there to begin again"
        )
    return run


def open_run(workdir, run, *, at_step, compute_mean_depth):
    """Writes what a workdir holds besides checkpoints, at the start of a run or where it is continued.

    Lines of metrics.jsonl past `at_step` are dropped; if others are damaged, the file is kept as metrics.damaged.jsonl.
    Only the main process writes; all processes must call this together.

    Args:
      workdir: the folder, which exists.
      run: the RunRecord, from `begin_or_continue`.
      at_step: step of the checkpoint from which it is continued, or None for a new run.
      compute_mean_depth: () -> float32 [H, W] metres, called where the mean depth image is missing or damaged.

    Returns:
      The mean depth image.
    """
    workdir = pathlib.Path(workdir)
    if sharding.is_main_process():
        if at_step is None:
            (workdir / MEAN_DEPTH).unlink(missing_ok=True)
        write_json(workdir / record.NAME, run.to_json())
        metrics_log.cut(workdir, after=-1 if at_step is None else at_step)
        try:
            read_mean_depth(workdir, size=run.frame_size)
        except (FileNotFoundError, InputError) as error:
            if at_step is not None:
                logging.warning("%s; it is computed again", error)
            write_array(workdir / MEAN_DEPTH, compute_mean_depth())
    sharding.barrier("open_run")  # the others must not read an earlier run's mean depth image
    return read_mean_depth(workdir, size=run.frame_size)


def read_mean_depth(workdir, *, size):
    """The mean depth image of a run's training frames: float32 [H, W], metres.

    Args:
      workdir: folder of a training run or of a packed network.
      size: (H, W) of the run's frames.

    Raises:
      FileNotFoundError: if the workdir has none.
      InputError: if it is damaged, or of another size.
    """
    path = pathlib.Path(workdir, MEAN_DEPTH)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: missing; the training run keeps its mean depth image there")
    depth = read_array(path, shape=size, finite=True)
    if not (depth > 0).all():
        raise InputError(f"{str(path)!r}: depths that are not above 0")
    return depth


def recorded_pipeline(workdir):
    """The batch pipeline of the run that a workdir holds, see `data.batches.inputs`; None if it holds none."""
    if not pathlib.Path(workdir, record.NAME).is_file():
        return None
    return record.read(workdir).pipeline


def check_same_run(before, now, *, where):
    """Checks that a workdir's run may be continued.

    The settings in FREE_SETTINGS may differ; all other settings and the frames may not. A training with phases must
    keep its length too: other phases would train a frozen part again.

    Args:
      before: the RunRecord in the workdir.
      now: the RunRecord of the config.
      where: the workdir, for the error.

    Raises:
      InputError: with the differences.
    """
    old, new = (upgrade.flatten(run.to_json()) for run in (before, now))
    free = {f"config.{name}" for name in FREE_SETTINGS} | {"format", "data.began_with", "data.mean_depth_frames"}
    free.add("data.scenes")  # the hash of the frames decides, and runs from before have none
    if not (before.masked and now.masked):  # not counted where frames are read lazily
        free |= {name for name in {*old, *new} if name.startswith("data.masked.")}
    if new["config.gate.name"] == "coarse_to_fine":
        free -= {"config.epochs", "config.steps"}
    if names := [n for n in sorted({*old, *new} - free) if old.get(n) != new.get(n)]:
        differences = "; ".join(f"{n}: {old.get(n)!r} there, {new.get(n)!r} now" for n in names)
        raise InputError(
            f"workdir {str(where)!r} holds another run ({differences}): change these back, or use a new --workdir"
        )
