"""Batches: order, restart, processes, and every evaluated example once."""

import os
import subprocess
import sys

import numpy as np
import pytest

from jaxdepth.data.batches import tfdata
from jaxdepth.data.frames import Frames, centre_corner, centre_crop

SIZE, CROP = (24, 32), (20, 28)
SETTINGS = dict(crop_size=CROP, scale=(0.75, 1.25), rotation=5.0, flip=True, colour=0.1, light=0.1)


def make_frames(n, size=SIZE):
    """Frames whose grey value is 10 times their position and whose depth is 1 + their position."""
    rng = np.random.default_rng(0)
    images = (np.arange(n)[:, None, None, None] * 10 + rng.integers(0, 6, (n, *size, 3))).astype(np.uint8)
    depths = np.broadcast_to(1.0 + np.arange(n)[:, None, None], (n, *size)).astype(np.float32)
    return Frames(
        "test", images, depths, np.zeros((n, *size), np.uint16), np.arange(n), (1, 1, 0, 0), None, {}, {}, "", ""
    )


FRAMES = make_frames(20)
POSITIONS = np.array([2, 3, 5, 7, 11, 13, 17, 19, 0, 8, 9])  # 11: no batch size divides it


def batches(count, *, positions=POSITIONS, batch_size=4, seed=0, **changes):
    stream = tfdata.train_batches(FRAMES, positions, batch_size=batch_size, seed=seed, **{**SETTINGS, **changes})
    taken = [next(stream) for _ in range(count)]
    stream.close()
    return taken


def same(a, b):
    return a.keys() == b.keys() and all(a[name].tobytes() == b[name].tobytes() for name in a)


def test_shapes_types_and_ranges():
    (batch,) = batches(1)
    assert {name: (value.shape, value.dtype) for name, value in batch.items()} == {
        "image": ((4, *CROP, 3), np.float32),
        "depth": ((4, *CROP), np.float32),
        "position": ((4,), np.int64),
    }
    assert 0 <= batch["image"].min() and batch["image"].max() <= 1


def test_an_epoch_is_a_permutation_and_each_is_another():
    order = np.concatenate([b["position"] for b in batches(11)]).reshape(4, 11)  # 44 examples, four epochs
    for epoch in order:
        assert sorted(epoch) == sorted(POSITIONS)
    assert len({tuple(epoch) for epoch in order}) == 4
    assert tuple(np.concatenate([b["position"] for b in batches(3, seed=1)])[:11]) != tuple(order[0])


def test_picture_depth_and_position_belong_together_under_the_scale():
    for batch in batches(4, colour=0.0, light=0.0):
        grey = batch["image"].mean((1, 2, 3)) * 255
        assert (abs(grey - 10 * batch["position"] - 2.5) < 1).all()
        for depth, position in zip(batch["depth"], batch["position"], strict=True):
            values = np.unique(depth[depth > 0])
            assert len(values) == 1 and 0.75 <= (1 + position) / values[0] <= 1.25


def test_the_same_frame_looks_different_in_each_epoch():
    taken = batches(11)
    depths = np.concatenate([b["depth"] for b in taken])
    positions = np.concatenate([b["position"] for b in taken])
    assert len({d.max() for d in depths[positions == 7]}) == 4


def test_a_batch_is_a_pure_function_of_seed_and_step():
    first, again = batches(6), batches(6)
    assert all(same(a, b) for a, b in zip(first, again, strict=True))
    assert not same(first[0], batches(1, seed=1)[0])
    for start in (1, 4):  # 4: in the second epoch
        later = batches(2, start_step=start)
        assert same(later[0], first[start]) and same(later[1], first[start + 1])


@pytest.mark.parametrize("processes", [2, 4])
def test_slices_of_the_processes_make_up_the_batch(processes):
    whole = batches(3, start_step=2)
    slices = [batches(3, start_step=2, process_index=p, process_count=processes) for p in range(processes)]
    for step in range(3):
        joined = {name: np.concatenate([part[step][name] for part in slices]) for name in whole[0]}
        assert same(joined, whole[step])


def test_seeds_beyond_32_bits_and_late_steps():
    late = batches(1, seed=2**40 + 3, start_step=10**9)[0]
    assert set(late["position"]) <= set(POSITIONS) and np.isfinite(late["image"]).all()


@pytest.mark.parametrize(
    "changes, message",
    [
        (dict(batch_size=5, process_count=2), "config.batch_size=5: expected a multiple of the 2 processes"),
        (dict(batch_size=0), "config.batch_size=0"),
        (dict(crop_size=(0, 3)), r"config.data.crop_size=\(0, 3\)"),
        (dict(scale=(0.0, 1.0)), r"config.data.augmentation.scale=\(0.0, 1.0\): expected 0 < least <= greatest"),
        (dict(scale=(0.005, 1.0)), "a crop would show .* pixels of the frame"),
        (dict(scale=(1.2, 1.0)), r"config.data.augmentation.scale=\(1.2, 1.0\)"),
        (dict(colour=1.0), "config.data.augmentation.colour=1.0: expected 0 <= colour < 1"),
        (dict(light=-0.1), "config.data.augmentation.light=-0.1: expected 0 <= light < 1"),
    ],
)
def test_settings_out_of_range(changes, message):
    with pytest.raises(ValueError, match=message):
        batches(1, **changes)


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("n", [1, 8, 11])
def test_evaluation_counts_each_example_once(n, processes):
    positions = POSITIONS[:n]
    taken = [
        list(
            tfdata.eval_batches(
                FRAMES, positions, batch_size=4, crop_size=CROP, process_index=p, process_count=processes
            )
        )
        for p in range(processes)
    ]
    assert {len(part) for part in taken} == {-(-n // 4)}
    counted = []
    for step in zip(*taken, strict=True):
        for batch in step:
            assert batch["image"].shape == (4 // processes, *CROP, 3) and batch["depth"].shape[0] == 4 // processes
            assert set(batch["weight"]) <= {0.0, 1.0} and batch["weight"].dtype == np.float32
            counted += batch["position"][batch["weight"] == 1].tolist()
            for image, depth, position in zip(batch["image"], batch["depth"], batch["position"], strict=True):
                np.testing.assert_array_equal(image, FRAMES.images[position, 2:22, 2:30].astype(np.float32) / 255)
                np.testing.assert_array_equal(depth, FRAMES.depths[position, 2:22, 2:30])
    assert counted == positions.tolist()  # in order


def test_evaluation_checks_its_settings():
    with pytest.raises(ValueError, match="config.batch_size=3: expected a multiple of the 2 processes"):
        next(tfdata.eval_batches(FRAMES, POSITIONS, batch_size=3, crop_size=CROP, process_count=2))
    with pytest.raises(
        ValueError, match=r"crop_size=\(25, 32\): expected \(height, width\) within the frame's \(24, 32\)"
    ):
        next(tfdata.eval_batches(FRAMES, POSITIONS, batch_size=4, crop_size=(25, 32)))


def test_centre_crop_of_the_paper():
    image = np.arange(240 * 320 * 3).reshape(240, 320, 3)
    assert centre_corner((240, 320), crop_size=(228, 304)) == (6, 8)
    got, depth = centre_crop(image, image[..., 0], crop_size=(228, 304))
    np.testing.assert_array_equal(got, image[6:234, 8:312])
    np.testing.assert_array_equal(depth, image[6:234, 8:312, 0])
    assert centre_corner((5, 6), crop_size=(2, 3)) == (1, 1)


def test_the_interpreter_ends_while_batches_are_being_made():
    script = (
        "import numpy as np, test_tfdata as t;"
        "s = t.tfdata.train_batches(t.FRAMES, t.POSITIONS, batch_size=4, seed=0, **t.SETTINGS);"
        "print(next(s)['position'].shape)"
    )
    here = os.path.dirname(__file__)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([here, *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "(4,)"
