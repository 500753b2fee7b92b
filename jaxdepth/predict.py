"""A trained network out of its workdir, and the way from a picture to its depth.

A picture of any size is scaled as a whole to fit into the frame that the network was trained on, its borders are
continued to the frame's, and the network sees the frame's centre crop as in training. The depth of the crop is
continued to the frame as in the evaluation, the picture's part of it is cut out and resized bilinearly to the picture.

The network's metres hold for the camera of its training: that of the folder it was trained on where its intrinsics were
given, else NYU Depth V2's. A camera whose focal length is f times as long in the frame's pixels shows the same picture
of a room that is f times as far away, so the depth is multiplied by f.
"""

import dataclasses
import functools
import math
import os
import pathlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from jaxdepth import models
from jaxdepth.data.files import pictures
from jaxdepth.data.frames import centre_corner
from jaxdepth.geometry.camera import NYU_INTRINSICS, Intrinsics, resize_intrinsics
from jaxdepth.runs import lineage, packed, workdir
from jaxdepth.training import sharding, state
from jaxdepth.training.checkpoint import Checkpoints

PACKAGED = pathlib.Path(__file__).parent / "trained"  # the network that comes with the package
MIN_DEPTH, MAX_DEPTH = 1e-3, 10.0  # metres; as the protocols clip


@dataclasses.dataclass(frozen=True)
class Trained:
    """A network with the variables of one checkpoint, on all devices, and the settings that it was trained with."""

    network: Any
    variables: Any  # {"params", "batch_stats"}
    config: dict
    step: int
    frame_camera: Intrinsics  # of the training, in pixels of frame_size
    trained_on: str  # the frames of this training and of those that it began with

    @property
    def crop_size(self):
        """(h, w), the size of picture that the network was trained on."""
        return tuple(self.config["data"]["crop_size"])

    @property
    def frame_size(self):
        """(H, W) of the frames whose crops those were."""
        return tuple(self.config["data"]["frame_size"])

    @property
    def mirrored(self):
        """Whether a prediction is the mean of the picture's and of its mirror image's."""
        return self.config.get("mirrored", False)  # which older runs do not have

    @functools.cached_property
    def log_depths(self):
        """The compiled network: float32 [B, h, w, 3] in [0, 1] -> {output: log depth [B, h, w]}, the final first."""
        outputs = jax.jit(functools.partial(models.outputs, self.network, mirrored=self.mirrored))

        def log_depths(image):
            found = outputs(self.variables, image)
            return {group: found[group] for group in self.network.groups}

        return log_depths

    def log_depth(self, image):
        """The final output of `log_depths`."""
        return self.log_depths(image)[self.network.groups[0]]

    def predict(self, image, *, intrinsics=None):
        """The depth of one picture.

        Args:
          image: a picture file, a PIL image, or an array [H, W, 3], uint8 or floating point in [0, 1].
          intrinsics: (fx, fy, cx, cy) in pixels of the picture; by default from its EXIF, else the camera of the
            training is assumed.

        Returns:
          float32 [H, W], metres along z in [1e-3, 10], upright and of the picture's size.

        Raises:
          ValueError, OSError: what is no picture, see `data.files.pictures`, or intrinsics that are out of range.
        """
        return self.predict_outputs(image, intrinsics=intrinsics)[self.network.groups[0]]

    def predict_outputs(self, image, *, intrinsics=None):
        """The depth of one picture by each output alone, {output: float32 [H, W]}, the final first: as `predict`."""
        if isinstance(image, str | os.PathLike):
            picture = pictures.read(image)
        else:
            picture = pictures.from_pil(image) if isinstance(image, Image.Image) else pictures.from_array(image)
        frame = dict(frame_size=self.frame_size, frame_camera=self.frame_camera)
        camera, _ = find_camera(picture, given=intrinsics, **frame)
        size = dict(crop_size=self.crop_size, **frame)
        log_depths = self.log_depths(
            network_input(picture.pixels, frame_size=self.frame_size, crop_size=self.crop_size)
        )
        return {
            output: picture_depth(log_depth, [picture.pixels.shape[:2]], [camera], **size)[0]
            for output, log_depth in log_depths.items()
        }


def load(folder=PACKAGED, *, step=None):
    """The network of the training run in `folder` as a Trained, from its last checkpoint or that of `step`.

    A folder of `pack` serves as well; that of the network inside the package is the default. Raises FileNotFoundError
    or ValueError for a folder without a run or without such a checkpoint.
    """
    record = workdir.read_config(folder)
    config, frame_size = record["config"], tuple(record["config"]["data"]["frame_size"])
    network = models.build(**config["model"])
    shapes = state.shapes(network, tuple(config["data"]["crop_size"]))
    replicated = sharding.replicated(sharding.make_mesh())
    checkpoints_folder = pathlib.Path(folder, "checkpoints")
    if pathlib.Path(folder, packed.FILE).is_file():
        variables, at = packed.read(folder, shapes)
        if step not in (None, at):
            raise FileNotFoundError(f"{folder}: no checkpoint of step {step}: packed is that of step {at}")
        variables, step = jax.device_put(variables, replicated), at
    elif not checkpoints_folder.is_dir():
        raise FileNotFoundError(f"workdir {str(folder)!r} has no checkpoints yet")
    else:
        with Checkpoints(checkpoints_folder, read_only=True) as checkpoints:
            step = checkpoints.last() if step is None else step
            variables = checkpoints.restore_model(shapes, step=step, sharding=replicated)
    if camera := record["data"].get("intrinsics"):
        camera = Intrinsics(*camera)
    else:
        camera = resize_intrinsics(NYU_INTRINSICS, from_size=(480, 640), to_size=frame_size)
    return Trained(network, variables, config, step, camera, lineage.in_words(record))


def pack(folder, output, *, step=None):
    """Write the network of the run in `folder` into the folder `output`, see `packed`; returns its weights' bytes.

    Raises as `load` and `packed.write`.
    """
    trained, record = load(folder, step=step), workdir.read_config(folder)
    mean_depth = workdir.mean_depth(folder)
    return packed.write(output, trained.variables, step=trained.step, record=record, mean_depth=mean_depth)


class Place(NamedTuple):
    """Where a picture lies in the frame: its scale, and its first row and column, height and width there."""

    scale: float
    top: int
    left: int
    height: int
    width: int


def place(size, *, frame_size):
    """The Place of a picture of `size` (H, W) that just fits into the middle of a frame."""
    scale = min(inner / outer for inner, outer in zip(frame_size, size, strict=True))
    height, width = (max(1, round(scale * n)) for n in size)
    top, left = centre_corner(frame_size, crop_size=(height, width))
    return Place(scale, top, left, height, width)


def network_input(picture, *, frame_size, crop_size):
    """uint8 [H, W, 3] of any size -> float32 [1, h, w, 3] in [0, 1].

    The picture is resized into the frame, by areas where it shrinks and bilinearly where it grows, its borders are
    continued to `frame_size`, and the central `crop_size` is taken.
    """
    at = place(picture.shape[:2], frame_size=frame_size)
    method = Image.Resampling.BOX if at.scale < 1 else Image.Resampling.BILINEAR  # the mean of 2x2, as NYU's are halved
    inner = np.asarray(Image.fromarray(picture).resize((at.width, at.height), method))
    below, right = frame_size[0] - at.top - at.height, frame_size[1] - at.left - at.width
    frame = np.pad(inner, ((at.top, below), (at.left, right), (0, 0)), mode="edge")
    top, left = centre_corner(frame_size, crop_size=crop_size)
    return np.float32(frame[None, top : top + crop_size[0], left : left + crop_size[1]]) / 255


def continue_to_frame(depth, *, frame_size, crop_size):
    """Depth [B, h, w] of the centre crop -> [B, H, W] of the frame: the border is continued outwards."""
    top, left = centre_corner(frame_size, crop_size=crop_size)
    below, right = frame_size[0] - crop_size[0] - top, frame_size[1] - crop_size[1] - left
    return jnp.pad(depth, ((0, 0), (top, below), (left, right)), mode="edge")


def picture_depth(log_depth, picture_sizes, cameras, *, frame_size, frame_camera, crop_size):
    """Log depth [B, h, w] of network inputs -> float32 [H, W] metres of each picture, in [MIN_DEPTH, MAX_DEPTH].

    Args:
      log_depth: of at least as many inputs as there are pictures; what is beyond is left out.
      picture_sizes: (H, W) of each picture; cameras: its Intrinsics.
      frame_size, frame_camera, crop_size: of the network's training.
    """
    frames = np.asarray(continue_to_frame(jnp.exp(log_depth), frame_size=frame_size, crop_size=crop_size))
    depths = []
    for size, camera, frame in zip(picture_sizes, cameras, frames, strict=False):
        at = place(size, frame_size=frame_size)
        inner = np.ascontiguousarray(frame[at.top : at.top + at.height, at.left : at.left + at.width], np.float32)
        inner = inner * np.float32(depth_factor(size, camera, frame_size=frame_size, frame_camera=frame_camera))
        resized = Image.fromarray(inner).resize(size[::-1], Image.Resampling.BILINEAR)
        depths.append(np.clip(np.asarray(resized), np.float32(MIN_DEPTH), np.float32(MAX_DEPTH)))
    return depths


def depth_factor(size, camera, *, frame_size, frame_camera):
    """How much longer the focal length of a picture's camera is, in the frame's pixels, than that of the training."""
    scale = place(size, frame_size=frame_size).scale
    return scale * math.sqrt(camera.fx * camera.fy / (frame_camera.fx * frame_camera.fy))


def find_camera(picture, *, frame_size, frame_camera, given=None):
    """The Intrinsics of a Picture in its own pixels, and where they come from: `given`, `exif` or `training`.

    Those given; else the EXIF's focal length on 35 mm film, which compares diagonals, and the picture's middle; else
    `frame_camera`, that of the training's frames, as if the picture were the part of one into which it just fits.
    Raises ValueError for focal lengths that are not above 0 and for other numbers than four finite ones.
    """
    height, width = picture.pixels.shape[:2]
    if given is not None:
        if len(given) != 4 or not all(map(math.isfinite, given)) or min(given[:2]) <= 0:
            raise ValueError(f"intrinsics {tuple(given)}: expected fx and fy above 0, cx and cy, in pixels")
        return Intrinsics(*map(float, given)), "given"
    if picture.focal_35mm:
        focal = picture.focal_35mm * math.hypot(width, height) / math.hypot(36, 24)
        return Intrinsics(focal, focal, (width - 1) / 2, (height - 1) / 2), "exif"
    scale = place((height, width), frame_size=frame_size).scale
    return Intrinsics(
        fx=frame_camera.fx / scale,
        fy=frame_camera.fy / scale,
        cx=(width - 1) / 2 + (frame_camera.cx - (frame_size[1] - 1) / 2) / scale,
        cy=(height - 1) / 2 + (frame_camera.cy - (frame_size[0] - 1) / 2) / scale,
    ), "training"
