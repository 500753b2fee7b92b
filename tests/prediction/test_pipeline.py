"""The pipeline: order, what is held at once, and what is left after a full disk or Ctrl-C."""

import errno
import os
import signal
import threading
import time
import types

import jax
import numpy as np
import pytest
from PIL import Image

from jaxdepth.errors import InputError
from jaxdepth.prediction import pipeline
from jaxdepth.training import sharding


class Work:
    """Reads and writes nothing; the network takes the mean of its input."""

    def __init__(self, sizes, *, write=lambda job: None, keeps_pixels=False):
        self.sizes, self.keeps_pixels, self.held, self.most, self.written = sizes, keeps_pixels, 0, 0, []
        self._write, self._lock, self.together = write, threading.Lock(), []
        self.predictor = types.SimpleNamespace(groups=("final",), finite=lambda x: x, log_depths=self._log_depths)

    def _log_depths(self, x):
        self.together.append(int((np.asarray(x).max((1, 2, 3)) > 0).sum()))
        return {"final": x[..., 0]}

    def read(self, path, name):
        if path.startswith("bad"):
            raise InputError(f"{path!r}: no picture")
        size, number = self.sizes[path], int(path[1:])
        with self._lock:
            self.held += size[0] * size[1]
            self.most = max(self.most, self.held)
        pixels = np.zeros((2, 2, 3)) if self.keeps_pixels else None
        x = np.full((1, 2, 2, 3), number + 1, np.float32)
        return types.SimpleNamespace(path=path, size=size, input=x, pixels=pixels, origin="given")

    def write(self, job, log_depth):
        assert (log_depth == int(job.path[1:]) + 1).all()  # each picture has its own depth
        self._write(job)
        with self._lock:
            self.held -= job.size[0] * job.size[1]
            self.written.append(job.path)
        return {"share_clipped": [0.0, 0.25]}, None


@pytest.fixture(autouse=True)
def one_device(monkeypatch):
    mesh = sharding.make_mesh(jax.devices()[:1])
    monkeypatch.setattr(sharding, "make_mesh", lambda: mesh)


def run(work, paths=None, *, batch=4):
    return pipeline.run(work, [(path, path) for path in paths or work.sizes], batch=batch)


def test_every_picture_gets_its_own_depth_and_bad_ones_are_skipped():
    work = Work({f"p{i}": (3, 5) for i in range(11)})
    paths = ["bad0", *list(work.sizes)[:6], "bad1", *list(work.sizes)[6:]]
    outcome = run(work, paths)
    assert [outcome.done[i].path for i in sorted(outcome.done)] == list(work.sizes)
    assert outcome.done[1] == ("p0", "given", 0.25, None)
    assert outcome.skipped == {0: ("bad0", "no picture"), 7: ("bad1", "no picture")}
    assert work.together == [4, 4, 3]


def test_large_pictures_wait_for_no_others(monkeypatch):
    """No stage holds more pixels than allowed, but for a single picture that has more by itself."""
    monkeypatch.setattr(pipeline, "_MAX_PIXELS", 3500)
    sizes = {f"p{i}": (height, 50) for i, height in enumerate((30, 30, 60, 10, 90, 70, 20, 20, 20))}
    monkeypatch.setattr(pipeline, "_pixels_of", lambda path: sizes[path][0] * 50)
    work = Work(sizes, keeps_pixels=True)
    assert len(run(work).done) == 9
    assert work.together == [2, 2, 1, 1, 3]
    assert work.most <= 4 * 4500  # reading, the batch, the network and writing


def test_a_full_disk_ends_the_work_and_the_rest_is_named(tmp_path):
    def write(job):
        if job.path == "p2":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "out/p2.npy")

    work = Work({f"p{i}": (3, 5) for i in range(40)}, write=write)
    with pytest.raises(OSError, match="out/p2.npy") as error:
        run(work, batch=2)
    assert error.value.errno == errno.ENOSPC and "\n" not in str(error.value)
    count = len(work.written)
    assert 2 <= count < 20  # not all that followed were tried
    assert f"No space left on device ({count} pictures are done, {40 - count} are not: p2, " in str(error.value)
    assert f" and {40 - count - 5} more)" in str(error.value)


def test_ctrl_c_finishes_what_is_being_written_and_says_how_many():
    """Also where the command has let Ctrl-C end the process; and afterwards it does so again."""

    def write(job):
        if job.path == "p3":
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.2)

    work = Work({f"p{i}": (3, 5) for i in range(40)}, write=write)
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        with pytest.raises(KeyboardInterrupt, match=r"^interrupted: \d+ pictures are done, \d+ are not: p") as error:
            run(work, batch=2)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGINT, before)
    count = len(work.written)
    assert "p3" in work.written and count < 20
    assert str(error.value).startswith(f"interrupted: {count} pictures are done, {40 - count} are not: ")


def test_a_format_that_a_picture_cannot_have_is_told():
    def write(job):
        if job.path == "p1":
            raise InputError("5x1 pixels give no triangle")

    outcome = run(Work({f"p{i}": (3, 5) for i in range(3)}, write=write))
    assert outcome.skipped == {1: ("p1", "5x1 pixels give no triangle")} and sorted(outcome.done) == [0, 2]


def test_a_defect_keeps_its_traceback():
    def write(job):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(Work({"p0": (3, 5)}, write=write))


def test_pixels_come_from_the_header(tmp_path):
    Image.new("RGB", (30, 20)).save(tmp_path / "a.png")
    assert pipeline._pixels_of(tmp_path / "a.png") == 600
    assert pipeline._pixels_of(tmp_path / "none.png") == 0
