"""What a part of a trained network has learned (section 6.1, figure 9): its features, and its depth by itself."""

import pathlib

import jax
import numpy as np

from jaxdepth import predict
from jaxdepth.data.files import pictures
from jaxdepth.data.files.writing import check_output
from jaxdepth.errors import InputError
from jaxdepth.geometry import framing
from jaxdepth.output import figures
from jaxdepth.paths import PACKAGE


def probe(folder, picture, *, names=(), step="last", channels=64, output=None):
    """Shows a network's intermediates for one picture.

    Writes depth.png, the depth of every output by itself: the coarse map alone, each scale alone. For each intermediate
    in `names` writes a grid of its channels, NAME.png, with "-" for "/" in the name.

    Args:
      folder: workdir of the run, or a packed network.
      picture: a picture file.
      names: intermediates, such as "coarse/conv1"; ("all",) for every one.
      step: a step, "last" or "best".
      channels: how many channels of each are shown at most, the first ones.
      output: folder for the pictures; None for probe/PICTURE in the workdir, or here for "package".

    Returns:
      {name: shape [h, w, C] or [C]} of the intermediates, and the paths of the pictures.

    Raises:
      InputError: for an unknown name, or a file that is not a picture.
      FileNotFoundError: for a missing picture, run or checkpoint.
      FileExistsError: if one of the files is there and no result of ours.
    """
    if channels < 1:
        raise InputError(f"channels={channels}: expected 1 or more")
    pixels = pictures.read(picture).pixels
    predictor = predict.load(folder, step=step)
    network, variables = predictor.trained.network, predictor.trained.variables
    x = framing.network_input(pixels, predictor.framing)
    _, intermediates = jax.jit(network.apply)(variables, x)
    arrays = {name: np.float32(value)[0] for name, value in intermediates.items()}
    shapes = {name: array.shape for name, array in sorted(arrays.items()) if name not in predictor.groups}
    if names == ("all",):
        names = tuple(shapes)
    if unknown := [name for name in names if name not in shapes]:
        raise InputError(f"intermediate {unknown[0]!r}: expected one of {', '.join(shapes) or 'none'}")

    beside = "" if folder == PACKAGE else folder
    output = pathlib.Path(output or pathlib.Path(beside, "probe", pathlib.Path(picture).stem))
    output.mkdir(parents=True, exist_ok=True)
    paths = [output / "depth.png", *(output / f"{name.replace('/', '-')}.png" for name in names)]
    for path in paths:
        check_output(path)
    title = f"{folder}, step {predictor.trained.step}"
    depths = {name: np.exp(arrays[name])[None] for name in predictor.groups[::-1]}
    figures.panel(paths[0], x, depths, title=f"the depth of each output by itself\n{title}")
    for path, name in zip(paths[1:], names, strict=True):
        figures.features(path, arrays[name], channels=channels, title=f"{name} {shapes[name]}\n{title}")
    return shapes, paths
