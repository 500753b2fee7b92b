"""Frames of another camera than the network's: evaluated, predicted, mixed with rooms, and trained on."""

import jax
import numpy as np
import pytest
import small
from PIL import Image

from jaxdepth import evaluate, models, predict, rooms, train
from jaxdepth.data.batches import inputs
from jaxdepth.data.sources.folder import open_folder
from jaxdepth.errors import InputError
from jaxdepth.geometry.camera import nyu_intrinsics
from jaxdepth.runs import record
from jaxdepth.training import sharding, state

SIZE = (40, 56)
NYU = nyu_intrinsics(SIZE)
TELE = (2 * NYU.fx, 2 * NYU.fy)  # the same pictures, of things twice as far away


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Two folders with the same pictures; the depths of the second are twice those of the first."""
    monkeypatch.setenv("JAXDEPTH_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for part in ("near/images", "near/depths", "far/images", "far/depths"):
        (tmp_path / part).mkdir(parents=True)
    for i in range(10):
        picture = Image.fromarray(rng.integers(0, 256, (*SIZE, 3), np.uint8))
        depth = np.float32(rng.uniform(1, 4, SIZE))
        for name, factor in (("near", 1), ("far", 2)):
            picture.save(tmp_path / name / f"images/{i}.png")
            np.save(tmp_path / name / f"depths/{i}.npy", factor * depth)
    return tmp_path / "near", tmp_path / "far"


def test_depths_are_as_much_larger_as_the_focal_length(folders, tmp_path):
    run = small.random_run(tmp_path / "run")
    frames = dict(source="folder", split="all", protocol="paper")
    near = evaluate.evaluate_checkpoint(run, **frames, path=folders[0])
    far = evaluate.evaluate_checkpoint(run, **frames, path=folders[1], intrinsics=TELE)
    assert near["protocol"]["focal_ratio"] == 1
    assert far["protocol"]["focal_ratio"] == pytest.approx(2)
    for name in ("delta1", "abs_rel", "silog", "log10"):
        assert far["metrics"][name] == pytest.approx(near["metrics"][name], rel=1e-4), name
    assert far["metrics"]["rmse"] == pytest.approx(2 * near["metrics"]["rmse"], rel=1e-4)

    data = dict(source="folder", split="all", path=str(folders[1]), intrinsics=TELE)
    predict.predict_frames(run, output=tmp_path / "files", **data)
    files = evaluate.evaluate_predictions(tmp_path / "files", protocol="paper", **data)
    assert files["metrics"]["delta1"] == pytest.approx(far["metrics"]["delta1"], abs=1e-4)
    assert files["metrics"]["rmse"] == pytest.approx(far["metrics"]["rmse"], rel=1e-5)


def test_a_camera_is_one_or_two_focal_lengths_or_all(folders):
    def opened(*intrinsics):
        return open_folder(folders[0], frame_size=SIZE, intrinsics=intrinsics).intrinsics

    np.testing.assert_allclose(opened(50.0), (50, 50, 27.5, 19.5))
    np.testing.assert_allclose(opened(50.0, 52.0), (50, 52, 27.5, 19.5))
    np.testing.assert_allclose(opened(50.0, 52.0, 20.0, 10.0), (50, 52, 20, 10))
    for wrong in ((1.0, 2.0, 3.0), (0.0,), (np.nan,)):
        with pytest.raises(InputError, match=r"intrinsics=.*: expected \(f,\), \(fx, fy\) or \(fx, fy, cx, cy\)"):
            opened(*wrong)
    with pytest.raises(InputError, match="intrinsics=.*: only for source=folder; the source is rooms"):
        evaluate.Data(source="rooms", intrinsics=(50.0,)).open(dict(source="rooms"), evaluate.Rules())


@pytest.mark.slow
def test_endless_rooms_are_those_of_the_same_camera(folders):
    """Seen with twice the focal length, a picture shows a room that is twice as large; what is too far is masked."""
    mesh = sharding.make_mesh(jax.devices()[:1])
    frames = open_folder(folders[1], frame_size=SIZE, intrinsics=TELE, max_depth=8.0)
    plain = dict(crop_size=SIZE, scale=(1.0, 1.0), rotation=0.0, flip=False, colour=0.0, light=0.0)
    settings = dict(seed=5, start_step=0, process_index=0, process_count=1, **plain)
    _, draw = inputs.make_inputs("device", frames, np.arange(4), mesh=mesh, batch_size=1, rooms=1, **settings)
    expected = 2 * np.asarray(rooms.render(5, 1 << 24, size=SIZE)["depth"])
    expected[expected > 8] = 0
    assert 0 < (expected == 0).mean() < 1
    np.testing.assert_allclose(jax.jit(draw)(None, 0)["depth"][0], expected, rtol=1e-4)


PYRAMID = dict(
    name="pyramid", dtype="float32", dropout=0.1, own_blocks=1, max_width=8, k=2, width=8, blocks=(1, 1), own_width=8
)


@pytest.mark.parametrize("network", [small.network(), models.build(**PYRAMID), small.eigens("eigen")])
def test_a_network_starts_with_the_depths_of_another_camera(network):
    size = small.EIGENS_SIZE if "coarse" in network.groups else small.SIZE
    image = small.batch(2, size=size)["image"]
    variables = small.fresh(network, size)
    assert state.scale_depth(network, variables, 1.0, crop_size=size) is variables
    scaled = state.scale_depth(network, variables, 1.5, crop_size=size)
    outputs = jax.jit(lambda v: models.outputs(network, v, image, flip_tta=False))
    before, after = outputs(variables), outputs(scaled)
    for name in network.groups:
        ratio = np.exp(np.asarray(after[name] - before[name]))
        np.testing.assert_allclose(ratio, 1.5, rtol=0.05, err_msg=name)


def test_fine_tuning_starts_with_metres_of_the_folders_camera(folders, tmp_path, monkeypatch):
    """One step without learning: the network's depths are twice those of the run that it starts from."""
    base = small.random_run(tmp_path / "run")
    config = small.settings(folders[1], steps=1, init_from=str(base), **{"data.source": "folder"})
    config.data.folder.intrinsics = TELE
    config.optim.learning_rate = 0.0
    config.optim.weight_decay = 0.0
    train.train_and_evaluate(config, tmp_path / "tuned")
    assert record.read(tmp_path / "tuned").intrinsics[:2] == pytest.approx(TELE)
    picture = np.random.default_rng(3).integers(0, 256, (*SIZE, 3), np.uint8)
    depths = [
        predict.load(folder).predict(picture, intrinsics=(*TELE, 27.5, 19.5)).depth
        for folder in (base, tmp_path / "tuned")
    ]
    np.testing.assert_allclose(*depths, rtol=0.05)
