"""A trained network as a small folder to pass on: a workdir whose checkpoint is one file, `network.npz`.

The run's config.json and mean_depth.npy lie beside it, so that whatever reads a workdir reads a packed network too.
Arrays with two or more axes are float16 there, others (biases, statistics) float32. Nothing is pickled.
"""

import io
import pathlib
import zipfile

import jax
import numpy as np
from flax import traverse_util

from jaxdepth.data.files.writing import array_bytes, json_bytes, write_together
from jaxdepth.errors import InputError
from jaxdepth.runs import record, workdir

FILE = "network.npz"
_STEP = "step"


def write(folder, variables, *, step, run, mean_depth):
    """Writes a network into a folder, all files or none.

    Args:
      folder: the folder, created if missing.
      variables: {"params", "batch_stats"}.
      step: of the training.
      run: the RunRecord; of its paths (data, init_from) only the last part is kept.
      mean_depth: float32 [H, W] metres, the run's mean depth image.

    Returns:
      The size of `network.npz` in bytes.

    Raises:
      InputError: for a value that float16 does not hold, or a folder with a training run, whose checkpoints would be
        hidden.
      OSError: if a file cannot be written.
    """
    if pathlib.Path(folder, "checkpoints").exists():
        raise InputError(f"output {str(folder)!r} holds a training run: expected another folder")
    content = run.to_json()
    config = content["config"]
    for settings, name in ((config, "init_from"), (config["data"], "path")):
        settings[name] = settings[name] and pathlib.Path(settings[name]).name
    arrays = traverse_util.flatten_dict(jax.device_get(variables), sep="/")
    with np.errstate(over="ignore"):
        arrays = {name: np.asarray(x, np.float16 if x.ndim > 1 else np.float32) for name, x in arrays.items()}
    if overflown := [name for name, x in arrays.items() if not np.isfinite(x).all()]:
        raise InputError(f"{overflown[0]}: a value that float16 does not hold")
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    weights = io.BytesIO()
    np.savez(weights, **arrays, **{_STEP: step})
    files = {
        record.NAME: json_bytes(content),
        FILE: weights.getvalue(),
        workdir.MEAN_DEPTH: array_bytes(mean_depth),
    }
    write_together({folder / name: data for name, data in files.items()})
    return len(files[FILE])


def refuse(folder):
    """Checks that a training run does not go into a packed network's folder, where it would be hidden.

    Raises:
      InputError: if `folder` holds a packed network.
    """
    if pathlib.Path(folder, FILE).exists():
        raise InputError(
            f"workdir {str(folder)!r} holds a packed network: use another --workdir, and "
            f"--config.init_from={folder} to start from its weights"
        )


def read(folder, shapes):
    """Reads the weights of a packed network.

    Args:
      folder: of `write`.
      shapes: {"params", "batch_stats"} as shapes.

    Returns:
      The variables as numpy arrays of these shapes and dtypes, and their step.

    Raises:
      InputError: if the file is damaged, or holds another network.
    """
    path = pathlib.Path(folder, FILE)
    try:
        with open(path, "rb") as file, np.load(file) as stored:
            arrays = {name: stored[name] for name in stored.files}
        step = int(arrays.pop(_STEP))
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: not a packed network ({error})") from error
    expected = traverse_util.flatten_dict(shapes, sep="/")
    if {name: x.shape for name, x in arrays.items()} != {name: x.shape for name, x in expected.items()}:
        raise InputError(f"{path}: the weights are not those of the network in {record.NAME}")
    arrays = {name: x.astype(expected[name].dtype) for name, x in arrays.items()}
    return dict.fromkeys(shapes, {}) | traverse_util.unflatten_dict(arrays, sep="/"), step
