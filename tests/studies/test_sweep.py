"""A list of trainings: what is trained and what is not again, and the comparison of rows."""

import json

import fake_nyu
import numpy as np
import pytest
import small

from jaxdepth.data import splits
from jaxdepth.studies import sweep


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    train_ids, val_ids = splits.nyu_lists()["dev"]
    fake_nyu.write_mat(folder / "nyu_depth_v2_labeled.mat", 8, ids=sorted([*train_ids[:5], *val_ids[:3]]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAXDEPTH_CACHE", str(folder / "cache"))
        yield folder


@pytest.fixture
def plan(tmp_path, data):
    settings = small.settings(data, steps=2).to_dict()
    common = {
        name: settings[name] for name in ("steps", "batch_size", "log_every", "panel_frames", "checkpoint_every")
    } | {f"{part}.{name}": value for part in ("model", "optim") for name, value in settings[part].items()}
    common |= {f"data.{name}": settings["data"][name] for name in ("frame_size", "crop_size", "split")}
    rows = {"as it is": {}, "no features": {"model.features": False}}
    file = tmp_path / "sweeps" / "small.py"
    file.parent.mkdir()
    file.write_text(f"CONFIG = {str(small.CONFIGS / 'kscale.py')!r}\nCOMMON = {common!r}\nROWS = {rows!r}\n")
    return sweep.load(file)


def test_rows_are_trained_once_and_compared(plan, data, tmp_path):
    places = dict(folder=tmp_path / "runs", seeds=(0,), path=str(data))
    assert sweep.run(plan, **places, names=["no features"])
    assert set(sweep.read(plan)) == {"no features"}
    assert sweep.table(plan).splitlines()[2].endswith("|  |"), "nothing to compare with"
    with pytest.raises(ValueError, match="no result of as it is"):
        sweep.table(plan, ["as it is", "no features"])
    (file,) = (tmp_path / "results" / "sweep-small").iterdir()
    other = json.loads(file.read_text())  # stands for the first row's training
    other["row"] |= {"name": "as it is", "settings": plan.rows["as it is"], "parameters": 10**6}
    file.with_name("as-it-is-seed0.json").write_text(json.dumps(other))
    written = file.stat().st_mtime_ns
    assert sweep.run(plan, **places) and file.stat().st_mtime_ns == written
    found = sweep.read(plan)
    first, second = (found[name][0] for name in ("as it is", "no features"))
    assert second["row"]["settings"]["model.features"] is False and second["row"]["parameters"] > 1000
    assert first["frames"] == 3 and first["protocol"]["name"] == "eigen_crop"
    lines = sweep.table(plan).splitlines()
    assert len(lines) == 5 and f"{first['metrics']['delta1']:.3f}" in lines[2] and lines[3].count(".") == 6
    plan.rows["no features"]["optim.learning_rate"] = 0.5
    with pytest.raises(
        ValueError, match="no-features-seed0.json: of other settings .*learning_rate.* now.*: move it away"
    ):
        sweep.run(plan, **places)


@pytest.mark.parametrize("file", sorted((small.CONFIGS / "sweeps").glob("*.py")), ids=lambda file: file.stem)
def test_the_results_at_hand_are_of_the_rows_settings(file, monkeypatch):
    plan = sweep.load(file)
    monkeypatch.setattr(sweep, "train_and_evaluate", lambda *_: None)  # of a row without a result
    with_results = [name for name in sweep.read(plan) if name in plan.rows]
    assert with_results and sweep.run(plan, folder="nowhere", seeds=[0], names=with_results)


def result(ids, delta1, protocol="eigen_crop"):
    ids = [int(i) for i in ids]
    return {"per_frame": {"id": ids, "place": ids, "delta1": list(delta1)}, "protocol": {"name": protocol}}


def test_the_difference_and_its_interval_are_those_of_paired_runs_of_frames():
    rng = np.random.default_rng(0)
    ids = np.concatenate([np.arange(10 * i, 10 * i + 5) for i in range(40)])
    room = np.repeat(rng.normal(0, 0.2, 40), 5)  # frames of one room differ together
    one, two = 0.5 + room, 0.5 + np.repeat(rng.normal(0.03, 0.05, 40), 5) + room
    middle, low, high = sweep.difference([result(ids, two), result(ids, two)], [result(ids, one)])
    assert middle == pytest.approx((two - one).mean())
    error = (two - one)[::5].std() / np.sqrt(40)  # of forty rooms, not of two hundred frames
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=0.15)

    order = rng.permutation(len(ids))  # as a dataset may have them
    shuffled = sweep.difference([result(ids[order], two[order])], [result(ids[order], one[order])])
    assert shuffled == pytest.approx((middle, low, high))


def test_rows_are_compared_by_the_seeds_that_both_have(plan, monkeypatch):
    def row(seed, delta1):
        metrics = {name: delta1 for name in sweep.METRICS}
        row = {"metrics": metrics, "mean_depth_baseline": metrics, "row": {"seed": seed}}
        return row | result(range(0, 20, 2), [delta1] * 10)

    found = {"as it is": [row(0, 0.5), row(1, 0.7)], "other": [row(1, 0.75)], "more": [row(1, 0.71), row(2, 0.9)]}
    monkeypatch.setattr(sweep, "read", lambda _: found)
    first, other, more = sweep.table(plan).splitlines()[2:5]
    assert first.endswith("| 0.500 0.700 | (0.600 to 0.600) |")
    assert "+0.050 (+0.050 to +0.050)" in other and "+0.010 (" in more


def test_few_runs_of_frames_have_no_interval_and_frames_without_depth_no_part():
    ids = [1, 2, 3, 10, 11, 20, 30]  # four runs
    one, two = [0.5, 0.5, None, 0.5, 0.5, 0.5, 0.5], [0.6, 0.6, None, 0.6, 0.6, 0.6, 0.9]
    assert sweep.difference([result(ids, two)], [result(ids, one)]) == (pytest.approx(0.15), None, None)


@pytest.mark.parametrize("other", [result([1, 3], [0.5, 0.5]), result([1, 2], [0.5, 0.5], "full")])
def test_results_of_other_frames_or_protocols_are_not_compared(other):
    with pytest.raises(ValueError, match="different frames or protocols"):
        sweep.difference([result([1, 2], [0.5, 0.5])], [other])


@pytest.mark.parametrize(
    ("text", "message"),
    [("ROWS = {}", "no COMMON, CONFIG"), ("CONFIG, COMMON, ROWS = 'a.py', {}, {}", "ROWS is empty")],
)
def test_a_file_that_is_no_sweep_is_refused(tmp_path, text, message):
    file = tmp_path / "sweep.py"
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        sweep.load(file)


def test_an_unknown_row_is_refused(plan, tmp_path):
    with pytest.raises(ValueError, match="no row 'other': expected one of as it is, no features"):
        sweep.run(plan, folder=tmp_path, seeds=(0,), names=["other"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model.feature": False}, "row 'no features': config.model.feature=False"),
        ({"loss.lam": 2.0}, "row 'no features': config.loss.lam=2.0: expected 0 to 1"),
        ({"seed": 7}, "row 'no features': config.seed: the sweep sets it itself"),
    ],
)
def test_settings_of_every_row_are_looked_at_before_the_first_training(plan, tmp_path, monkeypatch, changes, message):
    monkeypatch.setattr(sweep, "train_and_evaluate", lambda *_: pytest.fail("it trained"))
    plan.rows["no features"] |= changes
    with pytest.raises(ValueError, match=message):
        sweep.run(plan, folder=tmp_path, seeds=(0,))


def test_a_rows_own_place_and_rooms_keep_theirs(plan, tmp_path, monkeypatch):
    configs = []
    monkeypatch.setattr(sweep, "train_and_evaluate", lambda config, folder: configs.append(config))
    for changes in ({"data.path": "mine.mat"}, {"data.source": "rooms"}, {}):
        rows = {"a row": plan.rows["as it is"] | changes}
        assert not sweep.run(sweep.Sweep("small", rows, tmp_path), folder=tmp_path, seeds=(3,), path="given.mat")
    assert [(config.data.path, config.seed) for config in configs] == [("mine.mat", 3), (None, 3), ("given.mat", 3)]
