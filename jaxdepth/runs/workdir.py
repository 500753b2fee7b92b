"""The plain files of a run: config.json, metrics.jsonl and the mean-depth baseline of its training split."""

import itertools
import json
import os
import pathlib

import numpy as np

# What may change when a run is continued: its length, where its data and the run that it began with lie, and what only
# the log and the disk see.
FREE_FIELDS = (
    "epochs",
    "steps",
    "validate_every",
    "log_every",
    "checkpoint_every",
    "keep_every",
    "panel_frames",
    "tensorboard",
    "data.path",
    "initial",
)


def write_atomically(path, data):
    """Write bytes to `path` so that it holds the old content or all of the new one, never a part."""
    write_together({path: data})


def check_output(path):
    """Raise FileNotFoundError where a file to be written at the end of some work would find no folder."""
    if path is not None and not pathlib.Path(path).absolute().parent.is_dir():
        raise FileNotFoundError(f"output {str(path)!r}: expected a file in a folder that exists")


def write_together(files):
    """Write {path: bytes}: no path holds a part, and where one cannot be written (a full disk) all stay as they were.

    Raises OSError with the path.
    """
    temporaries = {}
    try:
        for path, data in files.items():
            path = pathlib.Path(path)
            temporaries[path] = path.with_name(f".{path.name}.{os.getpid()}")
            try:
                temporaries[path].write_bytes(data)
            except OSError as error:  # a full disk names no file
                raise OSError(error.errno, error.strerror, str(path)) from error
        for path, temporary in temporaries.items():
            temporary.replace(path)
    finally:
        for temporary in temporaries.values():
            temporary.unlink(missing_ok=True)


def run_record(config, frames, split, *, batches, began_with=()):
    """What config.json holds: {"config": all settings, `auto` as it was found, "data": which frames those were}.

    `began_with` is the lineage (`jaxdepth.runs.lineage.of_run`) of the run whose weights this one begins with.
    """
    found = {"source": frames.name, "split": split.name, "batches": batches}
    settings = config | {"data": config["data"] | found}
    data = {
        "split_hash": split.hash,
        "train_frames": len(split.train),
        "val_frames": len(split.val),
        "masked": dict(frames.counts),
        "intrinsics": [float(x) for x in frames.intrinsics],
        "began_with": list(began_with),
    }
    return {"config": settings, "data": data}


def open_run(workdir, record, *, at_step, chief):
    """Make the workdir that of the run `record`, new (`at_step` None) or continued from a checkpoint.

    Lines of metrics.jsonl past `at_step` are dropped. Only the `chief` process writes. Raises as `check_same_run`.
    """
    workdir = pathlib.Path(workdir)
    if at_step is not None:
        check_same_run(workdir, record)
        before = read_config(workdir)["data"].get("began_with", [])  # a later config.initial has no effect
        record = record | {"data": record["data"] | {"began_with": before}}
    if not chief:
        return
    workdir.mkdir(parents=True, exist_ok=True)
    if at_step is None:
        (workdir / "mean_depth.npy").unlink(missing_ok=True)
    write_atomically(workdir / "config.json", (json.dumps(record, indent=2) + "\n").encode())
    kept = [line for line in read_metrics(workdir) if at_step is not None and line["step"] <= at_step]
    write_atomically(workdir / "metrics.jsonl", "".join(json.dumps(line) + "\n" for line in kept).encode())


def read_config(workdir):
    """config.json of a run. Raises FileNotFoundError or ValueError where it is missing or not readable."""
    path = pathlib.Path(workdir, "config.json")
    if not path.is_file():
        has = "checkpoints but no config.json" if path.with_name("checkpoints").is_dir() else "no config.json"
        raise FileNotFoundError(f"workdir {str(workdir)!r} has {has}: expected the folder of a training run")
    try:
        record = json.loads(path.read_text())
        return {"config": dict(record["config"]), "data": dict(record["data"])}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not the config.json of a training run ({error})") from error


def recorded(workdir, name):
    """A setting such as "data.batches" of the run that a workdir holds; None where it holds none."""
    if not pathlib.Path(workdir, "config.json").is_file():
        return None
    return _flatten(read_config(workdir)["config"]).get(name)


def check_same_run(workdir, record):
    """Raise ValueError with the differences where `record` is not the run that `workdir` holds.

    The fields of FREE_FIELDS may differ; the frames (source, split, hash) and all other settings may not. Where a
    training has phases its length may not either: with other bounds, a part that is frozen would be trained again.
    """
    old, new = _flatten(read_config(workdir)), _flatten(json.loads(json.dumps(record)))
    free = {f"config.{name}" for name in FREE_FIELDS} | {"data.began_with"}
    if new["config.gate.name"] == "coarse_to_fine":
        free -= {"config.epochs", "config.steps"}
    names = [n for n in sorted({*old, *new} - free) if old.get(n) != new.get(n)]
    if names:
        difference = "; ".join(f"{n}: {old.get(n)!r} there, {new.get(n)!r} now" for n in names)
        raise ValueError(
            f"workdir {str(workdir)!r} holds another run ({difference}): set it back, or take a new --workdir"
        )


def _flatten(tree, prefix=""):
    if not isinstance(tree, dict):
        return {prefix: tree}
    return {n: v for k, sub in tree.items() for n, v in _flatten(sub, f"{prefix}.{k}" if prefix else k).items()}


def read_metrics(workdir):
    """The lines of metrics.jsonl as dicts; a last line that was cut off is left out."""
    path = pathlib.Path(workdir, "metrics.jsonl")
    lines = path.read_text().splitlines(keepends=True) if path.is_file() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def append_metrics(workdir, record):
    """Append one line to metrics.jsonl: {"step": ..., "wall_time": seconds since the epoch, NAME: value, ...}."""
    with open(pathlib.Path(workdir, "metrics.jsonl"), "a") as file:
        file.write(json.dumps(record, allow_nan=False) + "\n")


def pace(lines):
    """Of the lines that `read_metrics` gives: steps a second of training alone, or None, and the seconds of all.

    A stretch that took many times as long as most is a pause between two starts, or has a compilation in it: the rate
    leaves it out, and the sum counts a minute of it.
    """
    gaps = [
        (b["step"] - a["step"], b["wall_time"] - a["wall_time"], _trains(a, b)) for a, b in itertools.pairwise(lines)
    ]
    training = sorted((seconds / steps, steps) for steps, seconds, trains in gaps if trains and steps)
    if not training:
        return None, sum(min(seconds, 60.0) for _, seconds, _ in gaps)
    middle = np.searchsorted(np.cumsum([steps for _, steps in training]), sum(steps for _, steps in training) / 2)
    most = 5 * training[middle][0]
    usual = [(steps, pace * steps) for pace, steps in training if pace <= most]
    rate = sum(steps for steps, _ in usual) / max(sum(seconds for _, seconds in usual), 1e-9)
    return rate, sum(min(seconds, most * steps + 60.0) for steps, seconds, _ in gaps)


def _trains(*lines):
    return all("/train/" in name for line in lines for name in line if "/" in name)


def mean_depth(workdir, compute=None):
    """The mean-depth baseline, float32 [H, W] metres, of mean_depth.npy; `compute()` makes it where that is missing."""
    path = pathlib.Path(workdir, "mean_depth.npy")
    if not path.is_file():
        if compute is None:
            raise FileNotFoundError(f"{path}: missing: the mean-depth baseline is kept by the training run")
        array = compute().astype(np.float32)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.npy")
        np.save(temporary, array)
        temporary.replace(path)
    return np.load(path)
