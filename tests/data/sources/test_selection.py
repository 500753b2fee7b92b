"""The choice of a source."""

import os
import pathlib
import subprocess
import sys

import fake_nyu
import pytest
import small

from jaxdepth import config, rooms
from jaxdepth.data.sources import selection
from jaxdepth.errors import InputError

SIZE = (24, 32)


@pytest.fixture(scope="module")
def nyu_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nyu")
    fake_nyu.write_mat(folder / "nyu_depth_v2_labeled.mat", 2)
    return folder


@pytest.fixture(autouse=True)
def nothing_to_find(tmp_path, monkeypatch):
    """No data in the working directory, no environment variables, and blank rooms."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JAXDEPTH_DATA", raising=False)
    monkeypatch.setenv("JAXDEPTH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(rooms, "frames", small.blank_rooms)


def test_auto_takes_rooms_if_there_is_no_file():
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
def test_a_given_path_is_never_ignored(nyu_folder, tmp_path, monkeypatch, source):
    with pytest.raises(FileNotFoundError, match="config.data.path='nowhere': no such file or folder; get nyu_depth"):
        selection.open_frames(source, path="nowhere")
    with pytest.raises(FileNotFoundError, match="config.data.path='.*': a folder without nyu_depth_v2_labeled.mat"):
        selection.open_frames(source, path=tmp_path)
    monkeypatch.setenv("JAXDEPTH_DATA", "nowhere")
    with pytest.raises(FileNotFoundError, match="JAXDEPTH_DATA='nowhere': no such file or folder"):
        selection.open_frames(source)
    assert selection.open_frames(source, path=nyu_folder, frame_size=SIZE).name == "nyu"
    assert selection.open_frames("rooms", frame_size=SIZE, rooms_frames=(1, 1)).name == "rooms"


def test_a_missing_nyu_file_says_where_it_was_looked_for_and_where_to_get_it():
    with pytest.raises(FileNotFoundError) as raised:
        selection.open_frames("nyu")
    for part in ("config.data.path", "JAXDEPTH_DATA", os.path.abspath("data"), "https://cs.nyu.edu/"):
        assert part in str(raised.value)
    assert "\n" not in str(raised.value)


def test_another_source_is_not_looked_for_at_the_configs_path(nyu_folder, monkeypatch):
    monkeypatch.setenv("JAXDEPTH_DATA", str(nyu_folder))
    settings = small.settings("mine", **{"data.source": "folder"})
    assert selection.open_frames(**config.source_arguments(settings, source="nyu", frame_size=SIZE)).name == "nyu"
    with pytest.raises(FileNotFoundError, match="config.data.path='mine'"):
        selection.open_frames(**config.source_arguments(settings))


def test_rooms_take_no_path():
    with pytest.raises(
        InputError, match="config.data.path='nyu.mat': data.source='rooms' reads no file; for NYU's file give"
    ):
        selection.open_frames("rooms", path="nyu.mat", frame_size=SIZE, rooms_frames=(3, 2))


def test_an_unknown_source_is_refused():
    told = "config.data.source='nyuv2': expected one of auto, nyu, folder, tfds, rooms, ibims"
    with pytest.raises(InputError, match=told):
        selection.open_frames("nyuv2")


def test_the_choice_is_logged_before_and_after(monkeypatch):
    lines = []
    monkeypatch.setattr(selection.logging, "info", lambda message, *values: lines.append(message % values))
    frames = selection.open_frames("rooms", frame_size=SIZE, rooms_frames=(1, 1))
    assert (lines[0], lines[-1]) == ("data: built-in rooms (as set)", frames.description)
    assert lines[-1].startswith("data: built-in rooms: 1 + 1 frames at 24x32, seed 0")


def test_importing_sources_and_batches_does_not_import_tensorflow():
    script = (
        "import sys; from jaxdepth.data import frames, splits; from jaxdepth.data.batches import inputs, tfdata;"
        "from jaxdepth.data.sources import folder, nyu, rooms, selection, tfds;"
        "assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=pathlib.Path(__file__).parents[3])


def test_only_nyu_has_raw_depth():
    with pytest.raises(InputError, match="config.data.depth='raw' .*: only NYU's file"):
        selection.open_frames("rooms", frame_size=SIZE, depth="raw")
