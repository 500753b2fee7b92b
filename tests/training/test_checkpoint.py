"""Damage to checkpoints: it is found before they are used, and the one before is."""

import errno
import json
import pathlib
import shutil

import caused
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small

from jaxdepth.errors import InputError
from jaxdepth.training import checkpoint, sharding, state

REPLICATED = sharding.replicated(sharding.make_mesh())


def state_at(step):
    values = np.random.default_rng(step).standard_normal((40, 50), np.float32)
    params = {"fusion": {"kernel": jnp.asarray(values), "bias": jnp.arange(3.0) + step}}
    made = state.TrainState(jnp.int32(step), params, {"fusion": {}}, {"fusion": (jnp.asarray(2 * values),)})
    return jax.device_put(made, REPLICATED)


SHAPES = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), state_at(0))
MODEL = {"params": SHAPES.params, "batch_stats": SHAPES.batch_stats}


def restore_model(folder, step):
    return checkpoint.restore_model(folder, MODEL, step=step, array_sharding=REPLICATED)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Checkpoints of steps 1 (the best), 2 and 3."""
    folder, noted = tmp_path_factory.mktemp("written") / "checkpoints", []
    with checkpoint.Checkpoints(folder, note_saved=noted.append) as checkpoints:
        for step, delta1 in ((1, 0.5), (2, 0.4), (3, None)):
            checkpoints.save(state_at(step), delta1=delta1)
    assert noted == [1, 2, 3]
    return folder


@pytest.fixture
def folder(written, tmp_path):
    return shutil.copytree(written, tmp_path / "checkpoints")


@pytest.mark.parametrize("kind", caused.DAMAGE)
def test_a_damaged_newest_checkpoint_is_set_aside_and_the_one_before_continues(folder, caplog, kind):
    caused.DAMAGE[kind](folder / "3")
    restored = checkpoint.restore_last(folder, SHAPES)
    assert small.bits(restored) == small.bits(state_at(2))
    assert {path.name for path in folder.iterdir()} == {"1", "2", "damaged-3"}
    assert "checkpoints/3: this checkpoint is damaged" in caplog.text and "step 2 is used" in caplog.text
    with checkpoint.Checkpoints(folder) as checkpoints:
        checkpoints.save(state_at(3))
    assert small.bits(checkpoint.restore_last(folder, SHAPES)) == small.bits(state_at(3))


@pytest.mark.parametrize("kind", [kind for kind in caused.DAMAGE if "optimizer" not in kind])
def test_reading_a_network_names_the_damaged_checkpoint_and_changes_nothing(folder, caplog, kind):
    caused.DAMAGE[kind](folder / "3")
    before = sorted(path for path in folder.rglob("*"))
    variables, step = restore_model(folder, "last")
    assert step == 2 and small.bits(variables) == small.bits(
        {"params": state_at(2).params, "batch_stats": {"fusion": {}}}
    )
    assert "checkpoints/3: this checkpoint is damaged" in caplog.text and "step 2 is used" in caplog.text
    with pytest.raises(checkpoint.DamagedError, match="checkpoints/3: this checkpoint is damaged"):
        restore_model(folder, 3)
    assert sorted(path for path in folder.rglob("*")) == before


def test_a_stray_folder_and_a_damaged_score_do_not_matter(folder):
    (folder / "99").mkdir()
    (folder / "2" / "metrics" / "metrics").write_bytes(b"")
    assert restore_model(folder, "best")[1] == 1
    assert restore_model(folder, "last")[1] == 3
    assert int(checkpoint.restore_last(folder, SHAPES).step) == 3
    with checkpoint.Checkpoints(folder) as checkpoints:
        checkpoints.save(state_at(4))
    assert {path.name for path in folder.iterdir()} == {"1", "3", "4", "damaged-99"}


def test_a_whole_checkpoint_with_a_damaged_score_stays(folder):
    for step in (1, 3):
        shutil.rmtree(folder / str(step))
    (folder / "2" / "metrics" / "metrics").write_bytes(b"")
    for _ in range(2):
        assert small.bits(checkpoint.restore_last(folder, SHAPES)) == small.bits(state_at(2))
    assert checkpoint.steps(folder) == [2]
    with checkpoint.Checkpoints(folder):
        pass  # it can be listed


@pytest.mark.parametrize(
    "error",
    [OSError(errno.EIO, "input/output error"), MemoryError(), ValueError("UNKNOWN: reading [os_error_code='24']")],
)
def test_what_the_machine_cannot_read_now_is_not_damaged(folder, monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(checkpoint.ocp.Checkpointer, "restore", fail)
    for restore in (lambda: checkpoint.restore_last(folder, SHAPES), lambda: restore_model(folder, "last")):
        with pytest.raises(OSError, match="checkpoints/3: this checkpoint cannot be read"):
            restore()
    assert checkpoint.steps(folder) == [1, 2, 3]


def test_the_next_best_stands_in_for_a_damaged_best(folder):
    caused.flip(caused.data_file(folder / "1"), 0.4)
    assert restore_model(folder, "best")[1] == 2


def test_where_none_is_whole_nothing_is_touched(folder):
    for step in (1, 2, 3):
        caused.data_file(folder / str(step)).unlink()
    with pytest.raises(InputError, match="none of the 3 checkpoints can be used: .*checkpoints/3"):
        checkpoint.restore_last(folder, SHAPES)
    with pytest.raises(InputError, match="none of the 3 checkpoints can be used"):
        restore_model(folder, "last")
    assert checkpoint.steps(folder) == [1, 2, 3]


def test_a_checkpoint_of_another_network_is_one_line(folder):
    other = jax.tree.map(lambda x: jax.ShapeDtypeStruct((2, *x.shape), x.dtype, sharding=REPLICATED), MODEL)
    with pytest.raises(InputError) as error:
        checkpoint.restore_model(folder, other, step=3, array_sharding=REPLICATED)
    assert "damaged or of another network" in str(error.value) and "\n" not in str(error.value)


def test_checkpoints_of_earlier_versions_have_no_checksums(folder):
    for step in (1, 2, 3):
        file = folder / str(step) / "_CHECKPOINT_METADATA"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"custom_metadata": {}}))
    assert int(checkpoint.restore_last(folder, SHAPES).step) == 3


def test_a_checkpoint_that_is_removed_while_it_is_read_is_read_anew(folder, monkeypatch):
    """As by the run that is training."""
    restore = checkpoint._restore

    def removed_meanwhile(path, **targets):
        if path.name == "3":
            (folder / "3").rename(folder / "4")
            shutil.rmtree(folder / "2")
        return restore(path, **targets)

    monkeypatch.setattr(checkpoint, "_restore", removed_meanwhile)
    assert restore_model(folder, "last")[1] == 4


@pytest.mark.slow
def test_any_changed_bit_is_found(folder):
    """200 of them, one at a time, in all files of a checkpoint: it is refused, or its arrays are as they were."""
    expected = small.bits(state_at(3))
    files = sorted(file for file in (folder / "3").rglob("*") if file.is_file() and file.stat().st_size)
    rng, refused = np.random.default_rng(0), 0
    for _ in range(25):
        file = pathlib.Path(rng.choice(files))
        whole = file.read_bytes()
        caused.flip(file, rng.random())
        try:
            restored = SHAPES.with_items(checkpoint._restore(folder / "3", **SHAPES.items()))
            assert small.bits(restored) == expected
        except checkpoint.DamagedError:
            refused += 1
        file.write_bytes(whole)
    assert refused > 5
