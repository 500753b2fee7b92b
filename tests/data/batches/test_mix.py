"""Batches of frames and endless rooms."""

import jax
import numpy as np
import pytest
from small_frames import FRAMES, INDICES

from jaxdepth import rooms as renderer
from jaxdepth.data.batches import inputs, mix
from jaxdepth.errors import InputError
from jaxdepth.training import sharding

SIZE = FRAMES.size
PLAIN = dict(crop_size=SIZE, scale=(1.0, 1.0), rotation=0.0, flip=False, colour=0.0, light=0.0)


@pytest.mark.parametrize(
    ("weights", "source", "counts"),
    [
        ("", "nyu", (8, 0)),
        ("nyu:1,rooms:1", "nyu", (4, 4)),
        ("nyu:3, rooms:1", "nyu", (6, 2)),
        ("rooms:1", "nyu", (0, 8)),
        ("rooms:1", "rooms", (0, 8)),
        ("nyu:2", "nyu", (8, 0)),
    ],
)
def test_counts_follow_the_weights(weights, source, counts):
    assert mix.counts(weights, source=source, batch_size=8) == counts


@pytest.mark.parametrize(
    "weights", ["nyu", "nyu:x,rooms:1", "folder:1,rooms:1", "nyu:0,rooms:1", "nyu:-1", "nyu:1,rooms:99"]
)
def test_bad_weights_are_refused(weights):
    with pytest.raises(InputError, match="config.data.mix=.*(expected weights such as 'nyu:1,rooms:1'|no example)"):
        mix.counts(weights, source="nyu", batch_size=8)


def make_inputs(mesh, *, rooms, batch_size, pipeline="device", start_step=0):
    settings = dict(seed=5, start_step=start_step, process_index=0, process_count=1, **PLAIN)
    return inputs.make_inputs(pipeline, FRAMES, INDICES, mesh=mesh, batch_size=batch_size, rooms=rooms, **settings)


@pytest.mark.parametrize("pipeline", ["device", pytest.param("tfdata", marks=pytest.mark.slow)])
def test_a_batch_has_frames_of_the_source_and_new_rooms(pipeline):
    mesh = sharding.make_mesh(jax.devices()[:1])
    stream, draw = make_inputs(mesh, rooms=3, batch_size=5, pipeline=pipeline, start_step=2)
    mixed = jax.jit(draw)(next(stream), 2)
    stream, draw = make_inputs(mesh, rooms=0, batch_size=2, pipeline=pipeline, start_step=2)
    alone = next(stream) if draw is None else jax.jit(draw)(next(stream), 2)
    for name, x in alone.items():
        np.testing.assert_array_equal(mixed[name][:2], x)
    for i in range(3):  # rooms 6, 7 and 8 of the endless ones
        frame = renderer.render(5, (1 << 24) + 6 + i, size=SIZE)
        np.testing.assert_allclose(mixed["image"][2 + i], np.float32(frame["image"]) / 255, atol=2e-3)
        np.testing.assert_allclose(mixed["depth"][2 + i], frame["depth"], rtol=1e-5)


@pytest.mark.slow
def test_rooms_alone_on_several_devices():
    mesh = sharding.make_mesh(jax.devices()[:4])
    stream, draw = make_inputs(mesh, rooms=4, batch_size=4)
    batch = jax.jit(draw, out_shardings=sharding.batched(mesh))(next(stream), 0)
    assert batch["image"].shape == (4, *SIZE, 3) and len(batch["image"].sharding.device_set) == 4
    _, draw_on_one = make_inputs(sharding.make_mesh(jax.devices()[:1]), rooms=4, batch_size=4)
    np.testing.assert_allclose(batch["depth"], jax.jit(draw_on_one)(None, 0)["depth"], rtol=1e-4, atol=1e-3)
