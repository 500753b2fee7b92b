"""Evaluation batches contain each example once."""

import numpy as np
import pytest
from small_frames import CROP, FRAMES, INDICES

from jaxdepth.data.batches.evaluation import eval_batches
from jaxdepth.errors import InputError


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("n", [1, 8, 11])
def test_each_example_counts_once(n, processes):
    indices = INDICES[:n]
    taken = [
        list(eval_batches(FRAMES, indices, batch_size=4, crop_size=CROP, process_index=p, process_count=processes))
        for p in range(processes)
    ]
    assert {len(part) for part in taken} == {-(-n // 4)}
    counted = []
    for step in zip(*taken, strict=True):
        for batch in step:
            assert batch["image"].shape == (4 // processes, *CROP, 3) and batch["depth"].shape[0] == 4 // processes
            assert set(batch["weight"]) <= {0.0, 1.0} and batch["weight"].dtype == np.float32
            counted += batch["index"][batch["weight"] == 1].tolist()
            for image, depth, index in zip(batch["image"], batch["depth"], batch["index"], strict=True):
                np.testing.assert_array_equal(image, FRAMES.images[index, 2:22, 2:30].astype(np.float32) / 255)
                np.testing.assert_array_equal(depth, FRAMES.depths[index, 2:22, 2:30])
    assert counted == indices.tolist()  # in order


def test_a_crop_larger_than_the_frame_is_refused():
    with pytest.raises(InputError, match=r"crop_size=\(25, 32\): expected .* within the frame's \(24, 32\)"):
        next(eval_batches(FRAMES, INDICES, batch_size=4, crop_size=(25, 32)))
