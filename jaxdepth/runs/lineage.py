"""What a network was trained on: its own run's frames, and those of the runs whose weights it started from."""

import pathlib

import numpy as np

from jaxdepth.data import splits
from jaxdepth.paths import expanded, network_folder
from jaxdepth.runs import record

_NYU = {"nyu", "tfds"}  # sources of its labelled frames, or of its raw recordings


def in_words(trained_on):
    """A lineage to read, such as "rooms, split rooms; nyu, split official".

    Args:
      trained_on: `record.TrainedOn` entries, first to last.
    """
    said = []
    for entry in trained_on:
        raw = ", raw depth" if entry.depth == "raw" else ""
        mix = f", mix {entry.mix}" if entry.mix else ""
        said.append(f"{entry.source}, split {entry.split}{raw}{mix}")
    return "; ".join(dict.fromkeys(said))


def of_init(workdir, init_from):
    """The lineage of the run that a new one starts from.

    Args:
      workdir: folder of the new run.
      init_from: workdir or packed network of the other run, "package", or None.

    Returns:
      A tuple of `record.TrainedOn`.

    Raises:
      FileNotFoundError: if there is no run at `init_from`, unless `workdir` has a run that no longer needs it.
    """
    if not init_from:
        return ()
    try:
        return record.read(network_folder(init_from)).trained_on
    except FileNotFoundError as error:
        if pathlib.Path(workdir, record.NAME).is_file():
            return record.read(workdir).began_with
        raise FileNotFoundError(f"config.init_from={str(init_from)!r}: {error}; train that run first") from error


def scenes(frames, indices):
    """The names of NYU's scenes that some frames are of, sorted; () for other sources, and if they are not known."""
    if frames.scenes is None or frames.name not in _NYU:
        return ()
    return tuple(sorted({splits.scene_of(frames.scenes[index]) for index in indices}))


def count_seen(run, frames, indices, *, path=None):
    """Counts the frames that a network was trained on.

    Args:
      run: the network's RunRecord.
      frames: a Frames.
      indices: int64 [n], which of its frames.
      path: where the source lies; None for its usual place.

    Returns:
      How many of the n frames it saw in training. Between NYU's labelled frames and its raw recordings, all frames
      count whose scene it saw. None if that is not known: at the run's path are other frames or lists than then.
    """
    same_path = not path or (bool(run.data_path) and _resolved(path) == _resolved(run.data_path))
    *earlier, own = run.trained_on
    if same_path and _has_changed(own, frames):
        return None
    seen = [_seen_ids(entry, frames, same_path=False) for entry in earlier]
    seen.append(_seen_ids(own, frames, same_path=same_path))
    return int(np.isin(frames.ids[indices], np.concatenate(seen)).sum())


def _has_changed(entry, frames):
    """Whether a folder or dataset has other frames in its split than one training had."""
    if entry.source != frames.name or entry.source == "rooms" or splits.has_official_ids(frames.splits):
        return False
    if entry.split_hash is None or entry.mix and entry.source not in entry.mix:
        return False
    if entry.split not in frames.splits:
        return True
    return splits.split(entry.split, frames.ids, lists=frames.splits, parts=()).hash != entry.split_hash


def _seen_ids(entry, frames, *, same_path):
    """The ids in `frames` of the frames that one training saw."""
    none = np.array([], np.int64)
    if entry.mix and (entry.source == "rooms" or entry.source not in entry.mix):
        return none  # endless rooms alone, which no source holds
    if entry.source == frames.name == "rooms" and entry.seed is not None:
        return splits.room_ids(entry.seed, entry.train_frames)
    is_raw = entry.source == "tfds" and entry.split == "scene"  # NYU's raw recordings: the only dataset that has it
    if {entry.source, frames.name} <= _NYU and is_raw == splits.has_official_ids(frames.splits):
        if not entry.scenes or frames.scenes is None:
            return none
        return frames.ids[np.isin([splits.scene_of(name) for name in frames.scenes], entry.scenes)]
    if entry.split in frames.splits and splits.has_official_ids(frames.splits) and not is_raw:
        return np.array(frames.splits[entry.split][0], np.int64)
    if entry.source != frames.name or entry.split not in frames.splits:
        return none
    split = splits.split(entry.split, frames.ids, lists=frames.splits, parts=())
    # Another folder may have the same names, but not the same list.
    return frames.ids[split.train] if same_path or split.hash == entry.split_hash else none


def _resolved(path):
    return expanded(path).resolve()
