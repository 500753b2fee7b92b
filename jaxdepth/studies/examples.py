"""Example frames to show: pictures, their true depth, and what networks predict for them."""

import dataclasses

import numpy as np

from jaxdepth.geometry.camera import Intrinsics

FRAME_SIZE = (240, 320)  # of the frames as they are shown


@dataclasses.dataclass(frozen=True)
class Examples:
    """Some frames of a source.

    Attributes:
      ids: int64 [N], of the frames.
      images: uint8 [N, H, W, 3].
      truth: float32 [N, H, W], metres; 0 where there is no measurement.
      intrinsics: their camera in pixels; None if unknown.
    """

    ids: np.ndarray
    images: np.ndarray
    truth: np.ndarray
    intrinsics: Intrinsics | None

    def predict(self, predictor):
        """Predicts the frames by every output.

        Args:
          predictor: a `predict.Predictor`.

        Returns:
          {output: float32 [N, H, W] metres}, the final output first.
        """
        outputs = [predictor.predict_outputs(image, intrinsics=self.intrinsics) for image in self.images]
        return {name: np.stack([depths[name] for depths in outputs]) for name in predictor.groups}


def take(frames, indices) -> Examples:
    """Takes frames of a source.

    Args:
      frames: a Frames.
      indices: int64 [N], which of its frames.
    """
    return Examples(frames.ids[indices], frames.images[indices], frames.depths[indices], frames.intrinsics)
