"""Arrays that are made once and kept on the disk: converted frames of files, rendered rooms."""

import contextlib
import dataclasses
import datetime
import hashlib
import json
import math
import os
import pathlib
import shutil
import tempfile
import time
import zlib

import numpy as np
from absl import logging

from jaxdepth import advice, paths
from jaxdepth.data.files.arrays import map_array, read_header
from jaxdepth.data.frames import LazyArray
from jaxdepth.errors import InputError

LIMIT = 16 << 30  # bytes of an entry, see `has_room`
_FREE_SHARE = 0.9  # of the free disk
_LARGE = 1 << 28  # bytes
_DAY = 86400  # seconds
_META = "meta.json"


def root(cache_dir=None):
    """The folder of all entries: `cache_dir`, else the environment variable JAXDEPTH_CACHE, else ~/.cache/jaxdepth.

    Raises:
      InputError: if it lies in a home folder and none is known.
    """
    return paths.cache_folder(cache_dir)


def arrays(kind, key, make, *, cache_dir=None):
    """The arrays of an entry, made if it is missing or damaged.

    Args:
      kind: start of the entry's name: "nyu", "folder" or "rooms".
      key: everything that the arrays depend on, for JSON.
      make: folder -> facts, a dict for JSON; writes NAME.npy files into the folder.
      cache_dir: see `root`.

    Returns:
      {name: read-only array}, and the facts. Small arrays are memory-mapped, and checked against their checksums. Large
      ones are lazy: each frame is read and checked when it is indexed. Pages of a mapped file would stay in the
      process's memory.

    Raises:
      InputError: if an entry cannot be read right after it was written; later, if a frame of a lazy array is damaged.
      OSError: if it cannot be written; nothing of it remains then.
    """
    folder = _entry(kind, key, cache_dir)
    cached = _load(folder)
    if cached is not None:
        logging.info("cache: %s, from an earlier run", folder)
        with contextlib.suppress(OSError):  # of a cache that others own
            (folder / _META).touch()  # for `entries`: when it was last used
        return cached
    logging.info("cache: writing %s for this and later runs", folder)
    _build(folder, key, make)
    cached = _load(folder)
    if cached is None:
        raise InputError(f"{folder}: the cache cannot be read right after it was written")
    return cached


def has(kind, key, *, cache_dir=None) -> bool:
    """Whether there is an entry, see `arrays`; it may be damaged."""
    return (_entry(kind, key, cache_dir) / _META).is_file()


def has_room(nbytes, *, cache_dir=None) -> bool:
    """Whether a new entry of `nbytes` is neither above LIMIT nor nearly all of the free disk."""
    folder = root(cache_dir).absolute()
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    return nbytes <= min(LIMIT, _FREE_SHARE * shutil.disk_usage(there).free)


def create(folder: pathlib.Path, name, shape, dtype) -> np.ndarray:
    """Creates the writable, memory-mapped array NAME.npy, with all its bytes reserved on the disk.

    Without the reservation, a full disk would end the process by a signal at the first page that finds no space.
    """
    path = folder / f"{name}.npy"
    array = np.lib.format.open_memmap(path, "w+", dtype, shape)
    if hasattr(os, "posix_fallocate"):
        with open(path, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array


@dataclasses.dataclass(frozen=True)
class Entry:
    """An entry on the disk.

    Attributes:
      folder: its folder.
      size: bytes.
      used: seconds since the epoch, when it was last used.
    """

    folder: pathlib.Path
    size: int
    used: float

    def __str__(self) -> str:
        used = datetime.datetime.fromtimestamp(self.used).strftime("%Y-%m-%d %H:%M")
        return f"{self.size / 1e6:10.1f} MB  last used {used}  {self.folder.name}"


def entries(*, cache_dir=None) -> list[Entry]:
    """All entries, the one used last first."""
    found = []
    for meta in root(cache_dir).glob(f"*-*/{_META}"):
        if ".part-" in meta.parent.name:  # unfinished
            continue
        size = sum(file.stat().st_size for file in meta.parent.iterdir())
        found.append(Entry(meta.parent, size, meta.stat().st_mtime))
    return sorted(found, key=lambda entry: -entry.used)


def remove(names, *, cache_dir=None) -> list[Entry]:
    """Removes entries.

    Args:
      names: a sequence of names of entries as `entries` lists them; "all" among them stands for every entry.
      cache_dir: see `root`.

    Returns:
      The removed entries.

    Raises:
      InputError: for a name that is not among the entries; nothing is removed then.
    """
    known = {entry.folder.name: entry for entry in entries(cache_dir=cache_dir)}
    if unknown := [name for name in names if name not in (*known, "all")]:
        raise InputError(f"cache entry {unknown[0]!r}: expected all, or some of {', '.join(known) or 'none'}")
    chosen = known if "all" in names else dict.fromkeys(names)
    for name in chosen:
        _discard(known[name].folder)
    return [known[name] for name in chosen]


def _entry(kind, key, cache_dir):
    return root(cache_dir) / f"{kind}-{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]}"


def _load(folder: pathlib.Path):
    """The arrays and facts of an entry; None if there is none, or one of its files is damaged."""
    try:
        if not folder.exists():
            return None
        meta = json.loads((folder / _META).read_text())
        checksums = meta.get("crc32", {})  # of entries from before, none
        arrays = {}
        for name, (shape, dtype) in meta["arrays"].items():
            file = folder / f"{name}.npy"
            array = map_array(file)
            if array.shape != tuple(shape) or array.dtype != dtype:
                raise ValueError(f"{name}.npy is {array.shape} {array.dtype}, expected {shape} {dtype}")
            if array.nbytes >= _LARGE:
                arrays[name] = _lazy(file, array, checksums.get(name))
            elif name in checksums and checksums[name] != _checksums(file):
                raise ValueError(f"{name}.npy has other values than were written")
            else:
                arrays[name] = np.asarray(array)
        return arrays, meta["facts"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError) as error:
        logging.warning("cache: %s is damaged and will be replaced: %s", folder, error)
        return None


def _checksums(file):
    """The CRC-32 of each frame of a .npy file."""
    with open(file, "rb") as content:
        shape, _, dtype = read_header(content)
        size = math.prod(shape[1:]) * dtype.itemsize
        return [zlib.crc32(content.read(size)) for _ in range(shape[0])]


def _lazy(file, array, checksums):
    """A LazyArray of the frames of a mapped .npy file; `checksums` is None if they are not known."""
    shape, dtype, start = array.shape, array.dtype, array.offset

    def load(i):
        size = math.prod(shape[1:])
        frame = np.fromfile(file, dtype, size, offset=start + i * size * dtype.itemsize)
        if frame.size != size or checksums is not None and zlib.crc32(frame) != checksums[i]:
            raise InputError(
                f"{file}: frame {i} is damaged: expected the values that were written; to make them again, remove them "
                + advice.typed(f"by `python launch/prepare_data.py cache remove {file.parent.name}`")
            )
        return frame.reshape(shape[1:])

    return LazyArray(load, shape, dtype)


def _remove_abandoned(folder: pathlib.Path):
    """Removes unfinished entries of killed processes: those that nothing was written to for a day."""
    for unfinished in folder.glob("*.part-*"):
        try:
            written = max(path.stat().st_mtime for path in (unfinished, *unfinished.iterdir()))
        except OSError:  # just finished
            continue
        if written < time.time() - _DAY:
            logging.info("cache: removing %s, left by a killed process", unfinished)
            shutil.rmtree(unfinished, ignore_errors=True)


def _build(folder: pathlib.Path, key, make):
    """Makes an entry in a temporary folder and renames it, so that whatever has its name is complete.

    Another process may do the same at the same time. The first to rename wins; the second's work is dropped.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = pathlib.Path(tempfile.mkdtemp(prefix=f"{folder.name}.part-", dir=folder.parent))
    except OSError as error:
        raise OSError(
            f"{folder.parent}: the cache cannot be written there ({error.strerror}): expected a folder that can be; "
            "the environment variable JAXDEPTH_CACHE names another one"
        ) from error
    _remove_abandoned(folder.parent)
    try:
        facts = make(temporary)
        files = {file.stem: file for file in sorted(temporary.glob("*.npy"))}
        made = {name: map_array(file) for name, file in files.items()}
        meta = {
            "key": key,
            "facts": facts,
            "arrays": {name: [list(array.shape), str(array.dtype)] for name, array in made.items()},
            "crc32": {name: _checksums(file) for name, file in files.items()},
        }
        (temporary / _META).write_text(json.dumps(meta))
        if folder.exists() and _load(folder) is None:
            _discard(folder)
        try:
            temporary.rename(folder)
        except OSError:
            if _load(folder) is None:
                raise
    except OSError as error:
        if error.filename is not None:
            raise
        # A full disk names no file.
        raise OSError(f"{folder}: could not be written: {error}; JAXDEPTH_CACHE names another folder") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _discard(folder: pathlib.Path):
    """Removes an entry; it disappears in one step, so that no process finds it half removed."""
    trash = pathlib.Path(tempfile.mkdtemp(prefix=f"{folder.name}.part-", dir=folder.parent))
    folder.rename(trash / "removed")
    shutil.rmtree(trash)
