"""A trained network as a folder of three files."""

import dataclasses
import json
import subprocess
import sys
import tracemalloc

import jax
import numpy as np
import pytest
import small

import jaxdepth
from jaxdepth import train
from jaxdepth.errors import InputError
from jaxdepth.runs import lineage, packed, record, trained, workdir
from jaxdepth.training import state


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return small.random_run(tmp_path_factory.mktemp("run"))


@pytest.fixture
def folder(run, tmp_path):
    trained.pack(run, tmp_path / "packed")
    return tmp_path / "packed"


def test_a_packed_network_takes_the_place_of_its_workdir(run, folder):
    assert {path.name for path in folder.iterdir()} == {"config.json", "mean_depth.npy", "network.npz"}
    before, after = jaxdepth.load(run), jaxdepth.load(folder)
    assert after.trained.step == before.trained.step and after.framing == before.framing
    shapes = [
        jax.tree.map(lambda x: (x.shape, x.dtype), variables)
        for variables in (before.trained.variables, after.trained.variables)
    ]
    assert shapes[0] == shapes[1]
    image = np.random.default_rng(0).integers(0, 256, (40, 56, 3), np.uint8)
    np.testing.assert_allclose(after.predict(image), before.predict(image), rtol=5e-3)
    size = before.framing.frame_size
    np.testing.assert_array_equal(workdir.read_mean_depth(folder, size=size), workdir.read_mean_depth(run, size=size))
    trained.pack(folder, folder)  # packing again changes nothing
    np.testing.assert_array_equal(jaxdepth.load(folder).predict(image), after.predict(image))
    variables = after.trained.variables
    started = state.init_from(small.shared_trainer(small.network())[0], variables)
    assert small.bits(started.params) == small.bits(variables["params"])


def test_the_file_has_half_precision_and_names_no_folders(run, folder):
    parameters = sum(x.size for x in jax.tree.leaves(trained.read(run).variables))
    assert (folder / packed.FILE).stat().st_size < 2.5 * parameters + 60_000  # names and headers
    network = trained.read(folder)
    network.run.config["init_from"] = "/home/a/runs/rooms"
    network.run.config["data"]["path"] = "/home/a/nyu.mat"
    mean_depth = workdir.read_mean_depth(folder, size=network.framing.frame_size)
    packed.write(folder, network.variables, step=3, run=network.run, mean_depth=mean_depth)
    assert "home" not in (folder / "config.json").read_text()
    assert json.loads((folder / "config.json").read_text())["config"]["init_from"] == "rooms"
    assert trained.read(folder).step == 3


def test_no_run_and_packed_network_share_a_folder(run, folder):
    """The packed network would hide the run's later checkpoints."""
    with pytest.raises(ValueError, match="holds a training run: expected another folder"):
        trained.pack(run, run)
    with pytest.raises(ValueError, match="holds a packed network.*--config.init_from="):
        train.train_and_evaluate(small.settings(None), folder)


def test_init_from_names_a_run_that_is_there(tmp_path, run):
    (own,) = record.read(run).trained_on
    assert lineage.of_init(tmp_path, run) == (own,) and lineage.of_init(tmp_path, None) == ()
    with pytest.raises(FileNotFoundError, match="config.init_from='nowhere': .* train that run first"):
        train.train_and_evaluate(small.settings(None, init_from="nowhere"), tmp_path / "new")
    assert not (tmp_path / "new").exists()
    started = dataclasses.replace(record.read(run), began_with=(own,))
    mean_depth = dict(compute_mean_depth=lambda: np.ones((40, 56), np.float32))
    workdir.open_run(tmp_path, started, at_step=None, **mean_depth)
    assert lineage.of_init(tmp_path, "nowhere") == (own,)  # a continued run no longer needs it
    again = dataclasses.replace(started, began_with=())
    assert workdir.begin_or_continue(tmp_path, again, checkpoint_steps=[1]) == started


def test_a_network_that_is_too_large_is_refused_before_its_weights_are_read(tmp_path):
    settings = small.settings(None, **{"model.width": 4096, "model.max_width": 4096, "model.blocks": (4, 4, 4)})
    (tmp_path / "config.json").write_text(json.dumps(record.RunRecord(settings.to_dict()).to_json()))
    (tmp_path / packed.FILE).write_bytes(b"")
    with pytest.raises(InputError, match="a network of .* parameters: expected at most"):
        trained.read(tmp_path)


def test_a_value_beyond_float16_is_refused(run, tmp_path):
    network = trained.read(run)
    variables = jax.tree.map(lambda x: x * 1e6, network.variables)
    with pytest.raises(ValueError, match="params/.*: a value that float16 does not hold"):
        packed.write(tmp_path / "new", variables, step=1, run=network.run, mean_depth=np.ones((4, 4)))
    assert not (tmp_path / "new").exists()


def test_a_damaged_file_and_one_of_another_network_are_refused(folder):
    path = folder / packed.FILE
    whole = path.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], b"no weights", whole.replace(b"kernel", b"kernal", 1)):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="network.npz': not a whole archive of arrays") as raised:
            jaxdepth.load(folder)
        assert "\n" not in str(raised.value)
    path.write_bytes(whole)
    content = json.loads((folder / "config.json").read_text())
    content["config"]["model"]["width"] = 6
    (folder / "config.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"are not those of the network in config.json \(array '.*: \(4,\), expected"):
        jaxdepth.load(folder)


NAME = "params/fusion/head/conv/kernel"
HOSTILE = {  # what NAME is instead, and what is said
    "pickled": (lambda x: np.full(x.shape, {}, object), "not a whole archive of arrays"),
    "NaN": (lambda x: x * np.float16(np.nan), f"array '{NAME}' has values that are not finite"),
    "infinite": (lambda x: x * np.float32(np.inf), f"array '{NAME}' has values that are not finite"),
    "complex": (lambda x: x + 1j, "not a whole archive of arrays .*complex"),
    "integers": (lambda x: x.astype(np.int32), f"array '{NAME}' of int32: expected float16 or float32"),
    "wide": (lambda x: x.astype(np.float64), f"array '{NAME}' of float64: expected float16 or float32"),
    "another shape": (lambda x: x[..., 0], f"array '{NAME}': .3, 3, 4., expected .3, 3, 4, 1.*"),
    "missing": (lambda x: None, f"array '{NAME}': missing, expected .3, 3, 4, 1.*"),
    "80 MB": (lambda x: np.zeros(20_000_000, np.float32), f"array '{NAME}': .20000000,., expected .3, 3, 4, 1.*"),
}


@pytest.mark.parametrize("change, message", HOSTILE.values(), ids=HOSTILE.keys())
def test_weights_of_strangers_are_refused_by_name_before_they_are_read(run, folder, change, message):
    path = folder / packed.FILE
    shapes = trained.read(run).variables
    with np.load(path) as stored:
        arrays = dict(stored)
    arrays[NAME] = change(arrays[NAME])
    np.savez(path, **{name: x for name, x in arrays.items() if x is not None})
    tracemalloc.start()
    with pytest.raises(InputError, match=f"network.npz'?: .*{message}") as raised:
        packed.read(folder, shapes)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "\n" not in str(raised.value) and peak < 20e6


def test_the_command(run, tmp_path):
    launch = small.CONFIGS.with_name("launch") / "pack.py"
    command = [sys.executable, launch, f"--workdir={run}", f"--output={tmp_path / 'new'}"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert ended.stdout.strip() == f"{tmp_path / 'new'}: 0.0 MB of weights"
    with pytest.raises(FileNotFoundError, match="no checkpoint 7: this packed network is of step 0"):
        jaxdepth.load(tmp_path / "new", step=7)


def test_a_folder_of_other_files_is_kept(run, folder, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/config.json").write_text("{}")
    with pytest.raises(FileExistsError, match="mine/config.json' is there and no packed network's"):
        trained.pack(run, tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["config.json"]
    (folder / "config.json").write_text("{}")  # somebody's, beside a network of ours
    with pytest.raises(FileExistsError, match="no packed network's"):
        trained.pack(run, folder)
