"""What a measure sees of a frame."""

from typing import NamedTuple

import numpy as np

from jaxdepth.geometry.camera import Intrinsics


class ScoredFrame(NamedTuple):
    """A prediction and its truth inside the protocol's window.

    Attributes:
      prediction: float64 [H, W], metres, finite and clipped to the depth range.
      truth: float64 [H, W], metres; 0 where it is not scored.
      valid: bool [H, W], where the truth is scored.
      camera: intrinsics in pixels of the window; None if unknown.
      labels: uint16 [H, W], indices into `label_names`; None without labels.
      label_names: names of the classes, the first for what is not labelled; None if unknown.
      edges: bool [H, W], annotated depth boundaries; None without.
      planes: bool [H, W] each, surfaces that are known to be planes; None without.
      seed: a number that belongs to the frame alone, for measures that draw random pixels.
    """

    prediction: np.ndarray
    truth: np.ndarray
    valid: np.ndarray
    camera: Intrinsics | None = None
    labels: np.ndarray | None = None
    label_names: tuple[str, ...] | None = None
    edges: np.ndarray | None = None
    planes: tuple[np.ndarray, ...] | None = None
    seed: int = 0
