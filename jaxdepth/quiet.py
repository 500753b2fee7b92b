"""Silence for the warnings of libraries, also in several threads at once."""

import contextlib
import threading
import warnings

_lock = threading.Lock()
_inside = 0
_filters = None


@contextlib.contextmanager
def no_warnings():
    """Ignores warnings until the last thread inside has left.

    The filters of `warnings` belong to the whole process, and `warnings.catch_warnings` puts back those that it found:
    of two threads, the first to leave ends the silence of the other, and the last leaves the silence of the first
    behind. Here the first thread to enter keeps the filters and the last to leave restores them.
    """
    global _inside, _filters
    with _lock:
        if not _inside:
            _filters = warnings.catch_warnings(action="ignore")
            _filters.__enter__()
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _filters.__exit__(None, None, None)
