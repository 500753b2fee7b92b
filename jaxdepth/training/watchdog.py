"""Ends a training process when another one of the same training has ended: run as a process of its own.

A thread would wait for Python's lock, and jax aborts the process with a stack of native code a moment after its
coordinator is gone. Standard library only, so that it starts at once: `processes.joined` starts this file.

    python watchdog.py PID COUNT CONTROL INDEX:SOCKET ...

CONTROL is the reading end of a pipe from the watched process PID: b"bye" if it ends well, b"lost" and its index if not.
The sockets lead to the watchdogs of other processes, by their indices.
"""

import contextlib
import os
import select
import signal
import socket
import sys

BYE, LOST = b"bye", b"lost"


def watch(pid, count, control, connections):
    """Waits for the end of the watched process, or of another.

    Args:
      pid: of the watched process, which is killed if another one ends without goodbye.
      count: number of processes of the training.
      control: file descriptor of the pipe from the watched process.
      connections: {index of another process: its socket}.
    """
    others = dict(connections)
    while True:
        ready, _, _ = select.select([control, *others.values()], [], [])
        if control in ready:
            if message := os.read(control, 64):
                _send(connections, message)
            return  # without a message it was killed; the others notice that the connections are closed
        for index, connection in list(others.items()):
            if connection not in ready:
                continue
            del others[index]
            message = _receive(connection)
            if message == BYE:
                continue
            lost = int(message.removeprefix(LOST)) if message.startswith(LOST) else index
            _send(others, LOST + str(lost).encode())  # the first process passes on which one it lost
            ended = f"\nerror: process {lost} of {count} has ended, and so does this one"
            print(f"{ended}; the same command continues from the last checkpoint", file=sys.stderr, flush=True)
            os.kill(pid, signal.SIGKILL)
            return


def _receive(connection):
    try:
        return connection.recv(64)
    except OSError:
        return b""


def _send(connections, message):
    for connection in connections.values():
        with contextlib.suppress(OSError):
            connection.sendall(message)


def main(pid, count, control, *places):
    """The command; arguments as text, see the top of this file."""
    for number in (signal.SIGINT, signal.SIGTERM):  # terminals send them to all; the watched process says how it ends
        signal.signal(number, signal.SIG_IGN)
    connections = {}
    for place in places:
        index, _, descriptor = place.partition(":")
        connections[int(index)] = socket.socket(fileno=int(descriptor))
    watch(int(pid), int(count), int(control), connections)


if __name__ == "__main__":
    main(*sys.argv[1:])
