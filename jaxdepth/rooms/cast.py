"""The ray caster: where rays first meet the surfaces of a scene."""

import jax
import jax.numpy as jnp

from jaxdepth.rooms.furniture import BOXES, ROUNDS
from jaxdepth.rooms.scene import CEILING, FIRST_FLAT, FIRST_PART, FLATS, FLOOR, PARTS, PIECES, WALL

ROUND_SIDE = 3  # the "axis" of the normal of a round body's side


def cast(scene, origin, directions, *, flats=FLATS):
    """First surface on the rays from `origin` [3], inside the room and outside all bodies.

    Args:
      scene: a Scene.
      directions: three planes [H, W], of any length.
      flats: how many of the flats are looked at; CORNERS leaves out what hangs on the walls and throws no shadow.

    Returns:
      [H, W] each: the distance in units of the direction's length, the number of the surface, and the axis of its
      normal in the frame of its body (the room's: the world's), ROUND_SIDE for a curved one.
    """
    inverse = [_reciprocal(d) for d in directions]
    exits = [
        (jnp.where(d > 0, size, 0.0) - o) * r
        for d, size, o, r in zip(directions, scene.room, origin, inverse, strict=True)
    ]
    distance = jnp.minimum(jnp.minimum(exits[0], exits[1]), exits[2])
    axis = jnp.where(distance == exits[2], 2, jnp.where(distance == exits[1], 1, 0))
    surface = jnp.where(axis == 2, jnp.where(directions[2] > 0, CEILING, FLOOR), WALL)
    # Surface and axis as one number: for each array that a loop carries XLA has a CPU compute all of its body.
    hit = (distance, 4 * surface + axis)
    for i in range(flats):
        hit = _nearer(hit, _slabs(origin - scene.flat_middle[i], inverse, scene.flat_half[i]), FIRST_FLAT + i)

    def of_piece(hit, piece):
        number, centre, yaw, middle, half, ellipsoid = piece
        cos, sin = jnp.cos(yaw), jnp.sin(yaw)
        start = jnp.stack([*turn(origin[0] - centre[0], origin[1] - centre[1], cos, sin), origin[2]])
        local = (*turn(directions[0], directions[1], cos, sin), directions[2])
        turned = [_reciprocal(local[0]), _reciprocal(local[1]), inverse[2]]
        for i in range(BOXES):
            hit = _nearer(hit, _slabs(start - middle[i], turned, half[i]), number + i)
        for i in range(ROUNDS):
            of_part = start - middle[BOXES + i], half[BOXES + i]
            hit = _nearer(hit, _quadric(of_part[0], local, turned[2], of_part[1], ellipsoid[i]), number + BOXES + i)
        return hit, None

    first = FIRST_PART + PARTS * jnp.arange(PIECES)
    pieces = (first, scene.centre, scene.yaw, scene.middle, scene.half, scene.ellipsoid)
    distance, code = jax.lax.scan(of_piece, hit, pieces)[0]
    return distance, code // 4, code % 4


def turn(x, y, cos, sin):
    """World to a frame turned by an angle about the vertical."""
    return cos * x + sin * y, cos * y - sin * x


def _reciprocal(x):
    """1 / x, finite at 0, where it has the sign that `cast` takes 0 to have: not positive."""
    return 1 / jnp.where(jnp.abs(x) < 1e-7, jnp.where(x > 0, 1e-7, -1e-7), x)


def _slabs(origin, inverse, half):
    """Where rays enter a box, leave it, and by which axis they enter. A box of size 0 is left before it is entered."""
    middle = [-o * r for o, r in zip(origin, inverse, strict=True)]
    reach = [h * jnp.abs(r) for h, r in zip(half, inverse, strict=True)]
    near = [m - r for m, r in zip(middle, reach, strict=True)]
    first = jnp.maximum(jnp.maximum(near[0], near[1]), near[2])
    last = jnp.minimum(jnp.minimum(middle[0] + reach[0], middle[1] + reach[1]), middle[2] + reach[2])
    return first, last, jnp.where(first == near[2], 2, jnp.where(first == near[1], 1, 0))


def _quadric(origin, directions, inverse_z, half, ellipsoid):
    """The same of the upright elliptic cylinder, or the ellipsoid, that fills the box."""
    scale = 1 / jnp.maximum(half, 1e-6)
    scale = scale.at[2].multiply(ellipsoid)
    d = [x * s for x, s in zip(directions, scale, strict=True)]
    o = origin * scale
    a = jnp.maximum(d[0] ** 2 + d[1] ** 2 + d[2] ** 2, 1e-9)
    b = o[0] * d[0] + o[1] * d[1] + o[2] * d[2]
    root = b * b - a * (o[0] ** 2 + o[1] ** 2 + o[2] ** 2 - 1)
    width = jnp.sqrt(jnp.maximum(root, 0.0))
    middle, reach = -origin[2] * inverse_z, half[2] * jnp.abs(inverse_z)
    cap = middle - reach
    side = (-b - width) / a
    first = jnp.maximum(side, cap)
    last = jnp.minimum((width - b) / a, middle + reach)
    return first, jnp.where((root > 0) & (half[2] > 0), last, -1.0), jnp.where(side > cap, ROUND_SIDE, 2)


def _nearer(hit, entered, number):
    first, last, axis = entered
    new = (first < last) & (first > 0) & (first < hit[0])
    return jnp.where(new, first, hit[0]), jnp.where(new, 4 * number + axis, hit[1])
