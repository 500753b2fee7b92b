"""Which source is taken, and the built-in rooms as one."""

import os
import pathlib
import resource
import subprocess
import sys

import fake_nyu
import numpy as np
import pytest
import small
from PIL import Image

from jaxdepth import rooms
from jaxdepth.data.sources import selection
from jaxdepth.data.sources.rooms import contact_sheet, open_rooms
from jaxdepth.data.splits import split
from jaxdepth.geometry import camera

SIZE = (24, 32)


@pytest.fixture(scope="module")
def nyu_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nyu")
    fake_nyu.write_mat(folder / "nyu_depth_v2_labeled.mat", 2)
    return folder


@pytest.fixture(autouse=True)
def empty_place(tmp_path, monkeypatch):
    """No data in the working directory, no variables, and rooms that cost nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JAXDEPTH_DATA", raising=False)
    monkeypatch.setenv("JAXDEPTH_CACHE", str(tmp_path / "cache"))

    monkeypatch.setattr(rooms, "frames", small.blank_rooms)


def test_a_full_disk_leaves_no_part_of_the_rooms(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, limits[1]))
    try:
        with pytest.raises(OSError, match="it could not be made: .*File too large"):
            selection.open_frames("rooms", frame_size=SIZE, rooms_frames=(3, 2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list((tmp_path / "cache").iterdir())


def test_rooms_are_made_in_blocks_that_join(monkeypatch):
    asked = []

    def counted(seed, start, count, *, size, sensor):
        asked.append((start, count))
        number = np.arange(start, start + count, dtype=np.float32).reshape(-1, 1, 1)
        depth = np.broadcast_to(1 + number / 100, (count, *size))
        return {"image": np.zeros((count, *size, 3), np.uint8), "depth": depth, "label": depth.astype(np.int32)}

    monkeypatch.setattr(rooms, "frames", counted)
    frames = selection.open_frames("rooms", frame_size=SIZE, rooms_frames=(140, 10))
    assert asked == [(0, 64), (64, 64), (128, 22)]
    np.testing.assert_array_equal(np.asarray(frames.depths)[:, 0, 0], 1 + np.arange(150, dtype=np.float32) / 100)


def test_auto_takes_rooms_where_there_is_no_file():
    frames = selection.open_frames("auto", frame_size=SIZE, rooms_frames=(3, 2))
    assert frames.name == "rooms" and len(frames) == 5
    assert "built-in rooms" in frames.description and "nyu_depth_v2_labeled.mat not found" in frames.description
    assert os.path.abspath("data") in frames.description


@pytest.mark.parametrize("source", ["auto", "nyu"])
@pytest.mark.parametrize("way", ["file", "folder", "variable", "variable and file", "data"])
def test_nyu_is_found(nyu_folder, monkeypatch, source, way):
    file = nyu_folder / "nyu_depth_v2_labeled.mat"
    path = {"file": file, "folder": str(nyu_folder)}.get(way)
    if way.startswith("variable"):
        monkeypatch.setenv("JAXDEPTH_DATA", str(file if "file" in way else nyu_folder))
    if way == "data":
        os.symlink(nyu_folder, "data")
    frames = selection.open_frames(source, path=path, frame_size=SIZE)
    assert frames.name == "nyu" and len(frames) == 2
    reason = "config.data.path" if path else "JAXDEPTH_DATA" if way.startswith("variable") else "data/"
    assert str(file) in frames.description and reason in frames.description


def test_the_path_comes_before_the_variable_and_the_variable_before_data(nyu_folder, tmp_path, monkeypatch):
    fake_nyu.write_mat(tmp_path / "one.mat", 1)
    monkeypatch.setenv("JAXDEPTH_DATA", str(nyu_folder))
    assert len(selection.open_frames("auto", path="one.mat", frame_size=SIZE)) == 1
    os.mkdir("data")
    os.symlink(tmp_path / "one.mat", "data/nyu_depth_v2_labeled.mat")
    assert len(selection.open_frames("auto", frame_size=SIZE)) == 2
    monkeypatch.delenv("JAXDEPTH_DATA")
    assert len(selection.open_frames("auto", frame_size=SIZE)) == 1


@pytest.mark.parametrize("source", ["auto", "nyu"])
def test_a_place_that_was_named_is_not_passed_over(nyu_folder, tmp_path, monkeypatch, source):
    with pytest.raises(FileNotFoundError, match="config.data.path='nowhere': no such file or folder; get nyu_depth"):
        selection.open_frames(source, path="nowhere")
    with pytest.raises(FileNotFoundError, match="config.data.path='.*': a folder without nyu_depth_v2_labeled.mat"):
        selection.open_frames(source, path=tmp_path)
    monkeypatch.setenv("JAXDEPTH_DATA", "nowhere")
    with pytest.raises(FileNotFoundError, match="JAXDEPTH_DATA='nowhere': no such file or folder"):
        selection.open_frames(source)
    assert selection.open_frames(source, path=nyu_folder, frame_size=SIZE).name == "nyu"
    assert selection.open_frames("rooms", frame_size=SIZE, rooms_frames=(1, 1)).name == "rooms"


def test_nyu_nowhere_says_where_it_looked_and_where_to_get_it():
    with pytest.raises(FileNotFoundError) as raised:
        selection.open_frames("nyu")
    for part in ("config.data.path", "JAXDEPTH_DATA", os.path.abspath("data"), "https://cs.nyu.edu/"):
        assert part in str(raised.value)
    assert "\n" not in str(raised.value)


def test_another_source_is_not_looked_for_where_the_runs_own_lies(nyu_folder, monkeypatch):
    monkeypatch.setenv("JAXDEPTH_DATA", str(nyu_folder))
    data = {"source": "folder", "path": "mine", "frame_size": SIZE, "rooms_frames": (3, 2)}
    assert selection.of_settings(data, seed=0, source="nyu").name == "nyu"
    with pytest.raises(FileNotFoundError, match="config.data.path='mine'"):
        selection.of_settings(data, seed=0)


def test_rooms_lie_nowhere():
    with pytest.raises(
        ValueError, match="config.data.path='nyu.mat': data.source='rooms' reads no file; for NYU's give"
    ):
        selection.open_frames("rooms", path="nyu.mat", frame_size=SIZE, rooms_frames=(3, 2))


def test_unknown_source():
    with pytest.raises(ValueError, match="config.data.source='nyuv2': expected one of auto, nyu, folder, tfds, rooms$"):
        selection.open_frames("nyuv2")


def test_the_sentence_is_logged(monkeypatch):
    lines = []
    monkeypatch.setattr(selection.logging, "info", lambda message, *values: lines.append(message % values))
    frames = selection.open_frames("rooms", frame_size=SIZE, rooms_frames=(1, 1))
    assert (lines[0], lines[-1]) == ("data: built-in rooms (asked for)", frames.description)
    assert lines[-1].startswith("data: built-in rooms: 1 + 1 frames at 24x32, seed 0")


def test_rooms_as_frames(monkeypatch):
    monkeypatch.undo()  # the real ones
    frames = open_rooms(3, 2, seed=5, frame_size=SIZE)
    made = rooms.frames(5, 0, 5, size=SIZE)
    np.testing.assert_array_equal(frames.images, made["image"])
    np.testing.assert_array_equal(frames.depths, made["depth"])
    np.testing.assert_array_equal(frames.labels, made["label"])
    assert (frames.images.dtype, frames.depths.dtype, frames.labels.dtype) == (np.uint8, np.float32, np.uint16)
    full = frames.full_depth(3)  # [480, 640]; 20 x 20 pixels for one, whose centres lie half a pixel from those at 10
    close = np.isclose(full[10::20, 10::20], made["depth"][3], rtol=0.02)
    assert full.shape == (480, 640) and full.dtype == np.float32 and close.mean() > 0.9
    assert not np.isclose(full[10::20, 10::20], made["depth"][2], rtol=0.02).mean() > 0.5
    expected = camera.resize_intrinsics(camera.NYU_INTRINSICS, from_size=(480, 640), to_size=SIZE)
    assert frames.intrinsics == expected
    chosen = split("dev", frames.ids, lists=frames.splits)
    assert (chosen.name, chosen.train.tolist(), chosen.val.tolist()) == ("rooms", [0, 1, 2], [3, 4])


def test_rooms_are_rendered_once(tmp_path, monkeypatch):
    rendered, render = [], rooms.frames

    def counted(seed, *arguments, **settings):
        rendered.append(seed)
        return render(seed, *arguments, **settings)

    monkeypatch.setattr(rooms, "frames", counted)
    first, again = (open_rooms(2, 1, frame_size=SIZE, cache_dir=tmp_path) for _ in range(2))
    np.testing.assert_array_equal(first.images, again.images)
    np.testing.assert_array_equal(first.depths, again.depths)
    assert rendered == [0] and isinstance(again.depths.base, np.memmap)
    open_rooms(2, 1, seed=1, frame_size=SIZE, cache_dir=tmp_path)
    open_rooms(2, 2, frame_size=SIZE, cache_dir=tmp_path)
    assert rendered == [0, 1, 0]


def test_a_contact_sheet_has_each_room_in_its_place(tmp_path, monkeypatch):
    monkeypatch.undo()  # the real ones
    contact_sheet(tmp_path / "rooms.png", rows=1, columns=2, size=SIZE)
    sheet = np.asarray(Image.open(tmp_path / "rooms.png"))
    assert sheet.shape == (24, 64, 3)
    np.testing.assert_array_equal(sheet[:, 32:], rooms.frames(0, 1, 1, size=SIZE)["image"][0])


def test_rooms_of_another_seed_are_other_frames_in_the_protocol():
    hashes = set()
    for seed in (0, 1):
        frames = open_rooms(3, 2, seed=seed, frame_size=SIZE)
        hashes.add(split("rooms", frames.ids, lists=frames.splits).hash)
    assert len(hashes) == 2


@pytest.mark.parametrize("train, val, seed", [(0, 1, 0), (1, 0, 0), (1, 1, -1), (1, 1, 2**31)])
def test_rooms_out_of_range(train, val, seed):
    with pytest.raises(ValueError, match="expected at least one frame|expected 0 <= seed"):
        open_rooms(train, val, seed=seed)


def test_reading_does_not_import_tensorflow():
    script = (
        "import sys; from jaxdepth.data import frames, sources, splits; from jaxdepth.data.batches import tfdata;"
        "from jaxdepth.data.sources import nyu, rooms;"
        "assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=pathlib.Path(__file__).parents[3])


def test_only_nyu_has_a_raw_depth():
    with pytest.raises(ValueError, match="config.data.depth='raw': only NYU's file"):
        selection.open_frames("rooms", frame_size=SIZE, depth="raw")
