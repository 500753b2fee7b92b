"""What a part of a trained network has learned (section 6.1, figure 9): its features, and its depth by itself."""

import functools
import pathlib

import jax
import numpy as np

from jaxdepth import predict
from jaxdepth.data.files import pictures
from jaxdepth.output import figures


def probe(folder, picture, *, names=(), step=None, channels=64, output=None):
    """Show the inside of the network of a training run on one picture.

    Writes depth.png, the depth of every output by itself (of Eigen's family the coarse map alone, of `kscale` each
    scale alone), and for every intermediate asked for a grid of its channels, NAME.png with `/` as `-`.

    Args:
      folder: the run's workdir; step: which checkpoint, None for the last.
      picture: a picture file.
      names: intermediates such as `coarse/conv1`; ("all",) for every one.
      channels: at most so many of each are shown, the first.
      output: folder for the pictures; None for probe/PICTURE in the workdir.

    Returns:
      {name: shape [h, w, C] or [C]} of the intermediates, and the paths of the pictures.

    Raises:
      ValueError, FileNotFoundError: an unknown name, a picture or a run that cannot be read.
    """
    if channels < 1:
        raise ValueError(f"channels={channels}: expected 1 or more")
    image = pictures.read(picture).pixels
    trained = predict.load(folder, step=step)
    network = trained.network
    x = predict.network_input(image, frame_size=trained.frame_size, crop_size=trained.crop_size)
    apply = jax.jit(functools.partial(network.apply, gate=0))
    arrays = {name: np.float32(value)[0] for name, value in apply(trained.variables, x)[1].items()}
    inside = {name: array.shape for name, array in sorted(arrays.items()) if name not in network.groups}
    if names == ("all",):
        names = tuple(inside)
    if unknown := [name for name in names if name not in inside]:
        raise ValueError(f"intermediate {unknown[0]!r}: expected one of {', '.join(inside) or 'none'}")

    output = pathlib.Path(output or pathlib.Path(folder, "probe", pathlib.Path(picture).stem))
    output.mkdir(parents=True, exist_ok=True)
    title = f"{folder}, step {trained.step}"
    depths = {name: np.exp(arrays[name])[None] for name in network.groups[::-1]}
    figures.panel(output / "depth.png", x, depths, title=f"the depth of each output by itself\n{title}")
    paths = [output / "depth.png"]
    for name in names:
        paths.append(output / f"{name.replace('/', '-')}.png")
        figures.features(paths[-1], arrays[name], channels=channels, title=f"{name} {inside[name]}\n{title}")
    return inside, paths
