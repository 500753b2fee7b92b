"""What a killed process leaves in the cache."""

import os
import signal
import subprocess
import sys
import time

from jaxdepth.data import cache

KILLED = """
import os, signal, sys
from jaxdepth.data import cache

def make(folder):
    cache.create(folder, "depth", (1000,), "float32")[:500] = 1
    os.kill(os.getpid(), signal.SIGKILL)

cache.arrays("rooms", ["killed"], make, cache_dir=sys.argv[1])
"""


def make(folder):
    cache.create(folder, "depth", (2,), "float32")[:] = 3
    return {}


def test_what_a_killed_process_left_is_removed_after_a_day(tmp_path):
    assert subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], timeout=120).returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert ".part-" in left.name
    cache.arrays("rooms", ["a"], make, cache_dir=tmp_path)
    assert left.exists(), "it may be one that another process is making"

    two_days_ago = time.time() - 2 * 86400
    os.utime(left, (two_days_ago, two_days_ago))
    cache.arrays("rooms", ["b"], make, cache_dir=tmp_path)
    assert left.exists(), "its array was written just now"

    os.utime(left / "depth.npy", (two_days_ago, two_days_ago))
    cache.arrays("rooms", ["c"], make, cache_dir=tmp_path)
    assert not left.exists()
    arrays, _ = cache.arrays("rooms", ["a"], lambda folder: 1 / 0, cache_dir=tmp_path)
    assert arrays["depth"].tolist() == [3, 3], "finished entries stay"
    assert len(list(tmp_path.iterdir())) == 3
