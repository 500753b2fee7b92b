"""Which frames a run gets, and that its first line says which and why."""

import fake_nyu
import numpy as np
import pytest

from jaxdepth import rooms
from jaxdepth.data import sources

SIZE = (24, 32)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty working directory; no variable set; rooms that cost nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JAXDEPTH_DATA", raising=False)
    monkeypatch.setenv("JAXDEPTH_CACHE", str(tmp_path / "cache"))

    def frames(seed, start, count, *, size, show_progress):
        rng = np.random.default_rng(seed)
        depth = rng.uniform(1, 5, (count, *size)).astype(np.float32)
        depth[-1] = 0
        image = rng.integers(0, 256, (count, *size, 3), np.uint8)
        return {"image": image, "depth": depth, "label": np.ones((count, *size), np.uint8)}

    monkeypatch.setattr(rooms, "frames", frames)
    return tmp_path


def mat(folder, ids):
    folder.mkdir(exist_ok=True)
    fake_nyu.write_mat(folder / sources.FILE_NAME, len(ids), ids=ids)
    return folder / sources.FILE_NAME


def opened(source="auto", path=None):
    return sources.open_frames(source, path=path, frame_size=SIZE, rooms_frames=(3, 2), seed=5)


def test_auto_takes_the_path_then_the_variable_then_data(place, monkeypatch):
    in_data = mat(place / "data", [3])
    by_variable = mat(place / "variable", [4])
    by_path = mat(place / "path", [5])

    frames = opened()
    assert frames.ids.tolist() == [3] and frames.name == "nyu" and frames.size == SIZE
    assert frames.description == f"data: NYU Depth V2 from {in_data}: 1 frames at 24x32 (found in data/)"

    monkeypatch.setenv("JAXDEPTH_DATA", str(by_variable.parent))  # the folder
    for source in ("auto", "nyu"):
        frames = opened(source)
        assert frames.ids.tolist() == [4] and "(found by JAXDEPTH_DATA)" in frames.description

    frames = opened(path=str(by_path))  # the file
    assert frames.ids.tolist() == [5] and "(found by config.data.path)" in frames.description
    assert str(by_path) in frames.description
    assert opened(path="").ids.tolist() == [4]


def test_auto_falls_back_to_rooms_and_says_so(place):
    frames = opened()
    assert frames.name == "rooms" and len(frames) == 5
    assert frames.description.startswith("data: built-in rooms: 3 + 2 frames at 24x32, seed 5 (")
    for word in (sources.FILE_NAME, "config.data.path", "JAXDEPTH_DATA", str(place / "data")):
        assert word in frames.description


def test_the_description_is_logged(place, caplog):
    with caplog.at_level("INFO", logger="absl"):
        frames = opened()
    assert [record.getMessage() for record in caplog.records].count(frames.description) == 1


def test_rooms_asked_for_are_taken_even_where_nyu_is(place, monkeypatch):
    mat(place / "data", [3])
    monkeypatch.setenv("JAXDEPTH_DATA", str(place / "nowhere"))
    frames = opened("rooms", path=str(place / "nowhere"))
    assert frames.name == "rooms" and frames.description.endswith("(asked for)")
    assert frames.ids.tolist() == [(5 << 32) + i for i in range(5)]
    assert frames.splits == {"rooms": (tuple(frames.ids[:3].tolist()), tuple(frames.ids[3:].tolist()))}
    assert frames.counts["empty_frames"] == 1 and frames.labels.dtype == np.uint16
    np.testing.assert_array_equal(frames.full_depth(1), frames.depths[1])
    # The camera of 640x480 at a twentieth of its size.
    np.testing.assert_allclose(frames.intrinsics[:2], (518.8579 / 20, 519.4696 / 20), rtol=1e-6)


@pytest.mark.parametrize("source", ["auto", "nyu"])
def test_a_place_that_was_named_is_not_passed_over(place, monkeypatch, source):
    mat(place / "data", [3])
    (place / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="config.data.path='nowhere.mat': no such file or folder"):
        opened(source, path="nowhere.mat")
    with pytest.raises(FileNotFoundError, match="config.data.path='empty': a folder without nyu_depth_v2_labeled.mat"):
        opened(source, path="empty")
    monkeypatch.setenv("JAXDEPTH_DATA", "empty")
    with pytest.raises(FileNotFoundError, match="JAXDEPTH_DATA='empty': a folder without nyu_depth_v2_labeled.mat"):
        opened(source)


def test_nyu_that_is_nowhere(place):
    with pytest.raises(FileNotFoundError, match="config.data.source='nyu': .*not found.*get .* from https://") as error:
        opened("nyu")
    assert "\n" not in str(error.value)


def test_unknown_source(place):
    with pytest.raises(ValueError, match="config.data.source='nyuv2': expected one of auto, nyu, rooms"):
        opened("nyuv2")


def test_bad_numbers_of_rooms(place):
    for bad in ((0, 2), (3, 0)):
        with pytest.raises(ValueError, match=r"config.data.rooms_frames=\(\d, \d\): expected at least one"):
            sources.open_frames("rooms", frame_size=SIZE, rooms_frames=bad)
    with pytest.raises(ValueError, match="seed=-1: expected 0 <= seed"):
        sources.open_frames("rooms", frame_size=SIZE, rooms_frames=(1, 1), seed=-1)
