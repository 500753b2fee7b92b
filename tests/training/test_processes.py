"""The same run over two processes with two devices each, as on two hosts; and one of them killed."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from types import SimpleNamespace

import fake_nyu
import numpy as np
import pytest
import small

from jaxdepth.errors import InputError
from jaxdepth.runs import metrics_log, trained
from jaxdepth.training import sharding, watchdog

STEPS = 20
COMMON = {"JAX_NUMPY_RANK_PROMOTION": "raise", "JAX_PLATFORMS": "cpu"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    with fake_nyu.dev_folder(tmp_path_factory.mktemp("data"), train=9, val=3) as folder:
        yield folder


def settings(data, **changes):
    return small.settings(data, **{"steps": STEPS, "validate_every": 5, **changes})


@contextlib.contextmanager
def start(settings, folder, *, processes, devices):
    """Starts the processes of a run, each with its own devices; those that still run at the end are killed."""
    flags = [[]]
    if processes > 1:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"--coordinator=127.0.0.1:{free.getsockname()[1]}"
        places = [f"--process={index}" for index in range(processes)]
        flags = [["--distributed", address, f"--processes={processes}", place] for place in places]
    environment = os.environ | COMMON | {"JAX_NUM_CPU_DEVICES": str(devices)}
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    started = [subprocess.Popen(small.command(settings, folder) + own, env=environment, **pipes) for own in flags]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


def run(settings, folder, *, processes, devices):
    """Runs them to the end. Returns the log's lines and the last parameters."""
    with start(settings, folder, processes=processes, devices=devices) as started:
        logs = [process.communicate(timeout=500)[1] for process in started]
        assert all(process.returncode == 0 for process in started), "\n".join(log[-2000:] for log in logs)
    return metrics_log.read(folder), small.bits(trained.read(folder).variables["params"])


@pytest.mark.parametrize(
    ("message", "lost"), [(b"bye", None), (b"", 3), (b"lost2", 2)], ids=["goodbye", "killed", "passed on"]
)
def test_the_end_of_another_process_is_told_and_passed_on(monkeypatch, capsys, message, lost):
    (here, there), (to_first, first), (reading, writing) = socket.socketpair(), socket.socketpair(), os.pipe()
    killed = []
    monkeypatch.setattr(watchdog.os, "kill", lambda pid, _: killed.append(pid))
    with here, there, to_first, first:
        there.sendall(message) if message else there.close()
        if lost is None:
            os.write(writing, b"bye")
        watchdog.watch(77, 4, reading, {3: here, 1: to_first})
        assert killed == ([] if lost is None else [77])
        assert first.recv(64) == (b"bye" if lost is None else b"lost%d" % lost)
    told = f"error: process {lost} of 4 has ended, and so does this one"
    assert (told in capsys.readouterr().err) == (lost is not None)
    for end in (reading, writing):
        os.close(end)


def test_a_killed_process_closes_its_connections_and_says_nothing(capsys):
    (here, there), (reading, writing) = socket.socketpair(), os.pipe()
    os.close(writing)
    with there:
        with here:
            watchdog.watch(77, 2, reading, {1: here})
        assert there.recv(64) == b""
    os.close(reading)
    assert not capsys.readouterr().err


def test_a_copy_of_the_parameters_lies_within_a_process(monkeypatch):
    """Otherwise its devices would be given different parts of a batch."""
    devices = [SimpleNamespace(process_index=index // 2) for index in range(4)]
    for model_parallel, refused in ((2, False), (4, True)):
        mesh = SimpleNamespace(devices=np.array(devices).reshape(-1, model_parallel))
        monkeypatch.setattr(sharding.jax, "make_mesh", lambda *_, mesh=mesh, **__: mesh)
        with pytest.raises(InputError, match="belong to several processes") if refused else contextlib.nullcontext():
            sharding.make_mesh(devices, model_parallel=model_parallel)


@pytest.mark.faults
def test_an_error_in_one_process_ends_all(data, tmp_path):
    """The first can write no line of its log any more."""
    log = tmp_path / "run" / "metrics.jsonl"
    with start(settings(data), tmp_path / "run", processes=2, devices=2) as started:
        deadline = time.monotonic() + 300
        while not metrics_log.read(tmp_path / "run") and time.monotonic() < deadline:
            time.sleep(0.1)
        log.unlink()
        log.mkdir()
        logs = [process.communicate(timeout=120)[1] for process in started]
    assert [process.returncode for process in started] == [1, -signal.SIGKILL], logs
    assert f"error: [Errno 21] Is a directory: '{log}'" in logs[0] and "stack trace" not in logs[0]
    assert "error: process 0 of 2 has ended, and so does this one" in logs[1]


@pytest.mark.faults
@pytest.mark.parametrize("batches", ["device", "tfdata"])
def test_two_processes_four_devices_and_one_train_the_same(data, tmp_path, batches):
    changed = settings(data, **{"data.batches": batches})
    (expected, params), *others = (
        run(changed, tmp_path / f"{processes}x{devices}", processes=processes, devices=devices)
        for processes, devices in ((1, 1), (1, 4), (2, 2))
    )
    for lines, other_params in others:
        assert [line["step"] for line in lines] == [line["step"] for line in expected]
        for name, value in expected[0].items():  # the first loss, and the norms of the first gradients
            if name != "wall_time":
                assert lines[0][name] == pytest.approx(value, rel=1e-5), name
        for name, value in params.items():
            a, b = (np.frombuffer(x, np.float32) for x in (value, other_params[name]))
            np.testing.assert_allclose(a, b, atol=2e-4, err_msg=name)


@pytest.mark.faults
@pytest.mark.parametrize("killed", [0, 1])
def test_one_of_two_processes_killed(data, tmp_path, killed):
    """The other ends within a minute in one sentence, and the same command continues, here with other devices too."""
    folder = tmp_path / "run"
    with start(settings(data), folder, processes=2, devices=2) as started:
        deadline = time.monotonic() + 300
        while len(metrics_log.read(folder)) < 6 and time.monotonic() < deadline:
            time.sleep(0.1)
        started[killed].kill()
        killed_at = time.monotonic()
        _, log = started[1 - killed].communicate(timeout=60)
        seconds = time.monotonic() - killed_at
    assert started[1 - killed].returncode == -signal.SIGKILL
    errors = [line for line in log.splitlines() if line.startswith("error: ")]
    ended = f"error: process {killed} of 2 has ended, and so does this one"
    assert errors == [f"{ended}; the same command continues from the last checkpoint"]
    assert "Traceback" not in log and "stack trace" not in log
    print(f"process {killed} killed: the other ended after {seconds:.1f} s")
    shutil.copytree(folder, tmp_path / "copy")
    lines, _ = run(settings(data), folder, processes=2, devices=2)
    assert lines[-1]["step"] == STEPS
    lines, _ = run(settings(data), tmp_path / "copy", processes=1, devices=1)
    assert lines[-1]["step"] == STEPS
