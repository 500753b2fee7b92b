"""ScanNet as a test set: the subset of frames, whole scans, and the lists of what counts."""

import numpy as np
import pytest
from PIL import Image
from tiny_sets import scannet_set

from jaxdepth.data.sources import testsets
from jaxdepth.errors import InputError

FRAMES = "scannet_frames_25k"


def check(found, expected):
    """Every frame against an independent reading of its depth and what was written."""
    assert [example.name for example in found.examples] == list(expected)
    for example in found.examples:
        picture, depth, camera = expected[example.name]
        assert picture.shape == (968, 1296, 3) and np.array_equal(found.read_image(example), picture)
        with Image.open(example.depth) as png:
            codes = np.asarray(png)
        read = found.read_depth(example)
        assert read.dtype == np.float32 and read.shape == example.size == (480, 640)
        assert np.array_equal(read, depth) and np.array_equal(read == 0, codes == 0) and (codes == 0).any()
        np.testing.assert_allclose(read, codes / 1000, rtol=1e-6)
        assert example.camera == camera and example.scene == example.name.partition("/")[0]


@pytest.fixture
def written(tmp_path):
    return scannet_set.write(tmp_path)


@pytest.mark.parametrize("inner", ["", FRAMES])
def test_reads_the_scenes_of_the_official_list(tmp_path, written, inner):
    if inner:
        (tmp_path / "scannetv2_val.txt").rename(tmp_path / inner / "scannetv2_val.txt")
    found = testsets.KINDS["scannet"].find(tmp_path / inner)
    check(found, written)
    assert found.notes == ("1 of 3 scenes left out: not in scannetv2_val.txt",)


def test_without_a_list_every_scene_counts_and_this_is_said(tmp_path, written):
    (tmp_path / "scannetv2_val.txt").unlink()
    found = testsets.KINDS["scannet"].find(tmp_path)
    assert [example.name for example in found.examples] == [
        "scene0000_00/color/000000",
        "scene0000_00/color/000200",
        *written,
    ]
    assert found.notes == ("no scannetv2_val.txt or scannetv2_test.txt in the folder: all 3 scenes count",)


def test_the_list_of_test_scenes_is_taken_where_there_is_no_other(tmp_path, written):
    (tmp_path / "scannetv2_val.txt").unlink()
    (tmp_path / "scannetv2_test.txt").write_text("scene0011_01\n")
    assert [example.scene for example in testsets.KINDS["scannet"].find(tmp_path).examples] == ["scene0011_01"]


def test_of_whole_scans_every_hundredth_frame_is_taken(tmp_path):
    expected = scannet_set.write_scan(tmp_path)
    found = testsets.KINDS["scannet"].find(tmp_path)
    check(found, expected)
    assert found.notes[1] == "2 frames of whole scans left out: every 100th is taken, as scannet_frames_25k has"


def test_a_sample_of_frames_is_taken_in_its_order(tmp_path, written):
    names = list(written)[::-1][:2]
    lines = [f"{FRAMES}/{name}.jpg {FRAMES}/{name.replace('color', 'depth')}.png" for name in names]
    (tmp_path / "scannet_val_sampled_list_800_1.txt").write_text("\n".join(lines))
    found = testsets.KINDS["scannet"].find(tmp_path)
    assert [example.name for example in found.examples] == [f"{FRAMES}/{name}" for name in names]
    for example, name in zip(found.examples, names, strict=True):
        picture, depth, camera = written[name]
        assert np.array_equal(found.read_image(example), picture) and np.array_equal(found.read_depth(example), depth)
        assert example.camera == camera and example.scene == name.partition("/")[0]
    assert found.notes == ()
    (tmp_path / FRAMES / names[0].partition("/")[0] / "intrinsics_depth.txt").unlink()
    found = testsets.KINDS["scannet"].find(tmp_path)
    assert found.examples[0].camera is None and found.notes[0].startswith("1 pictures without a camera")


def sample(line):
    return lambda folder: (folder / "scannet_val_sampled_list_800_1.txt").write_text(line)


def scene(change):
    return lambda folder: change(folder / FRAMES / "scene0011_01")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "scannetv2_val.txt").write_text("scene0011_00\nscene0012_00\nscene0013_00"),
         r"scannetv2_val.txt: scene0012_00 is not in .* \(2 scenes are missing\)"),
        (lambda folder: (folder / "scannetv2_val.txt").write_text("a b"), "line 1: 'a b': expected the name"),
        (scene(lambda folder: (folder / "intrinsics_depth.txt").unlink()), "no scene0011_01/intrinsics_depth.txt"),
        (scene(lambda folder: (folder / "intrinsics_depth.txt").write_text("1 2")),
         "intrinsics_depth.txt: not a camera matrix: expected 4x4 numbers"),
        (scene(lambda folder: (folder / "depth/000000.png").unlink()),
         r"no scene0011_01/depth/000000.png \(1 files are missing\)"),
        (scene(lambda folder: (folder / "color/000000.jpg").unlink()), r"no scene0011_01/color/\*.jpg"),
        (lambda folder: (folder / FRAMES).rename(folder / "scene"), None),
        (lambda folder: [(folder / "more" / "scene0001_00").mkdir(parents=True)],
         "several sets, more and scannet_frames_25k"),
        (sample("scene0011_00/color/000000.jpg scene0011_00/depth/000000.png"),
         r"no scene0011_00/color/000000.jpg \(2 files are missing\)"),
        (sample("/scene0011_00/color/0.jpg b.png"), "expected a path inside"),
        (sample("../scene0011_00/color/0.jpg b.png"), "expected a path inside"),
        (sample("a.jpg"), "expected a picture and its depth"),
    ],
)  # fmt: skip
def test_another_layout_is_refused(tmp_path, written, change, message):
    change(tmp_path)
    if message is None:  # any name of the folder will do
        check(testsets.KINDS["scannet"].find(tmp_path), written)
        return
    with pytest.raises(InputError, match=message) as raised:
        testsets.KINDS["scannet"].find(tmp_path)
    assert "\n" not in str(raised.value)


def test_a_folder_without_scenes_or_frames_is_refused(tmp_path):
    with pytest.raises(InputError, match="no folder sceneXXXX_YY: expected sceneXXXX_YY with color"):
        testsets.KINDS["scannet"].find(tmp_path)
    scannet_set.write_scan(tmp_path)
    for number in (0, 100):
        (tmp_path / "scene0707_00" / "color" / f"{number}.jpg").unlink()
    with pytest.raises(InputError, match="no frame whose number is a multiple of 100"):
        testsets.KINDS["scannet"].find(tmp_path)


def test_a_damaged_depth_names_its_file(tmp_path, written):
    found = testsets.KINDS["scannet"].find(tmp_path)
    example = found.examples[0]
    example.depth.write_bytes(example.depth.read_bytes()[: example.depth.stat().st_size // 2])
    with pytest.raises(InputError, match="depth/000100.png"):
        found.read_depth(example)
    Image.fromarray(np.ones((968, 1296), np.uint16)).save(example.depth)
    with pytest.raises(InputError, match="000100.png: depth of 1296x968 pixels: expected 640x480"):
        found.read_depth(example)
