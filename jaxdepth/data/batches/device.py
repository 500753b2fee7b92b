"""The device path of the data: frames that live on the devices, and the paper's augmentation in the compiled step.

The same distribution as tf.data's (`tfdata_augment`) from jax's own generator, and no tensorflow. A batch is a
pure function of (seed, step), whatever the number of devices (with `light` but for rounding).
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

_ROUNDS = 32  # of the shuffle
_ONE = 1 << 16  # a pixel, in the fixed-point positions of `transform`


def nbytes(frames, positions):
    """Bytes of the arrays that `put` makes: on each device, or where it divides them, on all devices together."""
    return len(positions) * (frames.images.nbytes + frames.depths.nbytes) // len(frames)


def put(frames, positions, *, sharding):
    """Some frames on the devices: {"images": uint8 [m, H, W, 3], "depths": float32 [m, H, W] metres}.

    Each process reads its frames one by one in the order of the source, and holds one of the two arrays in its own
    memory while that is under way.

    Args:
      frames: a Frames; positions: int64 [n], which of them.
      sharding: of the arrays. Where it divides their first axis, m is the next multiple of its parts from n on, filled
        up with frames that `draw_batch` does not draw; else m = n.
    """
    positions, devices = np.asarray(positions), sharding.num_devices
    parts = devices // sharding.shard_shape((devices,))[0]
    length = -(-len(positions) // parts) * parts

    def on_devices(array):
        def read(index):
            chosen = positions[np.minimum(np.arange(length)[index[0]], len(positions) - 1)]
            part = np.empty((len(chosen), *array.shape[1:]), array.dtype)
            for place in np.argsort(chosen):
                part[place] = array[chosen[place]]
            return part

        return jax.make_array_from_callback((length, *array.shape[1:]), sharding, read)

    return {"images": on_devices(frames.images), "depths": on_devices(frames.depths)}


def draw_batch(data, step, *, count, seed, batch_size, crop_size, scale, rotation, flip, colour, light):
    """The augmented batch of a global step: image float32 [B, h, w, 3] in [0, 1], depth float32 [B, h, w] metres.

    To be compiled; each device makes what the sharding of the outputs asks of it. The settings are those of
    `jaxdepth.data.batches.tfdata.train_batches`, whose `check` says which are allowed.

    Args:
      data: from `put`; count: the number n of the positions there.
      step: int32 scalar, 0 or more, may be traced.
      seed: of order and augmentation; modulo 2^32.
      batch_size: of all devices together.
      crop_size, scale, rotation, flip, colour, light: see `augment`.
    """
    position, keys = draw_examples(step, count=count, seed=seed, batch_size=batch_size)
    settings = dict(crop_size=tuple(crop_size), scale=scale, rotation=rotation, flip=flip, colour=colour, light=light)
    augmented = jax.vmap(functools.partial(augment, **settings))
    image, depth = augmented(data["images"][position], data["depths"][position], keys)
    return {"image": image, "depth": depth}


def draw_examples(step, *, count, seed, batch_size):
    """Which of `count` frames a global step takes, uint32 [B], and the keys of their augmentation, [B]."""
    epoch, place = locate(step, count=count, batch_size=batch_size)
    # Dropout has the keys (seed, step): this one is none of them.
    key = jax.random.fold_in(jax.random.key(seed, impl="threefry2x32"), 1 << 31)
    order, augmentation = jax.random.split(key)
    fold_in = jax.vmap(jax.random.fold_in, (None, 0))
    position = jax.vmap(functools.partial(_shuffle, count=count))(fold_in(order, epoch), place)
    return position, jax.vmap(jax.random.fold_in)(fold_in(augmentation, epoch), place)


def locate(step, *, count, batch_size):
    """The epochs of a global step's examples and their places there: two uint32 [B].

    Example g = step * B + i of the training stands at place g % n of epoch g // n's order, n = `count`. Exact where g
    is beyond 32 bits too: for n < 2^30 and every int32 step. Only epochs count modulo 2^32.
    """
    step = jnp.asarray(step, jnp.uint32)
    epoch = place = jnp.uint32(0)
    for bit in f"{batch_size:b}":  # step * B = epoch * n + place, by Horner's rule in the bits of B
        place = 2 * place + int(bit) * (step % count)
        epoch = 2 * epoch + int(bit) * (step // count) + place // count
        place = place % count
    place = place + jnp.arange(batch_size, dtype=jnp.uint32)
    return epoch + place // count, place % count


def _shuffle(key, place, *, count):
    """What a random permutation of range(count) has at one place, without the rest: a swap-or-not shuffle.

    In each round the places pair up, i with pivot - i, and one random bit says whether the two change places (Hoang,
    Morris, Rogaway 2012). To sort random numbers instead takes a CPU longer than to augment a small batch, from some
    thousands of frames on.
    """
    pivots, salts = jax.random.bits(key, (2, _ROUNDS))

    def swap(place, of_round):
        pivot, salt = of_round
        partner = (pivot % count + count - place) % count
        h = (jnp.maximum(place, partner) ^ salt) * jnp.uint32(0x9E3779B1)
        h = (h ^ (h >> 15)) * jnp.uint32(0x2C1B3C6D)
        h = (h ^ (h >> 13)) * jnp.uint32(0x297A2D39)
        return jnp.where(h >> 31 == 1, partner, place), None

    return jax.lax.scan(swap, place, (pivots, salts))[0]


def augment(image, depth, key, *, crop_size, scale, rotation, flip, colour, light):
    """A random crop of a randomly scaled and rotated frame (paper, section 3.2), as `tfdata_augment.augment`.

    Args:
      image: uint8 [H, W, 3]; depth: float32 [H, W] metres; key: of all that is random.
      crop_size: (h, w); scale: (least, greatest); rotation: degrees; flip: whether to mirror with probability 1/2.
      colour: each channel is multiplied by a factor in [1 - colour, 1 + colour].
      light: see `relight`.

    Returns:
      image float32 [h, w, 3] in [0, 1], depth float32 [h, w] metres, 0 = no measurement.
    """
    draws = jax.random.uniform(key, (8,))
    s = scale[0] + draws[0] * (scale[1] - scale[0])
    angle = (2 * draws[1] - 1) * rotation * math.pi / 180
    room = jnp.maximum(s * jnp.array(depth.shape) - jnp.array(crop_size), 0.0)
    offset = (draws[2:4] - 0.5) * room
    mirrored = draws[4] < (0.5 if flip else 0.0)
    image, depth = transform(image, depth, scale=s, angle=angle, offset=offset, mirrored=mirrored, crop_size=crop_size)
    if light:
        image = relight(image, light * (2 * jax.random.uniform(jax.random.fold_in(key, 1), (4,)) - 1))
    if colour:
        factors = 1 + colour * (2 * draws[5:8] - 1)
        image = jnp.clip(image * factors[None, None, :], 0.0, 1.0)
    return image, depth


def relight(image, changes):
    """A picture [h, w, 3] in [0, 1] with other saturation, contrast (about mid-grey), brightness and gamma.

    `changes` [4] in [-light, light]: three factors 1 + change, and an exponent e^change.
    """
    grey = image.mean(-1, keepdims=True)
    image = grey + (image - grey) * (1 + changes[0])
    image = 0.5 + (image - 0.5) * (1 + changes[1])
    return jnp.clip(image * (1 + changes[2]), 1e-4, 1.0) ** jnp.exp(changes[3])


def transform(image, depth, *, scale, angle, offset, mirrored, crop_size):
    """Resample a frame once, in the geometry of `jaxdepth.data.batches.tfdata_augment.transform`.

    The arguments may be traced, but for `crop_size`. A side of the frame is 2 to 8000 pixels long, and what the crop
    shows lies within 4000 pixels of the frame's centre.
    """
    height, width = depth.shape
    h, w = crop_size
    cos, sin = jnp.cos(angle) / scale, jnp.sin(angle) / scale
    side = jnp.where(mirrored, -1.0, 1.0)
    right = jnp.arange(w) + (offset[1] - (w - 1) / 2)  # of the crop's pixels, from the scaled frame's centre
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
    """Where the pixels of a crop lie along one axis of the frame, from its edge, in 2^-16 pixels: two int32 [h, w].

    `by_column` [w] and `by_row` [h] are the two parts of their way from the frame's centre, in pixels. The first result
    is the place itself, the second that of its reflection at the frame's borders, between the borders. Whole numbers,
    so that picture and depth stay on each other however a compiler orders and rounds.
    """
    by_column = jnp.round(by_column * _ONE).astype(jnp.int32) + size * _ONE // 2
    by_row = jnp.round(by_row * _ONE).astype(jnp.int32)
    # This remainder changes nothing, but what a division gives is kept in memory: else XLA has a CPU compute sine and
    # cosine anew for every pixel of the depth, and all takes 1.2 times as long.
    position = _remainder(by_column, 2**29 - 1)[None, :] + _remainder(by_row, 2**29 - 1)[:, None]
    period = 2 * size * _ONE
    above = period * (1 + 2**29 // period)
    repeated = _remainder(by_column + above, period)[None, :] + _remainder(by_row + above, period)[:, None]
    from_turn = jnp.abs(repeated - period)
    return position, jnp.minimum(from_turn, period - from_turn)


def _remainder(value, divisor):
    return jax.lax.rem(value, jnp.full_like(value, divisor))


def _neighbour(position, size):
    """The pixel before a position whose next one is in the frame too, and the next one's weight in [0, 1]."""
    position = jnp.clip(position - _ONE // 2, 0, (size - 1) * _ONE)  # from the first pixel's centre
    before = jnp.minimum(position >> 16, size - 2)
    return before, (position - before * _ONE).astype(jnp.float32) / _ONE
