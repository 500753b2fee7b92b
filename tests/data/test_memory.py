"""A source that is larger than what may be in memory."""

import json
import subprocess
import sys

import numpy as np
import pytest

from jaxdepth.data.frames import Rows

SCRIPT = """
import json, pathlib, resource, sys
import numpy as np
import tensorflow, jax  # what they take is not the data's
from jaxdepth import evaluate
from jaxdepth.data import cache
from jaxdepth.data.batches import tfdata
from jaxdepth.data.frames import Frames

n, size = int(sys.argv[1]), (240, 320)

def make(folder):  # files with holes: they take no place on the disk
    np.lib.format.open_memmap(folder / "images.npy", "w+", np.uint8, (n, *size, 3))[::500] = 1
    np.lib.format.open_memmap(folder / "depths.npy", "w+", np.float32, (n, *size))[::500] = 2
    return {}

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # MiB on Linux

arrays, _ = cache.arrays("test", 0, make, cache_dir=sys.argv[2])
frames = Frames("rooms", arrays["images"], arrays["depths"], None, np.arange(n), (), None, {}, {}, "", "")
settings = dict(crop_size=(228, 304), scale=(0.75, 1.25), rotation=5.0, flip=True, colour=0.0, light=0.0)
next(tfdata.train_batches(frames, np.arange(n), batch_size=8, seed=0, **settings))
before = peak()
mean = evaluate.mean_depth_baseline(frames, np.arange(n))
stream = tfdata.train_batches(frames, np.arange(n), batch_size=8, seed=0, **settings)
for _ in range(20):
    next(stream)
data = (arrays["images"].nbytes + arrays["depths"].nbytes) / 2**20
print(json.dumps({"data": data, "growth": peak() - before, "mean": float(mean.mean())}))
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak of memory is counted otherwise elsewhere")
def test_memory_does_not_grow_with_the_source(tmp_path):
    done = subprocess.run([sys.executable, "-c", SCRIPT, "6000", tmp_path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["data"] > 3000 and found["growth"] < 300, found
    assert found["mean"] == pytest.approx(2)  # every frame was read


def test_rows_are_indexed_as_an_array():
    array = np.random.default_rng(0).integers(0, 9, (7, 2, 3)).astype(np.uint16)
    rows = Rows(lambda i: array[i], array.shape, array.dtype)
    assert (len(rows), rows.shape, rows.dtype, rows.nbytes) == (7, array.shape, array.dtype, array.nbytes)
    for index in (3, -1, np.int64(2), slice(1, 6, 2), slice(9, 9), np.array([5, 0, 5]), np.array([], int)):
        np.testing.assert_array_equal(rows[index], array[index])
        assert rows[index].dtype == array.dtype
    with pytest.raises(IndexError):
        rows[7]
