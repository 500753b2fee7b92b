"""Light and colour of the surfaces that the camera sees.

A vector or colour of each pixel is a list of three planes [H, W], one for each component. This is faster than an array
[H, W, 3].
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxdepth.rooms import texture
from jaxdepth.rooms.bodies import opaque
from jaxdepth.rooms.cast import ROUND_SIDE, cast, turn
from jaxdepth.rooms.labels import label_index
from jaxdepth.rooms.parts import BOXES, PARTS
from jaxdepth.rooms.scene import FIRST_FLAT, FIRST_PART, PIECES, WALL

_WINDOW = 2  # index of the window among the lights, after two lamps
_HALF_SIZE = {0: 0.12, _WINDOW: 0.35}  # metres, of the lights that throw shadows
_GLOW = {"window": 2.5, "lamp": 0.8, "television": 0.15}  # light that a surface gives itself
_SKIRTING = 0.08  # metres above the floor


class _Table(NamedTuple):
    """What shading needs of surfaces: [S], or [H, W] once looked up; vectors and colours are lists of three."""

    cos: Any  # of the angle by which the frame of the piece is turned
    sin: Any
    x: Any  # origin of that frame
    y: Any
    middle: list  # of the body, in that frame
    half: list  # half sizes of the body
    ellipsoid: Any  # 1 for an ellipsoid
    first: list  # the two colours
    second: list
    texture: Any
    period: Any
    number: Any
    glow: Any


def shade(scene, directions, hit, *, focal):
    """Shades the surfaces that the camera sees.

    Args:
      scene: a Scene.
      directions: three planes [H, W] of the camera's rays.
      hit: what `cast` returned for these rays.
      focal: focal length in pixels.

    Returns:
      Linear colour: three planes [H, W].
    """
    distance, surface, axis = hit
    world = [o + distance * d for o, d in zip(scene.position, directions, strict=True)]
    at = jax.tree.map(lambda values: values.at[surface].get(mode="promise_in_bounds"), _table(scene))
    x, y = turn(world[0] - at.x, world[1] - at.y, at.cos, at.sin)
    local = [p - m for p, m in zip((x, y, world[2]), at.middle, strict=True)]
    share = [p / jnp.maximum(h, 1e-3) for p, h in zip(local, at.half, strict=True)]  # -1 to 1 over the body
    normal = _normal(at, directions, axis, share)

    sides = jnp.any(axis == ROUND_SIDE)  # the angle takes as long as casting the camera's rays
    angle = jax.lax.cond(sides, jnp.arctan2, lambda y, x: jnp.zeros_like(x), local[1], local[0])
    around = angle * at.half[0]
    u = jnp.where(axis == 0, local[1], jnp.where(axis == ROUND_SIDE, around, local[0]))
    v = jnp.where(axis == 2, local[1], local[2])
    across = jnp.where(axis == 0, share[1], share[0])
    along = jnp.where(axis == 2, share[1], share[2])
    pixel = distance / focal
    weight, bright = texture.pattern(at.texture, u, v, across, along, period=at.period, pixel=pixel, number=at.number)
    covered, paint = texture.patches(u, v, pixel=pixel, number=at.number)
    skirting = (surface == WALL) & (axis != 2) & (world[2] < _SKIRTING)
    bright = jnp.where(skirting, 0.65 * bright, bright)
    light = [at.glow + value for value in _light(scene, world, normal, surface)]
    own = [f * (1 - weight) + s * weight for f, s in zip(at.first, at.second, strict=True)]
    colour = [o * (1 - covered) + p * covered for o, p in zip(own, paint, strict=True)]
    return [light[c] * bright * scene.white[c] * colour[c] for c in range(3)]


def _table(scene):
    """A _Table of all surfaces."""
    room = FIRST_FLAT  # floor, ceiling and walls come first; their frame is the world
    flats, parts = scene.flat_half.shape[:1], (PIECES, PARTS)

    def joined(of_room, of_flats, of_parts):
        return jnp.concatenate([jnp.full((room,), of_room), of_flats, of_parts.reshape(-1)])

    def of_pieces(in_world, values):
        return joined(in_world, jnp.full(flats, in_world), jnp.broadcast_to(values[:, None], parts))

    glow = jnp.zeros(scene.label.shape)
    for name, value in _GLOW.items():
        glow = jnp.where(scene.label == label_index(name), value, glow)
    return _Table(
        cos=of_pieces(1.0, jnp.cos(scene.yaw)),
        sin=of_pieces(0.0, jnp.sin(scene.yaw)),
        x=of_pieces(0.0, scene.centre[:, 0]),
        y=of_pieces(0.0, scene.centre[:, 1]),
        middle=[joined(0.0, scene.flat_middle[:, i], scene.middle[..., i]) for i in range(3)],
        half=[joined(1.0, scene.flat_half[:, i], scene.half[..., i]) for i in range(3)],
        ellipsoid=joined(0.0, jnp.zeros(flats), jnp.zeros(parts).at[:, BOXES:].set(scene.ellipsoid)),
        first=[scene.colours[:, 0, i] for i in range(3)],
        second=[scene.colours[:, 1, i] for i in range(3)],
        texture=scene.texture,
        period=scene.period,
        number=scene.number,
        glow=glow,
    )


def _normal(at, directions, axis, share):
    """Unit normals out of the bodies, in the world."""
    turned = (*turn(directions[0], directions[1], at.cos, at.sin), directions[2])
    flat = [jnp.where(axis == i, -jnp.sign(d), 0.0) for i, d in enumerate(turned)]  # of the side that faces the camera
    curved = [s / jnp.maximum(h, 1e-3) for s, h in zip(share, at.half, strict=True)]
    curved[2] = curved[2] * at.ellipsoid
    length = jax.lax.rsqrt(curved[0] ** 2 + curved[1] ** 2 + curved[2] ** 2 + 1e-12)
    x, y, z = (jnp.where(axis == ROUND_SIDE, c * length, f) for c, f in zip(curved, flat, strict=True))
    return [at.cos * x - at.sin * y, at.cos * y + at.sin * x, z]


def _light(scene, world, normal, surface):
    """Light that reaches the surfaces, three planes: from lamps and window, with shadows, and ambient."""
    received = [0.0, 0.0, 0.0]
    for number, (lamp, power) in enumerate(zip(scene.lights, scene.powers, strict=True)):
        from_lamp = [p - o for p, o in zip(world, lamp, strict=True)]
        square = from_lamp[0] ** 2 + from_lamp[1] ** 2 + from_lamp[2] ** 2
        inverse = jax.lax.rsqrt(square)
        cosine = -(normal[0] * from_lamp[0] + normal[1] * from_lamp[1] + normal[2] * from_lamp[2]) * inverse
        value = power * jnp.maximum(cosine, 0) / (0.6 + square)
        if number == _WINDOW:  # its light is strongest straight ahead
            ahead = (scene.window_normal[0] * from_lamp[0] + scene.window_normal[1] * from_lamp[1]) * inverse
            value = value * jnp.maximum(ahead, 0)
        if number in _HALF_SIZE:
            size = _HALF_SIZE[number]
            visible = lambda: _visible(scene, lamp, world, surface, half_size=size)  # noqa: B023, E731
            value = value * jax.lax.cond(power > 0, visible, lambda: jnp.ones_like(value))  # noqa: B023
        received = [r + value * tint for r, tint in zip(received, scene.tints[number], strict=True)]
    around = scene.ambient * _openness(scene, world, normal, surface)
    # The floor reflects light of its colour upwards, the ceiling of its own downwards.
    up = 0.5 + 0.5 * normal[2]
    floor, ceiling = scene.colours[0, 0], scene.colours[1, 0]
    return [r + around * (ceiling[c] * up + (0.4 + 0.6 * floor[c]) * (1 - up)) * 1.2 for c, r in enumerate(received)]


def _visible(scene, lamp, world, surface, *, half_size):
    """Share of a lamp that each point sees, [H, W].

    Each pixel of a block of 2x2 looks at another one of the lamp's four corners. A pixel's share is the mean of its own
    view and those of its neighbours on the same surface.
    """
    height, width = surface.shape
    odd_row, odd_column = jnp.arange(height)[:, None] % 2, jnp.arange(width)[None] % 2
    shift_x = jnp.broadcast_to((2.0 * odd_column - 1) * half_size, (height, width))
    shift_y = jnp.broadcast_to((2.0 * odd_row - 1) * half_size, (height, width))
    # Rays start at the middle of the lamp, and the points move instead of the lamp's corners: `cast` takes one origin.
    to_point = [world[0] - lamp[0] - shift_x, world[1] - lamp[1] - shift_y, world[2] - lamp[2]]
    reached = cast(scene, lamp, to_point, opaque(scene))[0]
    seen = jnp.where(reached > 0.995, 1.0, 0.0)
    total, weight = seen, jnp.ones_like(seen)
    for rows, columns in ((0, 1), (1, 0), (1, 1)):
        other, of_other = (jnp.roll(x, (-rows, -columns), (0, 1)) for x in (seen, surface))
        same = jnp.where(of_other == surface, 1.0, 0.0)
        total, weight = total + same * other, weight + same
    return total / weight


def _openness(scene, world, normal, surface):
    """Share of the ambient light that reaches each point: less in corners, and beside and below furniture."""
    share = 1.0
    for i in range(3):
        for wall, sign in ((0.0, 1.0), (scene.room[i], -1.0)):
            gap = jnp.maximum(sign * (world[i] - wall), 0)
            own = jnp.maximum(sign * normal[i], 0) > 0.7  # a surface does not shade itself
            share = share * jnp.where(own, 1.0, 1 - 0.35 * 0.25 / (0.25 + gap))
    piece_of = (surface - FIRST_PART) // PARTS

    def piece(share, values):
        number, centre, middle, half = values
        low, high = jnp.min(middle[:, 2] - half[:, 2]), jnp.max(middle[:, 2] + half[:, 2])
        radius = jnp.sqrt(jnp.max(half[:BOXES, 0]) * jnp.max(half[:BOXES, 1]) + 1e-6)
        to = [centre[0] - world[0], centre[1] - world[1], jnp.clip(world[2], low, high) * 0.5 + 0.25 * high - world[2]]
        square = to[0] ** 2 + to[1] ** 2 + to[2] ** 2
        facing = (to[0] * normal[0] + to[1] * normal[1] + to[2] * normal[2]) * jax.lax.rsqrt(square + 1e-6)
        occluded = jnp.clip(0.3 + facing, 0, 1) * radius**2 / (radius**2 + square)
        return share * jnp.where(piece_of == number, 1.0, 1 - 0.6 * occluded), None

    pieces = (jnp.arange(PIECES), scene.centre, scene.middle, scene.half)
    return jax.lax.scan(piece, share, pieces)[0]
