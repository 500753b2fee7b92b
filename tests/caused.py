"""Runs of the real commands for the tests that cause faults, and what differs after them."""

import contextlib
import os
import pathlib
import shutil
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
    mount = ["mount", "-t", "tmpfs", "-o", f"size={int(1000 * megabytes)}k{options}", "tmpfs", folder]
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


def data_file(path, item="model"):
    """The largest file of an item of the checkpoint at `path`: its arrays."""
    return max((file for file in (path / item).rglob("*") if file.is_file()), key=lambda file: file.stat().st_size)


def flip(file, at):
    """Changes a bit, at this share of the file's length."""
    data = bytearray(file.read_bytes())
    data[int(at * len(data))] ^= 4
    file.write_bytes(data)


def remove(path):
    shutil.rmtree(path) if path.is_dir() else path.unlink()


DAMAGE = {  # of the checkpoint at a path
    "a bit changed": lambda path: flip(data_file(path), 0.5),
    "a bit of the optimizer changed": lambda path: flip(data_file(path, "optimizer"), 0.5),
    "cut": lambda path: data_file(path).write_bytes(data_file(path).read_bytes()[:1000]),
    "emptied": lambda path: data_file(path).write_bytes(b""),
    "missing": lambda path: data_file(path).unlink(),
    "manifest emptied": lambda path: (path / "model" / "manifest.ocdbt").write_bytes(b""),
    "tree emptied": lambda path: (path / "model" / "_METADATA").write_bytes(b""),
    "metadata emptied": lambda path: (path / "_CHECKPOINT_METADATA").write_bytes(b""),
    "no metadata": lambda path: (path / "_CHECKPOINT_METADATA").unlink(),
    "no model": lambda path: remove(path / "model"),
    "no optimizer": lambda path: remove(path / "optimizer"),
    "nothing in it": lambda path: [remove(inner) for inner in path.iterdir()],
}
