"""How long one waits: for the import, and for the first step of the quick configuration, each in a fresh process."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from jaxdepth.benchmark.record import row

_ROOT = pathlib.Path(__file__).parents[2]


def measure(*, repetitions=3) -> list[dict]:
    """Rows for two imports, and for the first step on an empty cache and on what an earlier run kept, at their least.

    A first step is what lies between the start of the command and the line of step 1 in metrics.jsonl: the imports, the
    rooms, compilation and the step itself. Kept are the compiled programs and the rendered rooms.
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
    start = time.perf_counter()
    done = subprocess.run(command, cwd=_ROOT, env={**os.environ, **environment}, capture_output=True, text=True)
    if done.returncode:
        raise ValueError(f"{' '.join(map(str, command))}: exit code {done.returncode}: {done.stderr.strip()[-500:]}")
    return time.perf_counter() - start


def _first_step(folder, number):
    workdir = folder / f"run{number}"
    command = [sys.executable, _ROOT / "launch" / "train.py", f"--config={_ROOT}/configs/kscale.py:quick"]
    command += [f"--workdir={workdir}", "--config.steps=1"]
    environment = {"JAXDEPTH_CACHE": str(folder / "cache"), "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled")}
    start = time.time()
    _seconds(command, JAX_ENABLE_COMPILATION_CACHE="true", **environment)
    return json.loads((workdir / "metrics.jsonl").read_text().splitlines()[0])["wall_time"] - start
