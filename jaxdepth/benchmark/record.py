"""One row for each number, the machine that it belongs to, and the table of them."""

import datetime
import os
import pathlib
import platform

import jax

COLUMNS = ("what", "network", "batch", "dtype", "unit", "ours", "peer", "peer_name", "ratio")


def row(
    what,
    *,
    unit,
    ours,
    network=None,
    batch=None,
    dtype=None,
    quartiles=None,
    peer=None,
    peer_quartiles=None,
    peer_name=None,
):
    """A number and, where there is one, the same of another implementation. Below 1 the ratio is better.

    Where `unit` ends in /s it is a rate, and the ratio is peer / ours; else it is a cost, and the ratio is ours / peer.
    `quartiles` are the first and the third of the measured values of which `ours` is the median.
    """
    ratio = None if peer is None else peer / ours if unit.endswith("/s") else ours / peer
    return dict(
        what=what,
        network=network,
        batch=batch,
        dtype=dtype,
        unit=unit,
        ours=ours,
        quartiles=quartiles,
        peer=peer,
        peer_quartiles=peer_quartiles,
        peer_name=peer_name,
        ratio=ratio,
    )


def table(rows) -> str:
    """The rows as aligned text."""
    cells = [COLUMNS, *([_shown(row[column]) for column in COLUMNS] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells
    )


def machine() -> dict:
    """What the numbers depend on: day, device, processor, versions, and how memory is taken."""
    devices = jax.devices()
    return {
        "date": datetime.date.today().isoformat(),
        "device": devices[0].device_kind,
        "devices": len(devices),
        "cpu": _processor(),
        "cpu_cores": os.cpu_count(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "jax": jax.__version__,
        "GLIBC_TUNABLES": os.environ.get("GLIBC_TUNABLES", ""),
    }


def _processor():
    """The name that Linux gives the processor; elsewhere what Python knows."""
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), platform.processor())


def _shown(value):
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
