"""Several processes of one training: they find each other, and if one ends early, the others end in one sentence.

Each has a `watchdog` with a connection to that of the first. Without them the others would wait in a collective
operation until jax misses the process's heartbeats, and then be aborted with a stack of native code.
"""

import contextlib
import os
import secrets
import socket
import subprocess
import sys

import jax
import numpy as np
from jax.experimental import multihost_utils

from jaxdepth.errors import InputError, tell
from jaxdepth.training import watchdog

_HEARTBEAT_SECONDS = 45  # for a host that vanishes without closing its connections
_CONNECT_SECONDS = 60


@contextlib.contextmanager
def joined(coordinator=None, *, count=None, index=None):
    """Joins the processes of a training while the context lasts.

    On Slurm, on Cloud TPUs and on GKE, jax finds the arguments by itself. Besides the coordinator's port, the first
    process opens one more, which the system chooses.

    Args:
      coordinator: HOST:PORT of the first process, reachable from all.
      count: number of processes.
      index: of this process, from 0.

    Returns:
      A context. An exception in it is told as by the commands and ends the process with exit code 1; the others are
      then killed by their watchdogs.

    Raises:
      InputError: if the processes cannot be found, or the arguments do not fit.
    """
    jax.config.update("jax_enable_preemption_service", False)  # it would keep SIGTERM from ending the process
    try:
        jax.distributed.initialize(coordinator, count, index, heartbeat_timeout_seconds=_HEARTBEAT_SECONDS)
        host = coordinator.rpartition(":")[0].strip("[]") if coordinator else None
        connections = _connect_to_first() if jax.process_index() else _accept_others(host)
    except (ValueError, TypeError, RuntimeError, OSError) as error:
        raise InputError(
            f"--distributed: the processes do not find each other ({' '.join(str(error).split())[:200]}): give "
            "--coordinator=HOST:PORT, --processes=N and --process=I"
        ) from error
    control = _start_watchdog(connections)
    try:
        yield
    except Exception as error:
        code = tell(error)
        os.write(control, watchdog.LOST + str(jax.process_index()).encode())
        os._exit(code)  # an orderly end would wait for the other processes
    os.write(control, watchdog.BYE)
    os.close(control)


def _start_watchdog(connections):
    """Starts the process that ends this one when another has ended. Returns the writing end of its control pipe."""
    reading, writing = os.pipe()
    descriptors = [reading, *(connection.fileno() for connection in connections.values())]
    places = [f"{other}:{connection.fileno()}" for other, connection in connections.items()]
    arguments = [os.getpid(), jax.process_count(), reading, *places]
    command = [sys.executable, "-I", "-S", watchdog.__file__, *map(str, arguments)]
    subprocess.Popen(command, pass_fds=descriptors)
    os.close(reading)
    for connection in connections.values():
        connection.close()  # they are the watchdog's now
    return writing


def _accept_others(host):
    """The connections of the first process: {index of the other: socket}."""
    count, token = jax.process_count(), secrets.token_bytes(8)
    with socket.create_server(("", 0), backlog=count) as server:
        address = socket.inet_aton(socket.gethostbyname(host) if host else _own_address())
        multihost_utils.broadcast_one_to_all(np.array([*address, server.getsockname()[1], *token], np.int32))
        server.settimeout(_CONNECT_SECONDS)
        connections = {}
        while len(connections) < count - 1:
            connection, _ = server.accept()
            connection.settimeout(_CONNECT_SECONDS)
            greeting = connection.recv(12)
            other = int.from_bytes(greeting[8:])
            if greeting[:8] != token or len(greeting) < 12 or other in connections or not 0 < other < count:
                connection.close()  # somebody else
                continue
            connection.settimeout(None)
            connections[other] = connection
    return connections


def _connect_to_first():
    """The connection of another process: {0: socket}."""
    told = multihost_utils.broadcast_one_to_all(np.zeros(13, np.int32)).tolist()
    address, port, token = bytes(told[:4]), told[4], bytes(told[5:])
    connection = socket.create_connection((socket.inet_ntoa(address), port), timeout=_CONNECT_SECONDS)
    connection.settimeout(None)
    connection.sendall(token + jax.process_index().to_bytes(4))
    return {0: connection}


def _own_address():
    """This host's address towards others; no packet is sent. The host's name often stands for the loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:  # no network
            return "127.0.0.1"
        return probe.getsockname()[0]
