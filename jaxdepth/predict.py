"""A trained network out of its workdir, and the way from a picture to its input."""

import dataclasses
import pathlib
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from jaxdepth import models, sharding, state, workdir
from jaxdepth.checkpoint import Checkpoints
from jaxdepth.data.frames import centre_corner


@dataclasses.dataclass(frozen=True)
class Trained:
    """A network with the variables of one checkpoint, on all devices, and the settings that it was trained with."""

    network: Any
    variables: Any  # {"params", "batch_stats"}
    config: dict
    step: int

    @property
    def crop_size(self):
        """(h, w), the size of picture that the network was trained on."""
        return tuple(self.config["data"]["crop_size"])


def load(folder, *, step=None):
    """The network of the training run in `folder` as a Trained, from its last checkpoint or that of `step`.

    Raises FileNotFoundError or ValueError for a folder without a run or without such a checkpoint.
    """
    config = workdir.read_config(folder)["config"]
    network = models.build(**config["model"])
    checkpoints_folder = pathlib.Path(folder, "checkpoints")
    if not checkpoints_folder.is_dir():
        raise FileNotFoundError(f"workdir {str(folder)!r} has no checkpoints yet")
    with Checkpoints(checkpoints_folder, read_only=True) as checkpoints:
        step = checkpoints.last() if step is None else step
        variables = checkpoints.restore_model(
            state.shapes(network, tuple(config["data"]["crop_size"])),
            step=step,
            sharding=sharding.replicated(sharding.make_mesh()),
        )
    return Trained(network, variables, config, step)


def network_input(picture, *, frame_size, crop_size):
    """uint8 [H, W, 3] of any size -> float32 [1, h, w, 3] in [0, 1], cut as the pictures in training are.

    The middle of the picture in the shape of `frame_size` (H, W) is resized to it, and its central `crop_size` taken.
    """
    height, width = frame_size
    larger = picture.shape[0] >= height and picture.shape[1] >= width
    method = Image.Resampling.BOX if larger else Image.Resampling.BILINEAR  # the mean of 2x2, as NYU's are halved
    frame = np.asarray(ImageOps.fit(Image.fromarray(picture), (width, height), method))
    top, left = centre_corner(frame_size, crop_size=crop_size)
    return np.float32(frame[None, top : top + crop_size[0], left : left + crop_size[1]]) / 255
