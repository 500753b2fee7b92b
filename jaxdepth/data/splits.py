"""Splits into training and validation frames, by frame ids, so that they do not depend on what a file holds."""

import functools
import hashlib
import json
import pathlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

NYU_FRAMES = 1449
NAMES = ("paper", "official", "dev", "final", "scene")  # the splits of NYU's frames
OWN = ("rooms", "lists", "blocks", "tfds")  # of sources that bring a single one, see `split`
BLOCK = 100  # frames

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
    final: 795/109, all official training frames; its validation frames, dev's, are among them, so that they show that a
      training runs and not how good it is. The test frames stay unseen until the end.
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


def scene_lists(ids: Sequence[int], scenes: Sequence[str]) -> Lists:
    """The split `scene` of NYU's frames: whole scenes, some 80/20, so that no room is in both parts.

    A scene is for validation where the sha256 of "0:scene" begins with a byte below 51, a fifth of 256: its name alone
    says so, whatever else a file holds. Parts of one film, as `office_0001a` and `office_0001b`, are one scene.
    """

    def trains(scene):
        name = re.sub(r"(?<=\d)[a-z]$", "", scene)
        return hashlib.sha256(f"0:{name}".encode()).digest()[0] >= 51

    train = {int(i) for i, scene in zip(ids, scenes, strict=True) if trains(scene)}
    return {"scene": _part([int(i) for i in ids], train)}


def room_ids(seed: int, count: int) -> np.ndarray:
    """int64 [count]: the ids of the first rooms of a seed, other ones for each seed."""
    return (seed << 32) + np.arange(count, dtype=np.int64)


def rooms_lists(ids: Sequence[int], n_train: int) -> Lists:
    """The one split of rooms: the first `n_train` ids are for training, the rest for validation."""
    ids = tuple(int(i) for i in ids)
    return {"rooms": (ids[:n_train], ids[n_train:])}


def folder_lists(folder, names: Sequence[str], ids: Sequence[int]) -> Lists:
    """The one split of a folder of pairs: `lists` where it holds train.txt or val.txt, otherwise `blocks`.

    lists: the names in train.txt and in val.txt, one a line; where one of the files is missing, all frames that the
      other does not name. Frames in neither are left out.
    blocks: 80/20. The frames in their order are cut into blocks of some 100, and the last fifth of each is for
      validation: neighbours often show the same, and so only those at the two ends of a stretch of validation frames
      have one in training.

    Args:
      folder: where the files lie.
      names: of the frames in their order, as `jaxdepth.data.sources.pairs.find` gives them; ids: their ids.

    Raises ValueError for a name in the files that is none of `names` or in both, or fewer than two frames.
    """
    files = {part: pathlib.Path(folder, f"{part}.txt") for part in ("train", "val")}
    if any(file.is_file() for file in files.values()):
        by_name = dict(zip(names, (int(i) for i in ids), strict=True))
        found = {part: _listed(file, by_name) for part, file in files.items() if file.is_file()}
        for part, other in (("train", "val"), ("val", "train")):
            named = set(found.get(other, ()))
            found.setdefault(part, tuple(i for i in by_name.values() if i not in named))
        if both := set(found["train"]) & set(found["val"]):
            name = next(name for name, i in by_name.items() if i in both)
            raise ValueError(f"{files['val']}: {name!r} is in train.txt too ({len(both)} in both)")
        return {"lists": (found["train"], found["val"])}
    if len(names) < 2:
        raise ValueError(f"{folder}: {len(names)} pair: expected two or more, to train on and to validate")
    blocks = np.array_split(np.arange(len(names)), max(1, round(len(names) / BLOCK)))
    val = {int(i) for block in blocks for i in block[len(block) - max(1, round(len(block) / 5)) :]}
    train = {int(ids[i]) for i in range(len(names)) if i not in val}
    return {"blocks": _part([int(i) for i in ids], train)}


def _listed(file: pathlib.Path, ids_by_name) -> tuple[int, ...]:
    """The ids of the names in a file, one a line."""
    lines = [line.strip() for line in file.read_text("utf-8-sig", errors="replace").splitlines()]
    for number, line in enumerate(lines, 1):
        if line and line not in ids_by_name:
            raise ValueError(
                f"{file}, line {number}: {line!r}: expected the name of a pair such as {min(ids_by_name)!r}"
            )
    return tuple(ids_by_name[line] for line in lines if line)


def check_name(name: str):
    """Raise ValueError for a name that is no split's of any source."""
    if name not in (*NAMES, *OWN, "all"):
        raise ValueError(f"config.data.split={name!r}: expected one of {', '.join((*NAMES, *OWN, 'all'))}")


def split(name: str, ids: np.ndarray, *, lists: Lists, parts: Sequence[str] = ("train", "val")) -> Split:
    """The split `name` of a source: positions of the frames whose ids are in its lists.

    Args:
      name: one of NAMES, one of OWN, or `all`, which puts every frame into val and none into train (for
        evaluation). NYU's splits mean nothing to rooms or to a folder: with these, each name but `all` gives the one
        split that the source brings, such as `rooms`, and that is the name in the result.
      ids: int64 [N], the ids of the source's frames.
      lists: the source's own splits, `Frames.splits`.
      parts: those of "train" and "val" that the caller is going to use, and which must not be empty.

    Returns:
      Split; its hash is the first 12 hex digits of the sha256 of the name and of the ids found for train and for val.

    Raises:
      ValueError: unknown name, a split of another source, or no frame of a required part in the source.
    """
    check_name(name)
    if name != "all":
        name = next((own for own in OWN if own in lists), name)
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
