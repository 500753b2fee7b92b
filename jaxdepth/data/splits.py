"""Splits into training and validation frames, by frame ids, whatever other frames a file holds."""

import functools
import hashlib
import json
import pathlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from jaxdepth.errors import InputError

NYU_FRAMES = 1449
NYU_SPLITS = ("paper", "official", "dev", "final", "scene")
OWN_SPLITS = ("rooms", "lists", "folders", "scenes", "blocks", "tfds", "test")  # of sources but NYU, see `split`
BLOCK = 100  # frames
_PURPOSES = {"train": "train on", "val": "validate on"}

Lists = Mapping[str, tuple[Sequence[int] | np.ndarray, Sequence[int] | np.ndarray]]


@dataclass(frozen=True)
class Split:
    """A split of a source's frames.

    Attributes:
      name: for the protocol.
      train: int64 [n], ascending indices of the training frames.
      val: int64 [n], ascending indices of the validation frames.
      hash: first 12 hex digits of the sha256 of the name and the frame ids.
    """

    name: str
    train: np.ndarray
    val: np.ndarray
    hash: str


@functools.cache
def nyu_lists() -> Lists:
    """The splits of NYU Depth V2: {name: (train ids, val ids)} with the official 1-based ids.

    paper: 1159/290, 80/20 at random (section 3.2, which gives no list): ids ordered by the sha256 of "0:id", the same
      everywhere. Neighbours of its validation frames are in its training set.
    official: 795/654, `splits.mat` of the data set.
    dev: 686/109, the official training frames, cut between stretches of neighbouring ids.
    final: 795/109, all official training frames. Its validation frames are those of dev, which it trains on: they show
      that a training works, not how good it is. The test frames stay unseen.
    """
    numbers = json.loads(pathlib.Path(__file__).with_name("splits.json").read_text())
    every = range(1, NYU_FRAMES + 1)
    shuffled = sorted(every, key=lambda i: hashlib.sha256(f"0:{i}".encode()).digest())
    paper_train = set(shuffled[: int(0.8 * NYU_FRAMES)])
    official_train, dev_val = set(numbers["official_train"]), set(numbers["dev_val"])
    return {
        "paper": _part(every, paper_train),
        "official": _part(every, official_train),
        "dev": _part(sorted(official_train), official_train - dev_val),
        "final": (tuple(sorted(official_train)), tuple(sorted(dev_val))),
    }


def has_official_ids(lists: Lists) -> bool:
    """Whether the ids of a source with these splits are those of NYU's labelled frames, in a file or in a dataset."""
    return nyu_lists().keys() <= lists.keys()


def scene_lists(ids: Sequence[int], scenes: Sequence[str]) -> Lists:
    """The split `scene`: whole scenes, about 80/20, so that no room is in both parts.

    A scene's name decides alone: it is for validation if the sha256 of "0:scene" starts with a byte below 51, a fifth
    of 256. See `scene_of` for what a scene is.

    Args:
      ids: of the frames.
      scenes: name of each frame's scene.

    Returns:
      {"scene": (train ids, val ids)}.
    """

    is_train = {name: hashlib.sha256(f"0:{scene_of(name)}".encode()).digest()[0] >= 51 for name in set(scenes)}
    train = {int(i) for i, scene in zip(ids, scenes, strict=True) if is_train[scene]}
    return {"scene": _part([int(i) for i in ids], train)}


def scene_of(recording: str) -> str:
    """The scene of a recording: parts of one, such as `office_0001a` and `office_0001b`, are one scene."""
    return re.sub(r"(?<=\d)[a-z]$", "", recording)


def room_ids(seed: int, count: int) -> np.ndarray:
    """The ids of the first rooms of a seed, int64 [count]; they differ between seeds."""
    return (seed << 32) + np.arange(count, dtype=np.int64)


def rooms_lists(ids: Sequence[int], n_train: int) -> Lists:
    """The only split of rooms: {"rooms": (the first `n_train` ids, the rest)}."""
    ids = tuple(int(i) for i in ids)
    return {"rooms": (ids[:n_train], ids[n_train:])}


def check_name(name: str):
    """Checks a split's name before any data is read.

    Raises:
      InputError: if no source has a split of that name.
    """
    known = (*NYU_SPLITS, *OWN_SPLITS, "all")
    if name not in known:
        raise InputError(f"config.data.split={name!r}: expected one of {', '.join(known)}")


def split(name: str, ids: np.ndarray, *, lists: Lists, parts: Sequence[str] = ("train", "val")) -> Split:
    """Finds the frames of a split in a source.

    Args:
      name: one of NYU_SPLITS or OWN_SPLITS; "test", where a source has test frames; or "all", which puts every frame
        into val (for evaluation). For a name that they do not have, sources other than NYU take their own split, unless
        it is "test" or "all".
      ids: int64 [N], ids of the source's frames.
      lists: the source's splits, `Frames.splits`.
      parts: which of "train" and "val" must not be empty.

    Returns:
      A Split.

    Raises:
      InputError: for an unknown name, a split that the source does not have, or an empty part.
    """
    check_name(name)
    if name not in (*lists, "test", "all"):
        only = next(iter(lists)) if len(lists) == 1 else name
        name = next((own for own in OWN_SPLITS if own in lists), only)
    if name == "all":
        train_ids, val_ids = (), tuple(ids)
        parts = tuple(part for part in parts if part == "val")
    elif name in lists:
        train_ids, val_ids = lists[name]
    else:
        raise InputError(f"config.data.split={name!r}: this source has {', '.join((*lists, 'all'))}")
    indices = {
        "train": np.flatnonzero(np.isin(ids, train_ids)).astype(np.int64),
        "val": np.flatnonzero(np.isin(ids, val_ids)).astype(np.int64),
    }
    for part in parts:
        if not indices[part].size:
            if name == "lists":
                raise InputError(f"split 'lists': no frame to {_PURPOSES[part]}: change train.txt, val.txt or test.txt")
            frames = "official test frames" if (name, part) == ("official", "val") else f"{part} frames of this split"
            raise InputError(
                f"config.data.split={name!r}: the {frames} are not in this source: "
                f"none of its {len(ids)} frames is among their {len(train_ids if part == 'train' else val_ids)}"
            )
    present = [sorted(int(i) for i in ids[indices[part]]) for part in ("train", "val")]
    digest = hashlib.sha256(json.dumps([name, *present]).encode()).hexdigest()[:12]
    return Split(name, indices["train"], indices["val"], digest)


def check_depths(has_depth: Callable[[int], bool], split: Split, *, source: str, max_depth: float):
    """Checks that there is depth to train on and to validate on.

    Args:
      has_depth: whether the frame of an index has any valid depth.
      split: the Split.
      source: name of the source, for the error.
      max_depth: metres, for the error.

    Raises:
      InputError: if a part of the split has none.
    """
    for part, purpose in _PURPOSES.items():
        indices = getattr(split, part)
        if not any(has_depth(int(index)) for index in indices):
            raise InputError(
                f"source {source!r}, split {split.name!r}: none of {len(indices)} frames to {purpose} has a valid "
                f"depth, up to config.data.max_depth={max_depth:g} m"
            )


def _part(ids: Sequence[int], train: set[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return tuple(i for i in ids if i in train), tuple(i for i in ids if i not in train)
