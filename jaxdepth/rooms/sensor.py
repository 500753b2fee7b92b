"""A simulated structured-light camera, like the first Kinect: its image, and its noisy depth with holes."""

import jax
import jax.numpy as jnp

from jaxdepth.geometry.camera import Intrinsics
from jaxdepth.rooms.pixels import to_image
from jaxdepth.rooms.random_numbers import named_uniform, normal_planes

BASELINE = 0.075  # metres, from the projector to the infrared camera
FOCAL = 580.0  # pixels, of the infrared camera at 640x480
STEPS = 8  # steps of disparity in one of its pixels
RANGE = (0.5, 10.0)  # metres that it measures


def sense(frame, key, *, intrinsics: Intrinsics):
    """Simulates what the camera records of an exact frame.

    The image is blurred or sharpened, darker towards its corners, and noisy. Depth z has noise with standard deviation
    .0012 + .0019 (z - .4)^2 m (Nguyen, Izadi, Lovell 2012) and is quantised in disparity, in steps of z^2 / 348 m. It
    is 0, not measured, outside RANGE, in the projector's shadow beside nearer things, and on some dark surfaces.

    Args:
      frame: dict of image uint8 [H, W, 3], exact depth float32 [H, W] and label [H, W].
      key: a jax.random key.
      intrinsics: of the frame.

    Returns:
      The frame with new image and depth, of the same shapes and types.
    """
    numbers = named_uniform(jax.random.fold_in(key, 0), blur=(), vignetting=(), noise=(), dark=())
    image = _image(frame["image"], jax.random.fold_in(key, 1), numbers)
    depth = frame["depth"]
    depth_noise, return_noise = normal_planes(jax.random.fold_in(key, 2), (2, *depth.shape), axis=0)
    noisy = jnp.maximum(depth + depth_noise * (0.0012 + 0.0019 * (depth - 0.4) ** 2), 0.1)
    disparity = FOCAL * BASELINE / noisy
    measured = FOCAL * BASELINE * STEPS / jnp.round(disparity * STEPS)
    dark = sum(image) / 3 + 8 * return_noise < 12 * numbers.dark
    valid = ~_shadow(depth, intrinsics) & ~dark & (measured > RANGE[0]) & (measured < RANGE[1])
    return {**frame, "image": to_image(image), "depth": jnp.where(valid, measured, 0.0)}


def _shadow(depth, intrinsics):
    """Where the projector's light does not reach, bool [H, W].

    The projector is to the left of the camera. A point is in shadow if a point to its right is so much nearer that its
    disparity is larger by more than their distance in the image.
    """
    width, reach = depth.shape[1], int(intrinsics.fx * BASELINE / RANGE[0])
    # Padded before the division, so that XLA on a CPU keeps the padded array and the loop over columns is plain.
    padded = jnp.pad(depth, ((0, 0), (0, reach)), constant_values=jnp.inf)
    disparity = intrinsics.fx * BASELINE / padded  # in pixels of the frame
    shadow = jnp.zeros(depth.shape, bool)
    for k in range(1, reach + 1):
        shadow |= disparity[:, k : k + width] - disparity[:, :width] > k
    return shadow


def _image(image, key, numbers):
    """Adds blur (or sharpens), vignetting and noise: three planes in [0, 255]."""
    side = 0.5 * numbers.blur - 0.3
    height, width, _ = image.shape
    y, x = jnp.linspace(-1, 1, height)[:, None], jnp.linspace(-1, 1, width)[None]
    shade = 1 - 0.2 * numbers.vignetting * (x**2 + y**2)
    noise = normal_planes(key, image.shape, axis=2)
    planes = []
    for channel in range(3):
        plane = image[..., channel].astype(jnp.float32)
        for axis in (0, 1):
            padded = jnp.pad(plane, [(int(i == axis),) * 2 for i in (0, 1)], mode="edge")
            before, after = (jax.lax.slice_in_dim(padded, i, i + plane.shape[axis], axis=axis) for i in (0, 2))
            plane = (1 - 2 * side) * plane + side * (before + after)
        plane = jnp.clip(plane, 0, 255) * shade
        deviation = (1 + 3 * numbers.noise) * jnp.sqrt(0.3 + plane / 255)
        planes.append(jnp.clip(plane + deviation * noise[channel], 0, 255))
    return planes
