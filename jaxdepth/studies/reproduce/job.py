"""The trainings of a job in their order, and the result of each."""

import dataclasses
import functools
import json
import pathlib
from typing import Any

import jax
import numpy as np

from jaxdepth import config as settings
from jaxdepth import models
from jaxdepth.benchmark import networks
from jaxdepth.benchmark.record import machine
from jaxdepth.data import splits
from jaxdepth.data.files.writing import write_json
from jaxdepth.data.sources import selection
from jaxdepth.errors import InputError
from jaxdepth.runs import metrics_log, record
from jaxdepth.studies import experiment

PROTOCOLS = ("paper", "eigen_crop")
_ROOMS_PER_STEP = 2  # rendered; with batches of 16 each room is seen some eight times


@dataclasses.dataclass(frozen=True)
class PaperNetwork:
    """A network of the paper.

    Attributes:
      name: of its folders and results.
      title: in the report.
      config_file: its settings, a file in the folder of configs.
      changes: {setting: value}, changes of them.
      published: its best accuracy in the paper (table 2); None if the paper has none.
    """

    name: str
    title: str
    config_file: str
    changes: dict[str, Any] = dataclasses.field(default_factory=dict)
    published: float | None = None


PAPER_NETWORKS = (
    PaperNetwork("eigen", "Eigen 2014", "eigen.py"),
    PaperNetwork("autoencoder", "Model 1, auto-encoder refine network", "autoencoder.py", published=0.3557),
    PaperNetwork("residual_coarse", "Model 2, residual coarse prediction", "residual_coarse.py", published=0.43),
    PaperNetwork("kscale", "Model 3, multi-scale residual network", "kscale.py", published=0.4063),
    PaperNetwork("up_convolution", "Model 3, up-convolution", "kscale.py", {"model.upscaling": "up_convolution"}),
)
PYRAMID, PYRAMID_ON_ROOMS = "pyramid", "pyramid-rooms"  # names of the pyramid's trainings
NAMES = (*(network.name for network in PAPER_NETWORKS), PYRAMID_ON_ROOMS, PYRAMID)


@dataclasses.dataclass(frozen=True)
class Training:
    """One training of a job.

    Attributes:
      name: of its folder and result, the same on every split.
      title: in the report.
      split: of the frames.
      config: all its settings, a ConfigDict.
      parameters: number of the network's parameters.
      multiply_adds: of the network's forward pass for one picture of its own size.
      init_from: name of the training whose weights it starts from, or "".
      published: the network's best accuracy in the paper (table 2), or None.
    """

    name: str
    title: str
    split: str
    config: Any
    parameters: int
    multiply_adds: int
    init_from: str = ""
    published: float | None = None

    @property
    def third(self):
        """The step after a third of the training."""
        return max(1, self.config.steps // 3)

    @property
    def work(self):
        """Multiply-adds of all forward passes, in 1e9: a measure of how long the training takes."""
        return self.multiply_adds * self.config.steps * self.config.batch_size / 1e9


def plan(configs, *, given, steps):
    """Plans a job.

    NYU's frames are split twice: by the paper's random split, and by the official one, or `dev` if the official test
    frames are missing. Other sources have one split.

    Args:
      configs: folder of the config files.
      given: {setting: value}, see `reproduce`.
      steps: of each training.

    Returns:
      A list of Trainings: each network on all splits before the next network.

    Raises:
      InputError: for settings, data or steps out of range.
    """
    if steps < 3:
        raise InputError(f"steps={steps}: expected 3 or more")
    if taken := {"steps", "epochs", "data.split", "init_from", "keep_every"} & given.keys():
        raise InputError(f"config.{min(taken)}: the job sets it itself (--steps: the steps of each training)")
    configs = pathlib.Path(configs)
    common = dict(given, steps=steps)
    source, split_names = _source_and_splits(_make_config(configs / "kscale.py", common))
    trainings = []
    for network in PAPER_NETWORKS:
        for split in split_names:
            changes = common | network.changes | {"data.split": split}
            config = _make_config(configs / network.config_file, changes)
            trainings.append(_training(network.name, network.title, split, config, published=network.published))
    return trainings + _plan_pyramid(configs / "pyramid.py", given, steps=steps, source=source, split_names=split_names)


def _plan_pyramid(file, given, *, steps, source, split_names):
    """The Trainings of the pyramid: one on rooms, then one on each split of the source."""
    common = {"validate_every": 1, "steps": steps}
    common |= {name: value for name, value in given.items() if not name.startswith("data.")}
    rooms = {
        "seed": given.get("seed", 0) + 1,  # not the rooms of the source, if the source is rooms
        "data.rooms_frames": (min(24000, _ROOMS_PER_STEP * steps), 50),
    }
    config = _make_config(file, common | rooms, argument="rooms")
    trainings = [_training(PYRAMID_ON_ROOMS, "the pyramid, first on rooms", "rooms", config)]
    frames = {"data.source": source, "data.sensor": given.get("data.sensor", False)}
    which = ("data.path", "data.folder.", "data.rooms_frames", "data.depth")
    frames |= {name: value for name, value in given.items() if name.startswith(which)}
    for split in split_names:
        config = _make_config(file, common | frames | {"data.split": split})
        trainings.append(_training(PYRAMID, "the pyramid, cut short", split, config, init_from=PYRAMID_ON_ROOMS))
    return trainings


def _make_config(file, changes, *, argument=""):
    """The ConfigDict of a training, with a warm-up that fits into its steps."""
    config = experiment.make_config(file, changes, argument=argument, name=file.name)
    warmup_steps = min(config.optim.warmup_steps, config.steps // 5)
    settings.change(config, {"optim.warmup_steps": warmup_steps, "keep_every": max(1, config.steps // 3)})
    return config


def _source_and_splits(config):
    """The name of a config's source, and the names of the splits to train on."""
    frames = selection.open_frames(**settings.source_arguments(config))
    if "official" not in frames.splits:
        return frames.name, [splits.split("paper", frames.ids, lists=frames.splits).name]
    official_test = splits.nyu_lists()["official"][1]
    return frames.name, ["paper", "official" if set(official_test) <= set(frames.ids.tolist()) else "dev"]


def _training(name, title, split, config, **more):
    parameters, multiply_adds = _size(tuple(config.model.to_dict().items()), tuple(config.data.crop_size))
    return Training(name, title, split, config, parameters, multiply_adds, **more)


@functools.cache
def _size(model, crop_size):
    """Parameters and multiply-adds of a network.

    Args:
      model: its settings, ((name, value), ...).
      crop_size: (h, w) of its input.
    """
    network, variables = experiment.network_of(dict(model), crop_size)
    picture = jax.ShapeDtypeStruct((1, *crop_size, 3), np.float32)
    multiply_adds = networks.multiply_adds(network.apply, variables, picture)
    return models.count_parameters(variables["params"]), multiply_adds


def open_job(folder, *, given, steps):
    """Starts a job in a folder, or continues the one that it holds; where the data is may differ.

    Raises:
      InputError: if the folder holds another job.
    """
    folder = pathlib.Path(folder)
    file = folder / "job.json"
    now = {"steps": steps, "given": {name: value for name, value in given.items() if name != "data.path"}}
    now = json.loads(json.dumps(now))
    if file.is_file():
        if (before := json.loads(file.read_text())) != now:
            raise InputError(
                f"workdir {str(folder)!r} holds another job ({before} there, {now} now): use a new --workdir"
            )
        return
    for part in ("runs", "results", "figures"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    write_json(file, now)


def run_folder(folder, training):
    """The workdir of a training."""
    return pathlib.Path(folder, "runs", training.split, training.name)


def result(folder, training):
    """The result of a training, see `run`; None if it has none yet."""
    file = _result_file(folder, training)
    return json.loads(file.read_text()) if file.is_file() else None


def run(folder, training, *, title=None):
    """Runs a training, or continues it, and writes its result, results/SPLIT-NAME.json.

    The result is {"name", "title", "published", "split", "steps", "steps_per_epoch", "batch_size", "machine",
    "parameters", "multiply_adds", "images_per_second" (of the training alone; None if the log is too short), "seconds"
    (with validations), evaluate's JSON under each of PROTOCOLS by the protocol's name, "third" (the metrics under the
    paper's protocol after a third of the training)}.

    Args:
      folder: of the job.
      training: a Training.
      title: text in front of the progress bar.

    Returns:
      Whether it is done; False if SIGTERM or Ctrl-C stopped it.
    """
    workdir, config = run_folder(folder, training), training.config
    if training.init_from:
        config.init_from = str(pathlib.Path(folder, "runs", "rooms", training.init_from))
    cost = experiment.train(config, workdir, title=title)
    if cost is None:
        return False
    rate = cost.steps_per_second
    kept = {
        "name": training.name,
        "title": training.title,
        "published": training.published,
        "split": training.split,
        "steps": config.steps,
        "steps_per_epoch": max(1, record.read(workdir).train_frames // config.batch_size),
        "batch_size": config.batch_size,
        "machine": machine(),
        "parameters": training.parameters,
        "multiply_adds": training.multiply_adds,
        "images_per_second": rate and rate * config.batch_size,
        "seconds": cost.seconds,
    }
    kept |= {protocol: experiment.score(workdir, protocol) for protocol in PROTOCOLS}
    kept["third"] = experiment.score(workdir, "paper", step=training.third)["metrics"]
    experiment.keep(_result_file(folder, training), kept)
    return True


def progress(folder, plan):
    """How far a job is.

    Returns:
      The share of the work that is done, and about how many seconds the rest takes: None before anything is done.
    """
    done = spent = 0.0
    for training in plan:
        if kept := result(folder, training):
            share, seconds = 1.0, kept["seconds"]
        else:
            lines = metrics_log.read(run_folder(folder, training))
            share, seconds = (lines[-1]["step"] / training.config.steps if lines else 0.0), metrics_log.pace(lines)[1]
        done += share * training.work
        spent += seconds
    total = sum(training.work for training in plan)
    return done / total, spent * (total - done) / done if spent else None


def _result_file(folder, training):
    return pathlib.Path(folder, "results", f"{training.split}-{training.name}.json")
