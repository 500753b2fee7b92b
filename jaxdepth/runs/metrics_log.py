"""metrics.jsonl: one line for each logged step."""

import itertools
import json
import pathlib

import numpy as np

NAME = "metrics.jsonl"


def read(workdir) -> list[dict]:
    """The lines of a run's log; a last line that was cut off is left out."""
    path = pathlib.Path(workdir, NAME)
    lines = path.read_text().splitlines(keepends=True) if path.is_file() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def append(workdir, line):
    """Appends a line: {"step": ..., "wall_time": seconds since the epoch, NAME: value, ...}."""
    with open(pathlib.Path(workdir, NAME), "a") as file:
        file.write(json.dumps(line, allow_nan=False) + "\n")


def pace(lines):
    """The speed of a training.

    A gap between lines that took several times as long as most is a pause between two starts, or includes a
    compilation: the rate leaves it out, and the sum counts a minute of it.

    Args:
      lines: from `read`.

    Returns:
      Training steps per second without validations, or None if the log is too short; and the seconds of the whole run.
    """
    gaps = [
        (b["step"] - a["step"], b["wall_time"] - a["wall_time"], _is_training(a, b))
        for a, b in itertools.pairwise(lines)
    ]
    training = sorted((seconds / steps, steps) for steps, seconds, trains in gaps if trains and steps)
    if not training:
        return None, sum(min(seconds, 60.0) for _, seconds, _ in gaps)
    middle = np.searchsorted(np.cumsum([steps for _, steps in training]), sum(steps for _, steps in training) / 2)
    longest = 5 * training[middle][0]
    usual = [(steps, pace * steps) for pace, steps in training if pace <= longest]
    rate = sum(steps for steps, _ in usual) / max(sum(seconds for _, seconds in usual), 1e-9)
    return rate, sum(min(seconds, longest * steps + 60.0) for steps, seconds, _ in gaps)


def _is_training(*lines):
    return all("/train/" in name for line in lines for name in line if "/" in name)
