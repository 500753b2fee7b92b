"""Crops, borders, and where a picture lies in a network's frame.

A network is trained on the centre crops of frames. A picture of any size is scaled to fit into such a frame, its
borders are replicated to fill the frame, and the network sees the frame's centre crop. The predicted crop is extended
to the frame by replicating its border, the picture's part is cut out, and resized bilinearly to the picture.

A network's metres hold for the camera of its training. A camera whose focal length is f times as long, in pixels of the
frame, takes the same picture of a room that is f times as far away, so predicted depth is multiplied by f.
"""

import functools
import math
from fractions import Fraction
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from jaxdepth.errors import InputError
from jaxdepth.geometry.camera import (
    NYU_SIZE,
    Intrinsics,
    completed,
    crop_intrinsics,
    is_plausible,
    resize_intrinsics,
)
from jaxdepth.geometry.depth import MAX_DEPTH, MIN_DEPTH
from jaxdepth.geometry.resize import central_pitch

RESIZES = ("depth", "log_depth")  # what is interpolated


class Framing(NamedTuple):
    """What a network was trained on.

    Attributes:
      frame_size: (H, W) of the frames.
      crop_size: (h, w) of their centre crops, the network's input.
      camera: Intrinsics in pixels of the frame.
    """

    frame_size: tuple[int, int]
    crop_size: tuple[int, int]
    camera: Intrinsics


class Placement(NamedTuple):
    """Where a picture lies in a frame: its scale, first row and column, height and width."""

    scale: float
    top: int
    left: int
    height: int
    width: int


def centre_corner(size, *, crop_size):
    """First (row, column) of the centre crop; an odd remainder leaves the larger part below and to the right.

    Args:
      size: (H, W) of the image.
      crop_size: (h, w).

    Raises:
      InputError: if the crop does not fit.
    """
    if not all(0 < c <= s for c, s in zip(crop_size, size, strict=True)):
        raise InputError(f"crop_size={tuple(crop_size)}: expected (height, width) within the frame's {tuple(size)}")
    return (size[0] - crop_size[0]) // 2, (size[1] - crop_size[1]) // 2


def centre_crop(image, depth, *, crop_size):
    """Centre crops of images [..., H, W, 3] and depths [..., H, W] (paper, section 3.2): raises as `centre_corner`."""
    top, left = centre_corner(depth.shape[-2:], crop_size=crop_size)
    rows, columns = slice(top, top + crop_size[0]), slice(left, left + crop_size[1])
    return image[..., rows, columns, :], depth[..., rows, columns]


def extend_to_frame(depth, *, frame_size, crop_size):
    """Extends depth of the centre crop [B, h, w], of jax or numpy, to the frame [B, H, W] by replicating its border."""
    top, left = centre_corner(frame_size, crop_size=crop_size)
    below, right = frame_size[0] - crop_size[0] - top, frame_size[1] - crop_size[1] - left
    pad = np.pad if isinstance(depth, np.ndarray) else jnp.pad
    return pad(depth, ((0, 0), (top, below), (left, right)), mode="edge")


def to_nyu_size(log_depth, *, frame_size, crop_size, resize="depth"):
    """Log depth of the centre crop [B, h, w] at NYU's size [B, 480, 640]: extended to the frame, resized bilinearly.

    `resize` is one of RESIZES: what is interpolated.
    """
    values = jnp.exp(log_depth) if resize == "depth" else log_depth
    values = extend_to_frame(values, frame_size=frame_size, crop_size=crop_size)
    resized = jax.image.resize(values, (len(values), *NYU_SIZE), "bilinear")
    return jnp.log(resized) if resize == "depth" else resized


def central_bilinear(array, *, size, frame_size, out_size):
    """Takes the largest central part in a frame's shape, resized bilinearly (averaged over areas where it shrinks).

    Args:
      array: float32 [H, W], of a whole picture.
      size: (height, width) of the picture, or their ratio; the array may be a little stretched.
      frame_size: (height, width) whose shape the part has.
      out_size: (h, w) of the result.

    Returns:
      float32 [h, w]; the array itself where it has this size already.
    """
    pitch = central_pitch(size, frame_size)
    pitches = [
        pitch * Fraction(int(part) * n, int(out) * int(whole))
        for part, out, n, whole in zip(frame_size, out_size, array.shape, size, strict=True)
    ]
    starts = [(n - int(out) * p) / 2 for n, out, p in zip(array.shape, out_size, pitches, strict=True)]
    if not any(starts):  # the whole picture: exactly as `to_nyu_size`
        return jax.image.resize(array, tuple(out_size), "bilinear")
    scale = jnp.array([float(1 / p) for p in pitches], jnp.float32)
    shift = jnp.array([float(-start / p) for start, p in zip(starts, pitches, strict=True)], jnp.float32)
    return _scale_and_translate(array, tuple(out_size), scale, shift)


@functools.partial(jax.jit, static_argnums=1)
def _scale_and_translate(array, out_size, scale, shift):
    return jax.image.scale_and_translate(array, out_size, (0, 1), scale, shift, "bilinear", antialias=True)


def place(size, *, frame_size):
    """The Placement of a picture of `size` (H, W), scaled to fit and centred in the frame."""
    scale = min(inner / outer for inner, outer in zip(frame_size, size, strict=True))
    height, width = (max(1, round(scale * n)) for n in size)
    top, left = centre_corner(frame_size, crop_size=(height, width))
    return Placement(scale, top, left, height, width)


def framed(picture, *, frame_size):
    """Places a picture in a frame: uint8 [H, W, 3], scaled to fit and centred, with replicated borders.

    Args:
      picture: uint8 [h, w, 3], of any size: averaged over areas where it shrinks, interpolated bilinearly where it
        grows.
      frame_size: (H, W).
    """
    at = place(picture.shape[:2], frame_size=frame_size)
    method = Image.Resampling.BOX if at.scale < 1 else Image.Resampling.BILINEAR  # as NYU's frames are halved
    inner = np.asarray(Image.fromarray(picture).resize((at.width, at.height), method))
    below, right = frame_size[0] - at.top - at.height, frame_size[1] - at.left - at.width
    return np.pad(inner, ((at.top, below), (at.left, right), (0, 0)), mode="edge")


def network_input(picture, framing):
    """Prepares a picture for a network.

    Args:
      picture: uint8 [H, W, 3], of any size.
      framing: the network's Framing.

    Returns:
      float32 [1, h, w, 3] in [0, 1]: the centre crop of the frame in which it is placed, see `framed`.
    """
    frame = framed(picture, frame_size=framing.frame_size)
    top, left = centre_corner(framing.frame_size, crop_size=framing.crop_size)
    return np.float32(frame[None, top : top + framing.crop_size[0], left : left + framing.crop_size[1]]) / 255


def picture_depths(log_depth, sizes, cameras, framing, *, max_depth=MAX_DEPTH):
    """Brings predictions back to their pictures.

    Args:
      log_depth: [B, h, w], of at least as many inputs as there are pictures; the rest is ignored.
      sizes: (H, W) of each picture.
      cameras: Intrinsics of each picture.
      framing: the network's Framing.
      max_depth: metres.

    Returns:
      A list of float32 [H, W], metres in [MIN_DEPTH, max_depth].
    """
    depths = []
    for inner, size in _parts(log_depth, sizes, cameras, framing):
        inner = np.ascontiguousarray(inner, np.float32)
        resized = np.asarray(Image.fromarray(inner).resize(size[::-1], Image.Resampling.BILINEAR))
        depths.append(np.clip(resized, np.float32(MIN_DEPTH), np.float32(max_depth)))
    return depths


def picture_depths_on_device(log_depth, sizes, cameras, framing, *, max_depth=MAX_DEPTH):
    """As `picture_depths`, to rounding, with arrays of jax that stay on their device."""
    return [
        jnp.clip(jax.image.resize(inner, tuple(size), "bilinear"), MIN_DEPTH, max_depth)
        for inner, size in _parts(log_depth, sizes, cameras, framing, on_device=True)
    ]


def _parts(log_depth, sizes, cameras, framing, *, on_device=False):
    """Yields each picture's part of its frame, in its own metres, [h, w], and its size (H, W)."""
    inner = jnp.exp(log_depth) if on_device else np.exp(np.asarray(log_depth))  # without jax: nothing to compile
    frames = extend_to_frame(inner, frame_size=framing.frame_size, crop_size=framing.crop_size)
    for size, camera, frame in zip(sizes, cameras, frames, strict=False):
        at = place(size, frame_size=framing.frame_size)
        inner = frame[at.top : at.top + at.height, at.left : at.left + at.width]
        yield inner * np.float32(focal_ratio(size, camera, framing)), size


def focal_ratio(size, camera, framing):
    """Ratio of the picture's focal length, in pixels of the frame, to the training camera's."""
    scale = place(size, frame_size=framing.frame_size).scale
    return scale * math.sqrt(camera.fx * camera.fy / (framing.camera.fx * framing.camera.fy))


def frames_focal_ratio(size, camera, framing):
    """`focal_ratio` of a source's frames of `size` (H, W), 1 if it is that to rounding, or if their camera is None."""
    ratio = 1.0 if camera is None else focal_ratio(size, camera, framing)
    return 1.0 if math.isclose(ratio, 1, rel_tol=1e-6) else ratio


def find_camera(size, framing, *, given=None, focal_35mm=None):
    """The camera of a picture: the one given, else from EXIF, else the training's.

    Args:
      size: (H, W) of the picture.
      framing: the network's Framing.
      given: in pixels of the picture, as far as it is known, see `camera.completed`; or None.
      focal_35mm: focal length in mm on 35 mm film, which compares diagonals, or None. The principal point is then
        assumed in the middle.

    Returns:
      Intrinsics in pixels of the picture, and where they come from: "given", "exif", "training", or "training, not
      exif" if EXIF's field of view is not plausible. The training's camera is taken as if the picture were the part of
      a frame into which it fits.

    Raises:
      InputError: as `camera.completed`.
    """
    (height, width), origin = size, "training"
    if given is not None:
        return completed(given, size, "intrinsics"), "given"
    if focal_35mm:
        focal = focal_35mm * math.hypot(width, height) / math.hypot(36, 24)
        exif = Intrinsics(focal, focal, (width - 1) / 2, (height - 1) / 2)
        if is_plausible(exif, size):
            return exif, "exif"
        origin = "training, not exif"
    scale, camera = place(size, frame_size=framing.frame_size).scale, framing.camera
    return Intrinsics(
        fx=camera.fx / scale,
        fy=camera.fy / scale,
        cx=(width - 1) / 2 + (camera.cx - (framing.frame_size[1] - 1) / 2) / scale,
        cy=(height - 1) / 2 + (camera.cy - (framing.frame_size[0] - 1) / 2) / scale,
    ), origin


def frame_intrinsics(intrinsics, *, size, frame_size):
    """Intrinsics of a frame made of a picture: its largest central part in the frame's shape, resized.

    Args:
      intrinsics: Intrinsics in pixels of the picture.
      size: (H, W) of the picture.
      frame_size: (h, w) of the frame.

    Returns:
      Intrinsics in pixels of the frame.
    """
    pitch = float(central_pitch(size, frame_size))
    part = tuple(n * pitch for n in frame_size)
    top, left = ((n - m) / 2 for n, m in zip(size, part, strict=True))
    return resize_intrinsics(crop_intrinsics(intrinsics, top=top, left=left), from_size=part, to_size=frame_size)
