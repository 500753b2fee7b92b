"""Batches of tf.data: order, restart, processes, and the end of the interpreter."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from small_frames import AUGMENTATION, CROP, FRAMES, INDICES, same

from jaxdepth.data.batches import tfdata


def batches(count, *, batch_size=4, seed=0, **changes):
    stream = tfdata.train_batches(FRAMES, INDICES, batch_size=batch_size, seed=seed, **{**AUGMENTATION, **changes})
    taken = [next(stream) for _ in range(count)]
    stream.close()
    return taken


def test_shapes_dtypes_and_ranges():
    (batch,) = batches(1)
    assert {name: (value.shape, value.dtype) for name, value in batch.items()} == {
        "image": ((4, *CROP, 3), np.float32),
        "depth": ((4, *CROP), np.float32),
        "index": ((4,), np.int64),
    }
    assert 0 <= batch["image"].min() and batch["image"].max() <= 1


def test_each_epoch_is_a_different_permutation():
    order = np.concatenate([b["index"] for b in batches(11)]).reshape(4, 11)  # 44 examples, four epochs
    for epoch in order:
        assert sorted(epoch) == sorted(INDICES)
    assert len({tuple(epoch) for epoch in order}) == 4
    assert tuple(np.concatenate([b["index"] for b in batches(3, seed=1)])[:11]) != tuple(order[0])


def test_image_and_depth_are_those_of_the_index():
    for batch in batches(4, colour=0.0, light=0.0):
        grey = batch["image"].mean((1, 2, 3)) * 255
        assert (abs(grey - 10 * batch["index"] - 2.5) < 1).all()
        for depth, index in zip(batch["depth"], batch["index"], strict=True):
            values = np.unique(depth[depth > 0])
            assert len(values) == 1 and 0.75 <= (1 + index) / values[0] <= 1.25


def test_augmentation_differs_between_epochs():
    taken = batches(11)
    depths = np.concatenate([b["depth"] for b in taken])
    indices = np.concatenate([b["index"] for b in taken])
    assert len({d.max() for d in depths[indices == 7]}) == 4


def test_a_batch_is_a_pure_function_of_seed_and_step():
    first, again = batches(6), batches(6)
    assert all(same(a, b) for a, b in zip(first, again, strict=True))
    assert not same(first[0], batches(1, seed=1)[0])
    for start in (1, 4):  # 4: in the second epoch
        later = batches(2, start_step=start)
        assert same(later[0], first[start]) and same(later[1], first[start + 1])


@pytest.mark.parametrize("processes", [2, 4])
def test_the_slices_of_all_processes_make_up_the_batch(processes):
    whole = batches(3, start_step=2)
    slices = [batches(3, start_step=2, process_index=p, process_count=processes) for p in range(processes)]
    for step in range(3):
        joined = {name: np.concatenate([part[step][name] for part in slices]) for name in whole[0]}
        assert same(joined, whole[step])


def test_seeds_beyond_32_bits_and_late_steps():
    late = batches(1, seed=2**40 + 3, start_step=10**9)[0]
    assert set(late["index"]) <= set(INDICES) and np.isfinite(late["image"]).all()


def run(script, **variables):
    path = os.pathsep.join([str(pathlib.Path(__file__).parents[2]), *sys.path])
    options = dict(env={**os.environ, "PYTHONPATH": path, **variables}, capture_output=True, text=True, timeout=60)
    return subprocess.run([sys.executable, "-c", script], check=True, **options)


def test_the_interpreter_ends_while_batches_are_prefetched():
    done = run(
        "import small_frames as s; from jaxdepth.data.batches import tfdata;"
        "b = tfdata.train_batches(s.FRAMES, s.INDICES, batch_size=4, seed=0, **s.AUGMENTATION);"
        "print(next(b)['index'].shape)"
    )
    assert done.stdout.strip() == "(4,)"


def test_a_frame_that_cannot_be_read_is_raised_at_its_batch_and_nothing_else_is_told():
    order = np.concatenate([batch["index"] for batch in batches(3)]).tolist()
    done = run(
        """
import small_frames as s
from jaxdepth.data.batches import tfdata
from jaxdepth.data.frames import LazyArray
from jaxdepth.errors import InputError

def depth(i):
    if i == BROKEN:
        raise InputError(f"frame {i} is broken")
    return s.FRAMES.depths[i]

frames = s.frames_of(s.FRAMES.images, LazyArray(depth, s.FRAMES.depths.shape, s.FRAMES.depths.dtype))
batches = tfdata.train_batches(frames, s.INDICES, batch_size=4, seed=0, **s.AUGMENTATION)
try:
    for step in range(3):
        next(batches)
except InputError as error:
    print(step, error)
""".replace("BROKEN", str(order[6])),
        TF_CPP_MIN_LOG_LEVEL="1",  # as jax has it
    )
    assert done.stdout == f"1 frame {order[6]} is broken\n"
    assert "Traceback" not in done.stderr and "is broken" not in done.stderr
