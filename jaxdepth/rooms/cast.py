"""The ray caster: the first surface on each ray."""

from functools import partial

import jax
import jax.numpy as jnp

from jaxdepth.rooms.parts import BOXES, PARTS
from jaxdepth.rooms.scene import CEILING, FIRST_FLAT, FIRST_PART, FLOOR, PIECES, WALL

ROUND_SIDE = 3  # stands for the axis of a curved side's normal
# Bodies are looked at in groups, and a group only if one of its bodies is there.
_FLATS = 4  # of a group; divides FLATS
_SLOTS = (range(BOXES // 2), range(BOXES // 2, BOXES), range(BOXES, PARTS))  # the parts of a piece in each group


def cast(scene, origin, directions, bodies):
    """Finds the first surface on the rays from a point.

    Args:
      scene: a Scene.
      origin: [3], inside the room and outside all bodies.
      directions: three planes [H, W], the components of the rays' directions, of any length.
      bodies: the `bodies.Bodies` to look at, besides the room itself. On a CPU only these take time.

    Returns:
      distance: [H, W], in units of the direction's length.
      surface: int [H, W], number of the surface.
      axis: int [H, W], axis of the surface's normal, in the frame of its piece for furniture and in the world's for all
        else; ROUND_SIDE for a curved side.
    """
    inverse = [_reciprocal(d) for d in directions]

    def flats(hit, values):
        there, number, middle, half = values

        def look(hit):
            for i in range(_FLATS):
                hit = _nearer(hit, _box(origin - middle[i], inverse, half[i]), number + i)
            return hit

        return _look_if(there, look, hit), None

    def piece(hit, values):
        there, number, centre, yaw, middle, half, ellipsoid = values

        def look(hit, slots):
            cos, sin = jnp.cos(yaw), jnp.sin(yaw)
            start = jnp.stack([*turn(origin[0] - centre[0], origin[1] - centre[1], cos, sin), origin[2]])
            turned = (*turn(directions[0], directions[1], cos, sin), directions[2])
            turned_inverse = [_reciprocal(turned[0]), _reciprocal(turned[1]), inverse[2]]
            for i in slots:
                if i < BOXES:
                    entered = _box(start - middle[i], turned_inverse, half[i])
                else:
                    entered = _round(start - middle[i], turned, turned_inverse[2], half[i], ellipsoid[i - BOXES])
                hit = _nearer(hit, entered, number + i)
            return hit

        for slots in _SLOTS:
            hit = _look_if(there[slots.start : slots.stop], partial(look, slots=slots), hit)
        return hit, None

    hit = _room(scene, origin, directions, inverse)
    half = jnp.where(bodies.flats[:, None], scene.flat_half, 0.0)
    groups = (x.reshape(-1, _FLATS, *x.shape[1:]) for x in (bodies.flats, scene.flat_middle, half))
    there, middle, half = groups
    hit = jax.lax.scan(flats, hit, (there, FIRST_FLAT + _FLATS * jnp.arange(len(there)), middle, half))[0]
    numbers, half = FIRST_PART + PARTS * jnp.arange(PIECES), jnp.where(bodies.parts[..., None], scene.half, 0.0)
    pieces = (bodies.parts, numbers, scene.centre, scene.yaw, scene.middle, half, scene.ellipsoid)
    distance, code = jax.lax.scan(piece, hit, pieces)[0]
    return distance, code >> 2, code & 3


def _look_if(there, look, hit):
    """look(hit), or `hit` without looking if no body is there."""
    return jax.lax.cond(jnp.any(there), look, lambda hit: hit, hit)


def turn(x, y, cos, sin):
    """Coordinates in a frame that is turned about the vertical by the angle of `cos` and `sin`."""
    return cos * x + sin * y, cos * y - sin * x


def _reciprocal(x):
    """1 / x, but finite at 0, which counts as negative, as it does in `_room`."""
    return 1 / jnp.where(jnp.abs(x) < 1e-7, jnp.where(x > 0, 1e-7, -1e-7), x)


def _room(scene, origin, directions, inverse):
    """Where rays meet the room itself: distance, and code = 4 * surface + axis.

    Surface and axis are one number, because XLA on a CPU computes the body of a loop once for each array that the loop
    carries.
    """
    exits = [
        (jnp.where(d > 0, size, 0.0) - o) * r
        for d, size, o, r in zip(directions, scene.room, origin, inverse, strict=True)
    ]
    distance = jnp.minimum(jnp.minimum(exits[0], exits[1]), exits[2])
    axis = jnp.where(distance == exits[2], 2, jnp.where(distance == exits[1], 1, 0))
    surface = jnp.where(axis == 2, jnp.where(directions[2] > 0, CEILING, FLOOR), WALL)
    return distance, 4 * surface + axis


def _box(origin, inverse, half):
    """Where rays meet a box: distances at which they enter and leave it, and the axis of the face where they enter.

    A ray that misses the box leaves before it enters. All rays miss a box of size 0.
    """
    middle = [-o * r for o, r in zip(origin, inverse, strict=True)]
    reach = [h * jnp.abs(r) for h, r in zip(half, inverse, strict=True)]
    near = [m - r for m, r in zip(middle, reach, strict=True)]
    enter = jnp.maximum(jnp.maximum(near[0], near[1]), near[2])
    leave = jnp.minimum(jnp.minimum(middle[0] + reach[0], middle[1] + reach[1]), middle[2] + reach[2])
    return enter, leave, jnp.where(enter == near[2], 2, jnp.where(enter == near[1], 1, 0))


def _round(origin, directions, inverse_z, half, ellipsoid):
    """As `_box`, of the ellipsoid (`ellipsoid` 1) or the upright elliptic cylinder (0) that fills the box."""
    scale = 1 / jnp.maximum(half, 1e-6)
    scale = scale.at[2].multiply(ellipsoid)
    d = [x * s for x, s in zip(directions, scale, strict=True)]
    o = origin * scale
    a = jnp.maximum(d[0] ** 2 + d[1] ** 2 + d[2] ** 2, 1e-9)
    b = o[0] * d[0] + o[1] * d[1] + o[2] * d[2]
    discriminant = b * b - a * (o[0] ** 2 + o[1] ** 2 + o[2] ** 2 - 1)
    root = jnp.sqrt(jnp.maximum(discriminant, 0.0))
    middle, reach = -origin[2] * inverse_z, half[2] * jnp.abs(inverse_z)
    cap = middle - reach
    side = (-b - root) / a
    enter = jnp.maximum(side, cap)
    leave = jnp.minimum((root - b) / a, middle + reach)
    return enter, jnp.where((discriminant > 0) & (half[2] > 0), leave, -1.0), jnp.where(side > cap, ROUND_SIDE, 2)


def _nearer(hit, entered, number):
    """The nearer one of a hit (distance and code, as in `_room`) and the body that has the surface `number`."""
    enter, leave, axis = entered
    new = (enter < leave) & (enter > 0) & (enter < hit[0])
    return jnp.where(new, enter, hit[0]), jnp.where(new, 4 * number + axis, hit[1])
