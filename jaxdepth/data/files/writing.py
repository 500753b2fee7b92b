"""Atomic writing of files: a reader sees the old content or all of the new, never a part. Numpy only."""

import contextlib
import errno
import io
import json
import os
import pathlib

import numpy as np


def write_atomically(path, data):
    """Writes bytes to a file, which keeps its old content if the writing fails.

    Args:
      path: the file, in an existing folder.
      data: bytes.

    Raises:
      OSError: if the file cannot be written (no such folder, no permission, a full disk). The error names `path`.
    """
    write_together({path: data})


def write_json(path, value):
    """Writes a value as JSON, atomically: the bytes of `json_bytes`, errors of `write_atomically`."""
    write_atomically(path, json_bytes(value))


def write_array(path, array):
    """Writes an array as .npy, atomically: the bytes of `array_bytes`, errors of `write_atomically`."""
    write_atomically(path, array_bytes(array))


def json_bytes(value):
    """A value as the bytes of a JSON file, indented by 2, with a trailing newline."""
    return (json.dumps(value, indent=2) + "\n").encode()


def array_bytes(array):
    """An array as the bytes of a .npy file, in its own dtype; ValueError for Python objects (nothing is pickled)."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def write_together(files):
    """Writes several files, all or none.

    Every file is first written under a temporary name beside its path. They are renamed once all are complete.

    Args:
      files: {path: bytes}; the folders exist.

    Raises:
      OSError: if a file cannot be written. The error names its path, all paths keep their old content, and no temporary
        files are left.
    """
    files = {pathlib.Path(path): data for path, data in files.items()}
    temporaries = {path: path.with_name(f".{path.name}.{os.getpid()}") for path in files}
    try:
        for path, data in files.items():
            with _naming(path):
                if path.is_dir():  # renaming would fail, when other files are already renamed
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
                temporaries[path].write_bytes(data)
        for path, temporary in temporaries.items():
            with _naming(path):
                temporary.replace(path)
    finally:
        for temporary in temporaries.values():
            with contextlib.suppress(OSError):  # the first error is the one to report
                temporary.unlink(missing_ok=True)


def check_output(path):
    """Checks, before long work, that its result can be written.

    Args:
      path: the file to write at the end, or None for no file.

    Raises:
      FileNotFoundError: if the folder of `path` does not exist.
    """
    if path is not None and not pathlib.Path(path).absolute().parent.is_dir():
        raise FileNotFoundError(f"output {str(path)!r}: expected a file in a folder that exists")


@contextlib.contextmanager
def _naming(path):
    """Makes an OSError name `path`: a full disk names no file, other errors name the temporary one."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
