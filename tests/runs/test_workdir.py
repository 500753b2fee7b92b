"""Starting and continuing a run in a workdir, by one process and by several."""

import numpy as np
import pytest
import small

from jaxdepth.runs import metrics_log, workdir
from jaxdepth.runs.record import RunRecord
from jaxdepth.training import sharding

RUN = RunRecord(small.settings(None).to_dict())


def open_run(folder, *, at_step=None, depth=2.0):
    computed = []

    def compute():
        computed.append(depth)
        return np.full(RUN.frame_size, depth, np.float32)

    return workdir.open_run(folder, RUN, at_step=at_step, compute_mean_depth=compute), computed


def test_a_new_run_replaces_an_earlier_ones_mean_depth_and_a_continued_one_keeps_it(tmp_path):
    open_run(tmp_path, depth=2.0)
    metrics_log.append(tmp_path, {"step": 1})
    metrics_log.append(tmp_path, {"step": 2})
    mean_depth, computed = open_run(tmp_path, at_step=1, depth=3.0)
    assert mean_depth.max() == 2.0 and not computed
    assert metrics_log.read(tmp_path) == [{"step": 1}]
    mean_depth, _ = open_run(tmp_path, depth=4.0)
    assert mean_depth.max() == 4.0 and metrics_log.read(tmp_path) == []


def test_only_the_main_process_writes_and_the_others_wait_for_it(tmp_path, monkeypatch):
    """The workdir holds an earlier run's image; the other process must not read that one, nor write any."""
    open_run(tmp_path, depth=2.0)
    before = {path.name for path in tmp_path.iterdir()}

    def main_process_is_done(name):
        np.save(tmp_path / workdir.MEAN_DEPTH, np.full(RUN.frame_size, 5.0, np.float32))

    monkeypatch.setattr(sharding, "is_main_process", lambda: False)
    monkeypatch.setattr(sharding, "barrier", main_process_is_done)
    mean_depth, computed = open_run(tmp_path, depth=3.0)
    assert mean_depth.max() == 5.0 and not computed
    assert {path.name for path in tmp_path.iterdir()} == before


def test_a_workdir_without_a_mean_depth_image_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="mean_depth.npy: missing"):
        workdir.read_mean_depth(tmp_path, size=(4, 6))
