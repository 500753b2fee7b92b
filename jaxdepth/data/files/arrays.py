"""Reads .npy files, and archives of them: no code is run, and sizes are checked before memory is taken. Numpy only."""

import math
import os
import zipfile

import numpy as np

from jaxdepth import quiet
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
        with quiet.no_warnings():  # headers of Python 2
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


def read_archive(path, check):
    """Reads the arrays of a .npz file that is not compressed, so that they have no more bytes than the file.

    Args:
      path: the file.
      check: {name: (shape, dtype)} -> None, called before any values are read; raises an InputError for others than
        those expected.

    Returns:
      {name: array}, read-only.

    Raises:
      OSError: if the file cannot be opened.
      InputError: if it is no whole archive of arrays of numbers, or compressed. One line that names the file.
    """
    with open(path, "rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
                _check_members(members, archive.infolist(), os.fstat(file.fileno()).st_size)
                headers = {}
                for name, member in members.items():
                    with archive.open(member) as inner:
                        shape, _, dtype = read_header(inner)
                    headers[name] = shape, dtype
                check(headers)
                return {name: _read_member(archive, member) for name, member in members.items()}
        except InputError:
            raise
        except Exception as error:  # zipfile raises OSError, ValueError, RuntimeError, ... for damaged archives
            raise InputError(f"{str(path)!r}: not a whole archive of arrays ({error})") from error


def _check_members(members, listed, size):
    """Raises ValueError for an archive of `size` bytes that unpacks to more, or that has two arrays of one name."""
    if len(members) < len(listed):
        raise ValueError("two arrays of one name")
    if compressed := [name for name, member in members.items() if member.compress_type != zipfile.ZIP_STORED]:
        raise ValueError(f"array {compressed[0]!r} is compressed")
    if (unpacked := sum(member.file_size for member in listed)) > size:
        raise ValueError(f"{unpacked:,} bytes of arrays in a file of {size:,}")


def _read_member(archive, member):
    """One array of an archive, read-only."""
    with archive.open(member) as file:
        shape, fortran_order, dtype = read_header(file)
        values = file.read(member.file_size)  # to the end, where its sum is checked
    return np.frombuffer(values, dtype).reshape(shape, order="F" if fortran_order else "C")
