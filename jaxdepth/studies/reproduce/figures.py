"""The figures of a report: the networks on the same frames, their parts, and their curves."""

import pathlib

import numpy as np

from jaxdepth import predict
from jaxdepth.data import splits
from jaxdepth.data.sources import selection
from jaxdepth.output import figures
from jaxdepth.runs import workdir
from jaxdepth.studies.reproduce import job

_COUNT = 4  # frames
_SIZE = (240, 320)  # of the frames as shown


def draw(folder, plan):
    """Draw the figures of a job that is done into its folder: [(heading, text, path relative to it)]."""
    folder, drawn = pathlib.Path(folder), []
    trusted = plan[-1].split
    of = {t.name: t for t in plan if t.split == trusted}
    shown = _Frames(folder, plan[-1])
    loaded = {name: predict.load(job.run_folder(folder, t)) for name, t in of.items() if name != "best-rooms"}

    def add(name, heading, text, columns):
        path = f"figures/{name}.png"
        figures.panel(folder / path, shown.images, columns, truth=shown.truth, row_titles=shown.titles)
        drawn.append((heading, f"{text} Split `{trusted}`; a row has one colour scale, in metres.", path))

    names = {"eigen": "Eigen 2014", "autoencoder": "Model 1", "residual_coarse": "Model 2", "kscale": "Model 3"}
    names["best"] = "best recipe"
    columns = {title: shown.by(loaded[name])[0] for name, title in names.items()}
    add(
        "networks", "Figures 10 to 12 and 14: the networks on the same frames", "Picture, each network, truth.", columns
    )

    early = predict.load(job.run_folder(folder, of["autoencoder"]), step=of["autoencoder"].third)
    final, coarse = shown.by(loaded["autoencoder"])
    columns = {"after a third": shown.by(early)[0], "at the end": final, "coarse map alone": coarse}
    text = "The depth that the coarse part sends to the bottleneck is shown by itself: what the whole picture gave."
    add("model-1", "Figures 7 to 9: Model 1 in the course of training, and its coarse map", text, columns)

    bilinear, learned = (shown.by(loaded[name])[0] for name in ("kscale", "up_convolution"))
    columns = {"up-convolution": learned, "bilinear": bilinear}
    add("upscaling", "Figure 13: up-convolution against bilinear", "Model 3 with both ways to upscale.", columns)

    outputs = shown.by(loaded["kscale"])
    scales = {f"scale {len(outputs) - 1 - i}": depth for i, depth in enumerate(outputs[:0:-1])}
    add(
        "scales",
        "Each scale of Model 3",
        "From the coarsest to the finest, then joined.",
        scales | {"final": outputs[0]},
    )

    text = (
        "Loss and accuracy on the validation frames, by epoch; the best recipe, which has another centre crop, apart."
    )
    for split in dict.fromkeys(t.split for t in plan if t.name == "kscale"):
        path = f"figures/curves-{split}.png"
        runs = {t.title: _curves(folder, t) for t in plan if t.split == split and not t.name.startswith("best")}
        floor = job.result(folder, of["kscale"] if split == trusted else _find(plan, "kscale", split))
        baseline = floor["paper"]["mean_depth_baseline"]["delta1"]
        figures.validation_curves(folder / path, runs, baseline=baseline)
        drawn.append((f"Curves, split {split}", text, path))
    return drawn


class _Frames:
    """Some validation frames of a split, and what a network sees in them."""

    def __init__(self, folder, training):
        config = workdir.read_config(job.run_folder(folder, training))["config"]
        of = dict(seed=config["seed"], path=training.config.data.path, frame_size=_SIZE)
        frames = selection.of_settings(config["data"], **of)
        val = splits.split(training.split, frames.ids, lists=frames.splits).val
        positions = val[np.linspace(0, len(val) - 1, min(_COUNT, len(val))).astype(int)]
        self.images = np.stack([frames.images[p] for p in positions])
        self.truth = np.stack([frames.depths[p] for p in positions])
        self.titles = [str(frames.ids[p]) for p in positions]
        self._camera = frames.intrinsics or None

    def by(self, trained):
        """The depth of each output, [N, H, W], the final one first."""
        frames = [trained.predict_outputs(image, intrinsics=self._camera) for image in self.images]
        return [np.stack([frame[output] for frame in frames]) for output in trained.network.groups]


def _find(plan, name, split):
    return next(t for t in plan if (t.name, t.split) == (name, split))


def _curves(folder, training):
    """(epochs, loss, delta1) of a training's validations."""
    per_epoch = job.result(folder, training)["steps_per_epoch"]
    points = []
    for line in workdir.read_metrics(job.run_folder(folder, training)):
        values = {name.partition("/")[2]: value for name, value in line.items()}
        if "val/delta1" in values:
            points.append((line["step"] / per_epoch, values["val/loss"], values["val/delta1"]))
    return np.array(points).T
