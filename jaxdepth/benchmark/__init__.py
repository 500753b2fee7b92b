"""What the networks cost, and how fast this machine is: `python launch/benchmark.py`."""

import json
import pathlib

from jaxdepth import config, workdir
from jaxdepth.benchmark import data, networks, record

MEASUREMENTS = {"networks": networks.measure, "data": lambda settings: data.measure()}


def run(names, configs, output=None) -> list[dict]:
    """Make the measurements `names` of MEASUREMENTS (none: all), print them as a table and return their rows.

    `configs` is a folder of settings; each network is taken as its file there describes it.
    With `output`, also write {"machine": {...}, "rows": [...]} to that JSON file. Raises ValueError for unknown names.
    """
    for name in names:
        if name not in MEASUREMENTS:
            raise ValueError(f"benchmark {name!r}: expected one of {', '.join(MEASUREMENTS)}")
    settings = {path.stem: config.load(path) for path in sorted(pathlib.Path(configs).glob("*.py"))}
    if not settings:
        raise FileNotFoundError(f"configs {str(configs)!r}: no settings (*.py) in it")
    rows = [row for name in names or MEASUREMENTS for row in MEASUREMENTS[name](settings)]
    print(record.table(rows))
    if output:
        written = {"machine": record.machine(), "rows": rows}
        workdir.write_atomically(output, (json.dumps(written, indent=2) + "\n").encode())
    return rows
