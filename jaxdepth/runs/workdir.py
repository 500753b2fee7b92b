"""The folder of a run: starts or continues it, and keeps its mean depth image."""

import json
import pathlib

import numpy as np

from jaxdepth.data.files.writing import write_array, write_atomically, write_json
from jaxdepth.errors import InputError
from jaxdepth.runs import metrics_log, record, upgrade
from jaxdepth.training import sharding

MEAN_DEPTH = "mean_depth.npy"
# Settings that may change when a run is continued: its length, where data and earlier weights are, and what only
# affects logs and disk space.
FREE_SETTINGS = (
    "epochs",
    "steps",
    "validate_every",
    "log_every",
    "checkpoint_every",
    "keep_every",
    "panel_frames",
    "tensorboard",
    "data.path",
    "init_from",
)


def open_run(workdir, run, *, at_step, compute_mean_depth):
    """Starts a run in a workdir, or continues the one that it holds.

    Lines of metrics.jsonl past `at_step` are dropped. Only the main process writes; all processes must call this
    together.

    Args:
      workdir: the folder.
      run: the RunRecord.
      at_step: step of the last checkpoint, or None for a new run.
      compute_mean_depth: () -> float32 [H, W] metres, called where the mean depth image is not kept yet.

    Returns:
      The mean depth image.

    Raises:
      InputError: if the workdir holds another run.
    """
    workdir = pathlib.Path(workdir)
    if at_step is not None:
        run = _continued(workdir, run)
    if sharding.is_main_process():
        workdir.mkdir(parents=True, exist_ok=True)
        if at_step is None:
            (workdir / MEAN_DEPTH).unlink(missing_ok=True)
        write_json(workdir / record.NAME, run.to_json())
        kept = [line for line in metrics_log.read(workdir) if at_step is not None and line["step"] <= at_step]
        write_atomically(workdir / metrics_log.NAME, "".join(json.dumps(line) + "\n" for line in kept).encode())
        if not (workdir / MEAN_DEPTH).is_file():
            write_array(workdir / MEAN_DEPTH, compute_mean_depth())
    sharding.barrier("open_run")  # the others must not read an earlier run's mean depth image
    return read_mean_depth(workdir)


def read_mean_depth(workdir):
    """The mean depth image of a run's training frames: float32 [H, W], metres.

    Raises:
      FileNotFoundError: if the workdir has none.
    """
    path = pathlib.Path(workdir, MEAN_DEPTH)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: missing; the training run keeps its mean depth image there")
    return np.load(path)


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
    if new["config.gate.name"] == "coarse_to_fine":
        free -= {"config.epochs", "config.steps"}
    if names := [n for n in sorted({*old, *new} - free) if old.get(n) != new.get(n)]:
        differences = "; ".join(f"{n}: {old.get(n)!r} there, {new.get(n)!r} now" for n in names)
        raise InputError(
            f"workdir {str(where)!r} holds another run ({differences}): change these back, or use a new --workdir"
        )


def _continued(workdir, run):
    """The record of a continued run: that of `run`, with the origin of the weights that it really began with."""
    before = record.read(workdir)
    check_same_run(before, run, where=workdir)
    return record.RunRecord(**{**vars(run), "began_with": before.began_with})
