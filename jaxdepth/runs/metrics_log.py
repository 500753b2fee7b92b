"""metrics.jsonl: one line for each logged step."""

import itertools
import json
import math
import pathlib

import numpy as np
from absl import logging

from jaxdepth.data.files.writing import naming, write_atomically

NAME = "metrics.jsonl"


def read(workdir) -> list[dict]:
    """The lines of a run's log; damaged lines are left out, with a warning unless it is the last one, cut off."""
    path = pathlib.Path(workdir, NAME)
    lines = path.read_bytes().split(b"\n") if path.is_file() else []
    parsed = [(number, _parse(line)) for number, line in enumerate(lines, 1)]
    if damaged := [number for number, line in parsed[:-1] if line is None]:
        logging.warning("%s: %d damaged lines are left out, the first is line %d", path, len(damaged), damaged[0])
    return [line for _, line in parsed[:-1] if line is not None]


def _parse(line):
    """The log line in some bytes; None if they are not one."""
    try:
        content = json.loads(line)
    except ValueError:  # not UTF-8 or not JSON
        return None
    if not isinstance(content, dict) or not isinstance(content.get("step"), int):
        return None
    values = [value for name, value in content.items() if name != "step"]
    return content if all(isinstance(value, int | float) and math.isfinite(value) for value in values) else None


def cut(workdir, *, after):
    """Drops the lines past a step, and damaged ones; of a damaged file a copy is kept, metrics.damaged.jsonl.

    Args:
      workdir: the folder of the run.
      after: the last step whose lines are kept.
    """
    path = pathlib.Path(workdir, NAME)
    lines = read(workdir)
    if path.is_file() and (whole := path.read_bytes()).count(b"\n") > len(lines):
        copy, number = path.with_name("metrics.damaged.jsonl"), 1
        while copy.exists():
            number += 1
            copy = path.with_name(f"metrics.damaged-{number}.jsonl")
        write_atomically(copy, whole)
    kept = [json.dumps(line) + "\n" for line in lines if line["step"] <= after]
    write_atomically(path, "".join(kept).encode())


def append(workdir, line):
    """Appends a line: {"step": ..., "wall_time": seconds since the epoch, NAME: value, ...}."""
    path = pathlib.Path(workdir, NAME)
    with naming(path), open(path, "a") as file:
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
    gaps = [gap for gap in gaps if gap[1] >= 0]  # the clock was not set back
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
