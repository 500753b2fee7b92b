"""Waiting times in a fresh process: for the import, and for the first training step of the quick configuration."""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

from jaxdepth.benchmark.record import row
from jaxdepth.runs import metrics_log

_ROOT = pathlib.Path(__file__).parents[2]


def measure(*, repetitions=3) -> list[dict]:
    """Measures two imports and the wait for the first step, with empty caches and with those of an earlier run.

    The wait for the first step goes from the start of the command to the line of step 1 in metrics.jsonl: imports,
    rooms, compilation and the step itself. The caches hold compiled programs and rendered rooms.

    Args:
      repetitions: of each measurement, of which the shortest counts; the first step with empty caches is measured once.

    Returns:
      Four rows, in seconds.

    Raises:
      RuntimeError: if a process fails.
    """
    imports = [_seconds([sys.executable, "-c", "import jaxdepth"]) for _ in range(repetitions)]
    everything = [_seconds([sys.executable, "-c", "import jaxdepth.train"]) for _ in range(repetitions)]
    with tempfile.TemporaryDirectory() as folder:
        firsts = [_first_step(pathlib.Path(folder), number) for number in range(1 + repetitions)]
    return [
        row("import jaxdepth", unit="s", ours=min(imports)),
        row("import jaxdepth.train", unit="s", ours=min(everything)),
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


def _first_step(folder, number):
    """Seconds to the first step of run `number`; all runs share the caches in `folder`."""
    workdir = folder / f"run{number}"
    command = [sys.executable, _ROOT / "launch" / "train.py", f"--config={_ROOT}/configs/kscale.py:quick"]
    command += [f"--workdir={workdir}", "--config.steps=1"]
    environment = {"JAXDEPTH_CACHE": str(folder / "cache"), "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled")}
    start = time.time()
    _seconds(command, JAX_ENABLE_COMPILATION_CACHE="true", **environment)
    return metrics_log.read(workdir)[0]["wall_time"] - start
