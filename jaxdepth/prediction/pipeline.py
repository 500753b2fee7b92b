"""Reads pictures, predicts their depth and writes it, all at the same time.

Threads read and write: Pillow, zlib and the disk let others run meanwhile. The main thread puts pictures into batches
for the network. Each stage takes from the one before what it can hold, in pictures and in pixels.
"""

import collections
import concurrent.futures
import contextlib
import errno
import functools
import itertools
import math
import os
import signal
import threading
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from jaxdepth.data.files import pictures
from jaxdepth.errors import InputError
from jaxdepth.paths import shown
from jaxdepth.training import sharding

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # which no further picture would find either
_MAX_PIXELS = 48_000_000  # in a stage; a larger picture is alone in it
_NAMED = 5  # pictures, before the rest is counted


class Done(NamedTuple):
    """A picture with a result.

    Attributes:
      path: of the picture.
      origin: where its camera comes from.
      clipped: share of its depth at one end of the range.
      not_shown: why it is not in the viewer, if one was asked for.
    """

    path: str
    origin: str
    clipped: float
    not_shown: str | None = None


class Outcome(NamedTuple):
    """What became of the pictures, by their number in the order given.

    Attributes:
      done: {number: Done}.
      skipped: {number: (path, why)}.
    """

    done: dict
    skipped: dict


def run(work, found, *, batch):
    """Predicts pictures.

    Args:
      work: a job.Work.
      found: [(path, stem of its files)].
      batch: pictures that go through the network together, at most; a multiple of the number of devices.

    Returns:
      An Outcome.

    Raises:
      InputError: if the network's predictions are not finite.
      OSError: if the disk is full; its text says what is done, and what is left.
      KeyboardInterrupt: likewise. What is being written then is finished.
    """
    outcome, threads = Outcome({}, {}), os.cpu_count() or 1
    read, write = (functools.partial(stage, work, outcome) for stage in (_read, _write))
    readers, writers = started_pool(threads), started_pool(threads)
    try:
        numbered = ((i, path, name) for i, (path, name) in enumerate(found))
        jobs = in_order(readers, read, numbered, ahead=2 * batch, pixels=lambda item: _pixels_of(item[1]))
        predicted = predict(work.predictor, filter(None, jobs), batch=batch)
        first = list(itertools.islice(predicted, 1))  # compiles; until then Ctrl-C ends the command at once
        with interruptible(), tqdm(total=len(found), unit="picture", disable=None) as bar:
            predicted = itertools.chain(first, predicted)
            for _ in in_order(writers, write, predicted, ahead=2 * batch, pixels=lambda item: math.prod(item[1].size)):
                bar.update(len(outcome.done) + len(outcome.skipped) - bar.n)
    except (OSError, KeyboardInterrupt) as error:
        writers.shutdown(cancel_futures=True)  # waits for what is being written
        told = f"{len(outcome.done)} pictures are done, {_left(outcome, found)}"
        if isinstance(error, OSError):
            raise OSError(error.errno, f"{error.strerror} ({told})", error.filename) from error
        raise KeyboardInterrupt(f"interrupted: {told}") from None
    finally:
        readers.shutdown(wait=False, cancel_futures=True)
        writers.shutdown(cancel_futures=True)
    return outcome


def started_pool(threads):
    """A ThreadPoolExecutor whose threads have all begun.

    Ctrl-C while it begins a thread would leave one that `shutdown` does not wait for.
    """
    pool, all_begun = concurrent.futures.ThreadPoolExecutor(threads), threading.Barrier(threads)
    try:
        list(pool.map(lambda _: all_begun.wait(), range(threads)))
    except BaseException:
        all_begun.abort()
        raise
    return pool


def some(paths):
    """Some paths in words: the first ones, and how many more."""
    told = ", ".join(shown(path) for path in paths[:_NAMED])
    return told + (f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else "")


def _left(outcome, found):
    left = [path for i, (path, _) in enumerate(found) if i not in outcome.done and i not in outcome.skipped]
    return f"{len(left)} are not: {some(left)}" if left else "none is left"


def in_order(pool, function, items, *, ahead, pixels):
    """Yields the results of a function of items in their order, computed in the threads of a pool.

    Args:
      pool: an Executor.
      function: of an item.
      items: an iterable.
      ahead: items that are computed, or wait to be taken, at most.
      pixels: of an item; more than _MAX_PIXELS are not in it together.
    """
    waiting, held = collections.deque(), 0
    for item in items:
        size = pixels(item)
        while waiting and (len(waiting) >= ahead or held + size > _MAX_PIXELS):
            taken, future = waiting.popleft()
            held -= taken
            yield future.result()
        waiting.append((size, pool.submit(function, item)))
        held += size
    for _, future in waiting:
        yield future.result()


def _pixels_of(path):
    """Pixels of a picture file, 0 if it cannot be read."""
    try:
        return math.prod(pictures.size(path))
    except (InputError, OSError):
        return 0


def _read(work, outcome, item):
    """(number, Job) of a picture; None for one that is skipped."""
    number, path, name = item
    try:
        return number, work.read(path, name)
    except (InputError, OSError) as error:
        outcome.skipped[number] = str(path), reason(error, path)
        return None


def predict(predictor, jobs, *, batch):
    """Predicts in batches. While one is yielded, the network has the next.

    Args:
      predictor: the Predictor.
      jobs: (number, Job), or other objects with its input, pixels and size.
      batch: how many go through the network together, at most.

    Yields:
      (number, Job, log depth [h, w]).
    """
    mesh, running = sharding.make_mesh(), None
    for together in _batches(jobs, batch):
        x = np.concatenate([job.input for _, job in together])
        x = np.pad(x, ((0, batch - len(x)), (0, 0), (0, 0), (0, 0)))
        log_depth = predictor.log_depths(sharding.put({"x": x}, sharding.batched(mesh))["x"])[predictor.groups[0]]
        if running is not None:
            yield from _finished(predictor, *running)
        running = together, log_depth
    if running is not None:
        yield from _finished(predictor, *running)


def _finished(predictor, together, log_depth):
    log_depth = np.asarray(predictor.finite(log_depth))
    for (number, job), of_job in zip(together, log_depth, strict=False):
        yield number, job, of_job


def _batches(jobs, batch):
    """Lists of up to `batch` jobs, of fewer where their pictures are kept and large."""
    together, held = [], 0
    for number, job in jobs:
        size = 0 if job.pixels is None else math.prod(job.size)
        if together and (len(together) == batch or held + size > _MAX_PIXELS):
            yield together
            together, held = [], 0
        together.append((number, job))
        held += size
    if together:
        yield together


def _write(work, outcome, item):
    number, job, log_depth = item
    try:
        described, not_shown = work.write(job, log_depth)
    except (InputError, OSError, MemoryError) as error:
        outcome.skipped[number] = str(job.path), reason(error, job.path)
    else:
        outcome.done[number] = Done(str(job.path), job.origin, max(described["share_clipped"]), not_shown)


def reason(error, path):
    """What is wrong with a picture or its results, without its path; raises the error if the disk is full."""
    if not isinstance(error, OSError):
        return str(error).removeprefix(f"{str(path)!r}: ")
    if error.errno in _NO_SPACE:
        raise error
    elsewhere = error.filename is not None and str(error.filename) != str(path)
    return (error.strerror or str(error)) + (f": {shown(error.filename)}" if elsewhere else "")


@contextlib.contextmanager
def interruptible():
    """Ctrl-C raises KeyboardInterrupt, also where the command has let it end the process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
