"""What a structured-light camera, the first Kinect, makes of a rendered frame."""

import jax
import jax.numpy as jnp

from jaxdepth.geometry.camera import Intrinsics

BASELINE = 0.075  # metres from the projector to the infrared camera
STEPS = 8  # of disparity in a pixel of the 640x480 infrared camera, whose focal length is FOCAL
FOCAL = 580.0
RANGE = (0.5, 10.0)  # metres, measured by the sensor


def sense(frame, key, *, intrinsics: Intrinsics):
    """A frame of `jaxdepth.rooms.render` as a camera would have given it.

    The picture is blurred or sharpened, darker towards its corners, and noisy. Depth carries noise that grows with
    its square (Nguyen, Izadi, Lovell 2012: .0012 + .0019 (z - .4)^2 m), is quantised in disparity (a step of z^2 / 348
    m), and is 0, not measured, outside RANGE, in the projector's shadow beside nearer things, and where a dark surface
    gives too little back. Labels stay.

    Args:
      frame: image uint8 [H, W, 3], depth float32 [H, W], label [H, W]; key: of all that is random.
      intrinsics: of the frame.
    """
    draws = jax.random.uniform(jax.random.fold_in(key, 0), (4,))
    image = _picture(frame["image"].astype(jnp.float32), jax.random.fold_in(key, 1), draws)
    depth = frame["depth"]
    noise = jax.random.normal(jax.random.fold_in(key, 2), (2, *depth.shape))
    disparity = FOCAL * BASELINE / jnp.maximum(depth + noise[0] * (0.0012 + 0.0019 * (depth - 0.4) ** 2), 0.1)
    measured = FOCAL * BASELINE * STEPS / jnp.round(disparity * STEPS)
    # The projector stands to the left: what lies behind a nearer thing on its right is in its shadow. In the pixels of
    # the frame a point is shifted by its disparity there.
    shift = intrinsics.fx * BASELINE / depth
    shadow = jnp.zeros(depth.shape, bool)
    for k in range(1, int(intrinsics.fx * BASELINE / RANGE[0]) + 1):
        nearer = jnp.pad(shift[:, k:], ((0, 0), (0, k)))
        shadow |= nearer - shift > k
    dark = jnp.mean(image, axis=-1) + 8 * noise[1] < 12 * draws[3]
    valid = ~shadow & ~dark & (measured > RANGE[0]) & (measured < RANGE[1])
    return {**frame, "image": jnp.round(image).astype(jnp.uint8), "depth": jnp.where(valid, measured, 0.0)}


def _picture(image, key, draws):
    """Blur or its contrary, vignetting and noise: float32 [H, W, 3] in [0, 255] -> the same."""
    side = 0.5 * draws[0] - 0.3
    for axis in (0, 1):
        before, after = (jnp.take(image, i, axis=axis, mode="clip") for i in _neighbours(image.shape[axis]))
        image = (1 - 2 * side) * image + side * (before + after)
    height, width = image.shape[:2]
    y, x = jnp.linspace(-1, 1, height)[:, None], jnp.linspace(-1, 1, width)[None]
    image = jnp.clip(image, 0, 255) * (1 - 0.2 * draws[1] * (x**2 + y**2))[..., None]
    deviation = (1 + 3 * draws[2]) * jnp.sqrt(0.3 + image / 255)
    return jnp.clip(image + deviation * jax.random.normal(key, image.shape), 0, 255)


def _neighbours(size):
    return jnp.arange(size) - 1, jnp.arange(size) + 1
