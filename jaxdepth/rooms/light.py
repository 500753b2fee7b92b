"""The lights of a room, and how the camera exposes the image."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxdepth.rooms.flat_objects import WINDOW, FlatObjects
from jaxdepth.rooms.random_numbers import between, named_uniform


class Light(NamedTuple):
    """Two lamps and the window; fields as in Scene."""

    lights: jax.Array
    powers: jax.Array
    tints: jax.Array


class Exposure(NamedTuple):
    """Ambient light and settings of the camera; fields as in Scene."""

    ambient: jax.Array
    exposure: jax.Array
    white: jax.Array
    contrast: jax.Array


def light_numbers(key):
    """Uniform numbers for the functions of this module."""
    return named_uniform(
        key,
        lamps=(2, 2),
        day=(),
        first_lamp_off=(),  # by day
        second_lamp=(),
        daylight=(),
        warm=(3,),
        ambient=(),
        exposure=(),
        white=(3,),
        temperature=(),
        contrast=(),
        unused=(2,),
    )


def lamp_spots(numbers, room):
    """x and y of the two lamps: [2, 2]."""
    return between(numbers.lamps, 0.2, 0.8) * room[None, :2]


def draw_light(numbers, room, lamps, flat_objects: FlatObjects) -> Light:
    """Draws the lights of a room: one or two lamps, and by day the window, some days without the first lamp.

    Args:
      numbers: from `light_numbers`.
      room: [3], its size.
      lamps: [2, 2], from `lamp_spots`.
      flat_objects: of the room; without its window there is no daylight.
    """
    at_ceiling = jnp.concatenate([lamps, jnp.full((2, 1), room[2] - 0.15)], axis=1)
    window = flat_objects.middle[WINDOW]
    in_window = jnp.append(window[:2] + 0.15 * flat_objects.window_normal, window[2])
    day = (numbers.day < 0.6) & (jnp.max(flat_objects.half[WINDOW]) > 0)
    first = jnp.where(day & (numbers.first_lamp_off < 0.4), 0.0, 1.0)
    second = jnp.maximum(between(numbers.second_lamp, -0.5, 0.8), 0)
    daylight = jnp.where(day, between(numbers.daylight, 1.0, 4.0), 0)
    warm = between(numbers.warm, jnp.array([0.95, 0.75, 0.5]), jnp.array([1.0, 0.97, 0.92]))
    return Light(
        lights=jnp.concatenate([at_ceiling, in_window[None]]),
        powers=jnp.stack([first, second, daylight]),
        tints=jnp.stack([warm, warm, jnp.array([0.85, 0.95, 1.0])]),
    )


def draw_exposure(numbers) -> Exposure:
    """Draws the ambient light and the settings of the camera."""
    bluish, reddish = jnp.array([0.9, 1.0, 1.15]), jnp.array([1.15, 1.0, 0.8])
    return Exposure(
        ambient=between(numbers.ambient, 0.03, 0.12),
        exposure=between(numbers.exposure, 0.18, 0.6),
        white=between(numbers.white, 0.85, 1.15) * between(numbers.temperature, bluish, reddish),
        contrast=between(numbers.contrast, 1.2, 2.0),
    )
