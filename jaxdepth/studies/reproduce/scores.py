"""The numbers of a job as tables, from its results alone. A table is a list of rows of cells, the header first."""

import json
import pathlib

from jaxdepth.studies.reproduce import job

_METRICS = ("delta1", "abs_rel", "rmse", "log10")
_PAPER_MODEL_1 = ((50, 0.5173, 0.2337), (150, 0.2916, 0.3506))  # the paper's table 1: epoch, loss, accuracy
_BASELINE = "mean depth image (ignores the picture)"


def read(folder):
    """Reads the results of a job.

    Args:
      folder: with the files SPLIT-NAME.json of `job.run`.

    Returns:
      {(name, split): result}, networks and splits in the job's order.

    Raises:
      FileNotFoundError: if there is none.
    """
    found = [json.loads(file.read_text()) for file in pathlib.Path(folder).glob("*.json")]
    if not found:
        raise FileNotFoundError(f"{folder}: no results of a job (*.json) in it")
    found.sort(key=lambda result: (job.NAMES.index(result["name"]), result["split"] != "paper"))
    return {(result["name"], result["split"]): result for result in found}


def splits(results):
    """Names of the splits, the most reliable one last."""
    return [split for name, split in results if name == "kscale"]


def in_words(split):
    """A split's name in a text."""
    return "random split" if split == "paper" else f"{split} split"


def accuracy(results):
    """The paper's table 2: the scores of each network at its end, beside the mean depth image.

    Returns:
      Two (sentence, table): under the paper's protocol beside the paper's own numbers, without the pyramid, which
      has another centre crop; and under `eigen_crop`.
    """
    names = splits(results)
    described = {protocol: results["kscale", names[-1]][protocol]["protocol"] for protocol in job.PROTOCOLS}
    paper, field = described["paper"], described["eigen_crop"]
    (top, bottom), (left, right), (height, width) = field["rows"], field["columns"], field["scored_at"]
    on_splits = " and ".join("the paper's random split" if split == "paper" else f"`{split}`" for split in names)
    return [
        (
            f"As in the paper, inside the network's centre crop, on {on_splits}. Protocol `paper`; the network sees "
            f"the {paper['network_input']}.",
            _paper_table(results),
        ),
        (
            f"As is usual for NYU, in a window of the whole frame, on {on_splits}. Protocol `eigen_crop`: rows {top} "
            f"to {bottom}, columns {left} to {right} of {height}x{width}.",
            _field_table(results),
        ),
    ]


def _paper_table(results):
    """delta1 under the paper's protocol."""
    names = splits(results)
    rows = [["network", "paper's own", *(f"{in_words(split)}, delta1" for split in names)]]
    for network in _networks(results):
        if network["name"] != job.PYRAMID:
            own = "" if network["published"] is None else f"{network['published']:.3f}"
            scores = [results[network["name"], split]["paper"]["metrics"] for split in names]
            rows.append([network["title"], own, *(f"{of_split['delta1']:.3f}" for of_split in scores)])
    baselines = [results["kscale", split]["paper"]["mean_depth_baseline"] for split in names]
    return [*rows, [_BASELINE, "", *(f"{baseline['delta1']:.3f}" for baseline in baselines)]]


def _field_table(results):
    """delta1 under `eigen_crop`, and other metrics on the most reliable split."""
    names = splits(results)
    columns = [(split, "delta1") for split in names] + [(names[-1], metric) for metric in _METRICS[1:]]

    def cells(name, kind):
        return [f"{results[name, split]['eigen_crop'][kind][metric]:.3f}" for split, metric in columns]

    rows = [["network", *(f"{in_words(split)}, {metric}" for split, metric in columns)]]
    rows += [[network["title"], *cells(network["name"], "metrics")] for network in _networks(results)]
    return [*rows, [_BASELINE, *cells("kscale", "mean_depth_baseline")]]


def comparisons(results):
    """Sentences on which networks beat the mean depth image and the paper's numbers, for each split."""
    lines = []
    for split in splits(results):
        networks = _networks(results, split)
        better = [result for result in networks if _beats_baseline(result)]
        lines.append(f"Better than the mean depth image on the {in_words(split)} (`eigen_crop`): {_titles(better)}.")
        if others := [result for result in networks if not _beats_baseline(result)]:
            lines.append(f"Not better: {_titles(others)}.")
        published = [result for result in networks if result["published"] is not None]
        better = [result for result in published if result["paper"]["metrics"]["delta1"] > result["published"]]
        lines.append(f"Better than the paper's own number on the {in_words(split)} (`paper`): {_titles(better)}.")
    return lines


def model_1(results):
    """The paper's table 1: loss and accuracy of Model 1 after a third of the training and at its end."""
    rows = [["Model 1", "epoch", "loss", "delta1"]]
    rows += [["paper's own", str(epoch), f"{loss:.4f}", f"{delta1:.4f}"] for epoch, loss, delta1 in _PAPER_MODEL_1]
    for split in splits(results):
        result = results["autoencoder", split]
        epochs = result["steps"] / result["steps_per_epoch"]
        for share, metrics in ((1 / 3, result["third"]), (1, result["paper"]["metrics"])):
            cells = (f"{share * epochs:.1f}", f"{metrics['loss']:.4f}", f"{metrics['delta1']:.4f}")
            rows.append([f"ours, {in_words(split)}", *cells])
        baseline = result["paper"]["mean_depth_baseline"]
        label = f"mean depth image, {in_words(split)}"
        rows.append([label, "", f"{baseline['loss']:.4f}", f"{baseline['delta1']:.4f}"])
    return rows


def costs(results):
    """Parameters, work and time of each training."""
    rows = [["network", "parameters (M)", "GFLOP per picture", "training images/s", "hours"]]
    on_rooms = [result for (name, _), result in results.items() if name == job.PYRAMID_ON_ROOMS]
    *of_paper, pyramid = _networks(results)
    for result in (*of_paper, *on_rooms, pyramid):
        flops = 2 * result["multiply_adds"] / 1e9
        numbers = (result["parameters"] / 1e6, flops, result["images_per_second"], result["seconds"] / 3600)
        rows.append([result["title"], *("" if number is None else f"{number:.3g}" for number in numbers)])
    return rows


def _networks(results, split=None):
    """The results on a split, by default the most reliable one, without the training on rooms."""
    split = split or splits(results)[-1]
    return [result for (name, of), result in results.items() if of == split and name != job.PYRAMID_ON_ROOMS]


def _beats_baseline(result):
    scored = result["eigen_crop"]
    return scored["metrics"]["delta1"] > scored["mean_depth_baseline"]["delta1"]


def _titles(results):
    return "; ".join(result["title"] for result in results) or "none"
