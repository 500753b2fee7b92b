"""One row for each number, the machine that it belongs to, and the table of them."""

import os
import platform

import jax

COLUMNS = ("what", "network", "batch", "unit", "ours", "peer", "peer_name", "ratio")


def row(what, *, batch, unit, ours, network=None, peer=None, peer_name=None):
    """A number and, where there is one, the same of another implementation.

    `unit` names a rate where it ends in /s: more is better, and the ratio is peer / ours. Of all else less is better.
    """
    ratio = None if peer is None else peer / ours if unit.endswith("/s") else ours / peer
    return dict(
        what=what, network=network, batch=batch, unit=unit, ours=ours, peer=peer, peer_name=peer_name, ratio=ratio
    )


def table(rows) -> str:
    """The rows as aligned text."""
    cells = [COLUMNS, *([_shown(row[column]) for column in COLUMNS] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells
    )


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


def _shown(value):
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
