"""The numbers of a job as tables: rows of cells, the header first, from the results alone."""

import json
import pathlib

from jaxdepth.studies.reproduce import job

_FIELD = ("delta1", "abs_rel", "rmse", "log10")
_MODEL_1 = ((50, 0.5173, 0.2337), (150, 0.2916, 0.3506))  # the paper's table 1: epoch, loss, accuracy


def read(folder):
    """The results in a folder, {(name, split): what `job.run` keeps}: networks and splits in the order of the job.

    Raises FileNotFoundError where there is none.
    """
    found = [json.loads(file.read_text()) for file in pathlib.Path(folder).glob("*.json")]
    if not found:
        raise FileNotFoundError(f"{folder}: no results of a job (*.json) in it")
    found.sort(key=lambda kept: (job.NAMES.index(kept["name"]), kept["split"] != "paper"))
    return {(kept["name"], kept["split"]): kept for kept in found}


def splits(results):
    """Names of the splits, the one to trust last."""
    return [split for name, split in results if name == "kscale"]


def accuracy(results):
    """The paper's table 2: each network's accuracy on each split, beside the paper's own and the mean depth image.

    The best recipe has another centre crop than the rest, and so no number under the protocol `paper`.
    """
    of_job = splits(results)
    trusted = of_job[-1]
    field = [(split, name) for split in of_job for name in (_FIELD if split == trusted else _FIELD[:1])]
    header = ["", "the paper's", *(f"{split}, paper: delta1" for split in of_job)]
    rows = [[*header, *(f"{split}, eigen_crop: {name}" for split, name in field)]]

    def cells(name, of, own=True):
        first = [f"{results[name, split]['paper'][of]['delta1']:.3f}" if own else "" for split in of_job]
        return first + [f"{results[name, split]['eigen_crop'][of][metric]:.3f}" for split, metric in field]

    for kept in _networks(results):
        published = "" if kept["published"] is None else f"{kept['published']:.3f}"
        rows.append([kept["title"], published, *cells(kept["name"], "metrics", kept["name"] != "best")])
    return [*rows, ["mean depth image, which looks at no picture", "", *cells("kscale", "mean_depth_baseline")]]


def passed(results):
    """Sentences on which networks are above the mean depth image, and above the paper's numbers, on each split."""
    lines = []
    for split in splits(results):
        above = {True: [], False: []}
        for kept in _networks(results, split):
            judged = kept["eigen_crop"]
            above[judged["metrics"]["delta1"] > judged["mean_depth_baseline"]["delta1"]].append(kept["title"])
        lines.append(f"Above the mean depth image on `{split}`: {'; '.join(above[True]) or 'none'}.")
        if above[False]:
            lines.append(f"Not above it: {'; '.join(above[False])}.")
        published = [kept for kept in _networks(results, split) if kept["published"] is not None]
        better = [kept["title"] for kept in published if kept["paper"]["metrics"]["delta1"] > kept["published"]]
        lines.append(f"Above the paper's own number on `{split}`: {'; '.join(better) or 'none'}.")
    return lines


def model_1(results):
    """The paper's table 1: loss and accuracy of Model 1 after a third of the training and at its end."""
    rows = [["", "epoch", "loss", "accuracy"]]
    rows += [["the paper's", str(epoch), f"{loss:.4f}", f"{delta1:.4f}"] for epoch, loss, delta1 in _MODEL_1]
    for split in splits(results):
        kept = results["autoencoder", split]
        epochs = kept["steps"] / kept["steps_per_epoch"]
        for share, metrics in ((1 / 3, kept["third"]), (1, kept["paper"]["metrics"])):
            cells = (f"{share * epochs:.1f}", f"{metrics['loss']:.4f}", f"{metrics['delta1']:.4f}")
            rows.append([f"ours, {split}", *cells])
        floor = kept["paper"]["mean_depth_baseline"]
        rows.append([f"mean depth image, {split}", "", f"{floor['loss']:.4f}", f"{floor['delta1']:.4f}"])
    return rows


def costs(results):
    """Parameters, work and time of each training."""
    rows = [["", "parameters (M)", "GFLOP a picture", "training images/s", "hours"]]
    on_rooms = [kept for (name, _), kept in results.items() if name == "best-rooms"]
    *of_paper, best = _networks(results)
    for kept in (*of_paper, *on_rooms, best):
        flops = 2 * kept["multiply_adds"] / 1e9
        numbers = (kept["parameters"] / 1e6, flops, kept["images_per_second"], kept["seconds"] / 3600)
        rows.append([kept["title"], *("" if number is None else f"{number:.3g}" for number in numbers)])
    return rows


def _networks(results, split=None):
    """The results on a split, by default the one to trust, but for the training on rooms."""
    split = split or splits(results)[-1]
    return [kept for (name, of), kept in results.items() if of == split and name != "best-rooms"]
