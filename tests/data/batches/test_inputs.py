"""The choice of the batch pipeline, what both pipelines produce, and their settings."""

import dataclasses

import jax
import numpy as np
import pytest
from small_frames import AUGMENTATION, CROP, FRAMES, INDICES

from jaxdepth.data.batches import device, inputs
from jaxdepth.data.frames import LazyArray
from jaxdepth.errors import InputError
from jaxdepth.training import sharding

NEEDED = device.nbytes(FRAMES, INDICES)


@pytest.fixture
def mesh():
    return sharding.make_mesh(jax.devices()[:4])


@pytest.mark.parametrize(
    ("budget", "chosen"), [(NEEDED // 4, "device"), (NEEDED // 4 - 1, "tfdata"), (None, "tfdata"), (10**9, "device")]
)
def test_auto_takes_the_devices_if_the_frames_fit(monkeypatch, mesh, budget, chosen):
    monkeypatch.setattr(inputs, "_device_budget", lambda _: budget)
    assert inputs.choose_pipeline("auto", FRAMES, INDICES, mesh=mesh) == chosen
    for name in inputs.PIPELINES:
        assert inputs.choose_pipeline(name, FRAMES, INDICES, mesh=mesh) == name


def test_an_unknown_pipeline_is_refused(mesh):
    with pytest.raises(InputError, match="config.data.batches='torch': expected one of auto, tfdata, device"):
        inputs.choose_pipeline("torch", FRAMES, INDICES, mesh=mesh)


def test_this_machine_has_a_budget(mesh):
    assert 10**6 < inputs._device_budget(mesh) <= 2**30 // 4


def test_a_source_larger_than_memory_goes_through_tf_data_and_the_log_says_so(mesh, caplog):
    """On a CPU the devices' memory is the machine's, of which a source may take at most a GiB."""
    n, size = 50_000, (240, 320)
    unread = LazyArray(lambda i: pytest.fail("read"), (n, *size, 3), np.uint8)
    large = dataclasses.replace(FRAMES, images=unread, depths=unread, ids=np.arange(n))
    with caplog.at_level("INFO", "absl"):
        assert inputs.choose_pipeline("auto", large, np.arange(n), mesh=mesh) == "tfdata"
    assert "batches: tfdata, tf.data on the host (23040 MB of frames, " in caplog.text
    assert " MB available)" in caplog.text


def first_batch(pipeline, mesh, **changes):
    """The batch of step 3, and the data that the pipeline gives to the step."""
    processes = dict(process_index=0, process_count=1)
    settings = dict(batch_size=4, seed=0, start_step=3, **processes, **AUGMENTATION | changes)
    stream, draw = inputs.make_inputs(pipeline, FRAMES, INDICES, mesh=mesh, **settings)
    data = next(stream)
    return data if draw is None else jax.jit(draw, out_shardings=sharding.batched(mesh))(data, 3), data


@pytest.mark.parametrize("pipeline", inputs.PIPELINES)
def test_both_pipelines_give_a_batch_on_all_devices(mesh, pipeline):
    batch, _ = first_batch(pipeline, mesh)
    assert {name: x.shape for name, x in batch.items()} == {"image": (4, *CROP, 3), "depth": (4, *CROP)}
    assert all(len(x.sharding.device_set) == 4 for x in batch.values())


@pytest.mark.parametrize("pipeline", inputs.PIPELINES)
def test_the_names_of_a_steps_frames(mesh, pipeline):
    """The depth of frame i is 1 + i everywhere, which a scale of 1 leaves as it is."""
    frames = dataclasses.replace(FRAMES, names=tuple(f"picture {i}" for i in range(len(FRAMES))))
    batch, _ = first_batch(pipeline, mesh, scale=(1.0, 1.0))
    options = dict(batch_size=5, rooms=1, seed=0, step=3)
    *names, room = inputs.example_names(pipeline, frames, INDICES, **options)
    assert names == [f"test picture {int(depth.max()) - 1}" for depth in batch["depth"]]
    assert room == f"endless room {(1 << 24) + 3}"


def test_frames_that_do_not_fit_on_one_device_are_divided(monkeypatch, mesh):
    whole, data = first_batch("device", mesh)
    assert data["images"].addressable_shards[0].data.shape[0] == len(INDICES)
    monkeypatch.setattr(inputs, "_device_budget", lambda _: NEEDED - 1)
    divided, data = first_batch("device", mesh)
    assert data["images"].addressable_shards[0].data.shape[0] == 3  # 11 frames on 4 devices
    for name in whole:
        np.testing.assert_array_equal(whole[name], divided[name])


@pytest.mark.parametrize(
    "changes, message",
    [
        (dict(batch_size=5, process_count=2), "config.batch_size=5: expected a multiple of the 2 processes"),
        (dict(batch_size=0), "config.batch_size=0"),
        (dict(crop_size=(0, 3)), r"config.data.crop_size=\(0, 3\)"),
        (dict(crop_size=(25, 32)), r"crop_size=\(25, 32\): expected .* within the frame's \(24, 32\)"),
        (dict(scale=(0.0, 1.0)), r"config.data.augmentation.scale=\(0.0, 1.0\): expected 0 < least <= greatest"),
        (dict(scale=(0.005, 1.0)), "a crop would show 5600 pixels of the frame"),
        (dict(scale=(1.2, 1.0)), r"config.data.augmentation.scale=\(1.2, 1.0\)"),
        (dict(colour=1.0), "config.data.augmentation.colour=1.0: expected 0 <= colour < 1"),
        (dict(light=-0.1), "config.data.augmentation.light=-0.1: expected 0 <= light < 1"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message):
    settings = dict(batch_size=4, process_count=1, **AUGMENTATION)
    inputs.check(FRAMES, **settings)
    with pytest.raises(InputError, match=message):
        inputs.check(FRAMES, **{**settings, **changes})
