"""The paper's augmentation (section 3.2) as one projective resampling of each array."""

import functools
import math

import tensorflow as tf

tf.config.set_visible_devices([], "GPU")  # they belong to jax


def augment(image, depth, seed, *, crop_size, scale, rotation, flip, colour, light):
    """A random crop of a randomly scaled and rotated frame, its depth divided by the scale.

    Scale is uniform in [scale[0], scale[1]], the angle in [-rotation, rotation] degrees about the frame's centre. The
    crop lies at random where the scaled frame leaves room, and in the middle where it leaves none; what it shows from
    outside the frame is the frame's reflection in the picture and 0, no measurement, in the depth.

    Args:
      image: uint8 [H, W, 3]; depth: float32 [H, W] metres.
      seed: int32 [2].
      crop_size: (h, w).
      flip: whether to mirror left and right with probability 1/2.
      colour: each channel is multiplied by a factor in [1 - colour, 1 + colour].
      light: the picture's saturation, contrast (about mid-grey) and brightness are multiplied by factors in
        [1 - light, 1 + light], and its gamma by one in [e^-light, e^light].

    Returns:
      image float32 [h, w, 3] in [0, 1], depth float32 [h, w] metres, 0 = no measurement.
    """
    draws = tf.random.stateless_uniform([8], seed)
    s = scale[0] + draws[0] * (scale[1] - scale[0])
    angle = (2 * draws[1] - 1) * rotation * math.pi / 180
    size = tf.cast(tf.shape(depth), tf.float32)
    room = tf.maximum(s * size - tf.constant(crop_size, tf.float32), 0.0)
    offset = (draws[2:4] - 0.5) * room
    mirrored = draws[4] < 0.5 if flip else tf.constant(False)
    image, depth = transform(image, depth, scale=s, angle=angle, offset=offset, mirrored=mirrored, crop_size=crop_size)
    if light:
        changes = light * (2 * tf.random.stateless_uniform([4], tf.random.fold_in(seed, 1)) - 1)
        grey = tf.reduce_mean(image, -1, keepdims=True)
        image = grey + (image - grey) * (1 + changes[0])
        image = 0.5 + (image - 0.5) * (1 + changes[1])
        image = tf.clip_by_value(image * (1 + changes[2]), 1e-4, 1.0) ** tf.exp(changes[3])
    if colour:
        image = tf.clip_by_value(image * (1 + colour * (2 * draws[5:8] - 1)), 0.0, 1.0)
    return image, depth


def transform(image, depth, *, scale, angle, offset, mirrored, crop_size):
    """Resample a frame once: the picture bilinearly, the depth by the nearest pixel and divided by `scale`.

    The crop's centre shows the point `offset` / scale (rows, columns; pixels of the scaled, rotated frame from its
    centre) of the frame; a positive `angle` (radians) turns the picture's content anticlockwise as seen.
    """
    height, width = (tf.cast(n, tf.float32) for n in tf.unstack(tf.shape(depth)))
    h, w = crop_size
    cos, sin = tf.cos(angle) / scale, tf.sin(angle) / scale
    side = tf.where(mirrored, -1.0, 1.0)
    # Output pixel (x, y) comes from input pixel (a x + b y + c, d x + e y + f); centres are whole numbers.
    x0, y0 = offset[1] - (w - 1) / 2, offset[0] - (h - 1) / 2
    a, b, d, e = side * cos, side * -sin, sin, cos
    c = a * x0 + b * y0 + (width - 1) / 2
    f = d * x0 + e * y0 + (height - 1) / 2
    image, depth = _resample(image, depth, tf.stack([a, b, c, d, e, f]), tuple(crop_size))
    return image, depth / scale


@functools.cache
def _compiled(crop_size):
    return tf.function(functools.partial(_gather, crop_size=crop_size), jit_compile=True, autograph=False)


def _resample(image, depth, matrix, crop_size):
    """The picture bilinearly with its reflection outside, in [0, 1], and the depth by the nearest pixel with 0 outside.

    Compiled: as single operations, or as the one that tensorflow has for it, this takes twice as long.
    """
    return _compiled(crop_size)(image, depth, matrix)


def _gather(image, depth, matrix, *, crop_size):
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
    picture = (upper + (lower - upper) * bottom) / 255

    column, row = tf.round(x), tf.round(y)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    row = tf.cast(tf.clip_by_value(row, 0, height - 1), tf.int32)
    column = tf.cast(tf.clip_by_value(column, 0, width - 1), tf.int32)
    return picture, tf.where(inside, pixels(depth, row, column)[..., 0], 0.0)


def _reflect(index, size):
    """Pixel numbers as float32 -> int32 in [0, size), mirrored at the borders: ... 1 0 | 0 1 2 ..."""
    index = tf.math.floormod(index, 2.0 * size)
    return tf.cast(tf.minimum(index, 2 * size - 1 - index), tf.int32)
