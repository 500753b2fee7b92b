"""The page in the browser: `python launch/demo.py`."""

import hashlib
import json
import pathlib
import shutil
import tempfile

import jax
import numpy as np

from jaxdepth import predict
from jaxdepth.data.files import writing
from jaxdepth.errors import InputError
from jaxdepth.export import check, program, tensorflow_formats
from jaxdepth.page import server
from jaxdepth.paths import PACKAGE, cache_folder

_PARTS = {"static": "", "vendor": "vendor", "examples": "examples"}  # folder here -> folder of the site
_NETWORK = "network"
_DTYPE = "float16"  # half the size to load
_CLOSE = 0.01  # largest relative difference of its metres to the network's


def write(folder, output, *, step="last"):
    """Writes the page as a folder of plain files, which any host of static files serves, below any path.

    Args:
      folder: workdir of the network, "package" for the one that comes with the package.
      output: the folder to write: a new or empty one.
      step: a step, "last" or "best".

    Returns:
      The size of the folder in bytes.

    Raises:
      InputError: without TensorFlow, which writes the network for the browser.
      OSError: if `output` holds something, or cannot be written.
    """
    output = pathlib.Path(output)
    writing.check_folder(output)
    if output.is_dir() and any(output.iterdir()):
        raise FileExistsError(f"output {str(output)!r} is not empty: expected a new folder, or an empty one")
    network = network_files(folder, step=step)
    with writing.removing(writing.temporary(output)) as grown:
        with writing.naming(output):
            grown.mkdir(parents=True)
            for part, place in _PARTS.items():
                _copy(server.FOLDER / part, grown / place)
            _copy(network, grown / _NETWORK)
            writing.fill(output, grown)
    return sum(file.stat().st_size for file in output.rglob("*") if file.is_file())


def _copy(folder, to):
    """Copies the files of a folder; `shutil.copytree` would go on after an error, and give it no number."""
    for file in folder.rglob("*"):
        if file.is_file():
            copied = to / file.relative_to(folder)
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copied)


def network_files(folder=PACKAGE, *, step="last"):
    """A folder with the network for the browser, network.tflite and network.json. It is kept in the cache.

    Args:
      folder, step: as for `write`.

    Returns:
      A pathlib.Path.

    Raises:
      InputError: without TensorFlow, or if what was written is not like the network.
      OSError: if the network cannot be read, or the cache not be written.
    """
    predictor = predict.load(folder, step=step)
    built = program.build(predictor, flip="outside", outputs="all")
    described = program.describe(predictor, built, dtype=_DTYPE, batch=1)
    kept = cache_folder() / f"page-{_fingerprint(built, described)}"
    if (kept / "network.json").is_file() and (kept / "network.tflite").is_file():
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    with writing.removing(tempfile.mkdtemp(prefix=f"{kept.name}.part-", dir=kept.parent)) as parent:
        grown = parent / kept.name
        grown.mkdir()
        file = grown / "network.tflite"
        file.write_bytes(tensorflow_formats.tflite_bytes(built, dtype=_DTYPE))
        difference = check.largest_difference(tensorflow_formats.load_tflite(file), built, batch=1)
        if not difference <= _CLOSE:
            raise InputError(f"the page's network differs by {difference:.2g}: expected {_CLOSE:g} at most")
        (grown / "network.json").write_bytes(writing.json_bytes(described))
        shutil.rmtree(kept, ignore_errors=True)  # a part of one
        grown.replace(kept)
    return kept


def _fingerprint(built, described):
    """Of the weights, and all that is said of them."""
    found = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    for leaf in jax.tree.leaves(built.variables):
        found.update(np.ascontiguousarray(leaf))
    return found.hexdigest()[:16]


__all__ = ["network_files", "write"]
