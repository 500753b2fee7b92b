"""One training of a study: its config, the run, its scores, and the JSON file that keeps them."""

import dataclasses
import pathlib

import jax

from jaxdepth import config as settings
from jaxdepth import evaluate, models
from jaxdepth.data.files.writing import write_json
from jaxdepth.errors import InputError
from jaxdepth.runs import metrics_log
from jaxdepth.train import train_and_evaluate
from jaxdepth.training import state

_PER_FRAME = ("id", "order", "group", "delta1", "abs_rel")


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a finished training cost.

    Attributes:
      seconds: of the whole training, with validations, see `metrics_log.pace`.
      steps_per_second: of the training alone; None if the log is too short.
    """

    seconds: float
    steps_per_second: float | None


def make_config(file, changes, *, argument="", name):
    """Loads a config file and changes settings.

    Args:
      file: such as `configs/kscale.py`.
      changes: {name: value}, with names such as "data.split".
      argument: what follows the colon of --config.
      name: put in front of an error's text.

    Returns:
      A ConfigDict.

    Raises:
      InputError: for a setting that the config does not have, or one out of range.
    """
    config = settings.load(file, argument)
    settings.rename_old(config)
    try:
        settings.change(config, changes)
        settings.check(config)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    return config


def train(config, workdir, *, title=None):
    """Trains a network, or continues its training.

    Args:
      config: a ConfigDict.
      workdir: folder of the run.
      title: text in front of the progress bar.

    Returns:
      The Cost; None if SIGTERM or Ctrl-C stopped the training.
    """
    if train_and_evaluate(config, workdir, title=title) is None:
        return None
    steps_per_second, seconds = metrics_log.pace(metrics_log.read(workdir))
    return Cost(seconds, steps_per_second)


def score(workdir, protocol, *, step="last"):
    """Scores a checkpoint on the run's validation frames.

    Args:
      workdir: folder of the run.
      protocol: see `evaluation.protocols`.
      step: a step, "last" or "best".

    Returns:
      evaluate's JSON, in which the workdir is named without its parents, with the frames' values that tables need.
    """
    result = evaluate.evaluate_checkpoint(workdir, protocol=protocol, step=step)
    result["per_frame"] = {name: result["per_frame"][name] for name in _PER_FRAME}
    result["checkpoint"]["workdir"] = pathlib.Path(workdir).name
    return result


def keep(file, result):
    """Writes the result of a training as JSON, and frees the programs that were compiled for it."""
    file = pathlib.Path(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_json(file, result)
    jax.clear_caches()


def network_of(model, crop_size):
    """The network of some settings, and its variables as shapes {"params", "batch_stats"}.

    Args:
      model: {name: value}, the settings `config.model`.
      crop_size: (h, w) of its input.
    """
    network = models.build(**model)
    return network, state.shapes(network, crop_size)
