"""Splits into training and validation frames, by frame ids, so that they do not depend on what a file holds."""

import functools
import hashlib
import json
import pathlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

NYU_FRAMES = 1449
NAMES = ("paper", "official", "dev")  # the splits of NYU's ids; rooms bring one of their own, see `split`

Lists = Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]


@dataclass(frozen=True)
class Split:
    """Positions (int64 [n], ascending) of a split's frames in their source, and the name and hash for the protocol."""

    name: str
    train: np.ndarray
    val: np.ndarray
    hash: str


@functools.cache
def nyu_lists() -> Lists:
    """The (train ids, val ids) of NYU Depth V2's splits; ids are the official 1-based ones.

    paper: 80/20 at random (section 3.2 of the paper, which gives no list), 1159/290: the ids ordered by the sha256 of
      "0:id", so that the same frames come out everywhere and always. Holds neighbours of its val frames in train.
    official: 795/654, `splits.mat` of the data set.
    dev: 686/109, the official training frames cut between stretches of neighbouring ids.
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
    }


def rooms_lists(ids: Sequence[int], n_train: int) -> Lists:
    """The one split of rooms: the first `n_train` ids are for training, the rest for validation."""
    ids = tuple(int(i) for i in ids)
    return {"rooms": (ids[:n_train], ids[n_train:])}


def split(name: str, ids: np.ndarray, *, lists: Lists, parts: Sequence[str] = ("train", "val")) -> Split:
    """The split `name` of a source: positions of the frames whose ids are in its lists.

    Args:
      name: paper, official, dev, rooms, or `all`, which puts every frame into val and none into train (for evaluation).
        NYU's splits mean nothing to rooms: with rooms, each of these names but `all` gives the split `rooms`, and
        `rooms` is the name in the result.
      ids: int64 [N], the ids of the source's frames.
      lists: the source's own splits, `Frames.splits`.
      parts: those of "train" and "val" that the caller is going to use, and which must not be empty.

    Returns:
      Split; its hash is the first 12 hex digits of the sha256 of the name and of the ids found for train and for val.

    Raises:
      ValueError: unknown name, a split of another source, or no frame of a required part in the source.
    """
    if name not in (*NAMES, "rooms", "all"):
        raise ValueError(f"config.data.split={name!r}: expected one of {', '.join((*NAMES, 'rooms', 'all'))}")
    if name != "all" and "rooms" in lists:
        name = "rooms"
    if name == "all":
        train_ids, val_ids = (), tuple(ids)
        parts = tuple(part for part in parts if part == "val")
    elif name in lists:
        train_ids, val_ids = lists[name]
    else:
        raise ValueError(f"config.data.split={name!r}: this source has {', '.join((*lists, 'all'))}")
    positions = {
        "train": np.flatnonzero(np.isin(ids, train_ids)).astype(np.int64),
        "val": np.flatnonzero(np.isin(ids, val_ids)).astype(np.int64),
    }
    for part in parts:
        if not positions[part].size:
            frames = "official test frames" if (name, part) == ("official", "val") else f"{part} frames of this split"
            raise ValueError(
                f"config.data.split={name!r}: the {frames} are not in this source: "
                f"none of its {len(ids)} frames is among their {len(train_ids if part == 'train' else val_ids)}"
            )
    present = [sorted(int(i) for i in ids[positions[part]]) for part in ("train", "val")]
    digest = hashlib.sha256(json.dumps([name, *present]).encode()).hexdigest()[:12]
    return Split(name, positions["train"], positions["val"], digest)


def _part(ids: Sequence[int], train: set[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return tuple(i for i in ids if i in train), tuple(i for i in ids if i not in train)
