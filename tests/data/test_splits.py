"""Splits by frame ids."""

import hashlib

import numpy as np
import pytest

from jaxdepth.data import splits
from jaxdepth.errors import InputError

ALL_IDS = np.arange(1, 1450)
LISTS = splits.nyu_lists()


@pytest.mark.parametrize("name, train, val", [("paper", 1159, 290), ("official", 795, 654), ("dev", 686, 109)])
def test_sizes_and_no_overlap(name, train, val):
    chosen = splits.split(name, ALL_IDS, lists=LISTS)
    assert (len(chosen.train), len(chosen.val), chosen.name) == (train, val, name)
    assert chosen.train.dtype == chosen.val.dtype == np.int64
    assert not np.intersect1d(chosen.train, chosen.val).size
    for part in (chosen.train, chosen.val):
        assert (np.diff(part) > 0).all() and part.min() >= 0 and part.max() < 1449


def test_paper_split_is_the_documented_shuffle():
    order = sorted(range(1, 1450), key=lambda i: hashlib.sha256(b"0:" + str(i).encode()).hexdigest())
    train, val = LISTS["paper"]
    assert set(train) == set(order[:1159]) and set(val) == set(order[1159:])
    assert order[:5] == [1335, 392, 942, 404, 87]


def test_the_official_split_is_the_data_sets():
    train, val = LISTS["official"]
    assert val[:10] == (1, 2, 9, 14, 15, 16, 17, 18, 21, 28)  # head of testNdxs in splits.mat
    assert sorted(train + val) == list(range(1, 1450))


def test_dev_cuts_the_official_training_frames_between_stretches():
    train, val = LISTS["dev"]
    assert sorted(train + val) == list(LISTS["official"][0])
    official = list(LISTS["official"][0])
    changes = sum((a in val) != (b in val) for a, b in zip(official, official[1:], strict=False))
    assert changes < 60  # a random choice of 109 of 795 would change about 188 times


def test_the_final_split_trains_on_all_official_training_frames():
    train, val = LISTS["final"]
    assert train == LISTS["official"][0] and val == LISTS["dev"][1]


def test_indices_are_those_of_the_ids_in_the_source():
    official = np.array(LISTS["official"][0])
    ids = official[::3]
    chosen = splits.split("dev", ids, lists=LISTS)
    assert set(ids[chosen.train]) == set(ids) & set(LISTS["dev"][0])
    assert set(ids[chosen.val]) == set(ids) & set(LISTS["dev"][1])


def test_the_hash_depends_on_the_name_and_the_frames_only():
    official = np.array(LISTS["official"][0])
    full = splits.split("dev", official, lists=LISTS)
    assert len(full.hash) == 12 and int(full.hash, 16) >= 0
    assert splits.split("dev", ALL_IDS, lists=LISTS).hash == full.hash  # whatever other frames there are
    assert splits.split("dev", official[::-1], lists=LISTS).hash == full.hash  # in any order
    others = {splits.split("dev", np.delete(official, i), lists=LISTS).hash for i in (0, 300, 794)}
    others |= {splits.split(name, ALL_IDS, lists=LISTS).hash for name in ("paper", "official", "all")}
    others.add(splits.split("paper", ALL_IDS, lists={"paper": LISTS["dev"]}).hash)  # the same frames under another name
    assert len(others | {full.hash}) == 8


def test_all_evaluates_every_frame():
    ids = np.array([4, 8, 1000])
    chosen = splits.split("all", ids, lists=LISTS)
    assert chosen.val.tolist() == [0, 1, 2] and chosen.train.size == 0 and chosen.name == "all"


def test_rooms_have_one_split_whatever_the_name():
    ids = np.arange(100, 112)
    lists = splits.rooms_lists(ids, 9)
    for name in ("paper", "official", "dev", "rooms"):
        chosen = splits.split(name, ids, lists=lists)
        assert chosen.name == "rooms"
        assert chosen.train.tolist() == list(range(9)) and chosen.val.tolist() == [9, 10, 11]
    assert splits.split("all", ids, lists=lists).val.tolist() == list(range(12))


@pytest.mark.parametrize("lists", [LISTS, splits.rooms_lists(ALL_IDS, 10)], ids=["nyu", "rooms"])
def test_an_unknown_name_is_refused(lists):
    with pytest.raises(
        InputError,
        match="config.data.split='vals': expected one of paper, official, dev, final, scene, rooms, lists, .*test, all",
    ):
        splits.split("vals", ALL_IDS, lists=lists)


def test_a_source_without_test_frames_offers_none_in_their_place():
    with pytest.raises(InputError, match="config.data.split='test': this source has rooms, all"):
        splits.split("test", ALL_IDS, lists=splits.rooms_lists(ALL_IDS, 10))
    lists = {"lists": ([1, 2], [3]), "test": ([], [4, 5])}
    assert splits.split("test", np.arange(6), lists=lists, parts=("val",)).val.tolist() == [4, 5]
    assert splits.split("official", np.arange(6), lists=lists).name == "lists"


def test_a_split_that_a_source_has_besides_its_own_is_taken_by_its_name():
    lists = {"scenes": ([1, 2], [3]), "blocks": ([1, 3], [2])}
    assert [splits.split(name, np.arange(4), lists=lists).name for name in ("paper", "blocks")] == ["scenes", "blocks"]


@pytest.mark.parametrize("own", ["scene", "test", "tfds"])
def test_the_only_split_of_a_source_is_taken_whatever_the_name(own):
    lists = {own: ((7, 3), (5,))}
    for name in ("paper", "rooms", own):
        chosen = splits.split(name, np.array([3, 5, 7]), lists=lists)
        assert (chosen.name, chosen.train.tolist(), chosen.val.tolist()) == (own, [0, 2], [1])
    assert splits.split("all", np.array([3, 5, 7]), lists=lists).name == "all"


def test_a_source_without_frames_to_train_on_is_refused_by_its_splits_name():
    of_test = {"test": ((), (1, 2))}
    assert splits.split("paper", np.array([1, 2]), lists=of_test, parts=("val",)).val.tolist() == [0, 1]
    with pytest.raises(InputError, match="config.data.split='test': the train frames of this split are not in"):
        splits.split("paper", np.array([1, 2]), lists=of_test)


def test_a_split_of_another_source_is_refused():
    with pytest.raises(InputError, match="config.data.split='rooms': this source has paper, official, dev, final, all"):
        splits.split("rooms", ALL_IDS, lists=LISTS)


def test_a_part_without_frames_is_refused():
    official = np.array(LISTS["official"][0])
    with pytest.raises(
        InputError,
        match="config.data.split='official': the official test frames are not in this source: "
        "none of its 795 frames is among their 654",
    ):
        splits.split("official", official, lists=LISTS)
    assert len(splits.split("official", official, lists=LISTS, parts=("train",)).train) == 795
    with pytest.raises(InputError, match="the train frames of this split are not in this source"):
        splits.split("dev", np.array(LISTS["dev"][1]), lists=LISTS)
    assert len(splits.split("dev", np.array(LISTS["dev"][1]), lists=LISTS, parts=("val",)).val) == 109


def test_scenes_stay_whole_and_depend_on_their_names_only():
    sizes = np.random.default_rng(0).integers(1, 12, 240)
    scenes = [f"room_{i:04d}" for i, size in enumerate(sizes) for _ in range(size)]
    ids = np.arange(1, len(scenes) + 1)
    train, val = splits.scene_lists(ids, scenes)["scene"]
    assert abs(len(val) / len(ids) - 0.2) < 0.05 and sorted((*train, *val)) == list(ids)
    again = splits.scene_lists(ids[::-3], scenes[::-3])["scene"]
    assert set(again[0]) <= set(train) and set(again[1]) <= set(val) and again[1]
    val_scenes = {scenes[i - 1] for i in val}
    assert val_scenes == {s for s in scenes if hashlib.sha256(f"0:{s}".encode()).digest()[0] < 51}
    found = splits.split("scene", ids, lists={"scene": (train, val)})
    assert found.name == "scene" and len(found.val) == len(val)
