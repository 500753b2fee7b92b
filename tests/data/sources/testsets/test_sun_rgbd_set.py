"""SUN RGB-D: the list, the folders of its four cameras, rotated depth, and what wrong layouts and damaged files get."""

import pathlib
import shutil

import numpy as np
import pytest
import scipy.io
from PIL import Image
from tiny_sets import sun_rgbd_set

from jaxdepth.data.sources import testsets
from jaxdepth.errors import InputError
from jaxdepth.geometry.camera import NYU_INTRINSICS, crop_intrinsics

WITHOUT_NYU, ALL = testsets.KINDS["sun_rgbd"], testsets.KINDS["sun_rgbd_all"]
KV2 = "kv2/kinect2data/000002_2014-05-26_14-23-37_260595134347_rgbf000103-resize"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sun")
    return folder, sun_rgbd_set.write(folder)


@pytest.fixture
def damaged(made, tmp_path):
    """A copy of the set, to be damaged."""
    return pathlib.Path(shutil.copytree(made[0], tmp_path / "copy"))


def test_pictures_depths_and_cameras_are_those_of_the_files(made):
    folder, expected = made
    found = ALL.find(folder)
    assert [example.name for example in found.examples] == list(expected) and found.notes == ()
    for example, (picture, depth, camera) in zip(found.examples, expected.values(), strict=True):
        assert example.size == depth.shape and example.camera == camera
        np.testing.assert_array_equal(found.read_image(example), picture)
        read = found.read_depth(example)
        assert read.dtype == np.float32 and read[-1, -1] == np.float32(65.535) and not read[:30, :40].any()
        np.testing.assert_array_equal(read, depth)


def test_nyu_is_left_out_and_counted(made):
    folder, expected = made
    found = WITHOUT_NYU.find(folder)
    assert [example.name for example in found.examples] == list(expected)[1:]
    assert found.notes == ("1 of 4 pictures left out: they are NYU Depth V2's (kv1/NYUdata/)",)


def test_a_code_is_turned_by_hand(damaged):
    codes = np.zeros((530, 730), np.uint16)
    codes[0, :4] = 0b1, 0b1000, 1000 << 3, 0b111
    Image.fromarray(codes).save(damaged / "SUNRGBD" / KV2 / "depth_bfx/0000103.png")
    found = WITHOUT_NYU.find(damaged)
    read = found.read_depth(next(example for example in found.examples if example.name.startswith(KV2)))
    np.testing.assert_array_equal(read[0, :5], np.float32([8.192, 0.001, 1.0, 57.344, 0]))


def test_nyus_camera_is_the_crop_of_nyus_own_and_the_others_count_from_one(made):
    cameras = {example.name.partition("/")[0]: example.camera for example in ALL.find(made[0]).examples}
    np.testing.assert_allclose(cameras["kv1"], crop_intrinsics(NYU_INTRINSICS, top=44, left=40), atol=1e-4)
    assert cameras["kv2"] == (529.5, 529.5, 364, 264)


def test_the_list_decides_over_order_and_pictures(damaged):
    first, second = f"/n/fs/sun3d/data//SUNRGBD/{KV2}/", "SUNRGBD/realsense/sa/2014_10_21-18_16_30-1311000073"
    sun_rgbd_set.write_list(damaged, [first, second])
    names = [example.name for example in ALL.find(damaged).examples]
    assert names == [f"{KV2}/image/0000103", "realsense/sa/2014_10_21-18_16_30-1311000073/image/0000143"]


def test_the_folder_itself_may_be_given_and_the_list_lie_in_it(damaged):
    file = damaged / "SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat"
    assert len(ALL.find(damaged / "SUNRGBD").examples) == 4
    file.rename(damaged / "SUNRGBD/allsplit.mat")
    for path in (damaged / "SUNRGBD", damaged):
        assert len(ALL.find(path).examples) == 4


def test_hidden_files_of_other_systems_do_not_count(damaged):
    (damaged / "SUNRGBD" / KV2 / "image/._0000103.jpg").write_bytes(b"x")
    assert len(ALL.find(damaged).examples) == 4


def test_wrong_layouts_say_what_is_expected(tmp_path, damaged):
    with pytest.raises(FileNotFoundError, match="no such folder: expected SUNRGBD with kv1, kv2, realsense, xtion"):
        ALL.find(tmp_path / "none")
    for sensor in ("xtion", "kv1"):
        (damaged / "SUNRGBD" / sensor).rename(damaged / f"other-{sensor}")
    with pytest.raises(InputError, match="no kv1 in it: expected SUNRGBD with kv1"):
        ALL.find(damaged / "SUNRGBD")


LISTS = {
    "another place": (["/data/NYU0001"], "allsplit.mat: '/data/NYU0001': expected folders such as .../SUNRGBD/kv1"),
    "outside": ([f"SUNRGBD/{KV2}/../../.."], "allsplit.mat: 'SUNRGBD/kv2/.*': expected folders such as"),
    "twice": ([f"SUNRGBD/{KV2}", f"SUNRGBD/{KV2}/"], "allsplit.mat: 1 folders are listed twice"),
    "of nothing": ([], r"allsplit.mat: not the toolbox's list \(an empty list\)"),
    "of what is not there": (["SUNRGBD/kv2/a"], "SUNRGBD: no kv2/a/image: expected one .jpg or .png in each image"),
    "of NYU alone": ([f"SUNRGBD/{sun_rgbd_set.NYU}"], "SUNRGBD: only pictures of NYU Depth V2 on its list"),
}


@pytest.mark.parametrize("entries, message", LISTS.values(), ids=LISTS)
def test_lists_that_cannot_be_followed_are_refused(damaged, entries, message):
    sun_rgbd_set.write_list(damaged, entries)
    with pytest.raises(InputError, match=message):
        WITHOUT_NYU.find(damaged)


def test_a_list_that_is_missing_or_none_is_named(damaged):
    file = damaged / "SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat"
    scipy.io.savemat(file, {"alltrain": np.ones(3)})
    with pytest.raises(InputError, match=r"allsplit.mat: not the toolbox's list \('alltest'\)"):
        ALL.find(damaged)
    file.write_bytes(file.read_bytes()[:150])
    with pytest.raises(InputError, match="allsplit.mat: not the toolbox's list"):
        ALL.find(damaged)
    file.unlink()
    with pytest.raises(InputError, match="SUNRGBD: no SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat beside it"):
        ALL.find(damaged)


@pytest.mark.parametrize("part", ["image/0000103.jpg", "depth_bfx/0000103.png"])
def test_a_folder_without_its_one_file_is_named(damaged, part):
    file = damaged / "SUNRGBD" / KV2 / part
    (file.parent / f"more{file.suffix}").write_bytes(file.read_bytes())
    with pytest.raises(InputError, match=rf"SUNRGBD: 2 files in {KV2}/{file.parent.name}: expected one "):
        ALL.find(damaged)
    (file.parent / f"more{file.suffix}").unlink()
    file.unlink()
    with pytest.raises(InputError, match=rf"SUNRGBD: 0 files in {KV2}/{file.parent.name}"):
        ALL.find(damaged)


NO_CAMERAS = "", "1 0 2 0 1 2 0 0", "nan 0 2 0 1 2 0 0 1", "1 0 2 0 -1 2 0 0 1", "1 3 2 0 1 2 0 0 1", "1 0 2 a"


@pytest.mark.parametrize("text", NO_CAMERAS)
def test_a_file_without_a_camera_is_named(damaged, text):
    (damaged / "SUNRGBD" / KV2 / "intrinsics.txt").write_text(text)
    with pytest.raises(InputError, match="resize/intrinsics.txt: not a camera: expected the nine numbers fx 0 cx"):
        ALL.find(damaged)


def test_a_missing_camera_is_named(damaged):
    (damaged / "SUNRGBD" / KV2 / "intrinsics.txt").unlink()
    with pytest.raises(InputError, match="no intrinsics.txt"):
        ALL.find(damaged)


def test_depth_of_eight_bits_or_cut_off_is_refused_by_name(damaged):
    file = damaged / "SUNRGBD" / KV2 / "depth_bfx/0000103.png"
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    found = ALL.find(damaged)
    example = next(example for example in found.examples if example.name.startswith(KV2))
    with pytest.raises(InputError, match="0000103.png'"):
        found.read_depth(example)
    Image.fromarray(np.ones((530, 730), np.uint8)).save(file)
    with pytest.raises(InputError, match="0000103.png': a picture of mode L: expected one channel of 16 bits"):
        ALL.find(damaged)
