"""The splits of a folder: lists of names, part folders, whole scenes, blocks."""

import hashlib
import re

import numpy as np
import pytest
from test_pairs import write

from jaxdepth.data import splits
from jaxdepth.data.sources import folder_splits, pairs
from jaxdepth.errors import InputError


def write_names(folder, names):
    """Empty pictures rgb/NAME.jpg and depths depth/NAME.png, with the folders of a name before rgb and depth."""
    for name in names:
        where, _, last = name.rpartition("/")
        write(folder, f"{where}/rgb/{last}.jpg".lstrip("/"), f"{where}/depth/{last}.png".lstrip("/"))
    return folder


def split_of(folder, name="official", parts=("train", "val")):
    """The name of a split of a folder, and the names of its frames to train on and to validate on."""
    listing = pairs.find(folder)
    lists = folder_splits.folder_lists(listing)
    chosen = splits.split(name, listing.ids, lists=lists, parts=parts)
    return chosen.name, *([listing.names[i] for i in part] for part in (chosen.train, chosen.val))


def test_without_scenes_the_ends_of_blocks_are_held_back(tmp_path):
    name, train, val = split_of(write_names(tmp_path, [f"{i:03d}" for i in range(250)]))
    assert name == "blocks" and sorted(train + val) == [f"{i:03d}" for i in range(250)] and 48 <= len(val) <= 52
    assert sum((int(i) + 1 != int(j)) for i, j in zip(val, val[1:], strict=False)) == 1  # two stretches, one at the end
    assert val[-1] == "249"


def test_whole_scenes_are_held_back_about_a_fifth_of_the_frames(tmp_path):
    sizes = np.random.default_rng(0).integers(1, 12, 40)
    names = [f"scene_{s}/{i}" for s, size in enumerate(sizes) for i in range(size)]
    name, train, val = split_of(write_names(tmp_path, names))
    scenes = [{name.split("/")[0] for name in part} for part in (train, val)]
    assert name == "scenes" and sorted(train + val) == sorted(names) and not scenes[0] & scenes[1]
    assert len(val) / len(names) == pytest.approx(0.2, abs=0.01)
    first = min((f"scene_{s}" for s in range(40)), key=lambda scene: hashlib.sha256(f"0:{scene}".encode()).digest())
    assert first in scenes[1], "a scene's name decides"
    assert split_of(tmp_path, "blocks")[0] == "blocks", "as earlier versions had it"


def test_a_list_that_is_a_link_to_nothing_is_not_passed_over(tmp_path):
    write_names(tmp_path, "abc")
    (tmp_path / "train.txt").symlink_to(tmp_path / "none.txt")
    with pytest.raises(FileNotFoundError, match=r"train\.txt"):
        split_of(tmp_path)


def test_lines_of_lists_end_as_those_of_files_and_long_ones_are_told_in_short(tmp_path):
    write_names(tmp_path, ["a\u2028b", "c\x0bd", "e"])
    (tmp_path / "train.txt").write_text("a\u2028b\r\ne\r", newline="")
    assert split_of(tmp_path) == ("lists", ["a\u2028b", "e"], ["c\x0bd"])
    (tmp_path / "train.txt").write_text("x" * 100_000)
    with pytest.raises(InputError) as raised:
        split_of(tmp_path)
    assert len(str(raised.value)) < 1000


@pytest.mark.parametrize("sizes", [(2, 1), (1, 2), (50, 50), (900, 10), (3, 3, 3)])
def test_no_part_is_empty_with_few_scenes(tmp_path, sizes):
    names = [f"{'abc'[s]}/{i}" for s, size in enumerate(sizes) for i in range(size)]
    name, train, val = split_of(write_names(tmp_path, names))
    assert name == "scenes" and train and val and len(val) <= len(train) or sizes[0] == sizes[-1]
    assert not {n[0] for n in train} & {n[0] for n in val}


def test_part_folders_are_parts(tmp_path):
    write_names(tmp_path, ["train/a/1", "train/a/2", "train/b/1", "val/c/1", "test/d/1", "test/d/2"])
    assert split_of(tmp_path) == ("folders", ["train/a/1", "train/a/2", "train/b/1"], ["val/c/1"])
    assert split_of(tmp_path, "test", ["val"]) == ("test", [], ["test/d/1", "test/d/2"])


def test_a_scene_of_train_is_held_back_where_there_is_no_val(tmp_path):
    write_names(tmp_path, [f"training/{scene}/{i}" for scene in "abcde" for i in range(4)] + ["testing/f/1"])
    name, train, val = split_of(tmp_path)
    assert name == "folders" and len(train) == 16 and len(val) == 4 and len({name.split("/")[1] for name in val}) == 1
    assert split_of(tmp_path, "test", ["val"])[2] == ["testing/f/1"]


def test_lists_name_the_parts(tmp_path):
    names = [f"{i:03d}" for i in range(10)]
    write_names(tmp_path, names)
    (tmp_path / "val.txt").write_text("\ufeff002\r\n\r\n  007  \r\n", encoding="utf8")
    rest = [name for name in names if name not in ("002", "007")]
    assert split_of(tmp_path) == ("lists", rest, ["002", "007"])
    (tmp_path / "train.txt").write_text("009\n001\n")
    assert split_of(tmp_path, "lists") == ("lists", ["001", "009"], ["002", "007"])
    (tmp_path / "test.txt").write_text("003\n")
    assert split_of(tmp_path) == ("lists", ["001", "009"], ["002", "007"])
    assert split_of(tmp_path, "test", ["val"]) == ("test", [], ["003"])
    (tmp_path / "train.txt").unlink()
    assert split_of(tmp_path)[1] == [name for name in rest if name != "003"]


@pytest.mark.parametrize("train", [True, False])
def test_test_frames_are_in_no_other_part(tmp_path, train):
    """With train.txt that names all others, or without any other list, a fifth of the others is held back."""
    names = [f"{scene}/{i}" for scene in "abcdef" for i in range(5)]
    write_names(tmp_path, names)
    (tmp_path / "test.txt").write_text("".join(f"f/{i}\n" for i in range(5)))
    if train:
        (tmp_path / "train.txt").write_text("\n".join(name for name in names if name[0] != "f"))
    name, to_train, val = split_of(tmp_path)
    assert name == "lists" and len(to_train) == 20 and len(val) == 5 and len({name[0] for name in val}) == 1
    assert "f" not in {name[0] for name in to_train + val}


@pytest.mark.parametrize(
    "line",
    [
        "a/1", "a/1.jpg", "a/rgb/1.jpg", "a/rgb/1", "/a/rgb/1.jpg", "./a/rgb/1.jpg", "rgb/only.jpg", "only", "only.jpg",
        "a/rgb/1.jpg a/depth/1.png", "/a/rgb/1.jpg /a/depth/1.png 518.8579", "a/1.jpg\tdepth/1.png",
        "only.jpg only.png", "w/two words", "two words.jpg",
    ],
)  # fmt: skip
def test_a_line_may_name_a_pair_in_several_ways(tmp_path, line):
    write_names(tmp_path, ["a/1", "b/1", "c/only", "w/two words"])
    (tmp_path / "val.txt").write_text(line)
    expected = "a/1" if "1" in line.split()[0] else "w/two words" if "two" in line else "c/only"
    assert split_of(tmp_path)[2] == [expected]


def test_pictures_without_depth_in_a_list_are_passed_over(tmp_path):
    write_names(tmp_path, ["a/1", "a/2", "a/3"])
    (tmp_path / "val.txt").write_text("a/rgb/9.jpg None 721.5\na/rgb/2.jpg a/depth/2.png 721.5\n")
    assert split_of(tmp_path)[2] == ["a/2"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"train.txt": "a/1\n0001\n"}, "train.txt, line 2: '0001': expected the name of a pair such as 'a/1'"),
        ({"test.txt": "a/1\n\n1.jpg"}, "test.txt, line 3: '1.jpg': 'a/1' or 'b/1'? expected the whole name"),
        ({"val.txt": "a/rgb/1.jpg b/depth/1.png"}, "val.txt, line 1: 'a/rgb/1.jpg b/depth/1.png': expected the name"),
        ({"val.txt": "a/rgb/1.png"}, "val.txt, line 1: 'a/rgb/1.png': expected the name"),
        ({"train.txt": "a/2\n", "val.txt": "b/1\na/2.jpg"}, "val.txt, line 2: 'a/2' is in train.txt too (1 names are"),
        ({"val.txt": "a/2\n", "test.txt": "a/2"}, "test.txt, line 1: 'a/2' is in val.txt too (1 names are in both)"),
        ({"val.txt": "\n"}, "split 'lists': no frame to validate on: change train.txt, val.txt or test.txt"),
    ],
)
def test_an_error_of_a_list_names_the_file_and_the_line(tmp_path, files, message):
    write_names(tmp_path, ["a/1", "a/2", "b/1"])
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=re.escape(message)):
        split_of(tmp_path)


def test_the_split_is_told(tmp_path):
    def told():
        listing = pairs.find(tmp_path)
        return folder_splits.in_words(
            folder_splits.folder_lists(listing), folder_splits.scenes_of(listing.names), listing.ids
        )

    write_names(tmp_path, [f"{scene}/{i}" for scene in "abcde" for i in range(4)])
    assert told() == "split: scenes, 16 to train on, 4 to validate: 1 of 5 scenes"
    (tmp_path / "test.txt").write_text("a/0\nb/0\n")
    (tmp_path / "val.txt").write_text("a/1\nc/1\n")
    assert told() == (
        "split: lists, 16 to train on, 2 to validate, 2 to test: 2 of 5 scenes, 2 of them in both parts: scores may be "
        "too high"
    )
