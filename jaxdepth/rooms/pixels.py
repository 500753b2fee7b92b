"""Planes of colour as an image."""

import jax
import jax.numpy as jnp


def to_image(planes) -> jax.Array:
    """An image, uint8 [H, W, 3], of three planes [H, W] from 0 to 255.

    The bytes of a pixel are put into one integer first: XLA on a CPU computes arrays with a last axis of 3, and all
    that leads to them, without vector instructions.
    """
    red, green, blue = (jnp.round(plane).astype(jnp.uint32) for plane in planes)
    return jax.lax.bitcast_convert_type(red | green << 8 | blue << 16, jnp.uint8)[..., :3]
