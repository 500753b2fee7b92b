"""A trained network as a small folder that travels: a workdir whose checkpoint is one file, `network.npz`.

Beside it lie the run's config.json and mean_depth.npy, so that whatever reads a workdir reads this too. Tensors are
float16 there, vectors (biases, statistics) float32; nothing is pickled.
"""

import io
import json
import pathlib
import zipfile

import jax
import numpy as np
from flax import traverse_util

from jaxdepth.runs import workdir

FILE = "network.npz"
_STEP = "step"


def write(folder, variables, *, step, record, mean_depth):
    """Write a network into a folder, which is made, all files or none, and return the bytes of its weights' file.

    Args:
      variables: {"params", "batch_stats"}; step: of the training, kept beside them.
      record: the run's config.json; its paths (of data, of initial weights) are cut down to their last part.
      mean_depth: float32 [H, W] metres, the baseline of the run.

    Raises ValueError for a value that float16 does not hold, and for the folder of a training run, whose later
    checkpoints no one would see; OSError with the path where a file cannot be written.
    """
    if pathlib.Path(folder, "checkpoints").exists():
        raise ValueError(f"output {str(folder)!r}: a training run's own folder: expected another")
    config = record["config"]
    short = {name: config[name] and pathlib.Path(config[name]).name for name in ("initial",) if name in config}
    data = config["data"] | {"path": config["data"]["path"] and pathlib.Path(config["data"]["path"]).name}
    record = record | {"config": config | short | {"data": data}}
    arrays = traverse_util.flatten_dict(jax.device_get(variables), sep="/")
    with np.errstate(over="ignore"):
        arrays = {name: np.asarray(x, np.float16 if x.ndim > 1 else np.float32) for name, x in arrays.items()}
    if overflown := [name for name, x in arrays.items() if not np.isfinite(x).all()]:
        raise ValueError(f"{overflown[0]}: a value that float16 does not hold")
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files = {"config.json": (json.dumps(record, indent=2) + "\n").encode()}
    for name, save in (
        (FILE, lambda file: np.savez(file, **arrays, **{_STEP: step})),
        ("mean_depth.npy", lambda file: np.save(file, mean_depth)),
    ):
        buffer = io.BytesIO()
        save(buffer)
        files[name] = buffer.getvalue()
    workdir.write_together({folder / name: data for name, data in files.items()})
    return len(files[FILE])


def refuse(folder):
    """Raise ValueError where a training run is to be kept in a folder that holds a packed network."""
    if pathlib.Path(folder, FILE).exists():
        raise ValueError(
            f"workdir {str(folder)!r} holds a packed network, which would hide what is trained in it: take another "
            f"--workdir (to go on from its weights, with --config.initial={folder})"
        )


def read(folder, shapes):
    """The variables of a folder of `write` as numpy arrays in the structure and types of `shapes`, and their step.

    Raises ValueError where its file is damaged, or belongs to another network.
    """
    path = pathlib.Path(folder, FILE)
    try:
        with open(path, "rb") as file, np.load(file) as stored:
            arrays = {name: stored[name] for name in stored.files}
        step = int(arrays.pop(_STEP))
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: not a packed network ({error})") from error
    expected = traverse_util.flatten_dict(shapes, sep="/")
    if {name: x.shape for name, x in arrays.items()} != {name: x.shape for name, x in expected.items()}:
        raise ValueError(f"{path}: the weights of another network than that of config.json")
    arrays = {name: x.astype(expected[name].dtype) for name, x in arrays.items()}
    return dict.fromkeys(shapes, {}) | traverse_util.unflatten_dict(arrays, sep="/"), step
