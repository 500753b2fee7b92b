"""Full and read-only disks, two commands in one workdir, and a clock that is set back."""

import shutil
import subprocess
import time

import pytest
import small
from caused import ENVIRONMENT, disk, lost, train

from jaxdepth import train as training

pytestmark = pytest.mark.faults


def errors(done):
    """The error lines of a command that failed, and how many lines it printed without the progress bar's."""
    lines = [line for line in done.stderr.replace("\r", "\n").splitlines() if line.strip() and "image/s" not in line]
    return [line for line in lines if line.startswith("error: ")], len(lines)


@pytest.mark.parametrize("free", [1, 2, 3, 5, 8])
def test_a_disk_that_becomes_full_in_a_training(settings, unbroken, tmp_path, tally, free):
    """So many tenths of what a run needs; then there is room, and the same command goes on."""
    needed = sum(path.stat().st_size for path in unbroken.rglob("*")) / 1e6
    with disk(tmp_path / "disk", megabytes=2 * needed) as folder:
        (folder / "filler").write_bytes(bytes(int(1e6 * (2 - free / 10) * needed)))
        done = train(settings, folder / "run")
        lines, printed = errors(done)
        assert done.returncode == 1 and len(lines) == 1 and "No space left" in lines[0] and printed < 15, done.stderr
        (folder / "filler").unlink()
        train(settings, folder / "run").check_returncode()
        difference = lost(settings, folder / "run", unbroken)
        tally("disk full in a training").caused(lost=difference)
        assert difference == 0


def test_a_read_only_disk(settings, unbroken, tmp_path, tally):
    with disk(tmp_path / "disk", megabytes=1, options=",ro") as folder:
        done = train(settings, folder / "run")
    (line,), printed = errors(done)
    assert done.returncode == 1 and "Read-only file system" in line and printed < 15
    tally("read-only workdir").caused()


def test_two_trainings_begun_together_in_one_workdir(settings, unbroken, tmp_path, tally):
    command, pipes = small.command(settings, tmp_path / "run"), dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    both = [subprocess.Popen(command, env=ENVIRONMENT, text=True, **pipes) for _ in range(2)]
    logs = [process.communicate(timeout=300)[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 1], logs
    refused = next(log for process, log in zip(both, logs, strict=True) if process.returncode)
    assert "is being written by process" in refused and "Traceback" not in refused
    difference = lost(settings, tmp_path / "run", unbroken)
    tally("two trainings in one workdir").caused(lost=difference)
    assert difference == 0


def test_a_clock_that_is_set_back(settings, unbroken, tmp_path, tally, monkeypatch):
    run = shutil.copytree(unbroken, tmp_path / "run")
    longer = settings.copy_and_resolve_references()
    longer.steps = 14
    real = time.time
    monkeypatch.setattr(training.time, "time", lambda: real() - 86400)
    assert training.train_and_evaluate(longer, run) is not None
    lines = small.final(longer, run)[1]
    assert [line["step"] for line in lines] == sorted(line["step"] for line in lines) and lines[-1]["step"] == 14
    tally("clock set back by a day").caused()
