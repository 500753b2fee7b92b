"""The tf.data pipeline: batches made on the host. No iterator has a state: order and randomness go by (seed, step)."""

import atexit
import functools
import weakref

import numpy as np

from jaxdepth.errors import InputError


def train_batches(
    frames,
    indices,
    *,
    batch_size,
    seed,
    start_step=0,
    process_index=0,
    process_count=1,
    **augmentation,
):
    """Endless augmented batches.

    Example g of the training is the frame at rank g % n in the shuffled order of epoch g // n, augmented by the seed
    (seed, g). Step t has the examples from t * batch_size on, of which each process makes its own slice.

    Args:
      frames: a Frames.
      indices: int64 [n], which of its frames.
      batch_size: images of all processes together, a multiple of `process_count`.
      seed: of order and augmentation.
      start_step: global step of the first batch.
      process_index: of this process.
      process_count: number of processes.
      **augmentation: see `tfdata_augment.augment`; `inputs.check` says which values are allowed.

    Returns:
      An iterator of {"image": float32 [b, h, w, 3] in [0, 1], "depth": float32 [b, h, w] metres, "index": int64 [b] in
      `frames`}, with b = batch_size / process_count.

    Raises:
      InputError: if tensorflow is not installed; from the iterator, if a file of the source cannot be read.
    """
    try:
        import tensorflow as tf  # here, as it takes seconds and evaluation does without
    except ImportError as error:
        raise InputError(
            "config.data.batches='tfdata' needs TensorFlow, which is not installed (not every version of Python has a "
            "wheel): use --config.data.batches=device, which keeps the frames in the devices' memory"
        ) from error

    from jaxdepth.data.batches import tfdata_augment

    local = batch_size // process_count
    n = len(indices)
    table = tf.constant(indices, tf.int64)
    seed = tf.constant(seed, tf.int64)

    def locate(count):
        example = (count // local) * batch_size + process_index * local + count % local
        return example, table[_rank(example, count=n, seed=seed)]

    raised = {}  # by a source that reads its files here, for each frame

    def read(i):
        try:
            return frames.images[i], frames.depths[i], False
        except (InputError, OSError) as error:  # of which TensorFlow would log a traceback
            raised[int(i)] = error
            return np.zeros((*frames.size, 3), np.uint8), np.zeros(frames.size, np.float32), True

    def load(example, index):
        types = tf.uint8, tf.float32, tf.bool
        image, depth, failed = tf.numpy_function(read, [index], types, stateful=False)
        image.set_shape((*frames.size, 3))
        depth.set_shape(frames.size)
        failed.set_shape(())
        key = tf.random.fold_in(tf.stack([tf.cast(seed, tf.int32), 1]), tf.cast(example, tf.int32))
        image, depth = tfdata_augment.augment(image, depth, key, **augmentation)
        return {"image": image, "depth": depth, "index": index, "failed": failed}

    dataset = tf.data.Dataset.range(start_step * local, np.iinfo(np.int64).max).map(locate)
    dataset = dataset.map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return _closed_at_exit(dataset.batch(local, drop_remainder=True).prefetch(2), raised)


def draw_indices(indices, step, *, batch_size, seed):
    """The frames of a global step of `train_batches`, int64 [B], in the order of the batch."""
    import tensorflow as tf

    examples = tf.range(step * batch_size, (step + 1) * batch_size, dtype=tf.int64)
    rank = functools.partial(_rank, count=len(indices), seed=tf.constant(seed, tf.int64))
    return np.asarray(indices)[[int(rank(example)) for example in examples]]


def _rank(example, *, count, seed):
    """The place of an example of the training among `count` frames. All but `count` are int64 tensors."""
    import tensorflow as tf

    last = tf.constant(count - 1, tf.int64)
    return tf.random.experimental.index_shuffle(example % count, tf.stack([seed, example // count]), last)


def _closed_at_exit(dataset, raised):
    """The dataset's elements as numpy; closed before the interpreter ends, which would wait for its threads forever.

    At a batch in which a frame has "failed" its error in `raised`, {index: error}, is raised.
    """

    def generate():
        for batch in dataset.as_numpy_iterator():
            failed = batch.pop("failed")
            if failed.any():
                raise raised[int(batch["index"][failed][0])]
            yield batch

    batches = generate()
    alive = weakref.ref(batches)
    atexit.register(lambda: alive() and alive().close())
    return batches
