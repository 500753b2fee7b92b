"""What the networks cost, and how fast this machine is: `python launch/benchmark.py`."""

import json
import pathlib

from jaxdepth import config, models
from jaxdepth.benchmark import data, growth, networks, profile, record, sources, start, steps
from jaxdepth.runs import workdir

# name -> (settings, batch sizes, compute dtype) -> rows
MEASUREMENTS = {
    "networks": lambda settings, batches, dtype: networks.measure(settings),
    "data": lambda settings, batches, dtype: data.measure() + sources.measure(settings),
    "start": lambda settings, batches, dtype: start.measure(),
    "steps": lambda settings, batches, dtype: steps.measure(settings, batches=batches, dtype=dtype),
    "profile": lambda settings, batches, dtype: profile.measure(settings, batch=batches[0], dtype=dtype),
    "growth": lambda settings, batches, dtype: growth.measure(settings, batch=batches[0], dtype=dtype),
}


def run(names, configs, *, batches=(8,), dtype="float32", output=None) -> list[dict]:
    """Make the measurements `names` of MEASUREMENTS (none: all), print them as a table and return their rows.

    Args:
      configs: a folder of settings; each network is taken as its file there describes it.
      batches: batch sizes of `steps`; `profile` and `growth` take the first.
      dtype: compute dtype of `steps`, `profile` and `growth`.
      output: a JSON file for {"machine": {...}, "rows": [...]}.

    Raises:
      ValueError: for an unknown name or dtype, or a batch size below 1.
    """
    for name in names:
        if name not in MEASUREMENTS:
            raise ValueError(f"benchmark {name!r}: expected one of {', '.join(MEASUREMENTS)}")
    if dtype not in models.DTYPES:
        raise ValueError(f"dtype={dtype!r}: expected one of {', '.join(models.DTYPES)}")
    if not batches or min(batches) < 1:
        raise ValueError(f"batches={tuple(batches)}: expected numbers of 1 or more")
    settings = {path.stem: config.load(path) for path in sorted(pathlib.Path(configs).glob("*.py"))}
    if not settings:
        raise FileNotFoundError(f"configs {str(configs)!r}: no settings (*.py) in it")
    workdir.check_output(output)
    rows = []
    for name in names or MEASUREMENTS:
        made = MEASUREMENTS[name](settings, batches, dtype)
        print(record.table(made), flush=True)
        rows += made
    if output:
        written = {"machine": record.machine(), "rows": rows}
        workdir.write_atomically(output, (json.dumps(written, indent=2) + "\n").encode())
    return rows
