"""Raw recordings: killed, without room, without a worker; the same command then makes the same bytes."""

import errno
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest
import raw_scenes
from caused import disk
from prepare_command import ENVIRONMENT, LAUNCH
from prepared import content

pytest.importorskip("apache_beam", reason="Apache Beam is not installed: pip install 'jaxdepth[beam]'")
pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw")
    for seed in range(6):
        raw_scenes.write_folder(folder, f"den_{seed:04d}", raw_scenes.files(seed, count=24))
    return folder


def command(raw, to):
    flags = (f"--to={to}", "--all_scenes", "--count=16", "--size=320x240", "--workers=2", f"--output={to}.png")
    return [sys.executable, LAUNCH, "nyu_raw", raw, *flags]


def run(raw, to):
    return subprocess.run(command(raw, to), env=ENVIRONMENT, capture_output=True, text=True)


@pytest.fixture(scope="module")
def whole(raw, tmp_path_factory):
    """(the content without a fault, seconds that it takes)."""
    to, start = tmp_path_factory.mktemp("whole") / "to", time.monotonic()
    run(raw, to).check_returncode()
    return content(to), time.monotonic() - start


def lost(to, whole):
    there = content(to)
    return sum(there.get(name) != value for name, value in whole[0].items()) + len(there.keys() - whole[0].keys())


def descendants(pid):
    """The processes that a process has started, and those that they have; without what it says of where."""
    parents = {}
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has just ended
            continue
    found, new = set(), {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new} - found
        found |= new
    return found


def command_line(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def is_worker(pid):
    return b"sdk_worker_main" in (line := command_line(pid)) and not line.startswith(b"/bin/sh")


def workers_of(process, seconds=60):
    """Waits for both workers of Beam."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        if len(found := [pid for pid in descendants(process.pid) if is_worker(pid)]) == 2:
            return found
        time.sleep(0.05)
    raise AssertionError("no workers")


def wait_until_gone(pids, seconds=10):
    end = time.monotonic() + seconds
    while left := [pid for pid in pids if pathlib.Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() < end, left
        time.sleep(0.05)


def test_killed_at_ten_random_moments(raw, whole, tmp_path, tally):
    """The whole group, as by a machine that stops; then the same command goes on, until it is not killed."""
    draw, killed, to = random.Random(0), 0, tmp_path / "to"
    while killed < 10:
        with subprocess.Popen(command(raw, to), env=ENVIRONMENT, start_new_session=True, stderr=subprocess.PIPE) as one:
            try:
                one.communicate(timeout=draw.uniform(0.2, 0.8) * whole[1])
            except subprocess.TimeoutExpired:
                started = descendants(one.pid)
                os.killpg(one.pid, signal.SIGKILL)
                one.communicate()
                wait_until_gone(started)
                killed += 1
        if one.returncode == 0:
            assert lost(to, whole) == 0
            to = tmp_path / f"to{killed}"
    assert run(raw, to).returncode == 0
    difference = lost(to, whole)
    for _ in range(killed):
        tally("SIGKILL to all of nyu_raw").caused(lost=difference)
    assert difference == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_ended_by_a_signal_no_process_is_left(raw, whole, tmp_path, tally, number):
    with subprocess.Popen(command(raw, tmp_path / "to"), env=ENVIRONMENT, stderr=subprocess.PIPE) as process:
        workers_of(process)
        started = descendants(process.pid)
        process.send_signal(number)
        told = process.communicate(timeout=10)[1]
    wait_until_gone(started)
    assert process.returncode == -number and b"Traceback" not in told
    run(raw, tmp_path / "to").check_returncode()
    difference = lost(tmp_path / "to", whole)
    tally(f"{number.name} to nyu_raw").caused(lost=difference)
    assert difference == 0


@pytest.mark.parametrize("late", [0.05, 0.2, 0.5])
def test_ctrl_c_while_beam_starts_is_quiet(raw, tmp_path, late):
    """In a terminal it reaches all processes."""
    options = dict(env=ENVIRONMENT, stderr=subprocess.PIPE, start_new_session=True)
    with subprocess.Popen(command(raw, tmp_path / "to"), **options) as process:
        while not [pid for pid in descendants(process.pid) if b"spawn_main" in command_line(pid)]:
            assert process.poll() is None
            time.sleep(0.01)
        started = descendants(process.pid)
        time.sleep(late)
        os.killpg(process.pid, signal.SIGINT)
        told = process.communicate(timeout=10)[1]
    wait_until_gone(started)
    assert process.returncode == -signal.SIGINT and not told


@pytest.mark.parametrize("late", [0, 1.5])
def test_a_worker_that_is_killed(raw, whole, tmp_path, tally, late):
    with subprocess.Popen(command(raw, tmp_path / "to"), env=ENVIRONMENT, stderr=subprocess.PIPE, text=True) as process:
        pid = workers_of(process)[0]
        time.sleep(late)
        os.kill(pid, signal.SIGKILL)
        told = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    (line,) = told.splitlines()
    assert line.startswith("error: a worker process was lost")
    run(raw, tmp_path / "to").check_returncode()
    difference = lost(tmp_path / "to", whole)
    tally("SIGKILL to a worker of nyu_raw").caused(lost=difference)
    assert difference == 0


@pytest.mark.parametrize("megabytes", [0.3, 3, 12, 17.5, 18.5, 19.1])
def test_a_disk_that_becomes_full(raw, whole, tmp_path, tally, megabytes):
    """In a part, in a shard, or at the end; then there is room, and the same command goes on."""
    with disk(tmp_path / "disk", megabytes=200) as folder:
        (folder / "filler").write_bytes(bytes(int(shutil.disk_usage(folder).free - 1e6 * megabytes)))
        done = run(raw, folder / "to")
        lines = done.stderr.splitlines()
        full = os.strerror(errno.ENOSPC)
        assert done.returncode == 1 and lines[0].startswith("error: ") and len(lines) <= 12, done.stderr
        assert full in done.stderr or "could not be written" in done.stderr or "was written" in done.stderr
        assert not list(folder.rglob("dataset_info.json")) and not list(folder.rglob("*.growing"))
        (folder / "filler").unlink()
        run(raw, folder / "to").check_returncode()
        difference = lost(folder / "to", whole)
        tally("disk full in nyu_raw").caused(lost=difference)
        assert difference == 0
