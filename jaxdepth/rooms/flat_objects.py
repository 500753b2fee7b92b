"""Flat objects: doors, windows and pictures on the walls, a rug on the floor, and a lamp at the ceiling."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdepth.rooms.labels import label_index
from jaxdepth.rooms.random_numbers import between, named_uniform
from jaxdepth.rooms.texture import Texture


class WallObject(NamedTuple):
    """An object on a wall.

    Attributes:
      label: a name in LABELS.
      texture: its texture.
      width: least and greatest, metres.
      height: least and greatest, metres.
      middle: least and greatest height of its middle above the floor, metres.
      shown: the probability that a room has it.
      half_thickness: metres.
    """

    label: str
    texture: Texture
    width: tuple[float, float]
    height: tuple[float, float]
    middle: tuple[float, float]
    shown: float
    half_thickness: float = 0.02


WALL_OBJECTS = (
    WallObject("door", Texture.PLAIN, width=(0.8, 0.95), height=(2.0, 2.1), middle=(1.0, 1.0), shown=0.7),
    WallObject("window", Texture.PANES, width=(0.9, 2.0), height=(0.9, 1.4), middle=(1.4, 1.6), shown=0.8),
    WallObject("window", Texture.PANES, width=(0.8, 1.6), height=(0.9, 1.4), middle=(1.4, 1.6), shown=0.4),
    WallObject("picture", Texture.ART, width=(0.3, 0.9), height=(0.3, 0.7), middle=(1.4, 1.7), shown=0.8),
    WallObject("picture", Texture.ART, width=(0.3, 1.2), height=(0.3, 0.8), middle=(1.4, 1.7), shown=0.7),
    WallObject("picture", Texture.ART, width=(0.2, 0.6), height=(0.3, 0.6), middle=(1.4, 1.7), shown=0.5),
    WallObject("whiteboard", Texture.PLAIN, width=(0.9, 1.8), height=(0.6, 1.1), middle=(1.3, 1.6), shown=0.2),
    WallObject(
        "curtain", Texture.CLOTH, width=(0.5, 1.2), height=(1.9, 2.2), middle=(1.1, 1.2), shown=0.4, half_thickness=0.06
    ),
    WallObject("blinds", Texture.STRIPES, width=(0.9, 2.0), height=(0.9, 1.5), middle=(1.4, 1.6), shown=0.3),
    WallObject("mirror", Texture.PLAIN, width=(0.5, 1.2), height=(0.6, 1.1), middle=(1.3, 1.6), shown=0.2),
    WallObject("picture", Texture.ART, width=(0.2, 0.7), height=(0.2, 0.9), middle=(1.3, 1.8), shown=0.6),
    WallObject("paper", Texture.PLAIN, width=(0.2, 0.9), height=(0.3, 0.9), middle=(1.0, 1.7), shown=0.5),
)
WINDOW = 1  # index of the window that daylight comes through
_WALLS, _THIRDS = 4, 3  # each third of a wall has space for one object

# All flat objects: the wall objects, the rug, the lamp.
RUG = len(WALL_OBJECTS)
COUNT = len(WALL_OBJECTS) + 2
LABEL = np.array([label_index(name) for name in (*(thing.label for thing in WALL_OBJECTS), "floor mat", "lamp")])
TEXTURE = np.array([*(thing.texture for thing in WALL_OBJECTS), Texture.ART, Texture.PLAIN])
SHOWN = np.array([*(thing.shown for thing in WALL_OBJECTS), 0.5, 0.6], np.float32)


class FlatObjects(NamedTuple):
    """The flat objects of a room: boxes along the world's axes. An object that is absent has half size 0."""

    middle: jax.Array  # [COUNT, 3]
    half: jax.Array  # [COUNT, 3] half sizes
    window_normal: jax.Array  # [2] from object WINDOW into the room


def draw_flat_objects(key, room, lamp) -> FlatObjects:
    """Draws the flat objects of a room.

    Args:
      key: a jax.random key.
      room: [3], its size.
      lamp: [2], x and y of the lamp at the ceiling.
    """
    # For a wall object, `size` gives width, height and height of the middle, and the first row of `position` how far
    # along the wall it is. For the rug, the first rows of `size` give half sizes, and `position` gives x and y.
    numbers = named_uniform(key, size=(3, COUNT), position=(2, COUNT), shown=(COUNT,))
    cells = jax.random.uniform(jax.random.fold_in(key, 1), (_WALLS * _THIRDS,))
    cells = jnp.argsort(cells)[: len(WALL_OBJECTS)]
    middle, half, inward = _on_walls(numbers, cells, room)
    rug_middle = jnp.append(between(numbers.position[:, RUG], 0.35, 0.65) * room[:2], 0.008)
    rug_half = jnp.append(between(numbers.size[:2, RUG], 0.5, 1.2), 0.008)
    lamp_middle, lamp_half = jnp.append(lamp, room[2] - 0.04), jnp.array([0.2, 0.2, 0.04])
    middle = jnp.concatenate([middle, rug_middle[None], lamp_middle[None]])
    half = jnp.concatenate([half, rug_half[None], lamp_half[None]])
    half = jnp.where((numbers.shown < SHOWN)[:, None], half, 0.0)
    return FlatObjects(middle, half, inward[WINDOW])


def _on_walls(numbers, cells, room):
    """Middles, half sizes [N, 3] and inward normals [N, 2] of the N wall objects, each within its third of a wall."""
    wall, third = cells // _THIRDS, cells % _THIRDS  # walls: low x, high x, low y, high y
    along_x, upper = wall >= 2, (wall % 2) == 1
    ranges = np.array([(thing.width, thing.height, thing.middle) for thing in WALL_OBJECTS], np.float32)  # [N, 3, 2]
    width, height, level = between(numbers.size[:, :RUG].T, ranges[..., 0], ranges[..., 1]).T
    side = jnp.where(along_x, room[0], room[1]) / _THIRDS
    width = jnp.minimum(width, 0.92 * side)
    along = third * side + width / 2 + numbers.position[0, :RUG] * (side - width)
    half_thickness = np.array([thing.half_thickness for thing in WALL_OBJECTS], np.float32)
    across = jnp.where(upper, jnp.where(along_x, room[1], room[0]) - half_thickness, half_thickness)
    x, y = jnp.where(along_x, along, across), jnp.where(along_x, across, along)
    middle = jnp.stack([x, y, jnp.minimum(level, room[2] - height / 2 - 0.05)], 1)
    half_x = jnp.where(along_x, width / 2, half_thickness)
    half_y = jnp.where(along_x, half_thickness, width / 2)
    half = jnp.stack([half_x, half_y, height / 2], 1)
    inward = jnp.where(upper, -1.0, 1.0)
    normal = jnp.stack([jnp.where(along_x, 0.0, inward), jnp.where(along_x, inward, 0.0)], 1)
    return middle, half, normal
