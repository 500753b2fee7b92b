"""The plan of a room, and the camera in it."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxdepth.rooms.random_numbers import between, named_uniform
from jaxdepth.rooms.scene import CLEARANCE, CORNERS


class Corners(NamedTuple):
    """Blocks that cut corners off the plan. A block that is absent has half size 0."""

    middle: jax.Array  # [CORNERS, 3]
    half: jax.Array  # [CORNERS, 3] half sizes


def view_numbers(key):
    """Uniform numbers for the functions of this module."""
    return named_uniform(
        key,
        room_size=(3,),
        position=(2,),
        eye_height=(),
        first_target=(2,),  # x and y of a spot to look at
        pitch_and_roll=(2,),
        corner_size=(CORNERS, 2),
        corner_present=(CORNERS,),
        target_piece=(2,),  # two pieces of furniture to look at
        target_offset=(2,),  # of the spot to look at from the piece
        second_target=(2,),
        looks_at_furniture=(),
        unused=(),
    )


def room_size(numbers):
    """Width (x), length (y) and height of the room in metres: [3].

    Rooms are long and often narrow, and mostly seen from near a wall, which gives depths such as NYU's. The floor's
    diagonal stays within 10 m, the range of NYU's sensor.
    """
    share = numbers.room_size ** jnp.array([2.5, 0.6, 1.0])
    return between(share, jnp.array([2.2, 3.2, 2.4]), jnp.array([6.0, 8.0, 3.2]))


def camera_position(numbers, room):
    """Position of the camera, [3]: most often near a wall, at the height of a person's eyes."""
    share = jnp.append((1 - jnp.cos(jnp.pi * numbers.position)) / 2, numbers.eye_height)
    lowest = jnp.array([CLEARANCE, CLEARANCE, 0.9])
    highest = jnp.stack([room[0] - CLEARANCE, room[1] - CLEARANCE, jnp.float32(1.7)])
    return between(share, lowest, highest)


def corner_blocks(numbers, room, position) -> Corners:
    """Blocks from floor to ceiling that make the plan an L or a T; without them it is a rectangle.

    The first block fills the corner farthest from the camera, the second the corner beside it along the width.

    Args:
      numbers: from `view_numbers`.
      room: [3], its size.
      position: [3], of the camera.
    """
    far = (position[:2] < room[:2] / 2).astype(jnp.float32)  # 1 where the farthest corner is at the upper end
    largest = jnp.where(far > 0, room[:2] - position[:2], position[:2]) - CLEARANCE
    size = between(numbers.corner_size, 0.08, 0.4) * room[None, :2]
    size = jnp.clip(jnp.minimum(size, largest[None]), 0.0, None)
    size = jnp.where((numbers.corner_present < jnp.array([0.5, 0.25]))[:, None], size, 0.0)
    # The second block is on the camera's side of the room: it must leave the camera its clearance.
    largest_beside = jnp.where(far[0] > 0, position[0], room[0] - position[0]) - CLEARANCE
    size = size.at[1, 0].set(jnp.clip(jnp.minimum(size[1, 0], largest_beside), 0.0, None))

    present = jnp.min(size, axis=1, keepdims=True) > 0.05
    half = jnp.where(present, jnp.concatenate([size, jnp.full((CORNERS, 1), room[2])], axis=1) / 2, 0.0)
    side = jnp.stack([far, jnp.stack([1 - far[0], far[1]])])  # 0: the lower end, 1: the upper end
    across = side * room[None, :2] + (1 - 2 * side) * half[:, :2]
    return Corners(jnp.concatenate([across, jnp.full((CORNERS, 1), room[2] / 2)], axis=1), half)


def camera_rotation(numbers, room, position, furniture):
    """Rotation from the camera to the world, [3, 3]; its columns are right, down and forward.

    The camera looks at the farther one of two random spots. In three of ten rooms the spots are near pieces of
    furniture, in the others anywhere.
    """
    target = _farther(*(spot * room[:2] - position[:2] for spot in (numbers.first_target, numbers.second_target)))
    piece = jnp.floor(numbers.target_piece * jnp.maximum(furniture.count, 1)).astype(jnp.int32)
    spots = furniture.centre[piece] + between(numbers.target_offset, -0.5, 0.5)[None] - position[None, :2]
    at_furniture = (numbers.looks_at_furniture < 0.3) & (furniture.count > 0)
    target = jnp.where(at_furniture, _farther(*spots), target)
    heading = jnp.arctan2(target[1], target[0])
    pitch, roll = jnp.deg2rad(between(numbers.pitch_and_roll, jnp.array([-28.0, -4.0]), jnp.array([4.0, 4.0])))
    forward = jnp.stack([jnp.cos(pitch) * jnp.cos(heading), jnp.cos(pitch) * jnp.sin(heading), jnp.sin(pitch)])
    right = jnp.stack([jnp.sin(heading), -jnp.cos(heading), jnp.zeros_like(heading)])
    down = jnp.cross(forward, right)
    cos, sin = jnp.cos(roll), jnp.sin(roll)
    return jnp.stack([cos * right + sin * down, cos * down - sin * right, forward], axis=1)


def _farther(one, other):
    """The longer of two vectors."""
    return jnp.where(jnp.sum(one**2) > jnp.sum(other**2), one, other)
