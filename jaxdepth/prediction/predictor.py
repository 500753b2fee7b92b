"""A trained network that predicts the depth of pictures, and what it predicts."""

import dataclasses
import functools
import os
import pathlib

import jax
import numpy as np
from PIL import Image

from jaxdepth import models
from jaxdepth.data.files import pictures, writing
from jaxdepth.errors import InputError
from jaxdepth.geometry import camera, framing
from jaxdepth.models import compiled
from jaxdepth.output import encode
from jaxdepth.runs import trained


@dataclasses.dataclass(frozen=True)
class Prediction:
    """The depth of a picture. `numpy.asarray` of it is the depth.

    Attributes:
      depth: float32 [H, W], metres along z, of the picture's size: an array of numpy, or of jax if it was asked for.
      image: uint8 [H, W, 3], the upright picture.
      intrinsics: camera.Intrinsics in pixels of the picture.
      intrinsics_from: where they come from, see `framing.find_camera`.
    """

    depth: np.ndarray | jax.Array
    image: np.ndarray
    intrinsics: camera.Intrinsics
    intrinsics_from: str

    def __array__(self, dtype=None, copy=None):
        return np.array(self.depth, dtype=dtype, copy=copy)

    def points(self):
        """The pixels as points of the camera's frame: [H, W, 3], metres, x right, y down, z forward."""
        points = camera.back_project(self.depth, self.intrinsics)
        return points if isinstance(self.depth, jax.Array) else np.asarray(points)

    def save(self, path):
        """Writes the depth as a file, which is complete or not there at all; what is there is replaced.

        Args:
          path: its name tells the format: one that ends in a suffix of `encode.FORMATS`, such as room.npy (metres),
            room.png (16 bit, millimetres), room.color.png (for viewing), room.ply (a point cloud) or room.glb (a mesh
            with the photo on it).

        Raises:
          InputError: for another suffix, or a format whose library is missing.
          OSError: if the file cannot be written.
        """
        name = pathlib.Path(path).name
        fitting = [kind for kind, suffix in encode.FORMATS.items() if name.endswith(suffix)]
        if not fitting:
            raise InputError(f"{str(path)!r}: expected a name that ends in one of {', '.join(encode.FORMATS.values())}")
        kind = max(fitting, key=lambda kind: len(encode.FORMATS[kind]))
        writing.write_atomically(path, encode.encode(kind, np.asarray(self.depth), self.image, self.intrinsics))


@dataclasses.dataclass(frozen=True)
class Predictor:
    """A trained network that predicts the depth of pictures.

    Attributes:
      trained: a `runs.trained.Trained`.
    """

    trained: trained.Trained

    @property
    def groups(self):
        """Names of the network's outputs, the final one first."""
        return self.trained.network.groups

    @property
    def framing(self):
        """The frames of the training, see `geometry.framing.Framing`."""
        return self.trained.framing

    @functools.cached_property
    def log_depths(self):
        """The compiled network: float32 [B, h, w, 3] in [0, 1] -> {output: log depth [B, h, w]}, final first."""
        network, variables = self.trained.network, self.trained.variables
        outputs = compiled.jit(functools.partial(models.outputs, network, flip_tta=self.trained.run.flip_tta))

        def log_depths(image):
            predicted = outputs(variables, image)
            return {group: predicted[group] for group in network.groups}

        return log_depths

    def predict(self, image, *, intrinsics=None, on_device=False):
        """Predicts the depth of a picture.

        Args:
          image: a picture file, a PIL image, or an array [H, W, 3], uint8 or floating point in [0, 1].
          intrinsics: (f,), (fx, fy) or (fx, fy, cx, cy) in pixels of the picture; by default from its EXIF if that is
            plausible, else the training's camera.
          on_device: whether the depth stays on the device, as an array of jax.

        Returns:
          A Prediction, whose depth is from .001 to the run's `data.max_depth`.

        Raises:
          InputError: for something other than a picture, see `data.files.pictures`, intrinsics that no camera has, or a
            network whose predictions are not finite.
          OSError: if a file cannot be opened.
        """
        return self.predict_batch([image], intrinsics=intrinsics, on_device=on_device)[0]

    def predict_batch(self, images, *, intrinsics=None, on_device=False):
        """Predicts the depth of some pictures together, which may differ in size.

        Args:
          images: as for `predict`: a list of them, or an array [B, H, W, 3].
          intrinsics, on_device: as for `predict`, of all of them.

        Returns:
          A list of Predictions.

        Raises:
          InputError, OSError: as `predict`.
        """
        read = [_picture(image) for image in images]
        if not read:
            return []
        cameras = [self._camera(picture, intrinsics) for picture in read]
        inputs = np.concatenate([framing.network_input(picture.pixels, self.framing) for picture in read])
        log_depth = self.finite(self.log_depths(inputs)[self.groups[0]])
        to_pictures = framing.picture_depths_on_device if on_device else framing.picture_depths
        sizes, max_depth = [picture.pixels.shape[:2] for picture in read], self.trained.run.max_depth
        depths = to_pictures(log_depth, sizes, [found for found, _ in cameras], self.framing, max_depth=max_depth)
        return [
            Prediction(depth, picture.pixels, found, origin)
            for depth, picture, (found, origin) in zip(depths, read, cameras, strict=True)
        ]

    def predict_outputs(self, image, *, intrinsics=None):
        """Like `predict`, but the depth of each output: {output: float32 [H, W]}, the final one first."""
        picture = _picture(image)
        size, (found, _) = picture.pixels.shape[:2], self._camera(picture, intrinsics)
        log_depths = self.log_depths(framing.network_input(picture.pixels, self.framing))
        to_picture = functools.partial(framing.picture_depths, max_depth=self.trained.run.max_depth)
        return {
            output: to_picture(self.finite(log_depth), [size], [found], self.framing)[0]
            for output, log_depth in log_depths.items()
        }

    def finite(self, log_depth):
        """Log depths as they are; raises InputError if one is not finite, which is the network's fault."""
        if not np.isfinite(log_depth).all():
            network = f"network {self.trained.run.model['name']} of step {self.trained.step}"
            raise InputError(f"{network} predicts values that are not finite: expected weights of a sound training")
        return log_depth

    def _camera(self, picture, intrinsics):
        size = picture.pixels.shape[:2]
        return framing.find_camera(size, self.framing, given=intrinsics, focal_35mm=picture.focal_35mm)


def _picture(image):
    """A Picture of what `predict` takes."""
    if isinstance(image, str | os.PathLike):
        return pictures.read(image)
    return pictures.from_pil(image) if isinstance(image, Image.Image) else pictures.from_array(image)
