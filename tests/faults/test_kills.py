"""Processes killed at random moments: the same command then ends as if nothing had happened."""

import json
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import small
from caused import ENVIRONMENT, lost, train
from PIL import Image

pytestmark = pytest.mark.faults
LAUNCH = small.ROOT / "launch"


def run_for(command, seconds, *, number=signal.SIGKILL):
    """Runs a command and sends it a signal after some seconds. Whether it was still running then."""
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            _, log = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(number)
            process.communicate(timeout=120)
            return True
    assert process.returncode == 0, log.decode()[-2000:]
    return False


@pytest.mark.parametrize(("number", "times"), [(signal.SIGKILL, 34), (signal.SIGTERM, 6), (signal.SIGINT, 6)])
def test_a_training_killed_at_random_moments(settings, unbroken, tmp_path, tally, number, times):
    """At the start, in compilation, steps, saves, validation and at the end; several times each run."""
    start = time.monotonic()
    train(settings, tmp_path / "timed").check_returncode()
    duration, draw, killed, runs = time.monotonic() - start, random.Random(0), 0, 0
    while killed < times:
        folder, in_this_run = tmp_path / f"run{runs}", 0
        while in_this_run < 8 and killed + in_this_run < times:
            if not run_for(small.command(settings, folder), draw.uniform(0.1, duration), number=number):
                break
            in_this_run += 1
        train(settings, folder).check_returncode()
        difference = lost(settings, folder, unbroken)
        for _ in range(in_this_run):
            tally(f"{signal.Signals(number).name} to a training").caused(lost=difference)
        assert difference == 0
        killed, runs = killed + in_this_run, runs + 1


def test_an_evaluation_killed_at_random_moments(unbroken, tmp_path, tally):
    output = tmp_path / "result.json"
    command = [
        sys.executable,
        LAUNCH / "evaluate.py",
        f"--workdir={unbroken}",
        f"--output={output}",
        "--protocol=paper",
    ]
    start = time.monotonic()
    subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True)
    duration, expected, draw = time.monotonic() - start, output.read_bytes(), random.Random(1)
    for _ in range(8):
        run_for(command, draw.uniform(0.3 * duration, duration))
        assert output.read_bytes() == expected  # the whole old result, or the whole new one
        tally("SIGKILL to an evaluation").caused()
    output.unlink()
    subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True)
    assert output.read_bytes() == expected


def test_a_prediction_killed_at_random_moments(unbroken, tmp_path, tally):
    pictures, rng = tmp_path / "pictures", np.random.default_rng(0)
    pictures.mkdir()
    for i in range(24):
        Image.fromarray(rng.integers(0, 255, (120, 160, 3), np.uint8)).save(pictures / f"{i}.png")
    command = [sys.executable, LAUNCH / "predict.py", f"--workdir={unbroken}", pictures, "--batch=2"]

    def files(folder):
        return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}

    start = time.monotonic()
    subprocess.run([*command, f"--output={tmp_path / 'whole'}"], env=ENVIRONMENT, check=True, capture_output=True)
    duration, expected, draw = time.monotonic() - start, files(tmp_path / "whole"), random.Random(2)
    output = tmp_path / "killed"
    for _ in range(8):
        run_for([*command, f"--output={output}"], draw.uniform(0.3 * duration, duration))
        for name, content in (files(output) if output.exists() else {}).items():
            if name.endswith(".json"):
                json.loads(content)
            else:
                assert content == expected[name]
        tally("SIGKILL to a prediction").caused()
    subprocess.run([*command, f"--output={output}"], env=ENVIRONMENT, check=True, capture_output=True)
    assert files(output).keys() == expected.keys()
    assert all(content == expected[name] for name, content in files(output).items() if not name.endswith(".json"))
