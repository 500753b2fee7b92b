"""Runs of the real commands for the tests that cause faults, and what differs after them."""

import contextlib
import os
import pathlib
import subprocess

import pytest
import small

ENVIRONMENT = os.environ | {"JAX_NUM_CPU_DEVICES": "1"}


def train(settings, folder):
    """Runs a training to its end."""
    return subprocess.run(small.command(settings, folder), env=ENVIRONMENT, capture_output=True, text=True)


def lost(settings, folder, expected):
    """How many bytes of a run's last state and log differ from those of an undisturbed run."""
    (bits, lines), (bits_there, lines_there) = (small.final(settings, run) for run in (folder, expected))
    state = sum(len(x) for name, x in bits_there.items() if bits.get(name) != x)
    return state + abs(len(repr(lines)) - len(repr(lines_there))) + (lines != lines_there)


@contextlib.contextmanager
def disk(folder, *, megabytes, options=""):
    """A small disk of its own at a folder; skips where none can be mounted."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m{options}", "tmpfs", folder]
    try:
        done = subprocess.run(mount, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("no command mount")
    if done.returncode:
        pytest.skip(f"no small disk can be mounted: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
