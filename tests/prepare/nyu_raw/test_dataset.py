"""The data set of raw recordings: what it holds, that it is the same whatever happens, and what is refused."""

import csv
import hashlib

import numpy as np
import pytest
import raw_scenes
from prepared import SETTINGS, content, prepare

from jaxdepth.errors import InputError
from jaxdepth.geometry.camera import crop_intrinsics, nyu_intrinsics
from jaxdepth.prepare.nyu_raw import dataset, examples, parts, recordings, shards
from jaxdepth.runs import lock

COUNTS = {"den_0001": 6, "office_0002a": 9, "office_0002b": 3, "study_0003": 5}


@pytest.fixture(scope="module")
def scenes():
    return {name: raw_scenes.files(seed, count=count) for seed, (name, count) in enumerate(COUNTS.items())}


pytestmark = pytest.mark.usefixtures("without_beam")


@pytest.fixture
def raw(scenes, tmp_path):
    """Three recordings in folders, one in an archive."""
    for name in list(scenes)[:3]:
        raw_scenes.write_folder(tmp_path / "raw", name, scenes[name])
    raw_scenes.write_archive(tmp_path / "raw/more/part.zip", {"study_0003": scenes["study_0003"]})
    return tmp_path / "raw"


def rows(to, name="nyu_depth_v2_raw"):
    with open(to / name / "1.0.0/frames.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_records_are_the_frames_in_an_order_without_meaning(raw, tmp_path, capsys, monkeypatch):
    import tensorflow_datasets as tfds

    monkeypatch.setattr(shards, "_BYTES", 100_000)
    assert prepare(raw, tmp_path / "to", sheet=tmp_path / "sheet.png") == 0
    builder = tfds.builder_from_directory(tmp_path / "to/nyu_depth_v2_raw/1.0.0")
    records = list(builder.as_data_source("train"))
    assert len(builder.info.splits["train"].shard_lengths) > 1
    expected = {}
    for recording in recordings.find(raw).recordings:
        count = {"office_0002a": 3, "office_0002b": 1}.get(recording.scene, 4)  # nine and three colour pictures
        for made in examples.examples(recording, count=count, size=(120, 160)):
            expected[f"{made.scene}/{made.name}"] = made
    order = sorted(expected, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    table = rows(tmp_path / "to")
    assert [row["name"] for row in table] == order and len(order) == 12
    for record, row in zip(records, table, strict=True):
        made = expected[row["name"]]
        np.testing.assert_array_equal(record["image"], made.picture)
        np.testing.assert_array_equal(record["depth"], made.depth.astype(np.float16))
        np.testing.assert_allclose(record["intrinsics"], nyu_intrinsics((120, 160)), rtol=1e-6)
        assert record["name"].decode() == made.name and record["scene"].decode() == made.scene == row["scene"]
        assert record["seconds"] == made.seconds == float(row["seconds"])
        assert record["gap"] == made.gap == float(row["gap"])
    told = capsys.readouterr().out
    assert "12 frames of 3 scenes" in told and "11 too like its neighbours" in told
    median = np.median([np.median(np.float32(np.float16(made.depth[made.depth > 0]))) for made in expected.values()])
    empty = np.mean([made.depth == 0 for made in expected.values()])
    assert f"{median:.2f} m, {empty:.1%} of the pixels without depth" in told
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in (tmp_path / "to/nyu_depth_v2_raw").iterdir()] == ["1.0.0"]


def test_the_result_is_the_same_wherever_scenes_lie_and_in_whatever_order_they_are_made(scenes, raw, tmp_path):
    prepare(raw, tmp_path / "a")
    raw_scenes.write_archive(tmp_path / "b/x/z.zip", dict(list(scenes.items())[:2]))
    raw_scenes.write_archive(tmp_path / "b/y.zip", dict(list(scenes.items())[2:]))
    prepare(tmp_path / "b", tmp_path / "elsewhere/c", workers=2)
    assert content(tmp_path / "a") == content(tmp_path / "elsewhere/c")


def test_a_frame_of_another_shape_is_the_middle_of_the_picture(raw, tmp_path):
    import tensorflow_datasets as tfds

    prepare(raw, tmp_path / "to", SETTINGS._replace(size=(300, 300)))
    record = tfds.builder_from_directory(tmp_path / "to/nyu_depth_v2_raw/1.0.0").as_data_source("train")[0]
    assert record["image"].shape == (300, 300, 3) and record["depth"].shape == (300, 300)
    half = crop_intrinsics(nyu_intrinsics((480, 640)), top=0, left=80)  # 480x480, of which 300 pixels are 1.6 each
    expected = [half.fx / 1.6, half.fy / 1.6, (half.cx + 0.5) / 1.6 - 0.5, (half.cy + 0.5) / 1.6 - 0.5]
    np.testing.assert_allclose(record["intrinsics"], expected, rtol=1e-6)


def test_holes_are_filled_on_demand_and_measured_depth_is_kept(raw, tmp_path):
    import tensorflow_datasets as tfds

    prepare(raw, tmp_path / "to")
    prepare(raw, tmp_path / "to", SETTINGS._replace(fill=True))
    plain, filled = (
        list(tfds.builder_from_directory(tmp_path / "to" / name / "1.0.0").as_data_source("train"))
        for name in ("nyu_depth_v2_raw", "nyu_depth_v2_raw_filled")
    )
    for one, other in zip(plain, filled, strict=True):
        seen = one["depth"] > 0
        np.testing.assert_array_equal(one["depth"][seen], other["depth"][seen])
        assert (other["depth"] > 0).all() and 0 < seen.mean() < 1
        np.testing.assert_array_equal(one["image"], other["image"])


def test_scenes_of_the_official_test_frames_are_left_out(raw, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(dataset.nyu, "official_test_scenes", lambda path: frozenset({path.stem}))
    assert prepare(raw, tmp_path / "to", labeled=tmp_path / "office_0002c.mat", all_scenes=False) == 0
    assert {row["scene"] for row in rows(tmp_path / "to")} == {"den_0001", "study_0003"}
    assert "left out: 2 recordings of scenes of the official test frames" in capsys.readouterr().out
    monkeypatch.setattr(dataset.nyu, "official_test_scenes", lambda path: frozenset(COUNTS))
    with pytest.raises(InputError, match="all 4 recordings are of scenes of the official test frames"):
        prepare(raw, tmp_path / "none", labeled=tmp_path / "all.mat", all_scenes=False)


def test_without_word_about_the_test_scenes_nothing_begins(raw, tmp_path):
    with pytest.raises(InputError, match="gone.mat: no such file"):
        prepare(raw, tmp_path / "none", labeled=tmp_path / "gone.mat", all_scenes=False)
    for both in (dict(all_scenes=False), dict(labeled=tmp_path / "l.mat")):
        with pytest.raises(InputError, match=r"--labeled=nyu_depth_v2_labeled\.mat or --all_scenes: expected one"):
            prepare(raw, tmp_path / "to", **both)
    assert not (tmp_path / "to").exists()


def test_a_second_run_keeps_what_is_there_and_refuses_other_settings(raw, tmp_path, capsys):
    prepare(raw, tmp_path / "to")
    before = content(tmp_path / "to")
    (tmp_path / "to/nyu_depth_v2_raw/parts").mkdir()  # as if killed at the very end
    assert prepare(raw, tmp_path / "to") == 0
    assert "1.0.0 is there and kept" in capsys.readouterr().out
    with pytest.raises(InputError, match=r"1\.0\.0 is there, of other settings \(count=4, size=\[120, 160\]"):
        prepare(raw, tmp_path / "to", SETTINGS._replace(count=5))
    assert content(tmp_path / "to") == before and not (tmp_path / "to/nyu_depth_v2_raw/parts").exists()
    (tmp_path / "to/nyu_depth_v2_raw/1.0.0/prepared.json").unlink()
    with pytest.raises(InputError, match="is there, but not from this command"):
        prepare(raw, tmp_path / "to")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"settings": 3, "all_scenes": true}', '{"settings": {}}'])
def test_a_data_set_whose_settings_cannot_be_read_is_one_line(raw, tmp_path, content):
    (there := tmp_path / "to/nyu_depth_v2_raw/1.0.0").mkdir(parents=True)
    (there / "prepared.json").write_text(content)
    with pytest.raises(InputError, match="is there, but not from this command"):
        prepare(raw, tmp_path / "to")


def test_where_nothing_can_be_written_to_is_named(raw, tmp_path, monkeypatch):
    monkeypatch.setattr(dataset.check_folder.__globals__["os"], "access", lambda path, mode: path != tmp_path)
    with pytest.raises(PermissionError, match="nothing can be written into .*: give another --to$"):
        prepare(raw, tmp_path / "to")


def test_a_folder_of_parts_that_is_a_link_keeps_what_else_it_holds(raw, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk/mine").write_text("")
    (tmp_path / "to/nyu_depth_v2_raw").mkdir(parents=True)
    (tmp_path / "to/nyu_depth_v2_raw/parts").symlink_to(tmp_path / "disk")
    assert prepare(raw, tmp_path / "to") == 0
    assert [path.name for path in (tmp_path / "to/nyu_depth_v2_raw").iterdir()] == ["1.0.0"]
    assert (tmp_path / "disk/mine").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (SETTINGS._replace(count=0), "--count=0: expected 1 or more"),
        (SETTINGS._replace(count=10**12), "--count=1000000000000: expected at most 1000000"),
        (SETTINGS._replace(size=(480, 641)), "--size=641x480: expected WIDTHxHEIGHT from 1x1 to 640x480"),
        (SETTINGS._replace(max_gap=-1.0), r"--max_gap=-1\.0: expected seconds above 0"),
        (SETTINGS._replace(max_gap=float("nan")), "--max_gap=nan: expected seconds above 0"),
    ],
)
def test_settings_out_of_range_are_one_line(raw, tmp_path, settings, message):
    with pytest.raises(InputError, match=message):
        prepare(raw, tmp_path / "to", settings)


def test_one_command_at_a_time_writes_into_a_folder(raw, tmp_path):
    (folder := tmp_path / "to/nyu_depth_v2_raw").mkdir(parents=True)
    held = lock.acquire(folder)
    with pytest.raises(InputError, match="nyu_depth_v2_raw is being written by another process: wait for its end"):
        prepare(raw, tmp_path / "to")
    held.release()
    assert prepare(raw, tmp_path / "to") == 0


def test_parts_of_a_scene_share_its_count_by_the_largest_remainders():
    assert parts.shares(10, {"a": 1, "b": 1, "c": 1}) == {"a": 4, "b": 3, "c": 3}
    assert parts.shares(7, {"a": 30, "b": 70}) == {"a": 2, "b": 5}  # 2.1 and 4.9
    assert parts.shares(1, {"a": 0, "b": 5}) == {"a": 0, "b": 1}


def test_a_changed_setting_or_changed_raw_files_are_other_parts(raw):
    def names(settings):
        return [part.path.name for part in parts.planned(recordings.find(raw).recordings, raw, settings)]

    first = names(SETTINGS)
    assert first == names(SETTINGS) and [name[: name.rindex("-")] for name in first] == list(COUNTS)
    for change in (dict(count=5), dict(size=(60, 80)), dict(max_gap=0.02), dict(fill=True)):
        others = names(SETTINGS._replace(**change))
        assert not set(first) & set(others) or change == {"count": 5}
    (raw / "den_0001/INDEX.txt").unlink()
    assert names(SETTINGS) == first
    next((raw / "den_0001").glob("r-*.ppm")).unlink()
    assert [a == b for a, b in zip(first, names(SETTINGS), strict=True)] == [False, True, True, True]


def test_a_folder_without_recordings_leaves_nothing_behind(tmp_path):
    (tmp_path / "raw").mkdir()
    with pytest.raises(InputError, match="no raw scene"):
        prepare(tmp_path / "raw", tmp_path / "to")
    assert list(tmp_path.rglob("*nyu*")) == []
