"""Networks side by side on the same frames: picture, each one's depth and the truth in one colour scale."""

import numpy as np

from jaxdepth import evaluate, predict
from jaxdepth.data.sources import selection
from jaxdepth.output import figures
from jaxdepth.runs import workdir

_SHOWN_SIZE = (240, 320)  # of the frames


def compare(path, folders, *, source=None, data_path=None, split=None, count=8):
    """Writes a PNG with a row for each of some validation frames, and returns their ids.

    The frames are chosen by the delta1 (protocol eigen_crop) of the last network: its best and its worst, and between
    them the rest at even ranks; each row bears every network's delta1, and the column of a network that was trained on
    some of the split's frames says so.

    Args:
      path: the file to write, in an existing folder.
      folders: title of a column -> workdir of a run on frames of 480x640.
      source, data_path, split: of the frames, by default those of the last run, see `evaluate.evaluate_checkpoint`.
      count: how many frames.

    Raises:
      ValueError, FileNotFoundError: a workdir without a run, unknown frames, or fewer than `count`.
    """
    if not folders:
        raise ValueError("no workdir: expected one or more")
    if count < 1:
        raise ValueError(f"count={count}: expected 1 or more")
    workdir.check_output(path)
    *_, last = folders.values()
    chosen = dict(source=source, path=data_path, split=split, frames_of=last)
    results = [evaluate.evaluate_checkpoint(folder, protocol="eigen_crop", **chosen) for folder in folders.values()]
    ids = results[-1]["per_frame"]["id"]
    by_network = [dict(zip(r["per_frame"]["id"], r["per_frame"]["delta1"], strict=True)) for r in results]
    judged = sorted((i for i in ids if by_network[-1][i] is not None), key=by_network[-1].get, reverse=True)
    if len(judged) < count:
        raise ValueError(f"count={count}: the split has {len(judged)} frames with a measured depth")
    chosen = [judged[round(rank)] for rank in np.linspace(0, len(judged) - 1, count)]

    trained = {title: predict.load(folder) for title, folder in folders.items()}
    *_, last = trained.values()
    frames = selection.of_settings(
        last.config["data"], seed=last.config["seed"], source=source, path=data_path, frame_size=_SHOWN_SIZE
    )
    position = {int(i): p for p, i in enumerate(frames.ids)}
    positions = [position[i] for i in chosen]
    images = np.stack([frames.images[p] for p in positions])
    camera = frames.intrinsics or None
    columns = {}
    for (title, network), result in zip(trained.items(), results, strict=True):
        seen = result["protocol"]["frames_seen_in_training"]
        title += f" (trained on {seen} of {result['frames']})" if seen else ""
        columns[title] = np.stack([network.predict(image, intrinsics=camera) for image in images])
    truth = np.stack([frames.depths[p] for p in positions])
    scores = [" / ".join(f"{of[i]:.2f}" for of in by_network) for i in chosen]
    split_name = results[-1]["protocol"]["split"]
    figures.panel(
        path,
        images,
        columns,
        truth=truth,
        row_titles=[f"{i}: {score}" for i, score in zip(chosen, scores, strict=True)],
        title=f"{frames.name}, split {split_name}, frame: delta1 of {' / '.join(folders)} under eigen_crop",
    )
    return chosen
