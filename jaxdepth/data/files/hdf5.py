"""Reads HDF5 files of strangers: nothing outside the file, and sizes are checked before memory is taken."""

import contextlib
import math
import os
import zlib

import h5py
import numpy as np

from jaxdepth.errors import InputError

MAX_CHUNK = 1 << 27  # bytes, unpacked
_DEFLATE = h5py.h5z.FILTER_DEFLATE
_FILTERS = {_DEFLATE: "gzip", h5py.h5z.FILTER_SHUFFLE: "shuffle", h5py.h5z.FILTER_FLETCHER32: "fletcher32"}
_MAX_RATIO = 1032  # of deflate


@contextlib.contextmanager
def open_file(path):
    """Opens an HDF5 file for reading; InputError if it is none, or if a table in it turns out to be damaged."""
    if os.path.isdir(path):
        raise InputError(f"{path}: a folder: expected an HDF5 (MATLAB v7.3) file")
    try:
        file = h5py.File(path, "r")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: not a readable HDF5 (MATLAB v7.3) file, or cut off: {_one_line(error)}") from error
    with file, _damage(f"{path}: damaged; download or copy it again", (RuntimeError, KeyError)):
        yield file


def has(file, name):
    """Whether an open file has something of this name; a link is not followed."""
    return file.get(name, getlink=True) is not None


def find(file, path, name) -> h5py.Dataset | None:
    """An array of an open file, of which nothing is read yet.

    Args:
      file: the open file.
      path: its path, for errors.
      name: of the array, in the root.

    Returns:
      The dataset; None if there is no array of this name.

    Raises:
      InputError: if it is damaged, or stored as `check_storage` does not allow.
    """
    with _damage(f"{path}: array '{name}' is damaged; download or copy the file again"):
        link = file.get(name, getlink=True)
        if link is None:
            return None
        if not isinstance(link, h5py.HardLink):
            raise InputError(f"{path}: array '{name}' is a link: expected it in the file itself")
        found = file[name]
        if not isinstance(found, h5py.Dataset):
            return None
        check_storage(found, f"{path}: array '{name}'")
        return found


def check_storage(dataset, what):
    """Checks that a dataset lies in its file, in chunks that can be read one by one.

    Args:
      dataset: the dataset.
      what: file and array, for errors.

    Raises:
      InputError: for external or virtual storage, chunks of more than MAX_CHUNK bytes, or filters that MATLAB does not
        use.
    """
    if dataset.external or dataset.is_virtual:
        raise InputError(f"{what} is kept in other files: expected it in the file itself")
    if (size := _chunk_size(dataset)) > MAX_CHUNK:
        raise InputError(f"{what} has chunks of {size:,} bytes: expected at most {MAX_CHUNK:,}")
    filters = _filters(dataset)
    if not set(filters) <= _FILTERS.keys() or len(set(filters)) < len(filters):
        raise InputError(f"{what} has filters {filters}: expected {', '.join(_FILTERS.values())}, each at most once")


def read(dataset, path, name, block=slice(None)) -> np.ndarray:
    """Reads a dataset, or part of it.

    Args:
      dataset: one that `check_storage` allows, with axes.
      path: of its file, for errors.
      name: of the array, for errors.
      block: slice of its first axis.

    Returns:
      The array.

    Raises:
      InputError: if it is damaged, or a chunk holds more than its size.
    """
    where = "" if block == slice(None) else f" at frames {block.start}:{block.stop}"
    with _damage(f"{path}: array '{name}' is damaged{where}; download or copy the file again"):
        if dataset.chunks and dataset.size:
            _check_chunks(dataset, block)
        return dataset[block]


def _check_chunks(dataset, block):
    """Raises ValueError for a chunk that holds more than its size: HDF5 unpacks all of it."""
    size, filters = _chunk_size(dataset), _filters(dataset)
    start, stop, _ = block.indices(len(dataset))
    for part in dataset.iter_chunks((slice(start, stop), *(slice(0, n) for n in dataset.shape[1:]))):
        at = tuple(side.start // chunk * chunk for side, chunk in zip(part, dataset.chunks, strict=True))
        stored = dataset.id.get_chunk_info_by_coord(at)
        if stored.size > size + 4096:
            raise ValueError(f"a chunk of {stored.size:,} bytes: expected at most {size:,}")
        packed = _DEFLATE in filters and not stored.filter_mask >> filters.index(_DEFLATE) & 1
        if packed and stored.size * _MAX_RATIO > MAX_CHUNK:  # else it is small anyway
            unpacking = zlib.decompressobj()
            unpacking.decompress(dataset.id.read_direct_chunk(at)[1], size)
            if unpacking.decompress(unpacking.unconsumed_tail, 1):
                raise ValueError(f"a chunk that unpacks to more than its {size:,} bytes")


def _chunk_size(dataset):
    """Bytes of an unpacked chunk; 0 for a dataset without chunks."""
    return math.prod(dataset.chunks) * dataset.dtype.itemsize if dataset.chunks else 0


def _filters(dataset):
    """The filters of a dataset's chunks, by HDF5's numbers."""
    packing = dataset.id.get_create_plist()
    return [packing.get_filter(i)[0] for i in range(packing.get_nfilters())]


@contextlib.contextmanager
def _damage(what, errors=(OSError, RuntimeError, KeyError, ValueError, TypeError, zlib.error)):
    """Turns what h5py raises for damaged files into an InputError."""
    try:
        yield
    except InputError:
        raise
    except errors as error:
        raise InputError(f"{what}: {_one_line(error)}") from error


def _one_line(error):
    return " ".join(str(error).split())
