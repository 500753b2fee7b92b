"""A trained network as a small folder to pass on: a workdir whose checkpoint is one file, `network.npz`.

The run's config.json and mean_depth.npy lie beside it, so that whatever reads a workdir reads a packed network too.
Arrays with two or more axes are float16 there, others (biases, statistics) float32. Nothing is pickled.
"""

import io
import os
import pathlib

import jax
import numpy as np
from flax import traverse_util

from jaxdepth.data.files.arrays import read_archive
from jaxdepth.data.files.writing import array_buffers, json_bytes, write_together
from jaxdepth.errors import InputError
from jaxdepth.runs import record, workdir

FILE = "network.npz"
_STEP = "step"
_DTYPES = (np.float16, np.float32)


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
      OSError: if a file cannot be written, or one of another kind is there.
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
    names = (record.NAME, FILE, workdir.MEAN_DEPTH)
    if (found := [name for name in names if os.path.lexists(folder / name)]) and not _holds_network(folder):
        raise FileExistsError(
            f"output {str(folder / found[0])!r} is there and no packed network's: expected another folder"
        )
    folder.mkdir(parents=True, exist_ok=True)
    weights = io.BytesIO()
    np.savez(weights, **arrays, **{_STEP: step})
    files = {
        record.NAME: json_bytes(content),
        FILE: weights.getvalue(),
        workdir.MEAN_DEPTH: array_buffers(mean_depth),
    }
    write_together({folder / name: data for name, data in files.items()})
    return len(files[FILE])


def _holds_network(folder):
    """Whether a folder holds a packed network: its weights, and the record of a run."""
    try:
        record.read(folder)
    except (InputError, OSError):
        return False
    return (folder / FILE).is_file()


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

    The file is not compressed, and names, shapes and dtypes are checked before any weights are read: it takes about as
    much memory as it has bytes.

    Args:
      folder: of `write`.
      shapes: {"params", "batch_stats"} as shapes.

    Returns:
      The variables as numpy arrays of these shapes and dtypes, and their step.

    Raises:
      InputError: if the file is damaged, holds another network, or weights that are not finite.
    """
    path = pathlib.Path(folder, FILE)
    expected = traverse_util.flatten_dict(shapes, sep="/")

    def check(headers):
        wanted = {name: x.shape for name, x in expected.items()} | {_STEP: ()}
        found = {name: shape for name, (shape, _) in headers.items()}
        if different := sorted(name for name in wanted | found if wanted.get(name) != found.get(name)):
            name = different[0]
            raise InputError(
                f"{path}: the weights are not those of the network in {record.NAME} (array {name!r}: "
                f"{found.get(name, 'missing')}, expected {wanted.get(name, 'none')})"
            )
        for name, (_, dtype) in headers.items():
            if name != _STEP and dtype not in _DTYPES or name == _STEP and dtype.kind not in "iu":
                raise InputError(f"{path}: array {name!r} of {dtype}: expected float16 or float32")

    arrays = read_archive(path, check)
    step = int(arrays.pop(_STEP))
    if not_finite := [name for name, x in arrays.items() if not np.isfinite(x).all()]:
        raise InputError(f"{path}: array {not_finite[0]!r} has values that are not finite")
    arrays = {name: x.astype(expected[name].dtype) for name, x in arrays.items()}
    return dict.fromkeys(shapes, {}) | traverse_util.unflatten_dict(arrays, sep="/"), step
