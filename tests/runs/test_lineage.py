"""Which frames a network has been trained on."""

import types

import numpy as np
import pytest

from jaxdepth.data import splits
from jaxdepth.runs import lineage


def frames(name, ids, own_splits):
    return types.SimpleNamespace(name=name, ids=np.array(ids, np.int64), splits=own_splits)


def record(source, split, *, path=None, began_with=(), seed=0, **data):
    data = {"source": source, "split": split, "mix": "", "depth": None, "path": path, "rooms_frames": (24, 5)} | data
    return {"config": {"data": data, "seed": seed}, "data": {"split_hash": "?", "began_with": list(began_with)}}


def rooms(seed, train, val):
    ids = splits.room_ids(seed, train + val)
    return frames("rooms", ids, splits.rooms_lists(ids, train))


@pytest.mark.parametrize(("seed", "seen"), [(0, 4), (1, 0)])
def test_rooms_are_known_by_seed_and_number_whatever_list_they_stand_in(seed, seen):
    """The validation rooms of one list may be among the training rooms of another."""
    judged = rooms(seed, 20, 9)  # the rooms 20 to 28, of which the first 24 were trained on
    assert lineage.seen(record("rooms", "rooms"), judged, np.arange(20, 29)) == seen
    later = record("nyu", "dev", began_with=lineage.of_run(record("rooms", "rooms")))
    assert lineage.seen(later, judged, np.arange(20, 29)) == seen
    endless = record("rooms", "rooms", mix="rooms:1")
    assert lineage.seen(endless, judged, np.arange(20, 29)) == 0


@pytest.mark.parametrize(("trained", "judged"), [("tfds", "nyu"), ("nyu", "tfds"), ("nyu", "nyu")])
def test_a_frame_with_an_official_id_is_the_same_in_a_file_and_in_a_dataset(trained, judged):
    train_ids, val_ids = splits.nyu_lists()["dev"]
    of_source = frames(judged, [*val_ids[:5], *train_ids[:3]], splits.nyu_lists())
    assert lineage.seen(record(trained, "dev"), of_source, np.arange(8)) == 3
    assert lineage.seen(record(trained, "final"), of_source, np.arange(8)) == 8


def test_frames_of_another_kind_are_not_seen():
    of_folder = frames("folder", [1, 2, 3], {"blocks": ((1, 2), (3,))})
    every = np.arange(3)
    assert lineage.seen(record("nyu", "dev"), of_folder, every) == 0
    assert lineage.seen(record("rooms", "rooms"), of_folder, every) == 0
    assert lineage.seen(record("folder", "blocks", path="mine"), of_folder, every) == 2
    assert lineage.seen(record("folder", "blocks", path="mine"), of_folder, every, path="./mine") == 2
    assert lineage.seen(record("folder", "blocks", path="mine"), of_folder, every, path="other") == 0
    assert lineage.seen(record("folder", "blocks"), of_folder, every, path="other") == 0
