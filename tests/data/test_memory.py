"""Reading a source that is larger than memory."""

import json
import pathlib
import subprocess
import sys

import pytest

SCRIPT = """
import json, resource, sys
import numpy as np
import tensorflow, jax  # their memory is not the data's
import small_frames
from jaxdepth.data import cache
from jaxdepth.data.batches import tfdata
from jaxdepth.evaluation import mean_depth

n, size = int(sys.argv[1]), (240, 320)

def make(folder):  # sparse files: they take no space on the disk
    np.lib.format.open_memmap(folder / "images.npy", "w+", np.uint8, (n, *size, 3))[::500] = 1
    np.lib.format.open_memmap(folder / "depths.npy", "w+", np.float32, (n, *size))[::500] = 2
    return {}

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # MiB on Linux

arrays, _ = cache.arrays("test", 0, make, cache_dir=sys.argv[2])
frames = small_frames.frames_of(arrays["images"], arrays["depths"])
settings = dict(crop_size=(228, 304), scale=(0.75, 1.25), rotation=5.0, flip=True, colour=0.0, light=0.0)
next(tfdata.train_batches(frames, np.arange(n), batch_size=8, seed=0, **settings))
before = peak()
mean_depth.SAMPLE = n  # reads every frame
mean = mean_depth.mean_depth_image(frames, np.arange(n))
stream = tfdata.train_batches(frames, np.arange(n), batch_size=8, seed=0, **settings)
for _ in range(20):
    next(stream)
data = (arrays["images"].nbytes + arrays["depths"].nbytes) / 2**20
print(json.dumps({"data": data, "growth": peak() - before, "mean": float(mean.mean())}))
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peak memory has another unit elsewhere")
def test_memory_does_not_grow_with_the_source(tmp_path):
    tests = pathlib.Path(__file__).parents[1]
    script = f"import sys; sys.path[:0] = {[str(tests), str(tests.parent)]}{SCRIPT}"
    done = subprocess.run([sys.executable, "-c", script, "6000", tmp_path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["data"] > 3000 and found["growth"] < 300, found
    assert found["mean"] == pytest.approx(2)
