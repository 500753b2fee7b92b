"""Networks side by side on the same frames: picture, the depth of each network, and the truth, in one colour scale."""

import numpy as np

from jaxdepth import config as settings
from jaxdepth import evaluate, predict
from jaxdepth.data.files.writing import check_output
from jaxdepth.data.sources import selection
from jaxdepth.errors import InputError
from jaxdepth.output import figures
from jaxdepth.paths import network_folder
from jaxdepth.runs import record
from jaxdepth.studies import examples


def compare(path, folders, *, source=None, data_path=None, split=None, count=8):
    """Writes a PNG with a row for each of some validation frames.

    The frames are chosen by the last network's delta1 (protocol eigen_crop): its best, its worst, and the rest at equal
    steps of rank between them. Each row has the delta1 of every network. If a network was trained on frames of the
    split, its column's title tells how many.

    Args:
      path: the file to write, in an existing folder.
      folders: {title of the column: workdir of a run}.
      source: source of the frames; None for the last run's.
      data_path: where the source is; None for the last run's path.
      split: whose validation frames, or "all" for every frame; None for the last run's.
      count: number of frames.

    Returns:
      The ids of the frames.

    Raises:
      InputError: for settings out of range, or fewer than `count` frames with a valid depth.
      FileNotFoundError: for a workdir without a run, missing data, or an output in a missing folder.
    """
    if not folders:
        raise InputError("no workdir: expected one or more")
    if count < 1:
        raise InputError(f"count={count}: expected 1 or more")
    selection.refuse_test_set(source)
    check_output(path)
    *_, last = folders.values()
    of_last = dict(source=source, path=data_path, split=split, frames_of=last)
    results = [evaluate.evaluate_checkpoint(folder, protocol="eigen_crop", **of_last) for folder in folders.values()]
    delta1 = [dict(zip(r["per_frame"]["id"], r["per_frame"]["delta1"], strict=True)) for r in results]
    ids = _spread(delta1[-1], count)

    config = record.read(network_folder(last)).config
    arguments = settings.source_arguments(config, source=source, path=data_path, frame_size=examples.FRAME_SIZE)
    frames = selection.open_frames(**arguments)
    index = {int(frame_id): i for i, frame_id in enumerate(frames.ids)}
    shown = examples.take(frames, np.array([index[i] for i in ids]))
    columns = {}
    for (title, folder), result in zip(folders.items(), results, strict=True):
        seen = result["protocol"]["frames_seen_in_training"]
        title += f" (trained on {seen} of {result['frames']})" if seen else ""
        predictor = predict.load(folder)
        columns[title] = shown.predict(predictor)[predictor.groups[0]]
    row_scores = [" / ".join(f"{of_network[i]:.2f}" for of_network in delta1) for i in ids]
    split_name = results[-1]["protocol"]["split"]
    figures.panel(
        path,
        shown.images,
        columns,
        truth=shown.truth,
        row_titles=[f"{i}: {scores}" for i, scores in zip(ids, row_scores, strict=True)],
        title=f"{frames.name}, split {split_name}, frame: delta1 of {' / '.join(folders)} under eigen_crop",
    )
    return ids


def _spread(delta1, count):
    """The ids of `count` frames, from the best to the worst, of {id: delta1 or None}."""
    ranked = sorted((i for i, value in delta1.items() if value is not None), key=delta1.get, reverse=True)
    if len(ranked) < count:
        raise InputError(f"count={count}: the split has {len(ranked)} frames with a valid depth")
    return [ranked[round(rank)] for rank in np.linspace(0, len(ranked) - 1, count)]
