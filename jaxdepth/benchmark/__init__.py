"""What the networks cost, and how fast this machine is: `python launch/benchmark.py`."""

import pathlib

from jaxdepth import config, models
from jaxdepth.benchmark import (
    growth,
    networks,
    pipelines,
    predictions,
    profile,
    raw_recordings,
    record,
    sources,
    start,
    steps,
)
from jaxdepth.data.files.writing import check_output, write_json
from jaxdepth.errors import InputError

# name -> ({name: ConfigDict}, batch sizes, compute dtype) -> rows, an iterable that may make them one by one
MEASUREMENTS = {
    "networks": lambda configs, sizes, dtype: networks.measure(configs),
    "data": lambda configs, sizes, dtype: pipelines.measure() + sources.measure(configs),
    "nyu_raw": lambda configs, sizes, dtype: raw_recordings.measure(configs),
    "predictions": lambda configs, sizes, dtype: predictions.measure(),
    "start": lambda configs, sizes, dtype: start.measure(),
    "steps": lambda configs, sizes, dtype: steps.measure(configs, batch_sizes=sizes, dtype=dtype),
    "profile": lambda configs, sizes, dtype: profile.measure(configs, batch_size=sizes[0], dtype=dtype),
    "growth": lambda configs, sizes, dtype: growth.measure(configs, batch_size=sizes[0], dtype=dtype),
}


def run(names, folder, *, batch_sizes=(8,), dtype="float32", output=None) -> list[dict]:
    """Makes measurements and prints each as a table.

    Args:
      names: of MEASUREMENTS; empty for all, without nyu_raw where Apache Beam is not installed.
      folder: of the config files; each file's network is measured as the file describes it.
      batch_sizes: of `steps`; `profile` and `growth` use the first.
      dtype: compute dtype of `steps`, `profile` and `growth`.
      output: JSON file for {"machine": {...}, "rows": [...]}, written anew after each row; None for no file.

    Returns:
      The rows, see `record.row`.

    Raises:
      InputError: for an unknown name or dtype, or a batch size below 1.
      FileNotFoundError: if `folder` holds no config file, or the folder of `output` does not exist.
    """
    for name in names:
        if name not in MEASUREMENTS:
            raise InputError(f"benchmark {name!r}: expected one of {', '.join(MEASUREMENTS)}")
    if dtype not in models.DTYPES:
        raise InputError(f"--dtype={dtype}: expected one of {', '.join(models.DTYPES)}")
    if not batch_sizes or min(batch_sizes) < 1:
        raise InputError(f"--batch={', '.join(map(str, batch_sizes))}: expected numbers of 1 or more")
    configs = {path.stem: config.load(path) for path in sorted(pathlib.Path(folder).glob("*.py"))}
    if not configs:
        raise FileNotFoundError(f"--configs={folder}: expected a folder with config files (*.py)")
    check_output(output)
    rows, machine = [], record.machine()
    for name in names or [name for name in MEASUREMENTS if name != "nyu_raw" or raw_recordings.is_possible()]:
        before = len(rows)
        for made in MEASUREMENTS[name](configs, batch_sizes, dtype):
            rows.append(made)
            if output:
                write_json(output, {"machine": machine, "rows": rows})
        print(record.table(rows[before:]), flush=True)
    return rows
