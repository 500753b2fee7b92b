"""Which way batches come."""

import dataclasses

import jax
import numpy as np
import pytest
from test_tfdata import CROP, FRAMES, POSITIONS, SETTINGS

from jaxdepth.data.batches import device
from jaxdepth.data.batches import inputs as batches
from jaxdepth.data.frames import Rows
from jaxdepth.training import sharding

NEEDED = device.nbytes(FRAMES, POSITIONS)


@pytest.fixture
def mesh():
    return sharding.make_mesh(jax.devices()[:4])


@pytest.mark.parametrize(
    ("room", "chosen"), [(NEEDED // 4, "device"), (NEEDED // 4 - 1, "tfdata"), (None, "tfdata"), (10**9, "device")]
)
def test_frames_live_on_the_devices_where_they_fit(monkeypatch, mesh, room, chosen):
    monkeypatch.setattr(batches, "_room", lambda _: room)
    assert batches.choose("auto", FRAMES, POSITIONS, mesh=mesh) == chosen
    for name in batches.PATHS:
        assert batches.choose(name, FRAMES, POSITIONS, mesh=mesh) == name


def test_there_is_room_on_this_machine(mesh):
    assert 10**6 < batches._room(mesh) <= 2**30 // 4


def test_a_source_larger_than_memory_goes_through_tf_data_with_a_word_in_the_log(mesh, caplog):
    """On a CPU the devices' memory is the machine's, of which a source may not have more than a GiB."""
    n, size = 50_000, (240, 320)
    refused = Rows(lambda i: pytest.fail("read"), (n, *size, 3), np.uint8)
    large = dataclasses.replace(FRAMES, images=refused, depths=refused, ids=np.arange(n))
    with caplog.at_level("INFO", "absl"):
        assert batches.choose("auto", large, np.arange(n), mesh=mesh) == "tfdata"
    assert "batches: tfdata, tf.data on the host (23040 MB of frames, room for " in caplog.text


def first(path, mesh):
    settings = dict(batch_size=4, seed=0, start_step=3, process_index=0, process_count=1, **SETTINGS)
    inputs, draw = batches.make(path, FRAMES, POSITIONS, mesh=mesh, **settings)
    batch = next(inputs)
    return batch if draw is None else jax.jit(draw, out_shardings=sharding.batched(mesh))(batch, 3), batch


def test_both_paths_give_a_batch_on_all_devices(mesh):
    for path in batches.PATHS:
        batch, _ = first(path, mesh)
        assert {name: x.shape for name, x in batch.items()} == {"image": (4, *CROP, 3), "depth": (4, *CROP)}
        assert all(len(x.sharding.device_set) == 4 for x in batch.values())


def test_frames_that_do_not_fit_on_one_device_are_divided(monkeypatch, mesh):
    whole, data = first("device", mesh)
    assert data["images"].addressable_shards[0].data.shape[0] == len(POSITIONS)
    monkeypatch.setattr(batches, "_room", lambda _: NEEDED - 1)
    divided, data = first("device", mesh)
    assert data["images"].addressable_shards[0].data.shape[0] == 3  # 11 frames on 4 devices
    for name in whole:
        np.testing.assert_array_equal(whole[name], divided[name])
