"""A trained network as a folder of three files."""

import json
import subprocess
import sys

import jax
import numpy as np
import pytest
import small

import jaxdepth
from jaxdepth import predict, train
from jaxdepth.runs import lineage, packed, workdir
from jaxdepth.training import state


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return small.random_run(tmp_path_factory.mktemp("run"))


@pytest.fixture
def folder(run, tmp_path):
    predict.pack(run, tmp_path / "packed")
    return tmp_path / "packed"


def test_a_packed_network_takes_the_place_of_its_workdir(run, folder):
    assert {path.name for path in folder.iterdir()} == {"config.json", "mean_depth.npy", "network.npz"}
    before, after = jaxdepth.load(run), jaxdepth.load(folder)
    assert after.step == before.step and after.frame_camera == before.frame_camera
    shapes = [jax.tree.map(lambda x: (x.shape, x.dtype), trained.variables) for trained in (before, after)]
    assert shapes[0] == shapes[1]
    image = np.random.default_rng(0).integers(0, 256, (40, 56, 3), np.uint8)
    np.testing.assert_allclose(after.predict(image), before.predict(image), rtol=5e-3)
    np.testing.assert_array_equal(workdir.mean_depth(folder), workdir.mean_depth(run))
    predict.pack(folder, folder)  # once more changes nothing
    np.testing.assert_array_equal(jaxdepth.load(folder).predict(image), after.predict(image))
    started = state.starting_from(small.trainer(small.network())[0], after.variables)
    assert small.bits(started.params) == small.bits(after.variables["params"])


def test_the_file_is_of_half_precision_and_names_no_place(run, folder):
    parameters = sum(x.size for x in jax.tree.leaves(jaxdepth.load(run).variables))
    assert (folder / packed.FILE).stat().st_size < 2.5 * parameters + 60_000  # names and headers
    record = workdir.read_config(folder)
    record["config"] |= {
        "initial": "/home/a/runs/rooms",
        "data": record["config"]["data"] | {"path": "/home/a/nyu.mat"},
    }
    packed.write(folder, jaxdepth.load(folder).variables, step=3, record=record, mean_depth=workdir.mean_depth(folder))
    assert "home" not in (folder / "config.json").read_text()
    assert json.loads((folder / "config.json").read_text())["config"]["initial"] == "rooms"
    assert jaxdepth.load(folder).step == 3


def test_no_run_and_packed_network_share_a_folder(run, folder):
    """The packed network would hide the run's later checkpoints."""
    with pytest.raises(ValueError, match="a training run's own folder: expected another"):
        predict.pack(run, run)
    with pytest.raises(ValueError, match="holds a packed network.*--config.initial="):
        train.train_and_evaluate(small.settings(None), folder)


def test_a_run_begins_with_another_that_is_there(tmp_path, run):
    (of_run,) = lineage.of_run(workdir.read_config(run))
    assert lineage.began_with(tmp_path, run) == [of_run] and lineage.began_with(tmp_path, None) == []
    with pytest.raises(FileNotFoundError, match="config.initial='nowhere': .* train that one first"):
        train.train_and_evaluate(small.settings(None, initial="nowhere"), tmp_path / "new")
    assert not (tmp_path / "new").exists()
    record = workdir.read_config(run) | {"data": {"began_with": [of_run]}}
    workdir.open_run(tmp_path, record, at_step=None, chief=True)
    assert lineage.began_with(tmp_path, "nowhere") == [of_run]  # which needs it no more
    workdir.open_run(tmp_path, record | {"data": {"began_with": []}}, at_step=1, chief=True)
    assert workdir.read_config(tmp_path)["data"]["began_with"] == [of_run]


def test_a_value_beyond_float16_is_refused(run, tmp_path):
    trained = jaxdepth.load(run)
    variables = jax.tree.map(lambda x: x * 1e6, trained.variables)
    with pytest.raises(ValueError, match="params/.*: a value that float16 does not hold"):
        packed.write(tmp_path / "new", variables, step=1, record=workdir.read_config(run), mean_depth=np.ones((4, 4)))
    assert not (tmp_path / "new").exists()


def test_a_damaged_file_and_one_of_another_network_are_refused(folder):
    path = folder / packed.FILE
    whole = path.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], b"no weights"):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="network.npz: not a packed network"):
            jaxdepth.load(folder)
    path.write_bytes(whole)
    record = workdir.read_config(folder)
    record["config"]["model"]["width"] = 6
    (folder / "config.json").write_text(json.dumps(record))
    with pytest.raises(ValueError, match=r"network.npz: the weights of another network than that of config.json"):
        jaxdepth.load(folder)


def test_no_pickle_is_read(folder):
    np.savez(folder / packed.FILE, step=np.array([{"a": 1}], object))
    with pytest.raises(ValueError, match="not a packed network"):
        jaxdepth.load(folder)


def test_the_command(run, tmp_path):
    launch = small.CONFIGS.with_name("launch") / "pack.py"
    command = [sys.executable, launch, f"--workdir={run}", f"--output={tmp_path / 'new'}"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert ended.stdout.strip() == f"{tmp_path / 'new'}: 0.0 MB of weights"
    with pytest.raises(FileNotFoundError, match="no checkpoint of step 7: packed is that of step 0"):
        jaxdepth.load(tmp_path / "new", step=7)
