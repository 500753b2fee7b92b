"""The command with the workers of Apache Beam: the same data set, and no process that outlives it."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
import raw_scenes
from prepare_command import ENVIRONMENT, LAUNCH, prepare
from prepared import content
from prepared import prepare as prepare_here

pytest.importorskip("apache_beam", reason="Apache Beam is not installed: pip install 'jaxdepth[beam]'")
ARGUMENTS = ("--all_scenes", "--count=4", "--size=160x120")


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw")
    for seed in range(3):
        raw_scenes.write_folder(folder, f"den_{seed:04d}", raw_scenes.files(seed, count=5))
    return folder


@pytest.fixture
def slow(tmp_path):
    """Recordings for which the workers take long."""
    files = raw_scenes.files(0, count=1)
    for seed in range(2):
        made = {}
        for name, data in files.items():
            made |= {name.replace("-1000", f"-{1000 + i}"): data for i in range(400)}
        (folder := tmp_path / "slow" / f"den_{seed:04d}").mkdir(parents=True)
        first = None
        for name, data in made.items():
            if not name.startswith("r"):
                continue
            if first is None:
                (first := folder / name).write_bytes(data)
                (folder / name.replace("r-", "d-").replace("ppm", "pgm")).write_bytes(raw_scenes.pgm(CODES))
    return tmp_path / "slow"


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_make_the_same_data_set(raw, tmp_path, workers, without_beam):
    output = f"--output={tmp_path / 'sheet.png'}"
    done = prepare("nyu_raw", raw, f"--to={tmp_path / 'to'}", *ARGUMENTS, f"--workers={workers}", output)
    assert done.returncode == 0, done.stderr
    assert "12 frames of 3 scenes" in done.stdout and "train with: --config.data.source=tfds" in done.stdout
    assert "apitools" not in done.stderr and "Traceback" not in done.stderr
    assert prepare_here(raw, tmp_path / "here") == 0
    assert content(tmp_path / "to") == content(tmp_path / "here")
