"""Reads .npy files: no code is run, and no more memory is taken than the file has bytes. Numpy only."""

import math
import os
import warnings

import numpy as np

from jaxdepth.errors import InputError

MAX_BYTES = 1 << 30  # of an array that is read into memory
_KINDS = "biufU"  # booleans, integers, floating point, text


def read_array(path, *, shape=None, finite=False, max_bytes=MAX_BYTES) -> np.ndarray:
    """Reads the array of a .npy file into memory.

    Args:
      path: the file.
      shape: expected shape; None for any.
      finite: whether all values have to be finite numbers.
      max_bytes: the largest array that is read.

    Returns:
      The array.

    Raises:
      OSError: if the file cannot be opened.
      InputError: if it is not one whole array of numbers or text, or not as expected. One line that names the file.
    """
    array = map_array(path, shape=shape)
    if array.nbytes > max_bytes:
        raise InputError(f"{str(path)!r}: an array of {array.nbytes:,} bytes: expected at most {max_bytes:,}")
    array = np.array(array)
    if finite and not (array.dtype.kind in "iuf" and np.isfinite(array).all()):
        raise InputError(f"{str(path)!r}: values that are not finite numbers")
    return array


def map_array(path, *, shape=None) -> np.ndarray:
    """Maps the array of a .npy file into memory, read-only; arguments and errors as of `read_array`."""
    with open(path, "rb") as file:
        try:
            found, fortran_order, dtype = read_header(file)
            start, size = file.tell(), os.fstat(file.fileno()).st_size
            expected = start + math.prod(found) * dtype.itemsize
            if size != expected:
                raise ValueError(f"{size:,} bytes, where its header says {expected:,}")
        except ValueError as error:
            raise InputError(f"{str(path)!r}: not a whole .npy file ({error})") from error
        if shape is not None and found != tuple(shape):
            raise InputError(f"{str(path)!r}: an array of shape {found}: expected {tuple(shape)}")
        if size == start:
            return np.empty(found, dtype)
        return np.memmap(file, dtype, "r", start, found, order="F" if fortran_order else "C")


def read_header(file):
    """Reads the header of an array in the .npy format.

    Args:
      file: open for reading bytes; left behind the header, where the values begin.

    Returns:
      The shape, whether the order is Fortran's, and the dtype: of booleans, integers, floating point or text.

    Raises:
      ValueError: for anything else.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # headers of Python 2
            first = np.lib.format.read_magic(file) == (1, 0)
            read = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
            shape, fortran_order, dtype = read(file)
    except OSError:
        raise
    except Exception as error:  # numpy parses the header as Python's literals, which fails in many ways
        raise ValueError(f"header: {' '.join(str(error).split())[:200]}") from error
    if dtype.kind not in _KINDS or min(shape, default=0) < 0:
        raise ValueError(f"an array of shape {shape} and {dtype}: expected numbers")
    return tuple(map(int, shape)), fortran_order, dtype
