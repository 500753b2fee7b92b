"""From raw recordings to a training: the data set that the command writes is the one that training reads."""

import numpy as np
import pytest
import raw_scenes
import small
from prepared import SETTINGS, prepare

from jaxdepth import evaluate, train
from jaxdepth.data import splits
from jaxdepth.data.sources import selection
from jaxdepth.geometry.camera import nyu_intrinsics
from jaxdepth.prepare.nyu_raw import recordings
from jaxdepth.prepare.nyu_raw.examples import examples

SCENES = ("bedroom_0001", "kitchen_0002", "study_0004")  # by their names, the last is held back


@pytest.fixture
def dataset(tmp_path, without_beam):
    for seed, scene in enumerate(SCENES):
        raw_scenes.write_folder(tmp_path / "raw", scene, raw_scenes.files(seed, count=8))
    assert prepare(tmp_path / "raw", tmp_path / "made") == 0
    return tmp_path / "made/nyu_depth_v2_raw"


def test_its_frames_are_those_of_the_recordings(dataset, tmp_path):
    frames = selection.open_frames("tfds", path=dataset, frame_size=SETTINGS.size)
    expected = {
        f"{example.scene}/{example.name}": example
        for recording in recordings.find(tmp_path / "raw").recordings
        for example in examples(recording, count=SETTINGS.count, size=SETTINGS.size)
    }
    assert sorted(frames.names) == sorted(expected) and len(frames) == 12
    np.testing.assert_allclose(frames.intrinsics, nyu_intrinsics(SETTINGS.size), rtol=1e-6)
    for i, name in enumerate(frames.names):
        np.testing.assert_array_equal(frames.images[i], expected[name].picture)
        np.testing.assert_array_equal(frames.depths[i], np.float16(expected[name].depth))
        assert frames.scenes[i] == expected[name].scene


def test_some_steps_are_trained_and_the_held_back_scene_is_scored(dataset, tmp_path):
    frames = selection.open_frames("tfds", path=dataset, frame_size=(40, 56))
    split = splits.split("paper", frames.ids, lists=frames.splits)
    held_back = {frames.scenes[i] for i in split.val}
    assert split.name == "scene" and held_back and held_back < set(SCENES)
    config = small.settings(dataset, steps=3, **{"data.source": "tfds", "data.batches": "tfdata"})
    train.train_and_evaluate(config, tmp_path / "run")
    result = evaluate.evaluate_checkpoint(tmp_path / "run", protocol="full")
    assert result["frames"] == len(split.val) and np.isfinite(result["metrics"]["abs_rel"])
    assert result["protocol"]["split"] == "scene"
