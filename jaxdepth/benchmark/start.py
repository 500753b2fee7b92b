"""Waiting times in a fresh process: for the import, the first prediction, and the first training step."""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

from jaxdepth.benchmark.record import row
from jaxdepth.runs import metrics_log

_ROOT = pathlib.Path(__file__).parents[2]  # of the clone, or the folder that the package is installed in


def measure(*, repetitions=3) -> list[dict]:
    """Measures two imports, and the waits for the first prediction and the first step, with empty caches and kept ones.

    The wait for the first prediction is that of a process that imports jaxdepth, loads the network of the package and
    predicts one array. The wait for the first step, of the quick configuration, goes from the start of the command to
    the line of step 1 in metrics.jsonl: imports, rooms, compilation and the step itself. The caches hold compiled
    programs and rendered rooms.

    Args:
      repetitions: of each measurement, of which the shortest counts; with empty caches, each is measured once.

    Returns:
      Six rows, in seconds.

    Raises:
      RuntimeError: if a process fails.
    """
    imports = [_seconds([sys.executable, "-c", "import jaxdepth"]) for _ in range(repetitions)]
    everything = [_seconds([sys.executable, "-c", "import jaxdepth.train"]) for _ in range(repetitions)]
    with tempfile.TemporaryDirectory() as folder:
        predictions = [_first_prediction(pathlib.Path(folder)) for _ in range(1 + repetitions)]
        firsts = [_first_step(pathlib.Path(folder), number) for number in range(1 + repetitions)]
    return [
        row("import jaxdepth", unit="s", ours=min(imports)),
        row("import jaxdepth.train", unit="s", ours=min(everything)),
        row("first prediction, cold", network="the package's", batch=1, unit="s", ours=predictions[0]),
        row(
            "first prediction, kept compilations", network="the package's", batch=1, unit="s", ours=min(predictions[1:])
        ),
        row("first step, cold", network="kscale:quick", batch=8, unit="s", ours=firsts[0]),
        row("first step, kept compilations", network="kscale:quick", batch=8, unit="s", ours=min(firsts[1:])),
    ]


def _seconds(command, **environment):
    """Seconds that a command takes."""
    start = time.perf_counter()
    done = subprocess.run(command, cwd=_ROOT, env={**os.environ, **environment}, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: exit code {done.returncode}: {done.stderr.strip()[-500:]}")
    return time.perf_counter() - start


def _first_prediction(folder):
    """Seconds of a process that predicts one picture; all share the compiled programs in `folder`."""
    code = "import jaxdepth, numpy; jaxdepth.load().predict(numpy.zeros((480, 640, 3), 'uint8'))"
    environment = {"JAX_COMPILATION_CACHE_DIR": str(folder / "predicting"), "JAX_ENABLE_COMPILATION_CACHE": "true"}
    environment["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.1"  # as the commands have it
    return _seconds([sys.executable, "-c", code], **environment)


def _first_step(folder, number):
    """Seconds to the first step of run `number`; all runs share the caches in `folder`."""
    workdir = folder / f"run{number}"
    command = [sys.executable, "-m", "jaxdepth", "train", "--config=kscale:quick", "--config.steps=1"]
    command += [f"--workdir={workdir}"]
    environment = {"JAXDEPTH_CACHE": str(folder / "cache"), "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled")}
    start = time.time()
    _seconds(command, JAX_ENABLE_COMPILATION_CACHE="true", **environment)
    return metrics_log.read(workdir)[0]["wall_time"] - start
