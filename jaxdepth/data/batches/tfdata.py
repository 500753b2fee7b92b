"""Batches of frames by tf.data. Order and randomness are pure functions of (seed, step): no iterator has a state."""

import atexit
import math
import weakref

import numpy as np

from jaxdepth.data.frames import centre_corner, centre_crop


def train_batches(
    frames,
    positions,
    *,
    batch_size,
    seed,
    start_step=0,
    process_index=0,
    process_count=1,
    crop_size,
    scale,
    rotation,
    flip,
    colour,
    light,
):
    """Endless augmented batches from step `start_step` on.

    Example g of the training is frame `positions[shuffle of epoch g // n at g % n]` under the augmentation of seed
    (seed, g); step t has examples t * batch_size and following, of which each process makes its own slice.

    Args:
      frames: a Frames; positions: int64 [n], which of them.
      batch_size: of all processes together.
      seed: of order and augmentation.
      crop_size, scale, rotation, flip, colour, light: see `augment.augment`.

    Returns:
      An iterator of dicts of numpy arrays: image float32 [b, h, w, 3] in [0, 1], depth float32 [b, h, w] metres and
      position int64 [b] in `frames`; b = batch_size / process_count.

    Raises:
      ValueError: a batch size that the processes do not divide, or a setting out of its range.
    """
    import tensorflow as tf  # here: evaluation has no use for it, and it takes seconds

    from jaxdepth.data.batches import tfdata_augment as augment

    check(
        frames,
        batch_size=batch_size,
        process_count=process_count,
        crop_size=crop_size,
        scale=scale,
        colour=colour,
        light=light,
    )
    local = batch_size // process_count
    n = len(positions)
    table = tf.constant(positions, tf.int64)
    seed = tf.constant(seed, tf.int64)

    def locate(count):
        example = (count // local) * batch_size + process_index * local + count % local
        place = tf.random.experimental.index_shuffle(
            example % n, tf.stack([seed, example // n]), tf.constant(n - 1, tf.int64)
        )
        return example, table[place]

    def load(example, position):
        image, depth = tf.numpy_function(
            lambda p: (frames.images[p], frames.depths[p]), [position], (tf.uint8, tf.float32), stateful=False
        )
        image.set_shape((*frames.size, 3))
        depth.set_shape(frames.size)
        key = tf.random.fold_in(tf.stack([tf.cast(seed, tf.int32), 1]), tf.cast(example, tf.int32))
        image, depth = augment.augment(
            image,
            depth,
            key,
            crop_size=tuple(crop_size),
            scale=scale,
            rotation=rotation,
            flip=flip,
            colour=colour,
            light=light,
        )
        return {"image": image, "depth": depth, "position": position}

    dataset = tf.data.Dataset.range(start_step * local, np.iinfo(np.int64).max).map(locate)
    dataset = dataset.map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return _closed_at_exit(dataset.batch(local, drop_remainder=True).prefetch(2))


def eval_batches(frames, positions, *, batch_size, crop_size, process_index=0, process_count=1):
    """The centre crops of some frames in order, each once; the last batch is filled up with examples of weight 0.

    Yields dicts as `train_batches`, with weight float32 [b] beside. Every process gets the same number of batches.
    """
    check(frames, batch_size=batch_size, process_count=process_count, crop_size=crop_size)
    local = batch_size // process_count
    for step in range(math.ceil(len(positions) / batch_size)):
        places = step * batch_size + process_index * local + np.arange(local)
        chosen = np.asarray(positions)[np.minimum(places, len(positions) - 1)]
        image, depth = centre_crop(frames.images[chosen], frames.depths[chosen], crop_size=crop_size)
        weight = (places < len(positions)).astype(np.float32)
        yield {"image": np.float32(image) / 255, "depth": np.array(depth), "weight": weight, "position": chosen}


def _closed_at_exit(dataset):
    """The dataset's elements as numpy. Threads that still read when the interpreter ends would wait for it for ever."""

    def generate():
        yield from dataset.as_numpy_iterator()

    batches = generate()
    alive = weakref.ref(batches)
    atexit.register(lambda: alive() and alive().close())
    return batches


def check(frames, *, batch_size, process_count, crop_size, scale=(1.0, 1.0), colour=0.0, light=0.0):
    """Raise ValueError for settings of batches that are out of their range: what this module's functions refuse."""
    if batch_size < 1 or batch_size % process_count:
        raise ValueError(f"config.batch_size={batch_size}: expected a multiple of the {process_count} processes")
    if len(crop_size) != 2 or min(crop_size) < 1:
        raise ValueError(f"config.data.crop_size={tuple(crop_size)}: expected (height, width) in pixels")
    centre_corner(frames.size, crop_size=crop_size)
    if not (0 < scale[0] <= scale[1]):
        raise ValueError(f"config.data.augmentation.scale={tuple(scale)}: expected 0 < least <= greatest")
    if max(crop_size) / scale[0] > 4000:  # twice what a position in the device path's integers leaves room for
        seen = math.ceil(max(crop_size) / scale[0])
        raise ValueError(f"config.data.augmentation.scale={tuple(scale)}: a crop would show {seen} pixels of the frame")
    for name, value in (("colour", colour), ("light", light)):
        if not 0 <= value < 1:
            raise ValueError(f"config.data.augmentation.{name}={value}: expected 0 <= {name} < 1")
