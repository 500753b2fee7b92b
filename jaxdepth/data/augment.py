"""The paper's augmentation (section 3.2) as one projective resampling of each array."""

import math

import tensorflow as tf

tf.config.set_visible_devices([], "GPU")  # they belong to jax


def augment(image, depth, seed, *, crop_size, scale, rotation, flip, colour):
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
    matrix = tf.stack([a, b, c, d, e, f, 0.0, 0.0])[None]
    image = _resample(tf.cast(image, tf.float32) / 255, matrix, crop_size, "BILINEAR", "REFLECT")
    depth = _resample(depth[..., None], matrix, crop_size, "NEAREST", "CONSTANT")[..., 0]
    return image, depth / scale


def _resample(array, matrix, size, interpolation, fill_mode):
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=array[None],
        transforms=matrix,
        output_shape=tf.constant(size, tf.int32),
        fill_value=0.0,
        interpolation=interpolation,
        fill_mode=fill_mode,
    )[0]
