"""Batches that hold frames of a source and endless rooms, which are rendered in the compiled step, in a fixed share."""

import functools

import jax
import jax.numpy as jnp

from jaxdepth import rooms
from jaxdepth.data.batches import device

_FIRST = 1 << 24  # the rooms before it are the source `rooms` and its validation frames


def parts(mix, *, source, batch_size):
    """How many examples of a batch are frames of `source`, and how many are endless rooms: two counts.

    Args:
      mix: weights such as "nyu:1,rooms:3"; "rooms" stands for endless rooms, of the source `rooms` too. "": no rooms.
      source: the source's name.
      batch_size: what the counts sum to; they are rounded to the nearest.

    Raises:
      ValueError: for what is not of this form, names another source, or gives a source no example.
    """
    if not mix:
        return batch_size, 0
    expected = f"expected weights such as '{source}:1,rooms:1' of {source} and rooms"
    weights = {}
    for entry in mix.split(","):
        name, _, weight = entry.partition(":")
        try:
            weights[name.strip()] = float(weight)
        except ValueError:
            raise ValueError(f"config.data.mix={mix!r}: {entry!r}: {expected}") from None
    if not weights.keys() <= {source, "rooms"} or not all(0 < weight < float("inf") for weight in weights.values()):
        raise ValueError(f"config.data.mix={mix!r}: {expected}")
    of_rooms = weights.get("rooms", 0.0)
    of_source = 0.0 if source == "rooms" else weights.get(source, 0.0)
    count = round(batch_size * of_rooms / (of_rooms + of_source))
    for weight, examples in ((of_source, batch_size - count), (of_rooms, count)):
        if weight and not examples:
            raise ValueError(f"config.data.mix={mix!r}: gives one of them no example in a batch of {batch_size}")
    return batch_size - count, count


def with_rooms(draw, *, count, one_by_one, seed, frame_size, sensor, **augmentation):
    """A `draw` for `jaxdepth.training.step.make_train_step` that adds `count` endless rooms to what `draw` gives.

    Step t shows the rooms t * count and following, which no run shows twice in its first 2^31 / count steps.

    Args:
      draw: `(data, step) -> batch`, or None where data is the batch already; data None: there are rooms only.
      one_by_one: whether rooms are rendered one after the other, which is faster on one CPU device, or all at once.
      seed: of the rooms and their augmentation; frame_size: (h, w) at which they are rendered.
      sensor: whether they are seen through one.
      augmentation: as in `device.draw_batch`.
    """
    augment = functools.partial(device.augment, **augmentation)
    render = functools.partial(_example, seed=seed, frame_size=tuple(frame_size), sensor=sensor, augment=augment)
    each = functools.partial(jax.lax.map, render) if one_by_one else jax.vmap(render)

    def mixed(data, step):
        rooms = each(_FIRST + step * count + jnp.arange(count, dtype=jnp.int32))
        if data is None:
            return rooms
        batch = data if draw is None else draw(data, step)
        return {name: jnp.concatenate([batch[name], rooms[name]]) for name in ("image", "depth")}

    return mixed


def _example(index, *, seed, frame_size, sensor, augment):
    frame = rooms.render(seed, index, size=frame_size, sensor=sensor)
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), _FIRST), index)
    image, depth = augment(frame["image"], frame["depth"], key)
    return {"image": image, "depth": depth}
