"""Which frames a network was trained on."""

import types

import numpy as np
import pytest

from jaxdepth.data import splits
from jaxdepth.runs import lineage
from jaxdepth.runs.record import RunRecord


def frames(name, ids, own_splits, scenes=None):
    return types.SimpleNamespace(name=name, ids=np.array(ids, np.int64), splits=own_splits, scenes=scenes)


def run(source, split, *, path=None, began_with=(), seed=0, scenes=(), split_hash=None, **data):
    data = {
        "source": source,
        "split": split,
        "mix": "",
        "depth": "filled",
        "path": path,
        "rooms_frames": (24, 5),
    } | data
    return RunRecord({"data": data, "seed": seed}, split_hash=split_hash, scenes=scenes, began_with=tuple(began_with))


def rooms(seed, train, val):
    ids = splits.room_ids(seed, train + val)
    return frames("rooms", ids, splits.rooms_lists(ids, train))


@pytest.mark.parametrize(("seed", "seen"), [(0, 4), (1, 0)])
def test_rooms_are_known_by_seed_and_index_whatever_their_split(seed, seen):
    """The validation rooms of one list may be among the training rooms of another."""
    scored = rooms(seed, 20, 9)  # the rooms 20 to 28, of which the first 24 were trained on
    assert lineage.count_seen(run("rooms", "rooms"), scored, np.arange(20, 29)) == seen
    later = run("nyu", "dev", began_with=run("rooms", "rooms").trained_on)
    assert lineage.count_seen(later, scored, np.arange(20, 29)) == seen
    endless = run("rooms", "rooms", mix="rooms:1")
    assert lineage.count_seen(endless, scored, np.arange(20, 29)) == 0


@pytest.mark.parametrize(("trained", "scored"), [("tfds", "nyu"), ("nyu", "tfds"), ("nyu", "nyu")])
def test_a_frame_with_an_official_id_is_the_same_in_a_file_and_in_a_dataset(trained, scored):
    train_ids, val_ids = splits.nyu_lists()["dev"]
    of_source = frames(scored, [*val_ids[:5], *train_ids[:3]], splits.nyu_lists())
    assert lineage.count_seen(run(trained, "dev"), of_source, np.arange(8)) == 3
    assert lineage.count_seen(run(trained, "final"), of_source, np.arange(8)) == 8


def test_raw_recordings_have_no_official_ids_though_their_split_is_named_alike():
    of_file = frames("nyu", [1, 2, 3], {**splits.nyu_lists(), "scene": ((1, 3), (2,))})
    of_raw = frames("tfds", [10**17, 5, 10**18], {"scene": ((10**17, 5), (10**18,))})
    every = np.arange(3)
    assert lineage.count_seen(run("nyu", "scene"), of_file, every) == 2
    assert lineage.count_seen(run("tfds", "scene", path="raw"), of_file, every, path="file") == 0
    assert lineage.count_seen(run("nyu", "scene"), of_raw, every) == 0
    assert lineage.count_seen(run("tfds", "scene", path="raw"), of_raw, every) == 2


def test_between_raw_recordings_and_labelled_frames_the_scenes_tell():
    """A scene's recordings show what its labelled frames show, so each counts that is of a scene that was seen."""
    names = ("den_0001", "cafe_0001", "office_0002")
    of_file = frames("nyu", [1, 2, 3], {**splits.nyu_lists(), "scene": ((1, 3), (2,))}, names)
    of_raw = frames("tfds", [9, 5, 7], {"scene": ((9, 5), (7,))}, ("den_0001a", "den_0001b", "bar_1"))
    every = np.arange(3)
    assert lineage.scenes(of_raw, [0, 1]) == ("den_0001",)
    assert lineage.scenes(of_file, [2, 0]) == ("den_0001", "office_0002")
    on_raw = run("tfds", "scene", path="raw", scenes=("cafe_0001", "den_0001"))
    assert lineage.count_seen(on_raw, of_file, every, path="file") == 2
    assert lineage.count_seen(on_raw, of_file, np.array([2]), path="file") == 0
    assert lineage.count_seen(run("nyu", "dev", scenes=("den_0001",)), of_raw, every) == 2
    later = run("folder", "blocks", path="mine", began_with=on_raw.trained_on)
    assert lineage.count_seen(later, of_file, every, path="file") == 2
    of_folder = frames("folder", [1], {"blocks": ((), (1,))}, ("den_0001",))
    assert lineage.scenes(of_folder, [0]) == () and lineage.count_seen(on_raw, of_folder, np.array([0])) == 0


def test_frames_of_another_kind_are_not_seen():
    of_folder = frames("folder", [1, 2, 3], {"blocks": ((1, 2), (3,))})
    every = np.arange(3)
    assert lineage.count_seen(run("nyu", "dev"), of_folder, every) == 0
    assert lineage.count_seen(run("rooms", "rooms"), of_folder, every) == 0
    assert lineage.count_seen(run("folder", "blocks", path="mine"), of_folder, every) == 2
    assert lineage.count_seen(run("folder", "blocks", path="mine"), of_folder, every, path="./mine") == 2
    assert lineage.count_seen(run("folder", "blocks", path="mine"), of_folder, every, path="other") == 0
    assert lineage.count_seen(run("folder", "blocks"), of_folder, every, path="other") == 0


def test_a_folder_that_has_changed_since_the_training_tells_nothing():
    """Frames that were trained on may now be held back, as after an edit of train.txt, or with a scene more."""
    lists = {"lists": ((1, 2), (3,)), "blocks": ((1, 3), (2,))}
    before, every = frames("folder", [1, 2, 3], lists), np.arange(3)
    of_lists = splits.split("lists", before.ids, lists=lists).hash
    trained = run("folder", "lists", path="mine", split_hash=of_lists)
    assert lineage.count_seen(trained, before, every) == 2
    changed = (
        frames("folder", [1, 2, 3], {"lists": ((3, 2), (1,)), "blocks": lists["blocks"]}),
        frames("folder", [1, 2, 3], {"blocks": lists["blocks"]}),
        frames("folder", [1, 2, 3, 4], {"lists": ((1, 2), (3, 4)), "blocks": lists["blocks"]}),
    )
    for after in changed:
        assert lineage.count_seen(trained, after, np.array([0])) is None
        assert lineage.count_seen(trained, after, np.array([0]), path="./mine") is None
        assert lineage.count_seen(trained, after, np.array([0]), path="other") == 0
    of_nyu = frames("nyu", [1, 2], splits.nyu_lists())
    assert lineage.count_seen(trained, of_nyu, np.arange(2)) == 0
