"""Measurements of speed on the machine at hand: `python launch/benchmark.py`."""

import json
import os
import platform
import time
from itertools import islice

import jax
import numpy as np

from jaxdepth import workdir

_COLUMNS = ("what", "network", "batch", "unit", "ours", "peer", "peer_name", "ratio")


def data(*, batches=60) -> list[dict]:
    """Examples a second out of `pipeline.train_batches`: batches of 8, the paper's augmentation (section 3.2).

    Frames of 240x320 lie in memory and hold noise: what they show does not change the cost.
    """
    from jaxdepth.data import pipeline  # imports tensorflow
    from jaxdepth.data.frames import Frames

    count, size, batch_size = 64, (240, 320), 8
    rng = np.random.default_rng(0)
    depths = rng.uniform(0.5, 10, (count, *size)).astype(np.float32)
    frames = Frames(
        name="rooms",
        images=rng.integers(0, 256, (count, *size, 3), np.uint8),
        depths=depths,
        labels=np.zeros((count, *size), np.uint16),
        ids=np.arange(count),
        intrinsics=(1.0, 1.0, 0.0, 0.0),
        full_depth=depths.__getitem__,
        splits={},
        counts={},
        description="noise",
    )
    stream = pipeline.train_batches(
        frames,
        np.arange(count),
        batch_size=batch_size,
        seed=0,
        crop_size=(228, 304),
        scale=(0.75, 1.25),
        rotation=5.0,
        flip=False,
        colour=0.0,
    )
    for _ in islice(stream, 5):  # fills the buffers, so that as much lies in them at the start as at the end
        pass
    start = time.perf_counter()
    for _ in islice(stream, batches):
        pass
    seconds = time.perf_counter() - start
    stream.close()
    return [_row("tfdata", batch=batch_size, unit="examples/s", ours=batches * batch_size / seconds)]


MEASUREMENTS = {"data": data}


def run(names, output=None) -> list[dict]:
    """Make the measurements `names` of MEASUREMENTS (none: all), print them as a table and return their rows.

    With `output`, also write {"machine": {...}, "rows": [...]} to that JSON file. Raises ValueError for unknown names.
    """
    for name in names:
        if name not in MEASUREMENTS:
            raise ValueError(f"benchmark {name!r}: expected one of {', '.join(MEASUREMENTS)}")
    rows = [row for name in names or MEASUREMENTS for row in MEASUREMENTS[name]()]
    table = [_COLUMNS, *([_shown(row[column]) for column in _COLUMNS] for row in rows)]
    widths = [max(map(len, cells)) for cells in zip(*table, strict=True)]
    for cells in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())
    if output:
        record = {"machine": machine(), "rows": rows}
        workdir.write_atomically(output, (json.dumps(record, indent=2) + "\n").encode())
    return rows


def machine() -> dict:
    """What the numbers depend on: the device, the processor cores and the versions."""
    devices = jax.devices()
    return {
        "device": devices[0].device_kind,
        "devices": len(devices),
        "cpu_cores": os.cpu_count(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "jax": jax.__version__,
    }


def _row(what, *, batch, unit, ours, network=None, peer=None, peer_name=None):
    ratio = None if peer is None else ours / peer
    return dict(
        what=what, network=network, batch=batch, unit=unit, ours=ours, peer=peer, peer_name=peer_name, ratio=ratio
    )


def _shown(value):
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
