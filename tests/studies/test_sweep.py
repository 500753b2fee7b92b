"""Sweeps: which rows are trained, and which results are refused."""

import json
import logging

import fake_nyu
import pytest
import small

from jaxdepth.errors import InputError
from jaxdepth.studies import experiment, sweep, sweep_table


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    with fake_nyu.dev_folder(tmp_path_factory.mktemp("data"), train=5, val=3) as folder:
        yield folder


@pytest.fixture
def plan(tmp_path, data):
    """A sweep of two rows. Its base config, base.py beside it, is `configs/kscale.py`."""
    settings = small.settings(data, steps=2).to_dict()
    common = {
        name: settings[name] for name in ("steps", "batch_size", "log_every", "panel_frames", "checkpoint_every")
    } | {f"{part}.{name}": value for part in ("model", "optim") for name, value in settings[part].items()}
    common |= {f"data.{name}": settings["data"][name] for name in ("frame_size", "crop_size", "split")}
    rows = {"as it is": {}, "no features": {"model.features": False}}
    file = tmp_path / "sweeps" / "small.py"
    file.parent.mkdir()
    write_base(file.parent)
    file.write_text(f"CONFIG = 'base.py'\nCOMMON = {common!r}\nROWS = {rows!r}\n")
    return sweep.load(file)


def write_base(folder, change="pass"):
    """Writes the base config: `configs/kscale.py` with a change, a statement about `config`."""
    (folder / "base.py").write_text(
        "import runpy\n\n\n"
        'def get_config(arg=""):\n'
        f"    config = runpy.run_path({str(small.CONFIGS / 'kscale.py')!r})['get_config'](arg)\n"
        f"    {change}\n    return config\n"
    )


@pytest.fixture
def no_training(monkeypatch):
    """Makes a training end the test."""
    monkeypatch.setattr(experiment, "train_and_evaluate", lambda *_, **__: pytest.fail("it trained"))


def keep_result(plan, name, *, seed=0, **changes):
    """Writes a result of a row as `sweep.run` would, without training; `changes` are of its "row"."""
    config = sweep._config(name, plan.rows[name], seed, None)
    row = {"name": name, "seed": seed, "config": sweep.resolved(config)} | changes
    row = {key: value for key, value in row.items() if value is not None}
    file = plan.results / f"{name.replace(' ', '-')}-seed{seed}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"row": row}))
    return file


def test_rows_are_trained_once_and_compared(plan, data, tmp_path):
    arguments = dict(folder=tmp_path / "runs", seeds=(0,), path=str(data))
    assert sweep.run(plan, **arguments, names=["no features"])
    assert set(sweep.read(plan)) == {"no features"}
    assert sweep_table.table(plan).splitlines()[2].endswith("|  |"), "no first row to compare with"
    with pytest.raises(InputError, match="no result of as it is"):
        sweep_table.table(plan, ["as it is", "no features"])
    (file,) = (tmp_path / "results" / "sweep-small").iterdir()
    other = json.loads(file.read_text())  # stands in for the first row's training
    other["row"]["name"], other["row"]["config"]["model"]["features"] = "as it is", True
    file.with_name("as-it-is-seed0.json").write_text(json.dumps(other))
    written = file.stat().st_mtime_ns
    assert sweep.run(plan, **arguments) and file.stat().st_mtime_ns == written
    found = sweep.read(plan)
    first, second = (found[name][0] for name in ("as it is", "no features"))
    assert second["row"]["parameters"] > 1000 and second["row"]["seconds"] >= 0
    assert second["checkpoint"] == {"workdir": "no-features-seed0", "step": 2}
    assert first["frames"] == 3 and first["protocol"]["name"] == "eigen_crop"
    lines = sweep_table.table(plan).splitlines()
    assert len(lines) == 5 and f"{first['metrics']['delta1']:.3f}" in lines[2] and lines[3].count(".") == 6


def test_a_result_holds_all_settings_but_the_machines_paths(plan):
    plan.rows["as it is"] |= {"data.path": "/my/disk/nyu.mat", "init_from": "runs/pyramid-rooms"}
    config = sweep.resolved(sweep._config("as it is", plan.rows["as it is"], 7, None))
    assert config["seed"] == 7 and config["init_from"] == "pyramid-rooms" and "path" not in config["data"]
    assert config["model"]["width"] == small.MODEL["width"] and config["data"]["crop_size"] == list(small.SIZE)
    assert config["loss"] == {"lam": 0.5, "absolute_weight": 0.0, "gradient_weight": 0.0}


def test_an_edit_of_the_base_config_is_noticed(plan, tmp_path, no_training):
    for name in plan.rows:
        keep_result(plan, name)
    arguments = dict(folder=tmp_path / "runs", seeds=(0,))
    assert sweep.run(plan, **arguments)
    write_base(tmp_path / "sweeps", "config.loss.gradient_weight = 0.25")  # a setting that no row changes
    with pytest.raises(
        InputError,
        match=r"as-it-is-seed0.json: a result of other settings \(loss.gradient_weight: 0.0 there, 0.25 now\): move it",
    ):
        sweep.run(plan, **arguments)


@pytest.mark.parametrize(
    "change",
    [
        "config.data.path = '/elsewhere'",
        "config.log_every, config.validate_every, config.tensorboard = 7, 3, True",
        "config.epochs = 3",  # `steps` is set
        "config.init_from = 'other/folder/rooms'",
    ],
)
def test_edits_without_effect_on_the_scores_are_not_refused(plan, tmp_path, monkeypatch, no_training, change):
    monkeypatch.setattr(experiment.settings, "check", lambda _: None)  # tensorboard needs an extra
    write_base(tmp_path / "sweeps", "config.init_from = 'runs/rooms'")
    del plan.rows["no features"]
    keep_result(plan, "as it is")
    write_base(tmp_path / "sweeps", f"config.init_from = 'runs/rooms'; {change}")
    assert sweep.run(plan, folder=tmp_path / "runs", seeds=(0,))


def test_a_result_of_before_a_setting_existed_stands(plan, tmp_path, no_training):
    del plan.rows["no features"]
    file = keep_result(plan, "as it is")
    result = json.loads(file.read_text())
    config = result["row"]["config"]
    config["mirrored"] = config.pop("flip_tta")
    del config["loss"]["gradient_weight"], config["keep_every"]
    file.write_text(json.dumps(result))
    assert sweep.run(plan, folder=tmp_path / "runs", seeds=(0,))


def test_a_result_without_a_config_is_compared_by_its_rows_settings(plan, tmp_path, caplog, no_training):
    del plan.rows["no features"]
    plan.rows["as it is"] |= {"flip_tta": True, "init_from": "runs/rooms"}
    old = {{"flip_tta": "mirrored", "init_from": "initial"}.get(k, k): v for k, v in plan.rows["as it is"].items()}
    keep_result(plan, "as it is", config=None, settings=old | {"config": "an/earlier/folder/base.py"})
    with caplog.at_level(logging.INFO):
        assert sweep.run(plan, folder=tmp_path / "runs", seeds=(0,))
    assert "as-it-is-seed0.json: no config in it: compared by the row's own settings only" in caplog.text
    plan.rows["as it is"]["optim.learning_rate"] = 0.5
    with pytest.raises(InputError, match="optim.learning_rate: 0.001 there, 0.5 now"):
        sweep.run(plan, folder=tmp_path / "runs", seeds=(0,))


@pytest.mark.parametrize("file", sorted((small.CONFIGS / "sweeps").glob("*.py")), ids=lambda file: file.stem)
def test_kept_results_have_their_rows_settings(file, monkeypatch):
    plan = sweep.load(file)
    monkeypatch.setattr(experiment, "train_and_evaluate", lambda *_, **__: None)  # of a row without this seed
    names = [name for name in sweep.read(plan) if name in plan.rows]
    seeds = {result["row"]["seed"] for name in names for result in sweep.read(plan)[name]}
    assert names
    for seed in seeds:
        sweep.run(plan, folder="nowhere", seeds=[seed], names=names)


@pytest.mark.parametrize(
    ("text", "message"),
    [("ROWS = {}", "no COMMON, CONFIG"), ("CONFIG, COMMON, ROWS = 'a.py', {}, {}", "ROWS is empty")],
)
def test_a_file_that_is_not_a_sweep(tmp_path, text, message):
    file = tmp_path / "sweep.py"
    file.write_text(text)
    with pytest.raises(InputError, match=message):
        sweep.load(file)


def test_an_unknown_row(plan, tmp_path):
    with pytest.raises(InputError, match="no row 'other': expected one of as it is, no features"):
        sweep.run(plan, folder=tmp_path, seeds=(0,), names=["other"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model.feature": False}, "row 'no features': config.model.feature=False"),
        ({"loss.lam": 2.0}, "row 'no features': config.loss.lam=2.0: expected 0 to 1"),
        ({"seed": 7}, "row 'no features': config.seed: the sweep sets it itself"),
    ],
)
def test_all_rows_are_checked_before_the_first_training(plan, tmp_path, no_training, changes, message):
    plan.rows["no features"] |= changes
    with pytest.raises(InputError, match=message):
        sweep.run(plan, folder=tmp_path, seeds=(0,))


def test_the_path_is_for_rows_that_have_none_and_read_files(plan, tmp_path, monkeypatch):
    configs = []
    monkeypatch.setattr(experiment, "train_and_evaluate", lambda config, folder, title: configs.append(config))
    for changes in ({"data.path": "mine.mat"}, {"data.source": "rooms"}, {}):
        rows = {"a row": plan.rows["as it is"] | changes}
        assert not sweep.run(sweep.Sweep("small", rows, tmp_path), folder=tmp_path, seeds=(3,), path="given.mat")
    assert [(config.data.path, config.seed) for config in configs] == [("mine.mat", 3), (None, 3), ("given.mat", 3)]
