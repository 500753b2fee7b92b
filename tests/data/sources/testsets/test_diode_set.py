"""DIODE: its folders, masks and camera, and what wrong layouts and damaged files get."""

import shutil

import numpy as np
import pytest
from tiny_sets import diode_set

from jaxdepth.data.sources import testsets
from jaxdepth.errors import InputError


@pytest.fixture(scope="module", params=["indoors", "outdoor"])
def made(request, tmp_path_factory):
    """The kind, its folder and what is expected of it."""
    folder = tmp_path_factory.mktemp(request.param)
    expected = diode_set.write(folder, request.param)
    return testsets.KINDS["diode_indoor" if request.param == "indoors" else "diode_outdoor"], folder, expected


def test_pictures_depths_masks_and_the_camera_are_those_of_the_files(made):
    kind, folder, expected = made
    found = kind.find(folder)
    assert [example.name for example in found.examples] == list(expected)
    for example, (picture, depth, camera) in zip(found.examples, expected.values(), strict=True):
        assert example.size == (768, 1024) and example.camera == camera
        assert example.name.split("/")[1] == example.scene
        np.testing.assert_array_equal(found.read_image(example), picture)
        read = found.read_depth(example)
        assert read.dtype == np.float32 and (read == 0).sum() > 700
        np.testing.assert_array_equal(read, depth)


def test_the_number_of_pictures_is_compared_with_the_official_split(made, monkeypatch):
    kind, folder, _ = made
    whole = {"indoors": 325, "outdoor": 446}[kind.options["part"]]
    assert kind.find(folder).notes == (f"2 pictures, where the official split has {whole}",)
    monkeypatch.setattr("jaxdepth.data.sources.testsets.diode.PICTURES", {kind.options["part"]: 2})
    assert kind.find(folder).notes == ()


def test_the_folder_around_and_val_itself_are_the_same_set(made):
    kind, folder, expected = made
    for path in (folder, folder / "val", str(folder)):
        assert [example.name for example in kind.find(path).examples] == list(expected)


def test_hidden_files_of_other_systems_do_not_count(made, tmp_path):
    kind, folder, expected = made
    shutil.copytree(folder, tmp_path / "DIODE")
    picture = tmp_path / "DIODE/val" / f"{next(iter(expected))}.png"
    (picture.parent / f"._{picture.name}").write_bytes(b"x")
    assert [example.name for example in kind.find(tmp_path / "DIODE").examples] == list(expected)


def write(folder):
    """The indoor part and the stem of its first picture."""
    return folder / "val" / next(iter(diode_set.write(folder)))


def test_wrong_layouts_say_what_is_expected(tmp_path):
    kind = testsets.KINDS["diode_indoor"]
    with pytest.raises(FileNotFoundError, match="no such folder: expected val/indoors/scene_XXXXX/scan_XXXXX"):
        kind.find(tmp_path / "none")
    with pytest.raises(InputError, match="no indoors in it: expected val/indoors/scene_XXXXX"):
        kind.find(tmp_path)
    (tmp_path / "val/indoors").mkdir(parents=True)
    with pytest.raises(InputError, match="indoors: no pictures in it: expected val/indoors"):
        kind.find(tmp_path)


@pytest.mark.parametrize("end", [".png", "_depth.npy", "_depth_mask.npy"])
def test_a_missing_file_is_named(tmp_path, end):
    stem = write(tmp_path)
    stem.with_name(stem.name + end).unlink()
    with pytest.raises(InputError, match=rf"val: no indoors/scene_00019/scan_00183/{stem.name}{end} \(1 files are"):
        testsets.KINDS["diode_indoor"].find(tmp_path)


def damaged(stem, end):
    return stem.with_name(stem.name + end)


DAMAGE = {
    "another size": ("_depth.npy", np.ones((64, 48, 1), np.float32), "_depth.npy: depth of 48x64: expected 1024x768"),
    "text": ("_depth.npy", np.array(["a"]), "_depth.npy'.*expected integers or floating-point numbers"),
    "another mask": ("_depth_mask.npy", np.ones((768, 1023)), r"_depth_mask.npy: shape \(768, 1023\)"),
    "a mask of text": ("_depth_mask.npy", np.full((768, 1024), "a"), "_depth_mask.npy: shape .* <U1: expected numbers"),
}


@pytest.mark.parametrize("end, array, message", DAMAGE.values(), ids=DAMAGE)
def test_arrays_of_another_kind_are_refused_by_name(tmp_path, end, array, message):
    stem = write(tmp_path)
    np.save(damaged(stem, end), array)
    found = testsets.KINDS["diode_indoor"].find(tmp_path)
    with pytest.raises(InputError, match=message):
        found.read_depth(found.examples[0])


@pytest.mark.parametrize("end", [".png", "_depth.npy", "_depth_mask.npy"])
def test_files_that_are_cut_off_are_refused_by_name(tmp_path, end):
    stem = write(tmp_path)
    content = damaged(stem, end).read_bytes()
    damaged(stem, end).write_bytes(content[: len(content) // 2])
    found = testsets.KINDS["diode_indoor"].find(tmp_path)
    with pytest.raises(InputError, match=stem.name + end):
        (found.read_image if end == ".png" else found.read_depth)(found.examples[0])


def test_masks_may_have_a_last_axis_and_another_dtype(tmp_path):
    stem = write(tmp_path)
    found = testsets.KINDS["diode_indoor"].find(tmp_path)
    before = found.read_depth(found.examples[0])
    mask = np.load(damaged(stem, "_depth_mask.npy"))
    np.save(damaged(stem, "_depth_mask.npy"), mask[..., None].astype(bool))
    np.testing.assert_array_equal(found.read_depth(found.examples[0]), before)
