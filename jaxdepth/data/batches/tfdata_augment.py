"""The paper's augmentation (section 3.2) in tensorflow: one resampling of each image and depth."""

import functools
import math

import tensorflow as tf

tf.config.set_visible_devices([], "GPU")  # jax has them


def augment(image, depth, seed, *, crop_size, scale, rotation, flip, colour, light):
    """A random crop of a randomly scaled and rotated frame, with depth divided by the scale.

    Scale is uniform in [scale[0], scale[1]], and the angle about the frame's centre in [-rotation, rotation]. The crop
    is placed uniformly inside the scaled frame, and in the middle along an axis on which the frame is smaller. Outside
    the frame, the image is the frame's reflection, and the depth is 0.

    Args:
      image: uint8 [H, W, 3].
      depth: float32 [H, W], metres.
      seed: int32 [2], of all random numbers.
      crop_size: (h, w).
      scale: (least, greatest) scale.
      rotation: greatest angle in degrees.
      flip: whether to mirror with probability 1/2.
      colour: each channel is multiplied by a factor in [1 - colour, 1 + colour].
      light: saturation, contrast (about mid-grey) and brightness are multiplied by factors in [1 - light, 1 + light],
        and gamma by a factor in [e^-light, e^light].

    Returns:
      image float32 [h, w, 3] in [0, 1], depth float32 [h, w] metres, 0 where there is no measurement.
    """
    draws = tf.random.stateless_uniform([8], seed)
    s = scale[0] + draws[0] * (scale[1] - scale[0])
    angle = (2 * draws[1] - 1) * rotation * math.pi / 180
    size = tf.cast(tf.shape(depth), tf.float32)
    room = tf.maximum(s * size - tf.constant(crop_size, tf.float32), 0.0)
    offset = (draws[2:4] - 0.5) * room
    mirror = draws[4] < 0.5 if flip else tf.constant(False)
    image, depth = transform(image, depth, scale=s, angle=angle, offset=offset, mirror=mirror, crop_size=crop_size)
    if light:
        image = relight(image, light * (2 * tf.random.stateless_uniform([4], tf.random.fold_in(seed, 1)) - 1))
    if colour:
        image = tf.clip_by_value(image * (1 + colour * (2 * draws[5:8] - 1)), 0.0, 1.0)
    return image, depth


def transform(image, depth, *, scale, angle, offset, mirror, crop_size):
    """Resamples a frame once: the image bilinearly, and the depth by the nearest pixel, divided by `scale`.

    Args:
      image: uint8 [H, W, 3].
      depth: float32 [H, W], metres.
      scale: scale of the frame.
      angle: radians; a positive one turns the image's content anticlockwise.
      offset: (rows, columns) of the crop's centre from the scaled and rotated frame's centre, in scaled pixels.
      mirror: whether left and right are swapped.
      crop_size: (h, w).

    Returns:
      image float32 [h, w, 3] in [0, 1], depth float32 [h, w] metres, 0 outside the frame.
    """
    height, width = (tf.cast(n, tf.float32) for n in tf.unstack(tf.shape(depth)))
    h, w = crop_size
    cos, sin = tf.cos(angle) / scale, tf.sin(angle) / scale
    side = tf.where(mirror, -1.0, 1.0)
    # Output pixel (x, y) shows the frame's point (a x + b y + c, d x + e y + f), with pixel centres at integers.
    x0, y0 = offset[1] - (w - 1) / 2, offset[0] - (h - 1) / 2
    a, b, d, e = side * cos, side * -sin, sin, cos
    c = a * x0 + b * y0 + (width - 1) / 2
    f = d * x0 + e * y0 + (height - 1) / 2
    image, depth = _compiled_gather(tuple(crop_size))(image, depth, tf.stack([a, b, c, d, e, f]))
    return image, depth / scale


@functools.partial(tf.function, jit_compile=True, autograph=False)  # single operations take five times as long
def relight(image, changes):
    """Changes saturation, contrast (about mid-grey), brightness and gamma.

    Args:
      image: float32 [h, w, 3] in [0, 1].
      changes: float32 [4] in [-light, light]: three factors 1 + change, and an exponent e^change.

    Returns:
      float32 [h, w, 3] in [0, 1].
    """
    grey = tf.reduce_mean(image, -1, keepdims=True)
    image = grey + (image - grey) * (1 + changes[0])
    image = 0.5 + (image - 0.5) * (1 + changes[1])
    brightness = tf.clip_by_value(image * (1 + changes[2]), 1e-4, 1.0)
    return tf.exp(tf.exp(changes[3]) * tf.math.log(brightness))  # a power takes twice as long


@functools.cache
def _compiled_gather(crop_size):
    """`_gather`, compiled: single operations, or tensorflow's own projective transform, take twice as long."""
    return tf.function(functools.partial(_gather, crop_size=crop_size), jit_compile=True, autograph=False)


def _gather(image, depth, matrix, *, crop_size):
    """Samples the image in [0, 1], reflected outside the frame, and the depth, 0 outside."""
    height, width = depth.shape
    a, b, c, d, e, f = tf.unstack(matrix)
    rows, columns = (tf.range(n, dtype=tf.float32) for n in crop_size)
    x = a * columns[None] + b * rows[:, None] + c
    y = d * columns[None] + e * rows[:, None] + f

    def pixels(array, row, column):
        return tf.gather(tf.reshape(array, (height * width, -1)), row * width + column)

    left, top = tf.floor(x), tf.floor(y)
    right, bottom = (x - left)[..., None], (y - top)[..., None]  # weights
    columns = [_reflect(left, width), _reflect(left + 1, width)]
    rows = [_reflect(top, height), _reflect(top + 1, height)]
    (nw, ne), (sw, se) = ([tf.cast(pixels(image, row, column), tf.float32) for column in columns] for row in rows)
    upper, lower = nw + (ne - nw) * right, sw + (se - sw) * right
    image = (upper + (lower - upper) * bottom) / 255

    column, row = tf.round(x), tf.round(y)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    row = tf.cast(tf.clip_by_value(row, 0, height - 1), tf.int32)
    column = tf.cast(tf.clip_by_value(column, 0, width - 1), tf.int32)
    return image, tf.where(inside, pixels(depth, row, column)[..., 0], 0.0)


def _reflect(index, size):
    """Float32 pixel indices as int32 in [0, size), reflected at the borders: ... 1 0 | 0 1 2 ..."""
    index = tf.math.floormod(index, 2.0 * size)
    return tf.cast(tf.minimum(index, 2 * size - 1 - index), tf.int32)
