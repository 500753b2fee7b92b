"""The look of all surfaces of a room: labels, textures and colours."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdepth.rooms import flat_objects
from jaxdepth.rooms.labels import label_index
from jaxdepth.rooms.parts import PARTS, Paint
from jaxdepth.rooms.placement import Furniture
from jaxdepth.rooms.random_numbers import between, named_uniform
from jaxdepth.rooms.scene import CEILING, CORNERS, FIRST_FLAT, FIRST_PART, FLOOR, PIECES, SURFACES, WALL
from jaxdepth.rooms.texture import Texture

# Brightness of things that look alike in every room.
_BRIGHTNESS = {
    "refrigerator": 0.8,
    "pillow": 0.7,
    "whiteboard": 0.9,
    "door": 0.6,
    "window": 1.0,
    "television": 0.03,
    "bathtub": 0.9,
    "toilet": 0.9,
    "paper": 0.9,
}
_SHELL = FIRST_FLAT + CORNERS  # floor, ceiling, walls, and the blocks in corners, which look like the walls
_BROWN, _GREEN = (0.45, 0.26, 0.12), (0.1, 0.3, 0.06)


class Surfaces(NamedTuple):
    """S = SURFACES; fields as in Scene."""

    label: jax.Array
    texture: jax.Array
    period: jax.Array
    number: jax.Array
    colours: jax.Array


def draw_surfaces(key, furniture: Furniture) -> Surfaces:
    """Draws the look of the room, its flat objects and its furniture."""
    numbers = named_uniform(
        key,
        level=(SURFACES,),  # brightness
        warm=(SURFACES,),  # from blue by way of grey to red
        green=(SURFACES,),  # from greenish to violet
        fade=(SURFACES,),  # of the second colour
        choice=(SURFACES,),  # of a texture; of brown or other wood
        period=(SURFACES,),
        painted=(SURFACES,),  # whether the hue is drawn freely
        saturation=(SURFACES,),  # of such a hue
        hue=(3, SURFACES),  # how much red, green and blue it lacks
        number=(SURFACES,),
    )
    label, texture = _labels(furniture), _textures(numbers.choice, furniture)
    source = _colour_sources(furniture)
    level = between(numbers.level, _per_surface(0.12, 0.75, 0.45, 0.06), _per_surface(0.5, 0.95, 0.9, 0.8))
    first = _first_colour(numbers, level, label, texture, source)
    second = first * (1 - _fading(numbers.fade)[source])[:, None]
    mixed = (texture == Texture.ART) | (texture == Texture.BOOKS)
    second = jnp.where(mixed[:, None], jnp.roll(first, 7, 0), second)  # the colour of some other surface
    return Surfaces(
        label=label.astype(jnp.int32),
        texture=texture.astype(jnp.int32),
        period=(0.1 * 6**numbers.period)[source],
        number=jnp.floor(1024 * numbers.number).astype(jnp.int32),
        colours=jnp.stack([first, second], axis=1),
    )


def _per_surface(floor, ceiling, wall, rest):
    """A constant for each surface: float32 [S]."""
    return np.array([floor, ceiling, wall, *[rest] * (SURFACES - FIRST_FLAT)], np.float32)


def _labels(furniture):
    shell = [label_index(name) for name in ("floor", "ceiling", "wall", *["wall"] * CORNERS)]
    return jnp.concatenate([jnp.asarray([*shell, *flat_objects.LABEL]), furniture.label.reshape(-1)])


def _textures(choice, furniture):
    """Texture of each surface; those of the floor and the walls are drawn."""
    floors = jnp.array([Texture.WOOD, Texture.TILES, Texture.CLOTH])
    floor = floors[jnp.floor(3 * choice[FLOOR]).astype(jnp.int32)]
    papered = jnp.where(choice[WALL] < 0.9, Texture.STRIPES, Texture.TILES)
    wall = jnp.where(choice[WALL] < 0.7, Texture.PLAIN, papered)
    shell = jnp.stack([floor, jnp.full_like(floor, Texture.PLAIN), wall, *[wall] * CORNERS])
    return jnp.concatenate([shell, jnp.asarray(flat_objects.TEXTURE), furniture.texture.reshape(-1)])


def _colour_sources(furniture):
    """The surface whose random numbers give a surface its colour: int [S].

    Parts with the main or the second colour of their piece take the numbers of its first or second part.
    """
    part = FIRST_PART + np.arange(PIECES * PARTS)
    first_of_piece = FIRST_PART + np.repeat(np.arange(PIECES) * PARTS, PARTS)
    paint = furniture.paint.reshape(-1)
    shell = [FLOOR, CEILING, WALL, *[WALL] * CORNERS]
    return jnp.concatenate(
        [
            jnp.array([*shell, *range(_SHELL, FIRST_PART)]),
            jnp.where(paint == Paint.OWN, part, first_of_piece + paint),
        ]
    )


def _first_colour(numbers, level, label, texture, source):
    """The first colour of each surface: [S, 3]."""
    colour = _base_colour(numbers, level)[source]
    bright = jnp.zeros(SURFACES)
    for name, value in _BRIGHTNESS.items():
        bright = jnp.where(label == label_index(name), value, bright)
    colour = jnp.where(bright[:, None] > 0, bright[:, None] * (0.85 + 0.15 * colour), colour)
    # Wood of furniture is brown, or painted; a wooden floor is always brown.
    wooden = (texture == Texture.WOOD) & ((numbers.choice[source] < 0.65) | (jnp.arange(SURFACES) == FLOOR))
    brown = jnp.array(_BROWN)[None] * (0.35 + 1.2 * level[source])[:, None]
    colour = jnp.where(wooden[:, None], brown, colour)
    green = jnp.array(_GREEN)[None] * (0.6 + level[source])[:, None]
    return jnp.where((texture == Texture.LEAVES)[:, None], green, colour)


def _base_colour(numbers, level):
    """Random colours: bluish, grey, or the browns and reds of woods and bricks; some violet; some of any hue."""
    warm = _per_surface(0.7, 0.08, 0.45, 0.8) * (1.5 * numbers.warm - 0.5)
    hue = jnp.stack([jnp.minimum(warm, 0), -0.6 * jnp.abs(warm) * numbers.green, -jnp.maximum(warm, 0)], axis=1)
    any_hue = -0.9 * numbers.saturation[:, None] * jnp.stack([*numbers.hue], axis=1)
    hue = jnp.where((numbers.painted < 0.25)[:, None], any_hue, hue)
    return jnp.clip(level[:, None] * (1 + hue), 0.02, 0.95)


def _fading(fade):
    """By what share the second colour is darker than the first: [S]."""
    least, most = (
        np.array(shares, np.float32) for shares in ((0.2, 0, 0.03), (0.6, 0.1, 0.25))
    )  # floor, ceiling, wall
    shell = between(fade[:FIRST_FLAT], least, most)
    return jnp.concatenate([shell, between(fade[FIRST_FLAT:], 0.1, 0.7)])
