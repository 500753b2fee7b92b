"""Walks through a folder and all below it, links included, each of which may lead anywhere."""

import os
from collections.abc import Callable, Iterable


def walk(folder, *, onerror: Callable | None = None) -> Iterable[tuple[str, list[str], list[str]]]:
    """`os.walk` that follows links, but enters no folder from within that folder: a link to it leads round in circles.

    Args:
      folder: the folder.
      onerror: called with the OSError of a folder that cannot be listed; None to pass over it.

    Yields:
      (path of a folder, names of the folders in it, names of the files in it). The list of folders may be changed, as
      `os.walk` has it.
    """
    top = os.fspath(folder)
    around = {top: frozenset([_identity(top)])}  # of a folder to come: what it lies in, and itself
    for parent, folders, names in os.walk(top, followlinks=True, onerror=onerror):
        outer, kept = around.pop(parent), []
        for name in folders:
            identity = _identity(path := os.path.join(parent, name))
            if identity is None or identity not in outer:
                around[path] = outer | {identity}
                kept.append(name)
        folders[:] = kept
        yield parent, folders, names


def _identity(path):
    """What tells a folder from others under whatever path; None if it is not known."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if status.st_ino else None
