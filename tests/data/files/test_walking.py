"""A walk through folders with links: each folder is entered, none from within itself."""

import os

import pytest

from jaxdepth.data.files import walking
from jaxdepth.data.sources import pairs


def walked(folder):
    """{folder inside: names of its files}, in the order of the walk."""
    return {os.path.relpath(parent, folder): sorted(names) for parent, _, names in walking.walk(folder)}


@pytest.fixture
def folder(tmp_path):
    """Two scenes of a file each, in one folder."""
    for name in "ab":
        (tmp_path / "top" / name).mkdir(parents=True)
        (tmp_path / "top" / name / f"{name}.txt").write_text("")
    return tmp_path / "top"


LINKS = {  # {what: [(link, where it leads)]}
    "to what it lies in": [("a/up", "..")],
    "to itself": [("a/a", "../a")],
    "to each other": [("a/b", "../b"), ("b/a", "../a")],
    "to what the whole lies in": [("a/out", "../..")],
    "several": [("one", "."), ("two", "."), ("a/three", ".."), ("b/four", "..")],
}


@pytest.mark.parametrize("links", LINKS.values(), ids=LINKS)
def test_links_in_circles_end(folder, links):
    for link, target in links:
        (folder / link).symlink_to(target)
    found = walked(folder)
    assert {".", "a", "b"} <= found.keys() and len(found) <= 6
    for path in found:
        around = [os.path.realpath(folder / path)]
        while (path := os.path.dirname(path) or ".") != ".":
            around.append(os.path.realpath(folder / path))
        assert len(set(around)) == len(around)


def test_links_elsewhere_are_followed_and_folders_can_be_left_out(folder, tmp_path):
    (tmp_path / "other/inner").mkdir(parents=True)
    (tmp_path / "other/inner/file").write_text("")
    (folder / "link").symlink_to(tmp_path / "other")
    (folder / "nowhere").symlink_to(tmp_path / "none")
    assert walked(folder) == {".": ["nowhere"], "a": ["a.txt"], "b": ["b.txt"], "link": [], "link/inner": ["file"]}
    seen = []
    for parent, folders, _ in walking.walk(folder):
        seen.append(os.path.relpath(parent, folder))
        folders[:] = [name for name in folders if name != "link"]
    assert sorted(seen) == [".", "a", "b"]


def test_a_link_in_a_circle_makes_no_pairs(folder):
    for kind, end in (("rgb", "jpg"), ("depth", "png")):
        for scene in "ab":
            (folder / scene / kind).mkdir()
            (folder / scene / kind / f"1.{end}").write_text("")
    (folder / "again").symlink_to(".")
    (folder / "a/again").symlink_to("..")
    assert pairs.find(folder).names == ("a/1", "b/1")
