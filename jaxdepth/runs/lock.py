"""One writer for a workdir: a lock that the operating system releases when its process ends, however it ends."""

import contextlib
import errno
import json
import os
import pathlib
import platform

import filelock
from absl import logging

from jaxdepth.data.files.writing import write_json
from jaxdepth.errors import InputError
from jaxdepth.training import sharding

NAME = "lock"
_NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)
WRITER = "writer.json"


@contextlib.contextmanager
def one_writer(workdir):
    """Makes the main process the only writer of a workdir, which is created if missing, while the context lasts.

    All processes must enter it together. Its host and process id are kept in writer.json. On a network disk the lock
    works between hosts if the disk passes locks on, as NFS 4 does.

    Args:
      workdir: the folder.

    Returns:
      A context, whose value is a function: called with a step, it notes in writer.json that its checkpoint is written.

    Raises:
      InputError: in every process, if another run holds the lock. One line that names its process and host.
      OSError: if the workdir cannot be written.
    """
    workdir = pathlib.Path(workdir)
    lock, held_by_another = None, False
    if sharding.is_main_process():
        workdir.mkdir(parents=True, exist_ok=True)
        try:
            lock = acquire(workdir)
        except filelock.Timeout:
            held_by_another = True
    if sharding.any_process(held_by_another):
        raise InputError(
            f"workdir {str(workdir)!r} is being written by {_writer(workdir)}: wait for its end or stop it"
        )
    process = {"host": platform.node(), "pid": os.getpid()}

    def note_saved(step):
        if lock is not None:
            write_json(workdir / WRITER, process | {"saved": step})

    try:
        note_saved(last_saved(workdir))
        yield note_saved
    finally:
        if lock is not None:
            lock.release()


def acquire(folder):
    """Acquires the lock of a folder that is there.

    Returns:
      A lock to release; None, with a warning, if the folder's disk has no locks.

    Raises:
      filelock.Timeout: if another process holds it.
      OSError: if the folder cannot be written.
    """
    lock = filelock.FileLock(pathlib.Path(folder, NAME), fallback_to_soft=False)
    try:
        lock.acquire(timeout=0)
    except (NotImplementedError, OSError) as error:
        if isinstance(error, filelock.Timeout) or getattr(error, "errno", errno.ENOSYS) not in _NO_LOCKS:
            raise
        logging.warning("%s: its disk has no locks; see that no other command writes there", folder)
        return None
    return lock


def foreign(workdir) -> list[str]:
    """The names of `lock` and writer.json, as far as these files are there and not ours."""
    workdir = pathlib.Path(workdir)
    ours = {NAME: lambda path: path.stat().st_size == 0, WRITER: lambda _: "pid" in _read(workdir)}
    return [name for name, is_ours in ours.items() if (path := workdir / name).exists() and not is_ours(path)]


def last_saved(workdir):
    """The step of the last checkpoint that was surely written in a workdir; None if there was none."""
    saved = _read(workdir).get("saved")
    return saved if isinstance(saved, int) else None


def _writer(workdir):
    """The process that holds the lock, in words."""
    writer = _read(workdir)
    if not writer.keys() >= {"pid", "host"}:  # it has just begun
        return "another process"
    return f"process {writer['pid']} on host {writer['host']!r}"


def _read(workdir):
    """The content of writer.json, empty if there is none or it is damaged."""
    try:
        content = json.loads(pathlib.Path(workdir, WRITER).read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
