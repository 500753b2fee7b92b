"""Layouts of folders that are found without patterns, and the order of names."""

import re

import numpy as np
import pytest
from test_pairs import write

from jaxdepth.data.sources import folder_splits, layouts, pairs
from jaxdepth.errors import InputError

KITTI = "2011_09_26_drive_0001_sync"
KNOWN = {  # {dataset: (files, name of the pair)}
    "scannet": (["scene0000_00/color/0.jpg", "scene0000_00/depth/0.png"], "scene0000_00/0"),
    "icl_nuim": (["living_room/rgb/0.png", "living_room/depth/0.png"], "living_room/0"),
    "bts_nyu": (["kitchen_0001/rgb_00045.jpg", "kitchen_0001/sync_depth_00045.png"], "kitchen_0001/00045"),
    "marigold_nyu": (
        ["test/bath/rgb_0001.png", "test/bath/depth_0001.png", "test/bath/filled_0001.png"],
        "test/bath/0001",
    ),
    "nyu_test": (["nyu2_test/00000_colors.png", "nyu2_test/00000_depth.png"], "nyu2_test/00000"),
    "diode": (
        [f"train/indoors/scene_00019/scan_00183/00019_000{end}" for end in (".png", "_depth.npy", "_depth_mask.npy")],
        "train/indoors/scene_00019/scan_00183/00019_000",
    ),
    "sun_rgbd": (
        ["kv1/NYU0001/image/NYU0001.jpg", "kv1/NYU0001/depth/NYU0001.png", "kv1/NYU0001/depth_bfx/NYU0001.png"],
        "kv1/NYU0001/NYU0001",
    ),
    "vkitti": (
        [f"Scene01/fog/frames/{kind}/Camera_0/{kind}_00001.{end}" for kind, end in (("rgb", "jpg"), ("depth", "png"))],
        "Scene01/fog/frames/Camera_0/00001",
    ),
    "seven_scenes": (
        [f"chess/seq-01/frame-000000.{kind}" for kind in ("color.png", "depth.png", "pose.txt")],
        "chess/seq-01/frame-000000",
    ),
    "rgbd_scenes": (["imgs/scene_01/00000-color.png", "imgs/scene_01/00000-depth.png"], "imgs/scene_01/00000"),
    "tartanair": (
        ["abandoned/Easy/P000/image_left/000000_left.png", "abandoned/Easy/P000/depth_left/000000_left_depth.npy"],
        "abandoned/Easy/P000/000000_left",
    ),
    "arkitscenes": (["4075/lowres_wide/4075_67.9.png", "4075/lowres_depth/4075_67.9.png"], "4075/4075_67.9"),
    "replica": (["office0/results/frame000000.jpg", "office0/results/depth000000.png"], "office0/results/000000"),
    "blendedmvs": (["5a3c/blended_images/00000000.jpg", "5a3c/rendered_depth_maps/00000000.pfm"], "5a3c/00000000"),
    "kitti_depth": (
        [f"{KITTI}/{middle}/0005.png" for middle in ("image_02/data", "proj_depth/groundtruth/image_02")],
        f"{KITTI}/0005",
    ),
    "one_stem": (["room/1.jpg", "room/1.npy"], "room/1"),
    "suffix": (["scene_a/0001_rgb.jpg", "scene_a/0001_depth.png"], "scene_a/0001"),
    "parts": (["train/scene_a/color/1.jpg", "train/scene_a/depth/1.png"], "train/scene_a/1"),
    "scenes_below": (["color/scene_a/1.jpg", "depth/scene_a/1.png"], "scene_a/1"),
    "both_ways": (["rgb/scene_a/1_rgb.jpg", "depth/scene_a/1_depth.png"], "scene_a/1"),
}


@pytest.mark.parametrize(("files", "name"), KNOWN.values(), ids=KNOWN.keys())
def test_the_layouts_of_known_datasets_are_found(tmp_path, files, name):
    write(tmp_path, *files)
    listing = pairs.find(tmp_path)
    assert not listing.missing() and listing.names == (name,)
    assert (listing.pictures, listing.depths) == ((files[0],), (files[1],))
    again = pairs.find(tmp_path, image=listing.image, depth=listing.depth)  # as a record would have it
    assert again.names == (name,)


def test_the_first_layout_with_a_pair_is_taken(tmp_path):
    write(tmp_path, "images/a.png", "rgb/b.png", "depth/b.png", "sub/rgb/b.png", "sub/depth/b.png")
    listing = pairs.find(tmp_path)
    assert (listing.image, listing.depth, listing.names) == ("rgb/*", "depth/*", ("b",))


def test_depths_are_no_pictures_where_pictures_have_any_name(tmp_path):
    write(tmp_path, "s/1.png", "s/1_depth.png", "s/2.png", "s/2_depth.png")
    assert pairs.find(tmp_path).names == ("s/1", "s/2") and not pairs.find(tmp_path).missing()
    write(tmp_path, "s/3.png")
    assert pairs.find(tmp_path).missing() == ["1 pictures without a depth at **/*_depth: s/3"]


@pytest.mark.parametrize("pattern", ["a/**/b*/**/c", "**", "**/**", "a*/b*", "**/a/**", "a**", "x/*/**/y"])
def test_a_pattern_has_one_star_behind_all_folders(tmp_path, pattern):
    with pytest.raises(InputError, match=re.escape(f"config.data.folder.image={pattern!r}: expected a path inside")):
        pairs.find(tmp_path, image=pattern)


def test_a_pattern_means_what_its_regular_expression_does(tmp_path):
    rng = np.random.default_rng(0)
    words = ["a", "b", "rgb", "a_rgb", "rgb_a", "1.b", "ab"]
    files = {
        "/".join(rng.choice(words, rng.integers(1, 5))) + str(rng.choice([".png", ".JPG", ".txt", ""]))
        for _ in range(2000)
    }
    files = {file for file in files if not any(other.startswith(f"{file}/") for other in files)}
    write(tmp_path, *files)
    tree = layouts.Tree(tmp_path)
    for pattern, expression in {
        "**/rgb/**/*": r"((?:[^/]+/)*)rgb/((?:[^/]+/)*)([^/]+)",
        "**/a*b": r"((?:[^/]+/)*)a([^/]+)b",
        "a/*/rgb": r"a/([^/]+)/rgb",
        "**/rgb*/b": r"((?:[^/]+/)*)rgb([^/]+)/b",
        "rgb_*": r"rgb_([^/]+)",
    }.items():
        found = {}
        for file in sorted(files):
            if match := re.fullmatch(f"{expression}(?i:[.]png|[.]jpg)", file):
                found.setdefault("".join(match.groups()), set()).add(file)
        matches = tree.matches(pattern, "image")
        assert found and matches.files.keys() == found.keys(), pattern
        assert all(path in found[name] for name, path in matches.files.items())
        assert (matches.twice is not None) == any(len(paths) > 1 for paths in found.values())


def test_the_natural_order_compares_text_and_numbers_in_turn():
    def of_parts(name):
        return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)], name

    rng = np.random.default_rng(0)
    parts = ["a", "-", "/", "0", "7", "007", "10", "9", "123456789012345678901234", "\u0663", "b", ".", " "]
    names = ["".join(rng.choice(parts, rng.integers(1, 6))) for _ in range(2000)]
    assert sorted(names, key=pairs.natural) == sorted(names, key=of_parts)


@pytest.mark.parametrize(
    ("names", "scenes"),
    [
        (["a/1", "a/2", "b/1"], ("a", "a", "b")),
        (["train/a/1", "train/b/1", "val/b/2", "val/b/3"], ("a", "b", "b", "b")),
        (["chess/seq-01/1", "chess/seq-02/2", "fire/seq-01/1", "fire/seq-01/2"], ("chess", "chess", "fire", "fire")),
        (["seq-01/1", "seq-02/1", "seq-02/2"], ("seq-01", "seq-02", "seq-02")),
        (["chess/seq-01/1", "chess/seq-02/1", "chess/seq-02/2"], ("chess/seq-01", "chess/seq-02", "chess/seq-02")),
        (["scene0000_00/1", "scene0000_01/1", "scene0001_00/1", "scene0001_00/2"],
         ("scene0000", "scene0000", "scene0001", "scene0001")),
        (["S1/fog/frames/Camera_0/1", "S1/fog/frames/Camera_1/1", "S2/Camera_0/1", "S2/Camera_0/2"],
         ("S1/fog",) * 2 + ("S2",) * 2),
        (["1", "2", "3"], None),
        (["a/1", "a/2"], None),
        (["a/1", "b/2", "c/1"], None),  # a folder for each frame
    ],
)  # fmt: skip
def test_a_scene_is_what_shows_one_place(names, scenes):
    assert folder_splits.scenes_of(names) == scenes
