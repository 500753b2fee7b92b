"""The paper's augmentation (section 3.2) in jax: one resampling of each image and depth.

It has the distribution of `tfdata_augment`, drawn from jax's own generator. A batch is a pure function of (seed, step),
whatever the number of devices (with `light`, except for rounding).
"""

import math

import jax
import jax.numpy as jnp

_ONE = 1 << 16  # a pixel, in the fixed-point positions of `transform`


def augment(image, depth, key, *, crop_size, scale, rotation, flip, colour, light):
    """A random crop of a randomly scaled and rotated frame, with depth divided by the scale.

    Args:
      image: uint8 [H, W, 3].
      depth: float32 [H, W], metres.
      key: of all random numbers.
      crop_size: (h, w).
      scale: (least, greatest) scale.
      rotation: greatest angle in degrees.
      flip: whether to mirror with probability 1/2.
      colour: each channel is multiplied by a factor in [1 - colour, 1 + colour].
      light: see `relight`.

    Returns:
      image float32 [h, w, 3] in [0, 1], depth float32 [h, w] metres, 0 where there is no measurement.
    """
    draws = jax.random.uniform(key, (8,))
    s = scale[0] + draws[0] * (scale[1] - scale[0])
    angle = (2 * draws[1] - 1) * rotation * math.pi / 180
    room = jnp.maximum(s * jnp.array(depth.shape) - jnp.array(crop_size), 0.0)
    offset = (draws[2:4] - 0.5) * room
    mirror = draws[4] < (0.5 if flip else 0.0)
    image, depth = transform(image, depth, scale=s, angle=angle, offset=offset, mirror=mirror, crop_size=crop_size)
    if light:
        image = relight(image, light * (2 * jax.random.uniform(jax.random.fold_in(key, 1), (4,)) - 1))
    if colour:
        factors = 1 + colour * (2 * draws[5:8] - 1)
        image = jnp.clip(image * factors[None, None, :], 0.0, 1.0)
    return image, depth


def relight(image, changes):
    """Changes saturation, contrast (about mid-grey), brightness and gamma.

    Args:
      image: float32 [h, w, 3] in [0, 1].
      changes: float32 [4] in [-light, light]: three factors 1 + change, and an exponent e^change.

    Returns:
      float32 [h, w, 3] in [0, 1].
    """
    grey = image.mean(-1, keepdims=True)
    image = grey + (image - grey) * (1 + changes[0])
    image = 0.5 + (image - 0.5) * (1 + changes[1])
    return jnp.clip(image * (1 + changes[2]), 1e-4, 1.0) ** jnp.exp(changes[3])


def transform(image, depth, *, scale, angle, offset, mirror, crop_size):
    """Resamples a frame once, with the geometry of `tfdata_augment.transform`.

    All arguments but `crop_size` may be traced. The frame's sides have 2 to 8000 pixels, and the crop shows nothing
    more than 4000 pixels from the frame's centre.

    Args:
      image: uint8 [H, W, 3].
      depth: float32 [H, W], metres.
      scale: scale of the frame.
      angle: radians; a positive one turns the image's content anticlockwise.
      offset: (rows, columns) of the crop's centre from the scaled frame's, in scaled pixels.
      mirror: whether left and right are swapped.
      crop_size: (h, w).

    Returns:
      image float32 [h, w, 3] in [0, 1], depth float32 [h, w] metres, 0 outside the frame.
    """
    height, width = depth.shape
    h, w = crop_size
    cos, sin = jnp.cos(angle) / scale, jnp.sin(angle) / scale
    side = jnp.where(mirror, -1.0, 1.0)
    right = jnp.arange(w) + (offset[1] - (w - 1) / 2)  # the crop's pixels, from the scaled frame's centre
    down = jnp.arange(h) + (offset[0] - (h - 1) / 2)
    x, reflected_x = _positions(side * cos * right, -side * sin * down, width)
    y, reflected_y = _positions(sin * right, cos * down, height)

    left, across = _neighbour(reflected_x, width)
    top, along = _neighbour(reflected_y, height)

    def pixel(row, column):
        return image[row, column].astype(jnp.float32)

    nw, ne, sw, se = pixel(top, left), pixel(top, left + 1), pixel(top + 1, left), pixel(top + 1, left + 1)
    upper, lower = nw + (ne - nw) * across[..., None], sw + (se - sw) * across[..., None]
    picture = (upper + (lower - upper) * along[..., None]) / 255

    inside = (x >= 0) & (x < width * _ONE) & (y >= 0) & (y < height * _ONE)
    nearest = depth[jnp.clip(y >> 16, 0, height - 1), jnp.clip(x >> 16, 0, width - 1)]
    return picture, jnp.where(inside, nearest / scale, 0.0)


def _positions(by_column, by_row, size):
    """Positions of a crop's pixels along one axis of the frame, from its edge, in 2^-16 pixels: two int32 [h, w].

    `by_column` [w] and `by_row` [h] are the two parts of the way from the frame's centre, in pixels. The first result
    is the position, the second its reflection at the frame's borders. Integers keep image and depth aligned however a
    compiler orders and rounds.
    """
    by_column = jnp.round(by_column * _ONE).astype(jnp.int32) + size * _ONE // 2
    by_row = jnp.round(by_row * _ONE).astype(jnp.int32)
    # This remainder changes nothing, but the result of a division is kept in memory. Without it XLA computes sine and
    # cosine anew for every depth pixel on a CPU, and the whole takes 1.2x as long.
    position = _remainder(by_column, 2**29 - 1)[None, :] + _remainder(by_row, 2**29 - 1)[:, None]
    period = 2 * size * _ONE
    above = period * (1 + 2**29 // period)
    repeated = _remainder(by_column + above, period)[None, :] + _remainder(by_row + above, period)[:, None]
    from_turn = jnp.abs(repeated - period)
    return position, jnp.minimum(from_turn, period - from_turn)


def _remainder(value, divisor):
    return jax.lax.rem(value, jnp.full_like(value, divisor))


def _neighbour(position, size):
    """The pixel before a position whose successor is in the frame too, and the successor's weight in [0, 1]."""
    position = jnp.clip(position - _ONE // 2, 0, (size - 1) * _ONE)  # from the first pixel's centre
    before = jnp.minimum(position >> 16, size - 2)
    return before, (position - before * _ONE).astype(jnp.float32) / _ONE
