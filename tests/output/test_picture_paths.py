"""Pictures of a command line and their output paths."""

import pytest

from jaxdepth.errors import InputError
from jaxdepth.output import picture_paths


@pytest.fixture
def folder(tmp_path):
    for name in ("one/a.jpg", "one/a.png", "one/b.png", "one/b.color.png", "two/a.jpg", "one/note.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_output_paths_in_one_folder_differ(folder):
    arguments = [folder / "one", folder / "two", folder / "one/b.png"]
    found, skipped = picture_paths.find(arguments, output=folder / "out")
    assert not skipped
    assert [(path.relative_to(folder).as_posix(), name.relative_to(folder).as_posix()) for path, name in found] == [
        ("one/a.jpg", "out/one-a.jpg"),
        ("one/a.png", "out/a.png"),
        ("one/b.color.png", "out/b.color.png"),
        ("one/b.png", "out/b"),
        ("two/a.jpg", "out/two-a.jpg"),
    ]


def test_output_paths_beside_the_pictures(folder):
    found, skipped = picture_paths.find([folder / "one", folder / "two"])
    assert not skipped
    assert [name.relative_to(folder).as_posix() for _, name in found] == [
        "one/depth/a.jpg",
        "one/depth/a.png",
        "one/depth/b.color.png",
        "one/depth/b",
        "two/depth/a",
    ]


def test_names_that_would_be_anothers_results_keep_their_suffix(tmp_path):
    for name in ("a.jpg", "a.color.jpg", "a.normals.jpg", "a.Normals.png"):
        (tmp_path / name).touch()
    found, _ = picture_paths.find([tmp_path])
    assert sorted(name.name for _, name in found) == ["a", "a.Normals.png", "a.color.jpg", "a.normals.jpg"]


def test_equal_names_get_a_number(tmp_path):
    for name in ("x/in/A.jpg", "y/in/a.jpg", "z/in/a.jpg"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    found, _ = picture_paths.find([tmp_path / "x/in", tmp_path / "y/in", tmp_path / "z/in"], output=tmp_path / "out")
    assert [name.name for _, name in found] == ["in-A.jpg", "in-a.jpg-2", "in-a.jpg-3"]


def test_results_of_earlier_runs_are_not_read(folder):
    (folder / "one/depth").mkdir()
    result = folder / "one/depth/b.color.png"
    result.touch()
    found, skipped = picture_paths.find([folder / "one", f"{folder}/one/*"])  # the pattern matches note.txt too
    assert len(found) == 5 and result not in dict(found) and not skipped
    found, skipped = picture_paths.find([folder / "one/b.png", result])
    assert list(dict(found)) == [folder / "one/b.png"]
    assert skipped == [(str(result), "lies in the folder for the depth of other pictures")]
    found, skipped = picture_paths.find([result])  # on its own, it is a picture
    assert list(dict(found)) == [result] and not skipped


def test_arguments_without_pictures_are_skipped(folder):
    (folder / "empty").mkdir()
    found, skipped = picture_paths.find([folder / "empty", f"{folder}/*.png"])
    assert not found
    assert skipped == [(str(folder / "empty"), "no picture in it"), (f"{folder}/*.png", "no such file")]


def test_pictures_are_not_overwritten(folder):
    with pytest.raises(InputError, match="one': pictures are read from it: expected another folder"):
        picture_paths.find([folder / "one"], output=folder / "one")


def test_nothing_in_a_folder_is_left_out_without_a_word(folder):
    for name in ("c.HEIC", "d.dng"):
        (folder / "two" / name).touch()
    (folder / "two/e.png").symlink_to("gone.png")
    (folder / "two/f.png").symlink_to("f.png")
    (folder / "two/g.png").mkdir()
    found, skipped = picture_paths.find([folder / "two", folder / ("long" * 100)])
    assert [path.name for path, _ in found] == ["a.jpg", "c.HEIC", "d.dng"]  # reading says what the last two need
    assert skipped[:2] == [(f"{folder}/two/{name}.png", "a link to a file that is missing") for name in "ef"]
    assert skipped[2:] == [(str(folder / ("long" * 100)), "File name too long")]
