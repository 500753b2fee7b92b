"""Runs a function on many elements by Apache Beam: on this machine, or on a cluster that Beam knows."""

import contextlib
import importlib.util
import io
import logging
import multiprocessing
import multiprocessing.connection
import multiprocessing.resource_tracker
import os
import pathlib
import pickle
import shlex
import shutil
import signal
import threading

from tqdm import tqdm

import jaxdepth
from jaxdepth.errors import InputError

LOG, ELEMENTS = "beam.log", "beam.elements"  # names in a folder
_LOOK = 0.3  # seconds between two looks at the progress
# Beam's default fetches a program from the net.
_LOCAL = "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner"
_WORKER_LOST = 3  # exit code


def check_options(text):
    """Checks, before long work, that Apache Beam is installed and what it is told.

    Args:
      text: a line of its pipeline options, such as "--runner=FlinkRunner --flink_master=HOST:8081"; may be empty.

    Raises:
      InputError: if it is not installed, or the line is not one of options.
    """
    if importlib.util.find_spec("apache_beam") is None:
        raise InputError("Apache Beam is not installed: pip install 'jaxdepth[beam]'")
    if not text:
        return
    logging.disable()  # of what else is not installed
    from apache_beam.options.pipeline_options import PipelineOptions

    logging.disable(logging.NOTSET)
    told = io.StringIO()
    try:
        words = shlex.split(text)
        if words and not words[0].startswith("-"):
            raise ValueError(f"{words[0]!r} is no option")
        if not {"-h", "--help"}.isdisjoint(words):
            raise ValueError("--help is no option of a pipeline")
        with contextlib.redirect_stderr(told):
            PipelineOptions(words).get_all_options()
    except (ValueError, SystemExit) as error:
        reason = told.getvalue().strip().rpartition("error: ")[2] or error
        raise InputError(
            f"--beam_pipeline_options={text}: {reason}: expected options of Beam such as --runner=FlinkRunner"
        ) from error


def each(function, elements, *, workers, options="", done, total, what, folder):
    """Calls a function for each element, in any order, some perhaps more than once; shows the progress.

    Beam runs in a process of its own, which ends with all its workers when this one ends, however it does.

    Args:
      function: of one element; what it returns is dropped. Both are pickled, elements to files: clusters take a few
        megabytes with a pipeline.
      elements: a list.
      workers: number of processes on this machine.
      options: see `check_options`; with a --runner, that one decides about the workers.
      done: a function -> how many are done, of
      total: in all, those of earlier runs included.
      what: they are, for the progress.
      folder: a folder for these files and for LOG, which has what Beam and its workers tell; all workers see it.

    Raises:
      OSError: if these files cannot be written.
      ChildProcessError: if a worker's process is lost, or the pipeline fails; it names the log.
    """
    if not elements:
        return
    log, files = pathlib.Path(folder, LOG).absolute(), _write_elements(pathlib.Path(folder, ELEMENTS), elements)
    log.write_bytes(b"")
    context = multiprocessing.get_context("spawn")
    driver = context.Process(target=_drive, args=(function, files, workers, options, log))
    with tqdm(total=total, initial=done(), unit=what, disable=None) as bar:
        _start(driver)
        try:
            while driver.exitcode is None:
                driver.join(_LOOK)
                bar.update(done() - bar.n)
        finally:
            _end(driver.pid)
            driver.join()
    if driver.exitcode == 0:
        shutil.rmtree(log.with_name(ELEMENTS))
        return
    if driver.exitcode == _WORKER_LOST:
        raise ChildProcessError(
            "a worker process was lost (killed, perhaps for want of memory: fewer --workers need less): the same "
            f"command goes on; {log} has what it told"
        )
    raise ChildProcessError(f"Beam's pipeline failed: the same command goes on; {log} has the reason")


def _start(driver):
    """Starts a process in which Ctrl-C waits for `_drive`: while it imports it would print a traceback."""
    multiprocessing.resource_tracker.ensure_running()  # else `start` does that, and unblocks signals
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        driver.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _write_elements(folder, elements):
    """Writes each element into a file of a new folder; returns their paths."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    files = [str(folder.absolute() / f"{i}.pickle") for i in range(len(elements))]
    for file, element in zip(files, elements, strict=True):
        pathlib.Path(file).write_bytes(pickle.dumps(element))
    return files


def _call(file, function):
    """Calls a function for the element in a file."""
    function(pickle.loads(pathlib.Path(file).read_bytes()))


def _drive(function, files, workers, options, log):
    """The main function of the process that runs Beam's pipeline, and of whose group its workers are."""
    os.setsid()
    with open(log, "ab", buffering=0) as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Beam's workers find the package where this process has it.
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [str(pathlib.Path(jaxdepth.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    logging.getLogger().setLevel(logging.INFO)
    words = shlex.split(options)
    if not any(word.startswith("--runner") for word in words):
        mode = "in_memory" if workers == 1 else "multi_processing"
        threading.excepthook = _thread_failed
        words = [_LOCAL, f"--direct_num_workers={workers}", f"--direct_running_mode={mode}", *words]
    with beam.Pipeline(options=PipelineOptions(words)) as pipeline:
        _ = pipeline | beam.Create(files) | beam.Reshuffle() | beam.Map(_call, function)
    os._exit(0)  # threads of Beam may linger


def _thread_failed(failure):
    """Ends all, since Beam waits for ever where a worker's process is lost: the thread that waits for it fails."""
    os._exit(_WORKER_LOST)


def _end_with_parent():
    multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
    os.killpg(0, signal.SIGKILL)


def _end(leader):
    """Ends what is left of the group of processes that a process leads."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
