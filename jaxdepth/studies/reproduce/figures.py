"""The figures of a report: networks on the same frames, their parts, and learning curves."""

import dataclasses
import pathlib
from typing import Any

import numpy as np

from jaxdepth import config as settings
from jaxdepth import predict
from jaxdepth.data import splits
from jaxdepth.data.sources import selection
from jaxdepth.output import figures
from jaxdepth.runs import metrics_log, record
from jaxdepth.studies import examples
from jaxdepth.studies.reproduce import job

_COUNT = 4  # frames
_SHORT_TITLES = {
    "eigen": "Eigen 2014",
    "autoencoder": "Model 1",
    "residual_coarse": "Model 2",
    "kscale": "Model 3",
    "pyramid": "pyramid",
}


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A figure of the report: its heading, its text, and its path relative to the job's folder."""

    heading: str
    text: str
    path: str


@dataclasses.dataclass(frozen=True)
class _Panel:
    """A figure of depth maps: the name of its file, heading, text, and {title of a column: depth [N, H, W]}."""

    name: str
    heading: str
    text: str
    columns: dict[str, Any]


def draw(folder, plan):
    """Draws the figures of a finished job into its folder.

    Args:
      folder: of the job.
      plan: its Trainings.

    Returns:
      A list of Drawn.
    """
    folder = pathlib.Path(folder)
    shown, drawn = _examples(folder, plan[-1]), []
    for panel in _panels(folder, plan, shown):
        path = f"figures/{panel.name}.png"
        row_titles = [str(i) for i in shown.ids]
        figures.panel(folder / path, shown.images, panel.columns, truth=shown.truth, row_titles=row_titles)
        text = f"{panel.text} Split `{plan[-1].split}`; each row has one colour scale, in metres."
        drawn.append(Drawn(panel.heading, text, path))
    return drawn + _draw_curves(folder, plan)


def _examples(folder, training):
    """Some validation frames of a training's split, evenly spaced."""
    config = record.read(job.run_folder(folder, training)).config
    arguments = settings.source_arguments(config, path=training.config.data.path, frame_size=examples.FRAME_SIZE)
    frames = selection.open_frames(**arguments)
    val = splits.split(training.split, frames.ids, lists=frames.splits).val
    return examples.take(frames, val[np.linspace(0, len(val) - 1, min(_COUNT, len(val))).astype(int)])


def _panels(folder, plan, shown):
    """The _Panels of a job, on the last training's split."""
    trainings = {t.name: t for t in plan if t.split == plan[-1].split}

    def outputs(name, step="last"):
        return shown.predict(predict.load(job.run_folder(folder, trainings[name]), step=step))

    predicted = {name: outputs(name) for name in job.NAMES if name != job.PYRAMID_ON_ROOMS}
    final = {name: next(iter(depths.values())) for name, depths in predicted.items()}
    early = next(iter(outputs("autoencoder", trainings["autoencoder"].third).values()))
    joined, *scales = predicted["kscale"].values()  # finest scale first
    return [
        _Panel(
            "networks",
            "Figures 10 to 12 and 14: the networks on the same frames",
            "Picture, the depth of each network, and the truth.",
            {title: final[name] for name, title in _SHORT_TITLES.items()},
        ),
        _Panel(
            "model-1",
            "Figures 7 to 9: Model 1 during training, and its coarse map",
            "The coarse map alone is what the coarse part, which sees the whole picture, passes to the bottleneck.",
            {
                "after a third": early,
                "at the end": final["autoencoder"],
                "coarse map alone": predicted["autoencoder"]["coarse"],
            },
        ),
        _Panel(
            "upscaling",
            "Figure 13: up-convolution and bilinear interpolation",
            "Model 3 with both ways of upscaling.",
            {"up-convolution": final["up_convolution"], "bilinear": final["kscale"]},
        ),
        _Panel(
            "scales",
            "Each scale of Model 3",
            "From the coarsest scale to the finest, then the fused output.",
            {f"scale {i}": scales[i - 1] for i in range(len(scales), 0, -1)} | {"final": joined},
        ),
    ]


def _draw_curves(folder, plan):
    """Draws the learning curves of each split; a list of Drawn."""
    text = "Loss and delta1 on the validation frames by epoch. The pyramid is left out: its centre crop differs."
    drawn = []
    for kscale in (t for t in plan if t.name == "kscale"):
        path = f"figures/curves-{kscale.split}.png"
        trainings = [t for t in plan if t.split == kscale.split and t.name not in (job.PYRAMID, job.PYRAMID_ON_ROOMS)]
        baseline = job.result(folder, kscale)["paper"]["mean_depth_baseline"]["delta1"]
        figures.validation_curves(folder / path, {t.title: _curves(folder, t) for t in trainings}, baseline=baseline)
        drawn.append(Drawn(f"Learning curves, split {kscale.split}", text, path))
    return drawn


def _curves(folder, training):
    """The validations of a training: float64 [3, n], epochs, loss and delta1."""
    steps_per_epoch = job.result(folder, training)["steps_per_epoch"]
    points = []
    for line in metrics_log.read(job.run_folder(folder, training)):
        values = {name.partition("/")[2]: value for name, value in line.items()}
        if "val/delta1" in values:
            points.append((line["step"] / steps_per_epoch, values["val/loss"], values["val/delta1"]))
    return np.array(points).T
