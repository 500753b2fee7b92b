"""The pinhole camera: intrinsics under resizing and cropping, rays, and points from depth.

Pixels are counted from 0 and the centre of the pixel in row i and column j lies at (x = j, y = i), so a frame of width
W covers x from -.5 to W - .5. Sizes are (height, width). The camera frame is x right, y down, z forward, in metres.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Intrinsics(NamedTuple):
    """Focal lengths fx, fy and principal point cx, cy in pixels, counted as above."""

    fx: float
    fy: float
    cx: float
    cy: float


# NYU Depth V2's colour camera at 640x480; its toolbox counts pixels from 1 (cx 325.5824, cy 253.7362).
NYU_INTRINSICS = Intrinsics(fx=518.8579, fy=519.4696, cx=324.5824, cy=252.7362)


def resize_intrinsics(intrinsics: Intrinsics, *, from_size: tuple[int, int], to_size: tuple[int, int]) -> Intrinsics:
    """Intrinsics of a frame resized from `from_size` to `to_size`, both (height, width).

    The resize maps the frame's area onto the new frame's area (averaging, bilinear without aligned corners): with the
    scale s = to / from a position c becomes (c + .5) s - .5 and a focal length f becomes f s. Taking every second pixel
    is not such a resize: it halves c without the shift. Raises ValueError where a size is not positive.
    """
    for name, size in (("from_size", from_size), ("to_size", to_size)):
        if min(size) <= 0:
            raise ValueError(f"{name}={size}: expected a positive (height, width)")
    scale_y, scale_x = to_size[0] / from_size[0], to_size[1] / from_size[1]
    return Intrinsics(
        fx=intrinsics.fx * scale_x,
        fy=intrinsics.fy * scale_y,
        cx=(intrinsics.cx + 0.5) * scale_x - 0.5,
        cy=(intrinsics.cy + 0.5) * scale_y - 0.5,
    )


def crop_intrinsics(intrinsics: Intrinsics, *, top: float, left: float) -> Intrinsics:
    """Intrinsics of the part of a frame that begins at row `top` and column `left` (negative where it is padded)."""
    return intrinsics._replace(cx=intrinsics.cx - left, cy=intrinsics.cy - top)


def rays(intrinsics: Intrinsics, size: tuple[int, int]) -> jax.Array:
    """Direction of the ray through each pixel's centre, float32 [H, W, 3] in the camera frame, with z = 1."""
    height, width = size
    x = (jnp.arange(width, dtype=jnp.float32) - intrinsics.cx) / intrinsics.fx
    y = (jnp.arange(height, dtype=jnp.float32) - intrinsics.cy) / intrinsics.fy
    x, y = jnp.meshgrid(x, y)  # [H, W] each
    return jnp.stack([x, y, jnp.ones_like(x)], axis=-1)


def back_project(depth: jax.Array, intrinsics: Intrinsics) -> jax.Array:
    """Points [..., H, W, 3] in metres, in the camera frame, from depth along z [..., H, W] in metres.

    A pixel without a measurement (depth 0) gives the point (0, 0, 0), the camera itself.
    Raises ValueError where `depth` has fewer than two axes.
    """
    depth = jnp.asarray(depth)
    if depth.ndim < 2:
        raise ValueError(f"depth of shape {depth.shape}: expected [..., H, W]")
    directions = jnp.broadcast_to(rays(intrinsics, depth.shape[-2:]), (*depth.shape, 3))
    return depth[..., None] * directions
