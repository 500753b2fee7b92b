"""config.json: what is kept of a run, and records of earlier versions."""

import json
import pathlib

import pytest
import small

from jaxdepth import config
from jaxdepth.errors import InputError
from jaxdepth.geometry.camera import Intrinsics
from jaxdepth.runs import record, upgrade, workdir
from jaxdepth.runs.record import RunRecord, TrainedOn


def version_1():
    """config.json of a run on rooms as the first version wrote it."""
    settings = config.load(small.CONFIGS / "kscale.py", "quick").to_dict()
    settings["mirrored"], settings["initial"] = True, "runs/first"
    del settings["flip_tta"], settings["init_from"], settings["rematerialise"]
    del settings["data"]["depth"], settings["data"]["sensor"], settings["data"]["folder"]
    return {"config": settings, "data": {"split_hash": "abc", "intrinsics": [1.0, 2.0, 3.0, 4.0]}}


def test_a_record_survives_its_json():
    run = RunRecord(
        config.load(small.CONFIGS / "kscale.py", "quick").to_dict(),
        split_hash="abc",
        train_frames=5,
        val_frames=2,
        mean_depth_frames=5,
        masked={"nan": 1},
        intrinsics=Intrinsics(1.0, 2.0, 3.0, 4.0),
        scenes=("cafe_0001", "den_0001"),
        began_with=(
            TrainedOn("rooms", "rooms", "def", seed=3, train_frames=10),
            TrainedOn("nyu", "dev", scenes=("den_0001",)),
        ),
    )
    read = record.from_json(json.loads(json.dumps(run.to_json())))
    assert read.to_json() == run.to_json()
    assert read.intrinsics == run.intrinsics and read.began_with == run.began_with
    assert read.trained_on[-1] == TrainedOn("rooms", "paper", "abc", seed=0, train_frames=600, scenes=run.scenes)


def test_a_record_of_the_first_version_is_upgraded(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(version_1()))
    read = record.read(tmp_path)
    assert read.config["flip_tta"] is True and read.config["init_from"] == "runs/first"
    assert not {"mirrored", "initial"} & read.config.keys()
    assert read.config["rematerialise"] is False and read.config["data"]["depth"] == "filled"
    assert read.config["data"]["folder"] == dict.fromkeys(("image", "depth", "depth_scale", "intrinsics"))
    assert read.max_depth == 10.0 and read.config["data"]["invalid"] == []
    assert read.intrinsics == (1.0, 2.0, 3.0, 4.0) and read.began_with == ()


def test_a_run_of_the_first_version_may_be_continued():
    before = record.from_json(version_1())
    settings = config.load(small.CONFIGS / "kscale.py", "quick").to_dict() | {"flip_tta": True}
    camera = Intrinsics(1.0, 2.0, 3.0, 4.0)
    now = RunRecord(settings, split_hash="abc", intrinsics=camera, scenes=("den_0001",))
    workdir.check_same_run(before, now, where="runs/a")
    other = RunRecord(settings | {"flip_tta": False}, split_hash="abc", intrinsics=now.intrinsics)
    with pytest.raises(ValueError, match="config.flip_tta: True there, False now"):
        workdir.check_same_run(before, other, where="runs/a")


def test_every_setting_that_a_record_may_lack_is_one_of_today():
    today = upgrade.flatten(json.loads(json.dumps(config.base().to_dict())))  # tuples are lists in a record
    assert upgrade._ADDED.items() <= today.items(), "their values are today's defaults"
    assert set(upgrade.RENAMED.values()) <= today.keys()


def test_the_record_of_the_first_packaged_network_is_read():
    content = json.loads(pathlib.Path(__file__).with_name("record_version_1.json").read_text())
    assert "format" not in content and content["config"]["mirrored"]
    run = record.from_json(content)
    assert run.config["flip_tta"] and [entry.source for entry in run.trained_on] == ["rooms", "rooms", "nyu"]


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"config": 3, "data": {}}', '{"format": 99, "config": {}, "data": {}}']
)
def test_what_is_not_a_record_is_one_line(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ValueError, match="config.json: not the record of a training run"):
        record.read(tmp_path)


WRONG = {
    "config.model.name": (None, "is missing: expected text"),
    "config.data.crop_size": (None, "is missing: expected .height, width. of at most 4,194,304 pixels"),
    "config.flip_tta": ("yes", "='yes': expected true or false"),
    "config.seed": (-1, "=-1: expected a whole number from 0"),
    "config.batch_size": (10**9, "=1000000000: expected a whole number from 1 to 65536"),
    "config.data.path": (3, "=3: expected text, or null"),
    "config.data.frame_size": ([45000, 45000], r"=\[45000, 45000\]: expected .* at most 4,194,304 pixels"),
    "config.data.rooms_frames": ([10**9, 1], r"=\[1000000000, 1\]: expected two whole numbers from 1 to 16777216"),
    "config.model.blocks": ([20000] * 9, r"=\[20000, .*\.\.\.\]: expected whole numbers from 0 to 32"),
    "config.model.k": (True, "=True: expected a whole number from 0 to 16"),
    "config.model.features": ("x" * 100_000, "='xxx.*xxx': expected true or false"),
    "config.model.width": (4000, "values in the features of one image: expected at most 134,217,728"),
    "data.intrinsics": ([0, 1, 2, 3], r"=\[0, 1, 2, 3\]: expected fx, fy, cx, cy"),
    "data.began_with": ([{"source": "rooms"}], "={'source': 'rooms'}: expected source, split, "),
    "data.masked": ({"nan": float("nan")}, "={'nan': nan}: expected counts by their names"),
}


@pytest.mark.parametrize("name, change", WRONG.items(), ids=WRONG.keys())
def test_a_setting_that_is_not_as_expected_is_named_with_its_value(tmp_path, name, change):
    value, message = change
    content = RunRecord(config.load(small.CONFIGS / "kscale.py", "quick").to_dict()).to_json()
    content["config"]["data"] |= {"crop_size": [1024, 2048], "frame_size": [2048, 2048]}
    *folders, last = name.split(".")
    inner = content
    for folder in folders:
        inner = inner[folder]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    (tmp_path / "config.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=f"config.json: .*{message}") as raised:
        record.read(tmp_path)
    assert name.rpartition(".")[0] in str(raised.value) and len(str(raised.value)) < 400


def test_a_run_whose_record_could_not_be_read_is_not_started():
    settings = config.load(small.CONFIGS / "kscale.py", "quick")
    settings.data.frame_size = settings.data.crop_size = (4000, 4000)
    with pytest.raises(InputError, match=r"config.data.frame_size=\[4000, 4000\]: expected"):
        RunRecord(settings.to_dict()).to_json()


@pytest.mark.parametrize(
    "content",
    [
        '{"config": {"data": [1]}, "data": {}}',
        "[" * 100_000,
        "{" + " " * 2_000_000 + "}",
        '{"format": "x"}',
        "\0",
        "1" * 9999,
    ],
)
def test_no_json_costs_more_than_a_line(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(InputError, match="config.json: .*a training run"):
        record.read(tmp_path)
