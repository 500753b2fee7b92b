"""The trainings of a job in their order, and what is kept of each."""

import dataclasses
import functools
import json
import pathlib

import jax
import numpy as np

from jaxdepth import config as settings
from jaxdepth import evaluate, models
from jaxdepth.benchmark import networks, record
from jaxdepth.data import splits
from jaxdepth.data.sources import selection
from jaxdepth.runs import workdir
from jaxdepth.train import train_and_evaluate
from jaxdepth.training import state

PROTOCOLS = ("paper", "eigen_crop")
_ROOMS_A_STEP = 2  # rendered for a step of 16, so that each is seen some eight times


@dataclasses.dataclass(frozen=True)
class Training:
    """One training of a job.

    Attributes:
      name: of its folder, alike on every split.
      title: in the report.
      split: of the frames.
      config: all its settings, a ConfigDict.
      work: multiply-adds of its forward passes, in 1e9; what its time is guessed from.
      parameters, multiply_adds: of the network, the latter for one picture of its own size.
      begins_with: the name of the training on rooms whose weights it takes, or "".
      published: the paper's best accuracy (table 2), or None.
    """

    name: str
    title: str
    split: str
    config: object
    work: float
    parameters: int
    multiply_adds: int
    begins_with: str = ""
    published: float | None = None

    @property
    def third(self):
        """The step after a third of the training."""
        return max(1, self.config.steps // 3)


# name, title, settings, changes of them, the paper's best accuracy
_OF_PAPER = (
    ("eigen", "Eigen 2014", "eigen.py", {}, None),
    ("autoencoder", "Model 1, auto-encoder refine network", "autoencoder.py", {}, 0.3557),
    ("residual_coarse", "Model 2, residual coarse prediction", "residual_coarse.py", {}, 0.43),
    ("kscale", "Model 3, multi-scale residual network", "kscale.py", {}, 0.4063),
    ("up_convolution", "Model 3, up-convolution", "kscale.py", {"model.upscaling": "up_convolution"}, None),
)
NAMES = (*(name for name, *_ in _OF_PAPER), "best-rooms", "best")


def plan(configs, *, given, steps):
    """The Trainings of a job, a network on all splits before the next. Arguments as in `reproduce`.

    The splits are the paper's random one and, of NYU's frames, the official one, or `dev` where the official test
    frames are not there; of other frames the one that they bring.
    """
    if steps < 3:
        raise ValueError(f"steps={steps}: expected 3 or more")
    if taken := {"steps", "epochs", "data.split", "initial", "keep_every"} & given.keys():
        raise ValueError(f"config.{min(taken)}: the job sets it itself (--steps: the steps of each training)")
    configs = pathlib.Path(configs)
    common = dict(given, steps=steps)
    source, names = _splits(_settings(configs / "kscale.py", "", common))
    trainings = []
    for name, title, file, changes, published in _OF_PAPER:
        for split in names:
            config = _settings(configs / file, "", common | changes | {"data.split": split})
            trainings.append(_training(name, title, split, config, published=published))
    shared = {"validate_every": 1, "steps": steps}
    shared |= {key: value for key, value in given.items() if not key.startswith("data.")}
    rooms = {"seed": given.get("seed", 0) + 1}  # others than those of a source of rooms
    rooms["data.rooms_frames"] = (min(24000, _ROOMS_A_STEP * steps), 50)
    config = _settings(configs / "best.py", "rooms", shared | rooms)
    trainings.append(_training("best-rooms", "the best recipe, first on rooms", "rooms", config))
    where = ("data.path", "data.folder.", "data.rooms_frames", "data.depth")
    frames = {"data.source": source, "data.sensor": given.get("data.sensor", False)}
    frames |= {key: value for key, value in given.items() if key.startswith(where)}
    for split in names:
        config = _settings(configs / "best.py", "", shared | frames | {"data.split": split})
        trainings.append(_training("best", "the best recipe, cut short", split, config, begins_with="best-rooms"))
    return trainings


def _settings(file, argument, changes):
    config = settings.load(file, argument)
    try:
        settings.change(config, changes)
    except ValueError as error:
        raise ValueError(f"{file.name}: {error}") from error
    warmup = min(config.optim.warmup_steps, config.steps // 5)
    settings.change(config, {"optim.warmup_steps": warmup, "keep_every": max(1, config.steps // 3)})
    return config


def _splits(config):
    """The name of the source, and of the splits of its frames."""
    frames = selection.of_settings(config.data.to_dict(), seed=config.seed)
    if "official" not in frames.splits:
        return frames.name, [splits.split("paper", frames.ids, lists=frames.splits).name]
    official = splits.nyu_lists()["official"][1]
    return frames.name, ["paper", "official" if set(official) <= set(frames.ids.tolist()) else "dev"]


def _training(name, title, split, config, **more):
    parameters, macs = _size(tuple(config.model.to_dict().items()), tuple(config.data.crop_size))
    work = macs * config.steps * config.batch_size / 1e9
    return Training(name, title, split, config, work, parameters, macs, **more)


@functools.cache
def _size(model, crop_size):
    """Parameters and multiply-adds of the network of some settings, ((name, value), ..)."""
    network = models.build(**dict(model))
    variables = state.shapes(network, crop_size)
    picture = jax.ShapeDtypeStruct((1, *crop_size, 3), np.float32)
    macs = networks.multiply_adds(network.apply, variables, picture)
    return sum(leaf.size for leaf in jax.tree.leaves(variables["params"])), macs


def open_job(folder, *, given, steps):
    """Make `folder` that of a job. ValueError where it holds another; where the data lies may differ."""
    folder = pathlib.Path(folder)
    file = folder / "job.json"
    new = json.loads(json.dumps({"steps": steps, "given": {k: v for k, v in given.items() if k != "data.path"}}))
    if file.is_file():
        if (old := json.loads(file.read_text())) != new:
            raise ValueError(
                f"workdir {str(folder)!r} holds another job ({old} there, {new} now): take a new --workdir"
            )
        return
    for part in ("runs", "results", "figures"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    workdir.write_atomically(file, (json.dumps(new) + "\n").encode())


def run_folder(folder, training):
    """The workdir of a training."""
    return pathlib.Path(folder, "runs", training.split, training.name)


def result(folder, training):
    """What is kept of a training, see `run`; None where it is not done."""
    file = _result_file(folder, training)
    return json.loads(file.read_text()) if file.is_file() else None


def run(folder, training, *, title=None):
    """Train, or go on, under the `title` of a progress bar, and keep as results/SPLIT-NAME.json:

    {"name", "title", "published", "split", "steps", "steps_per_epoch", "batch_size", "machine", "parameters",
    "multiply_adds", "images_per_second" (None where the log is too short), "seconds" with validations, and of each of
    PROTOCOLS what `evaluate_checkpoint` gives, "third": the metrics under the paper's protocol after a third}.

    Returns whether it is done; False where SIGTERM stopped it.
    """
    place = run_folder(folder, training)
    config = training.config
    if training.begins_with:
        config.initial = str(pathlib.Path(folder, "runs", "rooms", training.begins_with))
    if train_and_evaluate(config, place, title=title) is None:
        return False
    rate, seconds = workdir.pace(workdir.read_metrics(place))
    kept = {
        "name": training.name,
        "title": training.title,
        "published": training.published,
        "split": training.split,
        "steps": config.steps,
        "steps_per_epoch": max(1, workdir.read_config(place)["data"]["train_frames"] // config.batch_size),
        "batch_size": config.batch_size,
        "machine": record.machine(),
        "parameters": training.parameters,
        "multiply_adds": training.multiply_adds,
        "images_per_second": rate and rate * config.batch_size,
        "seconds": seconds,
    }
    for protocol in PROTOCOLS:
        kept[protocol] = _judged(place, protocol)
    kept["third"] = _judged(place, "paper", step=training.third)["metrics"]
    workdir.write_atomically(_result_file(folder, training), (json.dumps(kept) + "\n").encode())
    jax.clear_caches()
    return True


def progress(folder, plan):
    """The share of the work that is done, and a guess at the seconds that the rest takes, None before anything is."""
    done = spent = 0.0
    for training in plan:
        if kept := result(folder, training):
            share, seconds = 1.0, kept["seconds"]
        else:
            lines = workdir.read_metrics(run_folder(folder, training))
            share, seconds = (lines[-1]["step"] / training.config.steps if lines else 0.0), workdir.pace(lines)[1]
        done += share * training.work
        spent += seconds
    total = sum(training.work for training in plan)
    return done / total, spent * (total - done) / done if spent else None


def _judged(place, protocol, *, step=None):
    judged = evaluate.evaluate_checkpoint(place, protocol=protocol, step=step)
    judged["checkpoint"].pop("workdir")
    return judged


def _result_file(folder, training):
    return pathlib.Path(folder, "results", f"{training.split}-{training.name}.json")
