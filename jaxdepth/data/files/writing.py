"""Atomic writing of files: a reader sees the old content or all of the new, never a part. Numpy only.

Results go where the user says, and replace results there. A file that is no result of ours is never replaced.
"""

import contextlib
import errno
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import uuid

import numpy as np

PNG_TEXT = {"Software": "jaxdepth"}  # in each of our pictures, which are known by it
_PNG_START, _PNG_MARK = b"\x89PNG", b"tEXtSoftware\0jaxdepth"  # the mark stands within the first kilobyte
# Of the page of an evaluation, and of the table of its frames.
_MARKS = (b'<meta name="generator" content="jaxdepth">', b"id,name,order,group,")
_RESULT_KEYS = ({"protocol", "metrics"}, {"machine", "rows"})  # of the JSON of an evaluation, and of a benchmark
_LARGEST_JSON = 1 << 26  # bytes
_GROWING = ".growing"
_REMOVE_AT_THE_END = """
import os, shutil, sys
sys.stdin.read()
path = sys.argv[1]
if os.path.isdir(path):
    shutil.rmtree(path, ignore_errors=True)
elif os.path.lexists(path):
    os.unlink(path)
"""


def write_atomically(path, data):
    """Writes bytes to a file, which keeps its old content if the writing fails.

    Args:
      path: the file, in an existing folder.
      data: bytes, or a list of buffers that make them.

    Raises:
      OSError: if the file cannot be written (no such folder, no permission, a full disk). The error names `path`.
    """
    write_together({path: data})


def write_json(path, value):
    """Writes a value as JSON, atomically: the bytes of `json_bytes`, errors of `write_atomically`."""
    write_atomically(path, json_bytes(value))


def write_array(path, array):
    """Writes an array as .npy, atomically: the bytes of `array_buffers`, errors of `write_atomically`."""
    write_atomically(path, array_buffers(array))


def json_bytes(value):
    """A value as the bytes of a JSON file, indented by 2, lists of numbers in a line, with a trailing newline."""
    return (_json(value, "\n") + "\n").encode()


def _json(value, line):
    """A value as JSON, whose lines begin with `line`."""
    inner = line + "  "
    if isinstance(value, dict) and value:
        entries = (f"{json.dumps(key)}: {_json(entry, inner)}" for key, entry in value.items())
        return "{" + inner + ("," + inner).join(entries) + line + "}"
    if isinstance(value, list | tuple) and any(isinstance(entry, dict | list | tuple) for entry in value):
        return "[" + inner + ("," + inner).join(_json(entry, inner) for entry in value) + line + "]"
    return json.dumps(value)


def array_buffers(array):
    """An array as .npy in its own dtype: a list of buffers, without a copy of it; join them for the bytes of the file.

    Raises:
      ValueError: for Python objects (nothing is pickled).
    """
    array = np.asarray(array, order="C")
    if array.dtype.hasobject:
        raise ValueError(f"an array of {array.dtype}: expected numbers")
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
    return [file.getvalue(), array.reshape(-1).view(np.uint8).data if array.size else b""]


def write_together(files):
    """Writes several files, all or none.

    Every file is first written under a temporary name beside its path. They are renamed once all are complete, in the
    order given.

    Args:
      files: {path: bytes, or a list of buffers that make them}; the folders exist.

    Raises:
      OSError: if a file cannot be written. The error names its path, all paths keep their old content, and no temporary
        files are left.
    """
    files = {pathlib.Path(path): data for path, data in files.items()}
    temporaries = {path: temporary(path) for path in files}
    try:
        for path, data in files.items():
            with naming(path):
                if path.is_dir():  # renaming would fail, when other files are already renamed
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
                with open(temporaries[path], "wb") as file:
                    file.writelines(data if isinstance(data, list) else [data])
        for path, written in temporaries.items():
            with naming(path):
                written.replace(path)
    finally:
        for written in temporaries.values():
            with contextlib.suppress(OSError):  # the first error is the one to report
                written.unlink(missing_ok=True)


def temporary(path):
    """The name, beside `path`, under which a file or folder of this process grows until it is complete."""
    path = pathlib.Path(path).absolute()
    return path.with_name(f".{path.name}.{os.getpid()}")


@contextlib.contextmanager
def growing(path):
    """A file that grows under another name beside `path`, and is renamed at the end of the block unless that fails.

    The other name is unique among the processes of all hosts that write to the disk, and is known by `is_growing`.

    Args:
      path: the file, in an existing folder.

    Yields:
      The path to write to, as a pathlib.Path.

    Raises:
      OSError: that of the block, which names `path` where it names no file or the growing one. Nothing is left under
        the other name.
    """
    path = pathlib.Path(path).absolute()
    grown = path.with_name(f".{path.name}.{uuid.uuid4().hex}{_GROWING}")
    try:
        yield grown
        grown.replace(path)
    except OSError as error:
        if error.errno is not None and error.filename in (None, str(grown)):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        with contextlib.suppress(OSError):
            grown.unlink(missing_ok=True)


def is_growing(path) -> bool:
    """Whether a name is one that `growing` gives; without a process that writes it, it is of one that was killed."""
    return pathlib.Path(path).name.startswith(".") and pathlib.Path(path).name.endswith(_GROWING)


@contextlib.contextmanager
def removing(path):
    """Removes a file or folder at the end of the block, also where a signal ends the process before.

    A process of its own does that, which waits for the end of this one: no signal handler runs while jax compiles.

    Args:
      path: the file or folder, which may not be there as yet.

    Yields:
      `path` as a pathlib.Path.
    """
    path = pathlib.Path(path).absolute()
    command = [sys.executable, "-I", "-S", "-c", _REMOVE_AT_THE_END, path]
    unseen = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    with subprocess.Popen(command, stdin=subprocess.PIPE, **unseen):  # whose end closes stdin and waits
        yield path


def fill(folder, grown):
    """Gives a grown folder the name `folder`, whose content it replaces. A link, a mount and `.` stay what they are."""
    folder, grown = pathlib.Path(folder), pathlib.Path(grown)
    if not folder.is_dir():
        grown.replace(folder)
        return
    for old in folder.iterdir():
        shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
    for part in grown.iterdir():
        shutil.move(part, folder / part.name)


def check_output(path):
    """Checks, before long work, that its result can be written and replaces nothing but a result.

    Args:
      path: the file to write at the end, or None for no file.

    Raises:
      FileNotFoundError: if the folder of `path` does not exist.
      PermissionError: if nothing can be written there.
      FileExistsError: if there is something at `path` other than an empty file or a result, see `is_result`.
    """
    if path is None:
        return
    if not pathlib.Path(path).absolute().parent.is_dir():
        raise FileNotFoundError(f"output {str(path)!r}: expected a file in a folder that exists")
    _check_writable(path, pathlib.Path(path).absolute().parent, "give another --output")
    if os.path.lexists(path) and not is_result(path) and not _is_empty(path):
        raise FileExistsError(
            f"output {str(path)!r} is there and no result of ours: remove it, or give another --output"
        )


def check_folder(path, *, advice="give another --output"):
    """Checks, before long work, that files can be written into a folder, which may be made for them.

    Args:
      path: the folder.
      advice: what to do if they cannot.

    Raises:
      NotADirectoryError: if it is a file, or below one.
      PermissionError: if nothing can be written there.
    """
    whole = pathlib.Path(path).absolute()
    there = next(part for part in (whole, *whole.parents) if os.path.lexists(part))
    if not there.is_dir():
        raise NotADirectoryError(f"output {str(path)!r}: {str(there)!r} is no folder: expected one")
    _check_writable(path, there, advice)


def _check_writable(path, folder, advice):
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"output {str(path)!r}: nothing can be written into {str(folder)!r}: {advice}")


def is_result(path) -> bool:
    """Whether a file is a result that a new one may replace: a picture of ours, an evaluation's or benchmark's JSON, or
    the page or table beside an evaluation's.

    It is judged by its content. False if there is no such file.
    """
    if not os.path.isfile(path):  # a pipe would never end
        return False
    try:
        with open(path, "rb") as file:
            start = file.read(1024)
            if start.startswith(_PNG_START):
                return _PNG_MARK in start
            if any(mark in start for mark in _MARKS):
                return True
            if not start.startswith(b"{") or os.path.getsize(path) > _LARGEST_JSON:
                return False
            keys = json.loads(start + file.read()).keys()
    except (OSError, ValueError, RecursionError):
        return False
    return any(expected <= keys for expected in _RESULT_KEYS)


def _is_empty(path):
    return os.path.isfile(path) and os.path.getsize(path) == 0


@contextlib.contextmanager
def naming(path):
    """Makes an OSError name `path`: a full disk names no file, other errors name the temporary one."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
