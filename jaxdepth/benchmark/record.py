"""One row for each number, the table of the rows, and the machine that they were measured on."""

import datetime
import os
import pathlib
import platform

import jax

COLUMNS = ("what", "network", "batch", "dtype", "unit", "ours", "peer", "peer_name", "speedup")


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
    """A measured number, beside that of another implementation if there is one.

    Args:
      what: what was measured.
      unit: of the number. It is a rate if its unit ends in "/s", otherwise a cost, such as a time.
      ours: the number; the median if it was measured several times.
      network: name of the network, or None.
      batch: batch size, or None.
      dtype: compute dtype, or None.
      quartiles: first and third quartile of the measured values, or None.
      peer: the same number of another implementation, or None.
      peer_quartiles: its quartiles, or None.
      peer_name: name and version of the other implementation, or None.

    Returns:
      A dict of the arguments, and "speedup", see `speedup`.
    """
    made = dict(
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
    )
    return made | {"speedup": speedup(made)}


def speedup(row) -> float | None:
    """How many times as fast ours is; above 1 is better, for times as for rates.

    Args:
      row: from `row`, or a row of a JSON file.

    Returns:
      Peer / ours for a cost, ours / peer for a rate; None without a peer.
    """
    ours, peer = row["ours"], row["peer"]
    if peer is None:
        return None
    return ours / peer if row["unit"].endswith("/s") else peer / ours


def show_speedup(value) -> str:
    """A speed-up with two digits, or more above 100: "0.92x", "2.8x", "41x", "120x"."""
    return f"{value:.0f}x" if value >= 9.95 else f"{value:#.2g}x"


def table(rows) -> str:
    """The rows as aligned text under the header COLUMNS."""
    cells = [COLUMNS, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells
    )


def machine() -> dict:
    """What the numbers depend on: day, device, processor, versions, and how memory is allocated."""
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
    """The processor's name from Linux; elsewhere from Python."""
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), platform.processor())


def _cells(row):
    """The cells of a row's line; the speed-up is computed, not read from the row."""
    times = speedup(row)
    return [*(_shown(row[column]) for column in COLUMNS[:-1]), "-" if times is None else show_speedup(times)]


def _shown(value):
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
