"""Batches with a fixed share of endless rooms, rendered in the compiled step, beside frames of a source."""

import functools

import jax
import jax.numpy as jnp

from jaxdepth import rooms as renderer
from jaxdepth.data.batches.augment import augment
from jaxdepth.errors import InputError
from jaxdepth.geometry.depth import MAX_DEPTH

_FIRST = 1 << 24  # rooms before this index belong to the source `rooms`


def counts(mix, *, source, batch_size):
    """How many examples of a batch are frames and how many endless rooms.

    Args:
      mix: weights such as "nyu:1,rooms:3", where "rooms" means endless rooms, for the source `rooms` too; "" for no
        rooms.
      source: the source's name.
      batch_size: what the counts add up to; they are rounded to the nearest.

    Returns:
      Two ints: frames, rooms.

    Raises:
      InputError: for another form, another source, or a weight that gets no example.
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
            raise InputError(f"config.data.mix={mix!r}: {entry!r}: {expected}") from None
    if not weights.keys() <= {source, "rooms"} or not all(0 < weight < float("inf") for weight in weights.values()):
        raise InputError(f"config.data.mix={mix!r}: {expected}")
    rooms = weights.get("rooms", 0.0)
    frames = 0.0 if source == "rooms" else weights.get(source, 0.0)
    count = round(batch_size * rooms / (rooms + frames))
    for weight, examples in ((frames, batch_size - count), (rooms, count)):
        if weight and not examples:
            raise InputError(f"config.data.mix={mix!r}: one of them gets no example in a batch of {batch_size}")
    return batch_size - count, count


def with_rooms(
    draw, *, count, one_by_one, seed, frame_size, sensor, max_depth=MAX_DEPTH, focal_ratio=1.0, **augmentation
):
    """A `draw` for `step.make_train_step` that adds endless rooms to another one's batch.

    Step t shows the rooms from t * count on, so that no room appears twice in the first 2^31 / count steps.

    Args:
      draw: (data, step) -> batch; None if the data is the batch. With data None, there are rooms only.
      count: rooms in each batch.
      one_by_one: whether rooms are rendered one after the other, which is faster on a single CPU device.
      seed: of rooms and their augmentation.
      frame_size: (h, w) at which rooms are rendered.
      sensor: whether they are seen through a sensor. Their depth remains exact, so that edges are.
      max_depth: metres; depth beyond it is masked.
      focal_ratio: of the camera of the source's frames to NYU's, see `framing.focal_ratio`. With a longer lens the same
        picture is that of a larger room.
      **augmentation: see `augment.augment`.

    Returns:
      A function (data, step) -> batch.
    """
    options = dict(seed=seed, frame_size=tuple(frame_size), sensor=sensor, max_depth=max_depth)
    options |= dict(focal_ratio=focal_ratio)
    render = functools.partial(_example, **options, augment=functools.partial(augment, **augmentation))
    each = functools.partial(jax.lax.map, render) if one_by_one else jax.vmap(render)

    def draw_mixed(data, step):
        rooms = each(room_indices(step, count=count))
        if data is None:
            return rooms
        batch = data if draw is None else draw(data, step)
        return {name: jnp.concatenate([batch[name], rooms[name]]) for name in ("image", "depth")}

    return draw_mixed


def room_indices(step, *, count):
    """The indices of the endless rooms of a step, int32 [count]."""
    return _FIRST + step * count + jnp.arange(count, dtype=jnp.int32)


def _example(index, *, seed, frame_size, sensor, max_depth, focal_ratio, augment):
    frame = renderer.render(seed, index, size=frame_size, sensor=sensor, exact_depth=True)
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), _FIRST), index)
    depth = frame["depth"] if focal_ratio == 1 else frame["depth"] * focal_ratio
    if max_depth < MAX_DEPTH * focal_ratio:  # else there is nothing beyond it
        depth = jnp.where(depth <= max_depth, depth, 0.0)
    image, depth = augment(frame["image"], depth, key)
    return {"image": image, "depth": depth}
