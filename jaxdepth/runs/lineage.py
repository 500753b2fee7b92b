"""What a network was trained on: its own run's frames, and those of the runs whose weights it began with."""

import pathlib

import numpy as np

from jaxdepth.data import splits
from jaxdepth.runs import workdir


def of_run(record):
    """What the network of a run was trained on, first to last: [{"source", "split", "split_hash", "mix", "depth"}].

    With source rooms also "seed" and "train_frames", which say which rooms those were. The last is the run's own; those
    before are of the runs that it began with. `record` is the run's config.json.
    """
    data = record["config"]["data"]
    own = {name: data.get(name) for name in ("source", "split", "mix", "depth")}
    own["split_hash"] = record["data"].get("split_hash")
    if own["source"] == "rooms":
        own |= {"seed": record["config"]["seed"], "train_frames": data["rooms_frames"][0]}
    return [*record["data"].get("began_with", ()), own]


def in_words(record):
    """The lineage of a run to read."""
    said = []
    for of in of_run(record):
        raw = ", raw depth" if of["depth"] == "raw" else ""
        said.append(f"{of['source']}, split {of['split']}{raw}" + (f", mix {of['mix']}" if of["mix"] else ""))
    return "; ".join(dict.fromkeys(said))


def began_with(folder, initial):
    """The lineage of the run `initial` that one in the workdir `folder` begins with.

    Raises FileNotFoundError where it is not there, unless a run has begun in `folder` already and needs it no more.
    """
    if not initial:
        return []
    try:
        return of_run(workdir.read_config(initial))
    except FileNotFoundError as error:
        if pathlib.Path(folder, "config.json").is_file():
            return workdir.read_config(folder)["data"].get("began_with", [])
        raise FileNotFoundError(f"config.initial={str(initial)!r}: {error}; train that one first") from error


def seen(record, frames, positions, *, path=None):
    """How many frames, at some positions of a source, a run's network was trained on.

    Args:
      record: the run's config.json.
      frames: the source; positions: which of its frames.
      path: where the source lies; None where it lies nowhere or in its usual place.
    """
    *_, own = lineage = of_run(record)
    own_path = record["config"]["data"]["path"]
    same_place = not path or (bool(own_path) and _resolved(path) == _resolved(own_path))
    trained_on = [_trained_ids(of, frames, same_place=of is own and same_place) for of in lineage]
    return int(np.isin(frames.ids[positions], np.concatenate(trained_on)).sum())


def _trained_ids(of, frames, *, same_place):
    """The ids, as `frames` has them, of the frames that one training of a lineage saw."""
    none = np.array([], np.int64)
    if of["mix"] and (of["source"] == "rooms" or of["source"] not in of["mix"]):
        return none  # endless rooms alone, which no source holds
    if of["source"] == frames.name == "rooms" and "seed" in of:  # which older runs do not have
        return splits.room_ids(of["seed"], of["train_frames"])
    if of["split"] in frames.splits and of["split"] in splits.NAMES:  # official ids, in a file or in a dataset
        return np.array(frames.splits[of["split"]][0], np.int64)
    if of["source"] != frames.name or of["split"] not in frames.splits:
        return none
    split = splits.split(of["split"], frames.ids, lists=frames.splits, parts=())
    # Another folder may have the same names, but not the same list.
    return frames.ids[split.train] if same_place or split.hash == of["split_hash"] else none


def _resolved(path):
    return pathlib.Path(path).expanduser().resolve()
