"""Arrays on the disk that are made once: converted frames of files, rendered rooms."""

import hashlib
import json
import os
import pathlib
import shutil
import tempfile
import time

import numpy as np
from absl import logging

from jaxdepth.data.frames import Rows

_LARGE = 1 << 28  # bytes
_DAY = 86400  # seconds


def arrays(kind, key, make, *, cache_dir=None):
    """The memory-mapped arrays of an entry and the facts about it, made where it is missing or damaged.

    Args:
      kind: how the entry's folder begins, "nyu", "folder" or "rooms".
      key: all that the arrays depend on, for JSON.
      make: `make(folder) -> facts`, a dict for JSON; writes NAME.npy files into the folder.
      cache_dir: where entries are kept; None: the environment variable JAXDEPTH_CACHE, else ~/.cache/jaxdepth.

    Returns:
      {name: array, not writeable}, facts. Small arrays are memory-mapped. Of large ones, `Rows`, a frame is read when
      it is asked for: what a process has read of a mapped file would stay in its memory.

    Raises:
      ValueError: where an entry cannot be read back right after it was written.
      OSError: where it cannot be written; nothing of it is left then.
    """
    root = pathlib.Path(cache_dir or os.environ.get("JAXDEPTH_CACHE") or "~/.cache/jaxdepth").expanduser()
    folder = root / f"{kind}-{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]}"
    cached = _load(folder)
    if cached is not None:
        logging.info("%s: kept from an earlier run", folder)
        return cached
    logging.info("%s: made now, and kept for later runs", folder)
    _build(folder, key, make)
    cached = _load(folder)
    if cached is None:
        raise ValueError(f"{folder}: the cache cannot be read back right after it was written")
    return cached


def create(folder: pathlib.Path, name, shape, dtype) -> np.ndarray:
    """The array NAME.npy in `folder`, memory-mapped to be written, with all its bytes reserved on the disk.

    Otherwise a disk that is full would end the process by a signal, at the first page that finds no place.
    """
    path = folder / f"{name}.npy"
    array = np.lib.format.open_memmap(path, "w+", dtype, shape)
    if hasattr(os, "posix_fallocate"):
        with open(path, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array


def _load(folder: pathlib.Path):
    """The arrays and facts of an entry; None where there is none or a file of it is damaged."""
    if not folder.exists():
        return None
    try:
        meta = json.loads((folder / "meta.json").read_text())
        arrays = {}
        for name, (shape, dtype) in meta["arrays"].items():
            array = np.load(
                folder / f"{name}.npy", mmap_mode="r"
            )  # raises where the file is shorter than its header says
            if array.shape != tuple(shape) or array.dtype != dtype:
                raise ValueError(f"{name}.npy is {array.shape} {array.dtype}, expected {shape} {dtype}")
            arrays[name] = np.asarray(array) if array.nbytes < _LARGE else _rows(folder / f"{name}.npy", array)
        return arrays, meta["facts"]
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        logging.warning("%s: damaged cache is made anew: %s", folder, error)
        return None


def _rows(file, array):
    return Rows(lambda i: np.array(np.load(file, mmap_mode="r")[i]), array.shape, array.dtype)


def _remove_left_behind(root: pathlib.Path):
    """Remove what killed processes began and could not remove: unfinished entries that nothing wrote to for a day."""
    for unfinished in root.glob("*.part-*"):
        try:
            written = max(path.stat().st_mtime for path in (unfinished, *unfinished.iterdir()))
        except OSError:  # its maker has just finished it
            continue
        if written < time.time() - _DAY:
            logging.info("%s: left behind by a process that was killed, removed", unfinished)
            shutil.rmtree(unfinished, ignore_errors=True)


def _build(folder: pathlib.Path, key, make):
    """Make the entry in a temporary folder and rename it to `folder`: whatever has that name is complete.

    Another process may do the same at the same time: the first to rename wins, the second's work is dropped.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_left_behind(folder.parent)
    temporary = pathlib.Path(tempfile.mkdtemp(prefix=f"{folder.name}.part-", dir=folder.parent))
    try:
        facts = make(temporary)
        made = {file.stem: np.load(file, mmap_mode="r") for file in sorted(temporary.glob("*.npy"))}
        shapes = {name: [list(array.shape), str(array.dtype)] for name, array in made.items()}
        meta = {"key": key, "facts": facts, "arrays": shapes}
        (temporary / "meta.json").write_text(json.dumps(meta, indent=1))
        if folder.exists() and _load(folder) is None:
            damaged = folder.with_name(f"{temporary.name}.damaged")
            folder.rename(damaged)  # in one step, so that no process meets it half removed
            shutil.rmtree(damaged)
        try:
            temporary.rename(folder)
        except OSError:
            if _load(folder) is None:
                raise
    except OSError as error:
        if error.filename is not None:
            raise
        raise OSError(f"{folder}: it could not be made: {error}") from error  # a full disk says of no file
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
