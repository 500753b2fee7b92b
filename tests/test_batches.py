"""Which way batches come."""

import jax
import numpy as np
import pytest
from test_pipeline import CROP, FRAMES, POSITIONS, SETTINGS

from jaxdepth import batches, device_data, sharding

NEEDED = device_data.nbytes(FRAMES, POSITIONS)


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
    assert batches._room(mesh) > 10**6


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
