"""The pinhole camera: intrinsics under resizing and cropping, rays, and points from depth.

Pixels are counted from 0, and the centre of the pixel in row i and column j is at (x = j, y = i), so an image of width
W covers x from -.5 to W - .5. Sizes are (height, width). The camera frame is x right, y down, z forward, in metres.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdepth.errors import InputError


class Intrinsics(NamedTuple):
    """Focal lengths fx, fy and principal point cx, cy in pixels."""

    fx: float
    fy: float
    cx: float
    cy: float


# NYU Depth V2's colour camera; its toolbox counts pixels from 1 (cx 325.5824, cy 253.7362).
NYU_SIZE = (480, 640)
NYU_INTRINSICS = Intrinsics(fx=518.8579, fy=519.4696, cx=324.5824, cy=252.7362)


def nyu_intrinsics(size: tuple[int, int]) -> Intrinsics:
    """Intrinsics of NYU Depth V2's frames resized to `size` (height, width)."""
    return resize_intrinsics(NYU_INTRINSICS, from_size=NYU_SIZE, to_size=size)


def resize_intrinsics(intrinsics: Intrinsics, *, from_size: tuple[int, int], to_size: tuple[int, int]) -> Intrinsics:
    """Intrinsics of a resized image.

    The resize maps the area of the image onto the area of the new one (averaging, or bilinear without aligned corners):
    with the scale s = to / from, a position c becomes (c + .5) s - .5 and a focal length f becomes f s. Taking every
    second pixel is not such a resize: it halves c without the shift.

    Args:
      intrinsics: of the image.
      from_size: its (height, width).
      to_size: (height, width) after the resize.

    Returns:
      Intrinsics in pixels of the resized image.

    Raises:
      ValueError: if a size is not positive.
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


def completed(intrinsics, size: tuple[int, int], name: str) -> Intrinsics:
    """The Intrinsics of pictures of which one or two focal lengths are known, or all.

    Args:
      intrinsics: (f,), (fx, fy) or (fx, fy, cx, cy), in pixels. One focal length stands for both; the principal point
        is by default in the middle.
      size: (height, width) of the pictures.
      name: of the setting, what the error begins with.

    Raises:
      InputError: for other numbers, or a field of view out of range.
    """
    check_intrinsics(intrinsics, name)
    fx, fy = (*intrinsics[:2], intrinsics[0])[:2]
    check_field_of_view((fx, fy), size, name)
    return Intrinsics(*map(float, (fx, fy, *(intrinsics[2:] or ((size[1] - 1) / 2, (size[0] - 1) / 2)))))


def check_intrinsics(intrinsics, name: str):
    """Raises InputError, which begins with `name`, unless `intrinsics` are what `completed` takes."""
    values = tuple(intrinsics)
    numbers = all(isinstance(value, int | float | np.number) and math.isfinite(value) for value in values)
    if len(values) not in (1, 2, 4) or not numbers or min(values[:2]) <= 0:
        raise InputError(f"{name}={values}: expected (f,), (fx, fy) or (fx, fy, cx, cy) in pixels, such as (525,)")


def crop_intrinsics(intrinsics: Intrinsics, *, top: float, left: float) -> Intrinsics:
    """Intrinsics of a crop that starts at row `top` and column `left`, which are negative where it is padded."""
    return intrinsics._replace(cx=intrinsics.cx - left, cy=intrinsics.cy - top)


# Degrees; pinhole cameras of pictures lie between. Outside, the focal length is probably in another unit than pixels.
FIELDS_OF_VIEW = (3.0, 150.0)


def field_of_view(intrinsics, size: tuple[int, int]) -> float:
    """The larger of a picture's horizontal and vertical field of view, in degrees; `size` is (height, width)."""
    ratio = max(size[1] / intrinsics[0], size[0] / intrinsics[1])
    return math.degrees(2 * math.atan(ratio / 2))


def is_plausible(intrinsics, size: tuple[int, int]) -> bool:
    """Whether the field of view of a picture of `size` (height, width) is within FIELDS_OF_VIEW."""
    low, high = FIELDS_OF_VIEW
    return low <= field_of_view(intrinsics, size) <= high


def check_field_of_view(intrinsics, size: tuple[int, int], name: str):
    """Refuses focal lengths that are probably not in pixels.

    Args:
      intrinsics: (fx, fy, ...), above 0.
      size: (height, width) of the picture.
      name: of the setting, what the error begins with.

    Raises:
      InputError: if the field of view is outside FIELDS_OF_VIEW.
    """
    if is_plausible(intrinsics, size):
        return
    seen, (fx, fy) = field_of_view(intrinsics, size), intrinsics[:2]
    guess = "millimetres?" if seen > FIELDS_OF_VIEW[1] else "pixels of a larger picture?"
    raise InputError(
        f"{name}: fx={fx:g}, fy={fy:g} is a field of view of {seen:.3g} degrees at {size[1]}x{size[0]} pixels: "
        f"expected focal lengths in pixels of the picture ({guess})"
    )


def rays(intrinsics: Intrinsics, size: tuple[int, int]) -> jax.Array:
    """Directions of the rays through the pixel centres: float32 [H, W, 3] in the camera frame, with z = 1."""
    height, width = size
    x = (jnp.arange(width, dtype=jnp.float32) - intrinsics.cx) / intrinsics.fx
    y = (jnp.arange(height, dtype=jnp.float32) - intrinsics.cy) / intrinsics.fy
    x, y = jnp.meshgrid(x, y)  # [H, W] each
    return jnp.stack([x, y, jnp.ones_like(x)], axis=-1)


def rays64(intrinsics: Intrinsics, size: tuple[int, int]) -> np.ndarray:
    """`rays` in float64 numpy, [H, W, 3]: the point at depth z is z times the ray."""
    height, width = size
    x = (np.arange(width) - intrinsics.cx) / intrinsics.fx
    y = (np.arange(height) - intrinsics.cy) / intrinsics.fy
    return np.stack([*np.meshgrid(x, y), np.ones(size)], axis=-1)


def back_project(depth: jax.Array, intrinsics: Intrinsics) -> jax.Array:
    """Points in the camera frame from a depth map.

    Args:
      depth: [..., H, W], metres along z.
      intrinsics: in pixels of the depth map.

    Returns:
      [..., H, W, 3], metres; (0, 0, 0), the camera itself, where there is no measurement (depth 0).

    Raises:
      ValueError: if `depth` has fewer than two axes.
    """
    depth = jnp.asarray(depth)
    if depth.ndim < 2:
        raise ValueError(f"depth of shape {depth.shape}: expected [..., H, W]")
    directions = jnp.broadcast_to(rays(intrinsics, depth.shape[-2:]), (*depth.shape, 3))
    return depth[..., None] * directions
