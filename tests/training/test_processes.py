"""The same run over two processes with two devices each, as on two hosts."""

import os
import pathlib
import socket
import subprocess
import sys

import fake_nyu
import pytest
import small

from jaxdepth import train
from jaxdepth.data import splits
from jaxdepth.runs import metrics_log

RUN = """
import os, sys
import jax
jax.distributed.initialize(os.environ["COORDINATOR"], 2, int(os.environ["PROCESS"]))
assert jax.device_count() == 4 and jax.local_device_count() == 2
import small
from jaxdepth import train
train.train_and_evaluate(small.settings(sys.argv[1], steps=4, **{"data.batches": sys.argv[3]}), sys.argv[2])
"""


@pytest.mark.slow
@pytest.mark.parametrize("batches", ["device", "tfdata"])
def test_two_processes_train_what_one_does(tmp_path, monkeypatch, batches):
    monkeypatch.setenv("JAXDEPTH_CACHE", str(tmp_path / "cache"))
    train_ids, val_ids = splits.nyu_lists()["dev"]
    data, one, two = tmp_path / "nyu_depth_v2_labeled.mat", tmp_path / "one", tmp_path / "two"
    fake_nyu.write_mat(data, 12, ids=sorted([*train_ids[:9], *val_ids[:3]]))
    train.train_and_evaluate(small.settings(data, steps=4, **{"data.batches": batches}), one)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    tests = pathlib.Path(__file__).parents[1]
    environment = os.environ | {
        "COORDINATOR": address,
        "JAX_NUM_CPU_DEVICES": "2",
        "PYTHONPATH": os.pathsep.join([str(tests), str(tests.parent)]),
    }
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", RUN, data, two, batches],
            env=environment | {"PROCESS": str(process)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for process in range(2)
    ]
    logs = [process.communicate(timeout=300)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], "\n".join(log[-2000:] for log in logs)

    expected, found = metrics_log.read(one), metrics_log.read(two)
    assert [line["step"] for line in found] == [line["step"] for line in expected]
    for a, b in zip(expected, found, strict=True):
        for name in a.keys() - {"wall_time"}:
            assert b[name] == pytest.approx(a[name], rel=2e-4, abs=1e-5), name
