"""The device pipeline: frames live on the devices, and the compiled step augments them. No tensorflow."""

import functools

import jax
import numpy as np

from jaxdepth.data.batches.augment import augment
from jaxdepth.data.batches.order import draw_examples


def nbytes(frames, indices):
    """Bytes of the arrays of `put`: on each device, or on all together if it divides them."""
    return len(indices) * (frames.images.nbytes + frames.depths.nbytes) // len(frames)


def put(frames, indices, *, sharding):
    """Puts frames on the devices.

    Each process reads its frames one by one in the order of the source, and holds one of the two arrays in memory
    meanwhile.

    Args:
      frames: a Frames.
      indices: int64 [n], which of its frames.
      sharding: of the arrays, replicated or with a divided first axis.

    Returns:
      {"images": uint8 [m, H, W, 3], "depths": float32 [m, H, W] metres}. If the first axis is divided, m is n rounded
      up to a multiple of the parts, filled with frames that `draw_batch` does not draw; else m = n.
    """
    indices, devices = np.asarray(indices), sharding.num_devices
    parts = devices // sharding.shard_shape((devices,))[0]
    length = -(-len(indices) // parts) * parts

    def on_devices(array):
        def read(index):
            chosen = indices[np.minimum(np.arange(length)[index[0]], len(indices) - 1)]
            part = np.empty((len(chosen), *array.shape[1:]), array.dtype)
            for i in np.argsort(chosen):
                part[i] = array[chosen[i]]
            return part

        return jax.make_array_from_callback((length, *array.shape[1:]), sharding, read)

    return {"images": on_devices(frames.images), "depths": on_devices(frames.depths)}


def draw_batch(data, step, *, count, seed, batch_size, **augmentation):
    """The augmented batch of a global step. To be compiled: each device makes the part that it needs.

    Args:
      data: from `put`.
      step: int32 scalar, not negative; may be traced.
      count: number n of the frames in `data`.
      seed: of order and augmentation; modulo 2^32.
      batch_size: images of all devices together.
      **augmentation: see `augment.augment`; `inputs.check` says which values are allowed.

    Returns:
      {"image": float32 [B, h, w, 3] in [0, 1], "depth": float32 [B, h, w] metres}.
    """
    index, keys = draw_examples(step, count=count, seed=seed, batch_size=batch_size)
    augmented = jax.vmap(functools.partial(augment, **augmentation))
    image, depth = augmented(data["images"][index], data["depths"][index], keys)
    return {"image": image, "depth": depth}
