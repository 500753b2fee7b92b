"""One rule for valid depth in every source, in `check`, training, evaluation and prediction; faults are caused."""

import json
import shutil

import fake_nyu
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small
from PIL import Image
from small_frames import FRAMES, INDICES

from jaxdepth import evaluate, predict, train
from jaxdepth.data.batches import inputs, mix
from jaxdepth.data.sources import nyu, rooms, selection
from jaxdepth.errors import InputError
from jaxdepth.evaluation import report
from jaxdepth.prepare.check import check
from jaxdepth.training import sharding

SIZE = (40, 56)
COUNT = 10  # the last two are for validation


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXDEPTH_CACHE", str(tmp_path / "cache"))


def write(folder, change=lambda depths: None, *, count=COUNT):
    """A folder of `count` pairs with depths from 1 to 6 m, which `change` changes: float32 [count, 40, 56]."""
    rng = np.random.default_rng(0)
    depths = rng.uniform(1, 6, (count, *SIZE)).astype(np.float32)
    change(depths)
    for part in ("images", "depths"):
        (folder / part).mkdir(parents=True)
    for i, depth in enumerate(depths):
        Image.fromarray(rng.integers(0, 255, (*SIZE, 3), np.uint8)).save(folder / f"images/{i}.png")
        np.save(folder / f"depths/{i}.npy", depth)
    return folder


def settings(folder, **changes):
    changes = {"data.source": "folder", "data.frame_size": SIZE, "data.crop_size": (32, 48)} | changes
    return small.settings(folder, name="mean_depth", steps=1, **changes)


def far_in_a_third(depths):
    depths[:, :, :19] = 65.535


def far_in_most(depths):
    depths[3, 10:] = 65.535


def test_a_number_for_nothing_seen_is_told_and_masked(tmp_path, caplog):
    folder = write(tmp_path / "a", far_in_a_third)
    told = [line for line in check(folder).lines if line.startswith("warning: 65.535 m at 33.9% of the pixels")]
    assert len(told) == 1 and "--config.data.invalid=65.535 masks it" in told[0]
    selection.open_frames("folder", path=folder, frame_size=SIZE)
    assert any("65.535 m at 33.9%" in record.getMessage() for record in caplog.records)
    rule = dict(invalid=(65.535,), max_depth=100.0)
    masked = check(folder, **rule)
    assert not masked.errors and "invalid: 33.9% of the pixels" in str(masked) and "listed 33.9%" in str(masked)
    frames = selection.open_frames("folder", path=folder, frame_size=SIZE, **rule)
    assert not frames.depths[:, :, :19].any() and (frames.depths[:, :, 19:] > 0).all()
    assert frames.full_depth(4).max() < 7 and (frames.full_depth(4) == 0).mean() == pytest.approx(19 / 56, abs=0.01)
    unmasked = selection.open_frames("folder", path=folder, frame_size=SIZE, max_depth=100.0)
    assert unmasked.depths.max() == np.float32(65.535)


def test_where_it_is_most_of_a_picture_training_is_refused(tmp_path):
    folder = write(tmp_path / "a", far_in_most)
    (error,) = check(folder).errors
    assert error.startswith("65.535 m at 7.5% of the pixels, 75% in frame '3', far beyond all other depth: give")
    with pytest.raises(InputError, match="65.535 m at 7.5% .*give --config.data.invalid=65.535") as raised:
        train.train_and_evaluate(settings(folder), tmp_path / "run")
    assert "\n" not in str(raised.value) and not (tmp_path / "run").exists()
    for decided in ((65.535,), (0,)):
        assert not check(folder, invalid=decided).errors


def test_nyus_file_has_the_same_rule(tmp_path):
    ids = [3, 5, 8]
    depths = np.stack([fake_nyu.frame(i)[1].T for i in ids])
    depths[1, :450] = 100.0
    path = fake_nyu.write_mat(tmp_path / "a.mat", 3, ids=ids, depths=depths)
    with pytest.raises(InputError, match="array 'depths': 100 m at 23.4% of the pixels, 70% in frame '5'"):
        nyu.open_nyu(path, cache_dir=tmp_path / "cache")
    frames = nyu.open_nyu(path, invalid=(100.0,), max_depth=4.0, cache_dir=tmp_path / "cache")
    expected = np.where((depths == 100) | (depths > 4), 0, depths).swapaxes(1, 2)
    np.testing.assert_array_equal(frames.full_depth(1), expected[1])
    np.testing.assert_array_equal(frames.depths[:], expected[:, 1::2, 1::2])
    assert frames.max_depth == 4.0 and frames.invalid == (100.0,)


def test_rooms_have_a_smaller_cap(tmp_path, monkeypatch):
    def render(seed, index, *, size, **_):
        depth = np.tile(np.linspace(1, 9, size[1], dtype=np.float32), (size[0], 1))
        return {"image": jnp.zeros((*size, 3), jnp.uint8), "depth": jnp.asarray(depth)}

    def several(seed, start, count, *, size, sensor):
        return {name: np.stack([x] * count) for name, x in render(seed, start, size=size).items()}

    monkeypatch.setattr(rooms.rooms, "frames", several)
    monkeypatch.setattr(rooms.rooms, "render", render)
    frames = rooms.open_rooms(2, 1, frame_size=SIZE, max_depth=5.0)
    expected = render(0, 0, size=SIZE)["depth"]
    np.testing.assert_array_equal(frames.depths[:], [np.where(expected > 5, 0, expected)] * 3)
    assert frames.full_depth(0).max() <= 5 and len(frames.depths) == 3
    monkeypatch.setattr(mix.renderer, "render", render)
    capped = FRAMES.__class__(**vars(FRAMES) | {"max_depth": 5.0})
    plain = dict(crop_size=FRAMES.size, scale=(1.0, 1.0), rotation=0.0, flip=False, colour=0.0, light=0.0)
    stream, draw = inputs.make_inputs(
        "device", capped, INDICES, mesh=sharding.make_mesh(jax.devices()[:1]), batch_size=2, rooms=2, seed=0,
        start_step=0, process_index=0, process_count=1, **plain,
    )  # fmt: skip
    expected = render(0, 0, size=FRAMES.size)["depth"]
    np.testing.assert_allclose(draw(next(stream), 0)["depth"][0], np.where(expected > 5, 0, expected), rtol=1e-5)


def test_depth_beyond_the_cap_is_told_and_counts_nowhere(tmp_path):
    """A folder with depths x 4: the frames are those of the same folder with holes there."""

    def farther(depths):
        depths *= 4

    def holes(depths):
        depths *= 4
        depths[depths > 10] = 0

    far, holed = write(tmp_path / "far", farther), write(tmp_path / "holed", holes)
    share = (np.stack([np.load(file) for file in far.glob("depths/*")]) > 10).mean()
    assert f"beyond 10 m {share:.1%}" in str(check(far)) and "--config.data.max_depth=30 takes" in str(check(far))
    one, other = (selection.open_frames("folder", path=path, frame_size=SIZE) for path in (far, holed))
    np.testing.assert_array_equal(one.depths, other.depths)
    np.testing.assert_array_equal(one.full_depth(3), other.full_depth(3))
    scores = [train.train_and_evaluate(settings(path), tmp_path / f"run-{path.name}") for path in (far, holed)]
    assert scores[0] == scores[1]
    assert selection.open_frames("folder", path=far, frame_size=SIZE, max_depth=30.0).depths.min() > 3.9


def too_far(depths):
    depths *= 20


def no_depth_to_validate_on(depths):
    depths[-2:] = 0


def too_far_to_validate_on(depths):
    depths[-2:] *= 10


def lists(**files):
    def change(folder):
        for name, names in files.items():
            (folder / f"{name}.txt").write_text("".join(f"{i}\n" for i in names))

    return change


REFUSED = {
    "beyond": (too_far, None, "of the measured depth is beyond 10 m: give --config.data.max_depth="),
    "validation": (no_depth_to_validate_on, None, "none of 2 frames to validate on has a valid depth"),
    "validation beyond": (too_far_to_validate_on, None, "none of 2 frames to validate on has a valid depth, up to"),
    "empty train.txt": (None, lists(train=()), "split 'lists': no frame to train on"),
    "empty val.txt": (None, lists(train=(1,), val=()), "split 'lists': no frame to validate on"),
    "all in train.txt": (None, lists(train=range(COUNT)), "split 'lists': no frame to validate on"),
    "all in val.txt": (None, lists(val=range(COUNT)), "split 'lists': no frame to train on"),
}


@pytest.mark.parametrize(("depths", "files", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_check_and_training_refuse_the_same(tmp_path, depths, files, message):
    folder = write(tmp_path / "a", depths or (lambda depths: None))
    if files:
        files(folder)
    (error,) = check(folder).errors
    with pytest.raises(InputError) as raised:
        train.train_and_evaluate(settings(folder), tmp_path / "run")
    assert message in error and error in str(raised.value) and "\n" not in error
    assert not (tmp_path / "run").exists(), "refused before anything is kept"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A network that predicts the mean depth image, about 3 m."""
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAXDEPTH_CACHE", str(folder / "cache"))
        train.train_and_evaluate(settings(write(folder / "data")), folder / "run")
    return folder / "run"


def one_beyond(depths):
    depths[1] = np.linspace(20, 40, depths[1].size).reshape(SIZE)
    depths[2] = 1e-30


def test_frames_out_of_range_are_not_scored_and_this_is_told(run, tmp_path):
    where = dict(protocol="paper", path=write(tmp_path / "a", one_beyond), split="all")
    result = evaluate.evaluate_checkpoint(run, **where)
    assert (result["frames"], result["frames_scored"], result["protocol"]["max_depth"]) == (10, 8, 10.0)
    assert "10 frames, of which 8 were scored: the others have no valid depth" in report.text(result)
    assert [i for i, value in enumerate(result["per_frame"]["delta1"]) if value is None] == [1, 2]
    result = evaluate.evaluate_checkpoint(run, **where, max_depth=50.0)
    assert (result["frames_scored"], result["protocol"]["max_depth"]) == (9, 50.0)
    assert "invalid" not in result["protocol"]
    result = evaluate.evaluate_checkpoint(run, **where, invalid=(65.535,))
    assert result["protocol"]["invalid"] == [65.535]


def test_settings_of_folders_are_refused_for_other_sources(run, tmp_path):
    path = fake_nyu.write_mat(tmp_path / "a.mat", 2, ids=[3, 5])
    with pytest.raises(InputError, match="depth_scale=0.5: only for source=folder; the source is nyu"):
        evaluate.evaluate_checkpoint(run, source="nyu", path=path, depth_scale=0.5)


def test_frames_without_any_depth_to_score_are_one_line(run, tmp_path):
    folder = write(tmp_path / "a", no_depth_to_validate_on)
    with pytest.raises(InputError, match="source 'folder', protocol paper: none of 2 frames has valid depth") as raised:
        evaluate.evaluate_checkpoint(run, protocol="paper", path=folder)
    assert "\n" not in str(raised.value)


def test_predictions_are_clipped_to_the_runs_cap(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    Image.new("RGB", SIZE[::-1], "grey").save(tmp_path / "a.png")
    record = json.loads((run / "config.json").read_text())
    for cap in (None, 1.5):
        record["config"]["data"].pop("max_depth", None)  # as an earlier version wrote it
        if cap:
            record["config"]["data"]["max_depth"] = cap
        (tmp_path / "run/config.json").write_text(json.dumps(record))
        predict.predict_files(tmp_path / "run", [tmp_path / "a.png"], output=tmp_path / f"{cap}", formats=("npy",))
        depth, described = np.load(tmp_path / f"{cap}/a.npy"), json.loads((tmp_path / f"{cap}/a.json").read_text())
        assert described["clipped_to"] == [0.001, cap or 10.0]
        assert depth.max() == cap if cap else depth.max() > 2
    evaluated = evaluate.evaluate_checkpoint(tmp_path / "run", protocol="paper", path=write(tmp_path / "b"))
    assert evaluated["protocol"]["max_depth"] == 1.5
