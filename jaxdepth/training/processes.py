"""Several processes of one training: they find each other, and if one is killed, the others end in one sentence.

Without the connections below, the others would wait in a collective operation until jax misses the process's
heartbeats, and then be aborted with a stack of native code.
"""

import contextlib
import os
import socket
import sys
import threading

import jax
import numpy as np
from jax.experimental import multihost_utils

from jaxdepth.errors import InputError

_HEARTBEAT_SECONDS = 45  # for a host that vanishes without closing its connections
_BYE, _LOST = b"bye", b"lost"


@contextlib.contextmanager
def joined(coordinator=None, *, count=None, index=None):
    """Joins the processes of a training while the context lasts.

    On Slurm, on Cloud TPUs and on GKE, jax finds the arguments by itself.

    Args:
      coordinator: HOST:PORT of the first process, reachable from all.
      count: number of processes.
      index: of this process, from 0.

    Returns:
      A context. If it ends by an exception in one process, the other processes end too.

    Raises:
      InputError: if the processes cannot be found, or the arguments do not fit.
    """
    try:
        jax.distributed.initialize(coordinator, count, index, heartbeat_timeout_seconds=_HEARTBEAT_SECONDS)
    except (ValueError, TypeError) as error:
        raise InputError(
            f"--distributed: no cluster found ({error}): give --coordinator=HOST:PORT, --processes=N and --process=I"
        ) from error
    connections = _connect_to_first() if jax.process_index() else _accept_others()
    for other, connection in connections.items():
        threading.Thread(target=_watch, args=(other, connection, connections), daemon=True).start()
    yield
    for connection in connections.values():
        with contextlib.suppress(OSError):
            connection.sendall(_BYE)


def _accept_others():
    """The connections of the first process: {index of the other: socket}."""
    with socket.create_server(("", 0), backlog=jax.process_count()) as server:
        address = socket.inet_aton(socket.gethostbyname(socket.gethostname()))
        port = server.getsockname()[1]
        multihost_utils.broadcast_one_to_all(np.array([*address, port], np.int32))
        connections = {}
        while len(connections) < jax.process_count() - 1:
            connection, _ = server.accept()
            connections[int.from_bytes(connection.recv(4))] = connection
    return connections


def _connect_to_first():
    """The connection of another process: {0: socket}."""
    *address, port = multihost_utils.broadcast_one_to_all(np.zeros(5, np.int32)).tolist()
    connection = socket.create_connection((socket.inet_ntoa(bytes(address)), port))
    connection.sendall(jax.process_index().to_bytes(4))
    return {0: connection}


def _watch(other, connection, connections):
    """Waits for the end of another process; ends this one unless the other said goodbye."""
    try:
        message = connection.recv(64)
    except OSError:
        message = b""
    if message == _BYE:
        return
    if message.startswith(_LOST):  # the first process passes on which one it lost
        other = int(message.removeprefix(_LOST))
    for connection in connections.values():
        with contextlib.suppress(OSError):
            connection.sendall(_LOST + str(other).encode())
    print(
        f"\nerror: process {other} of {jax.process_count()} has ended, and so does this one; the same command "
        "continues from the last checkpoint",
        file=sys.stderr,
        flush=True,
    )
    os._exit(1)  # the main thread may be waiting for the other process
