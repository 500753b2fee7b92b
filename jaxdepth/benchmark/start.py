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
    """Rows for `import jaxdepth.train`, and for the first step cold and with the compile cache, at their least.

    A first step is what lies between the start of the command and the line of step 1 in metrics.jsonl: the imports, the
    rendering of the rooms, compilation and the step itself.
    """
    imports = [_seconds([sys.executable, "-c", "import jaxdepth"]) for _ in range(repetitions)]
    everything = [_seconds([sys.executable, "-c", "import jaxdepth.train"]) for _ in range(repetitions)]
    with tempfile.TemporaryDirectory() as folder:
        firsts = [_first_step(pathlib.Path(folder), number) for number in range(1 + repetitions)]
    return [
        row("import jaxdepth", unit="s", ours=min(imports)),
        row("import jaxdepth.train", unit="s", ours=min(everything)),
        row("first step, cold", network="kscale:quick", batch=8, unit="s", ours=firsts[0]),
        row("first step, compile cache", network="kscale:quick", batch=8, unit="s", ours=min(firsts[1:])),
    ]


def _seconds(command):
    start = time.perf_counter()
    subprocess.run(command, check=True, cwd=_ROOT)
    return time.perf_counter() - start


def _first_step(folder, number):
    workdir = folder / f"run{number}"
    command = [sys.executable, _ROOT / "launch" / "train.py", f"--config={_ROOT}/configs/kscale.py:quick"]
    command += [f"--workdir={workdir}", "--config.steps=1"]
    environment = {**os.environ, "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled")}
    environment["JAX_ENABLE_COMPILATION_CACHE"] = "true"
    start = time.time()
    subprocess.run(command, check=True, cwd=_ROOT, env=environment, capture_output=True)
    return json.loads((workdir / "metrics.jsonl").read_text().splitlines()[0])["wall_time"] - start
