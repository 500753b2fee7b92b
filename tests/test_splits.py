"""Splits by frame id: their sizes, that they are disjoint, and what the hash tells apart."""

import hashlib

import numpy as np
import pytest

from jaxdepth.data.splits import nyu_lists, rooms_lists, split

EVERY = np.arange(1, 1450)


@pytest.mark.parametrize("name, sizes", [("official", (795, 654)), ("dev", (686, 109)), ("paper", (1159, 290))])
def test_sizes_and_no_frame_in_both(name, sizes):
    train, val = nyu_lists()[name]
    assert (len(train), len(val)) == sizes
    assert not set(train) & set(val)
    whole = set(nyu_lists()["official"][0]) if name == "dev" else set(range(1, 1450))
    assert set(train) | set(val) == whole
    assert list(train) == sorted(train) and list(val) == sorted(val)


def test_official_split_is_that_of_the_data_set():
    train, val = nyu_lists()["official"]
    assert val[:12] == (1, 2, 9, 14, 15, 16, 17, 18, 21, 28, 29, 30)
    assert train[:8] == (3, 4, 5, 6, 7, 8, 10, 11) and val[-1] == 1449


def test_dev_cuts_between_stretches():
    train, val = nyu_lists()["dev"]
    order = sorted((*train, *val))
    cuts = sum((a in set(val)) != (b in set(val)) for a, b in zip(order, order[1:], strict=False))
    assert cuts < 60  # 109 single frames would give about 190


def test_paper_split_is_mixed_and_never_changes():
    _, val = nyu_lists()["paper"]
    assert abs(np.mean(val) - 725) < 75  # 3 standard errors of 290 drawn from 1..1449
    ranks = {i: hashlib.sha256(b"0:%d" % i).hexdigest() for i in range(1, 1450)}
    assert set(val) == set(sorted(ranks, key=ranks.get)[1159:])


def test_positions_are_those_of_the_ids_that_are_there():
    train, val = nyu_lists()["dev"]
    missing = nyu_lists()["official"][1][:2]  # in neither part of dev
    ids = np.array(sorted((*train[:3], *val[:2], *missing)))
    found = split("dev", ids, lists=nyu_lists())
    assert found.name == "dev"
    assert ids[found.train].tolist() == list(train[:3]) and ids[found.val].tolist() == list(val[:2])
    assert found.train.dtype == found.val.dtype == np.int64
    assert (np.diff(found.train) > 0).all()


def test_hash_tells_apart_what_is_not_the_same():
    whole = split("official", EVERY, lists=nyu_lists())
    assert len(whole.hash) == 12 and int(whole.hash, 16) >= 0
    assert split("official", EVERY.copy(), lists=nyu_lists()).hash == whole.hash
    without_test_frame, without_train_frame = EVERY[1:], EVERY[EVERY != 3]
    hashes = {whole.hash, split("paper", EVERY, lists=nyu_lists()).hash, split("dev", EVERY, lists=nyu_lists()).hash}
    hashes |= {split("official", ids, lists=nyu_lists()).hash for ids in (without_test_frame, without_train_frame)}
    assert len(hashes) == 5


def test_missing_part_is_an_error_where_it_is_needed():
    train, val = nyu_lists()["official"]
    with pytest.raises(ValueError, match="'official': the official test frames are not in this source.* 3 .* 654"):
        split("official", np.array(train[:3]), lists=nyu_lists())
    assert len(split("official", np.array(train[:3]), lists=nyu_lists(), parts=("train",)).train) == 3
    with pytest.raises(ValueError, match="train frames of this split are not in this source"):
        split("official", np.array(val[:3]), lists=nyu_lists())
    assert len(split("official", np.array(val[:3]), lists=nyu_lists(), parts=("val",)).val) == 3
    with pytest.raises(ValueError, match="'dev': the val frames of this split"):
        split("dev", np.array(nyu_lists()["dev"][0][:3]), lists=nyu_lists())


def test_all_puts_every_frame_into_val():
    for lists in (nyu_lists(), rooms_lists(EVERY, 1000)):
        found = split("all", EVERY[:20], lists=lists)
        assert (found.name, len(found.train)) == ("all", 0)
        np.testing.assert_array_equal(found.val, np.arange(20))
    assert split("all", EVERY[:19], lists=nyu_lists()).hash != found.hash


def test_rooms_have_one_split():
    ids = (7 << 32) + np.arange(5)
    lists = rooms_lists(ids, 3)
    for name in ("paper", "official", "dev", "rooms"):
        found = split(name, ids, lists=lists)
        assert found.name == "rooms"
        assert (found.train.tolist(), found.val.tolist()) == ([0, 1, 2], [3, 4])
    other = (8 << 32) + np.arange(5)
    assert split("rooms", other, lists=rooms_lists(other, 3)).hash != found.hash


def test_unknown_names():
    with pytest.raises(ValueError, match="config.data.split='test': expected one of paper, official, dev, rooms, all"):
        split("test", EVERY, lists=nyu_lists())
    with pytest.raises(ValueError, match="config.data.split='rooms': this source has paper, official, dev, all"):
        split("rooms", EVERY, lists=nyu_lists())
