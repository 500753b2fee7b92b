"""The built-in rooms as a source: rendered once, and again only if the renderer's code changes."""

import pathlib
import resource
import shutil

import numpy as np
import pytest
import small

from jaxdepth import rooms
from jaxdepth.data.frames import LazyArray
from jaxdepth.data.sources.rooms import code_without_comments, open_rooms
from jaxdepth.data.splits import split
from jaxdepth.errors import InputError
from jaxdepth.geometry import camera

SIZE = (24, 32)


@pytest.fixture
def blank(monkeypatch):
    """Rooms whose rendering costs nothing."""
    monkeypatch.setattr(rooms, "frames", small.blank_rooms)


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    return open_rooms(3, 2, seed=5, frame_size=SIZE, cache_dir=tmp_path_factory.mktemp("cache"))


def test_frames_are_those_of_the_renderer(opened):
    made = rooms.frames(5, 0, 5, size=SIZE)
    np.testing.assert_array_equal(opened.images, made["image"])
    np.testing.assert_array_equal(opened.depths, made["depth"])
    assert (opened.images.dtype, opened.depths.dtype) == (np.uint8, np.float32)
    expected = camera.resize_intrinsics(camera.NYU_INTRINSICS, from_size=(480, 640), to_size=SIZE)
    assert opened.intrinsics == expected
    chosen = split("dev", opened.ids, lists=opened.splits)
    assert (chosen.name, chosen.train.tolist(), chosen.val.tolist()) == ("rooms", [0, 1, 2], [3, 4])


def test_full_depth_shows_the_same_room_at_full_size(opened):
    full = opened.full_depth(3)  # parts of 20 x 20 pixels, whose centres are half a pixel from pixel 10
    assert full.shape == (480, 640) and full.dtype == np.float32
    assert np.isclose(full[10::20, 10::20], opened.depths[3], rtol=0.02).mean() > 0.9
    assert np.isclose(full[10::20, 10::20], opened.depths[2], rtol=0.02).mean() < 0.5


def test_labels_are_rendered_when_indexed(opened, monkeypatch):
    rendered, render = [], rooms.render
    monkeypatch.setattr(rooms, "render", lambda seed, i, **options: rendered.append(i) or render(seed, i, **options))
    assert isinstance(opened.labels, LazyArray) and opened.labels.shape == (5, *SIZE) and not rendered
    labels = opened.labels[3]
    assert rendered == [3] and labels.dtype == np.uint16 and len(np.unique(labels)) > 2
    np.testing.assert_array_equal(labels, render(5, 3, size=SIZE)["label"])


def test_rooms_are_rendered_once(tmp_path, monkeypatch):
    rendered = []

    def counted(seed, *arguments, **settings):
        rendered.append(seed)
        return small.blank_rooms(seed, *arguments, **settings)

    monkeypatch.setattr(rooms, "frames", counted)
    first, again = (open_rooms(2, 1, frame_size=SIZE, cache_dir=tmp_path) for _ in range(2))
    np.testing.assert_array_equal(first.images, again.images)
    np.testing.assert_array_equal(first.depths, again.depths)
    assert rendered == [0] and isinstance(again.depths.base, np.memmap)
    open_rooms(2, 1, seed=1, frame_size=SIZE, cache_dir=tmp_path)
    open_rooms(2, 2, frame_size=SIZE, cache_dir=tmp_path)
    assert rendered == [0, 1, 0]


def test_the_cache_holds_images_and_depths_only(tmp_path, blank):
    open_rooms(2, 1, frame_size=SIZE, cache_dir=tmp_path)
    (entry,) = tmp_path.iterdir()
    assert sorted(file.name for file in entry.iterdir()) == ["depth.npy", "image.npy", "meta.json"]


@pytest.fixture
def renderer(tmp_path, monkeypatch):
    """A copy of the renderer's source files, from which the cache's key is computed."""
    folder = pathlib.Path(shutil.copytree(pathlib.Path(rooms.__file__).parent, tmp_path / "rooms"))
    camera_file = pathlib.Path(shutil.copy(camera.__file__, tmp_path / "camera.py"))
    monkeypatch.setattr(rooms, "__file__", str(folder / "__init__.py"))
    monkeypatch.setattr(camera, "__file__", str(camera_file))
    return {"rooms": folder / "__init__.py", "sensor": folder / "sensor.py", "camera": camera_file}


@pytest.mark.parametrize("name", ["rooms", "sensor", "camera"])
def test_rooms_are_rendered_again_if_code_changes_and_not_for_a_comment(tmp_path, blank, renderer, name):
    def entries():
        open_rooms(2, 1, frame_size=SIZE, cache_dir=tmp_path / "cache")
        return len(list((tmp_path / "cache").iterdir()))

    code = renderer[name].read_text()
    quotes = '"""'
    assert code.startswith(quotes) and entries() == 1
    renderer[name].write_text(code.replace(quotes, quotes + "Another docstring. ", 1) + "\n\n# a comment\n")
    assert entries() == 1
    renderer[name].write_text(code + "\n\nADDED = 1\n")
    assert entries() == 2


CODE = '''
"""A module."""

X = 1  # a comment


class Thing:
    """A class."""

    def method(self, y):
        """A method."""
        return (X + y) * 2
'''


def test_code_without_comments_ignores_comments_docstrings_and_layout():
    others = [
        CODE.replace("# a comment", ""),
        CODE.replace("A module.", "Another text.\n\nOver two lines."),
        CODE.replace("A class.", "Another text."),
        CODE.replace("A method.", "Another text."),
        CODE.replace("(X + y) * 2", "(\n            X + y\n        ) * 2"),
    ]
    assert {code_without_comments(code) for code in others} == {code_without_comments(CODE)}


@pytest.mark.parametrize(
    "change", [("X = 1", "X = 2"), ("X + y", "X - y"), ("* 2", ""), ("method", "other"), ("(X + y) * 2", "X + (y * 2)")]
)
def test_code_without_comments_keeps_code(change):
    assert code_without_comments(CODE.replace(*change)) != code_without_comments(CODE)


def test_strings_other_than_docstrings_are_code():
    assert code_without_comments('f("a")') != code_without_comments('f("b")')


def test_blocks_join(tmp_path, monkeypatch):
    asked = []

    def numbered(seed, start, count, *, size, sensor):
        asked.append((start, count))
        number = np.arange(start, start + count, dtype=np.float32).reshape(-1, 1, 1)
        depth = np.broadcast_to(1 + number / 100, (count, *size))
        return {"image": np.zeros((count, *size, 3), np.uint8), "depth": depth, "label": depth.astype(np.int32)}

    monkeypatch.setattr(rooms, "frames", numbered)
    frames = open_rooms(140, 10, frame_size=SIZE, cache_dir=tmp_path)
    assert asked == [(0, 64), (64, 64), (128, 22)]
    np.testing.assert_array_equal(np.asarray(frames.depths)[:, 0, 0], 1 + np.arange(150, dtype=np.float32) / 100)


def test_a_full_disk_leaves_nothing(tmp_path, blank):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, limits[1]))
    try:
        with pytest.raises(OSError, match="could not be written: .*File too large"):
            open_rooms(3, 2, frame_size=SIZE, cache_dir=tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())


def test_another_seed_is_another_split(tmp_path, blank):
    hashes = set()
    for seed in (0, 1):
        frames = open_rooms(3, 2, seed=seed, frame_size=SIZE, cache_dir=tmp_path)
        hashes.add(split("rooms", frames.ids, lists=frames.splits).hash)
    assert len(hashes) == 2


@pytest.mark.parametrize("train, val, seed", [(0, 1, 0), (1, 0, 0), (1, 1, -1), (1, 1, 2**31)])
def test_settings_out_of_range_are_refused(train, val, seed):
    with pytest.raises(InputError, match="expected at least one frame|expected 0 <= seed"):
        open_rooms(train, val, seed=seed)
