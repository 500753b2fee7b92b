"""Light and colour of the surfaces that the camera sees."""

import jax
import jax.numpy as jnp

from jaxdepth.rooms import texture
from jaxdepth.rooms.cast import ROUND_SIDE, cast, turn
from jaxdepth.rooms.furniture import BOXES, LABELS
from jaxdepth.rooms.scene import CORNERS, FIRST_PART, PARTS, PIECES, WALL

_SHADOWS = ((0, 0.12), (2, 0.35))  # the lights that throw them, and half of their size: a lamp, the window
_GLOW = {"window": 2.5, "lamp": 0.8, "television": 0.15}  # light that a surface gives itself


def shade(scene, directions, hit, *, focal):
    """Linear colour, three planes [H, W], of the surfaces that `cast` found from the camera.

    Args:
      scene: a Scene; directions: three planes [H, W] of the camera's rays; hit: what `cast` gave for them.
      focal: pixels.
    """
    distance, surface, axis = hit
    world = [o + distance * d for o, d in zip(scene.position, directions, strict=True)]
    tables = _tables(scene)

    def of(name):
        return tables[name][surface]

    cos, sin = of("cos"), of("sin")
    x, y = turn(world[0] - of("x"), world[1] - of("y"), cos, sin)
    middle, half = [of(f"middle{i}") for i in range(3)], [of(f"half{i}") for i in range(3)]
    local = [x - middle[0], y - middle[1], world[2] - middle[2]]
    share = [p / jnp.maximum(h, 1e-3) for p, h in zip(local, half, strict=True)]

    # The normal, out of the body, in its frame; the visible side of a surface is the one that faces the camera.
    seen = (*turn(directions[0], directions[1], cos, sin), directions[2])
    flat = [jnp.where(axis == i, -jnp.sign(d), 0.0) for i, d in enumerate(seen)]
    curved = [s / jnp.maximum(h, 1e-3) for s, h in zip(share, half, strict=True)]
    curved[2] = curved[2] * of("ellipsoid")
    length = jax.lax.rsqrt(curved[0] ** 2 + curved[1] ** 2 + curved[2] ** 2 + 1e-12)
    normal = [jnp.where(axis == ROUND_SIDE, c * length, f) for c, f in zip(curved, flat, strict=True)]
    nx, ny = cos * normal[0] - sin * normal[1], cos * normal[1] + sin * normal[0]
    normal = (nx, ny, normal[2])

    around = jnp.arctan2(local[1], local[0]) * half[0]
    u = jnp.where(axis == 0, local[1], jnp.where(axis == ROUND_SIDE, around, local[0]))
    v = jnp.where(axis == 2, local[1], local[2])
    across = jnp.where(axis == 0, share[1], share[0])
    along = jnp.where(axis == 2, share[1], share[2])
    pixel = distance / focal
    number = of("number")
    mixed, bright = texture.mix(of("texture"), u, v, across, along, period=of("period"), pixel=pixel, number=number)
    covered, paint = texture.patches(u, v, pixel=pixel, number=number)

    skirting = (surface == WALL) & (axis != 2) & (world[2] < 0.08)
    bright = jnp.where(skirting, 0.65 * bright, bright)
    light = [of("glow") + value for value in _light(scene, world, normal, surface)]
    first, second = ([of(f"{name}{c}") for c in range(3)] for name in ("first", "second"))
    own = [f * (1 - mixed) + s * mixed for f, s in zip(first, second, strict=True)]
    seen = [o * (1 - covered) + p * covered for o, p in zip(own, paint, strict=True)]
    return [light[c] * bright * scene.white[c] * seen[c] for c in range(3)]


def _light(scene, world, normal, surface):
    """What reaches the surfaces, three planes: lamps and a window with their shadows, and light from all around."""
    received = [0.0, 0.0, 0.0]
    shadows = dict(_SHADOWS)
    for number, (lamp, power) in enumerate(zip(scene.lights, scene.powers, strict=True)):
        to_point = [p - o for p, o in zip(world, lamp, strict=True)]
        square = to_point[0] ** 2 + to_point[1] ** 2 + to_point[2] ** 2
        inverse = jax.lax.rsqrt(square)
        cosine = -(normal[0] * to_point[0] + normal[1] * to_point[1] + normal[2] * to_point[2]) * inverse
        value = power * jnp.maximum(cosine, 0) / (0.6 + square)
        if number == 2:  # a window shines straight ahead
            ahead = (scene.window_normal[0] * to_point[0] + scene.window_normal[1] * to_point[1]) * inverse
            value = value * jnp.maximum(ahead, 0)
        if number in shadows:
            size = shadows[number]
            visible = lambda: _visible(scene, lamp, world, surface, size=size)  # noqa: B023, E731
            value = value * jax.lax.cond(power > 0, visible, lambda: jnp.ones_like(value))  # noqa: B023
        received = [r + value * tint for r, tint in zip(received, scene.tints[number], strict=True)]
    around = scene.ambient * _openness(scene, world, normal, surface)
    # The floor throws light of its colour up, the ceiling its own down.
    up = 0.5 + 0.5 * normal[2]
    below, above = scene.colours[0, 0], scene.colours[1, 0]
    return [r + around * (above[c] * up + (0.4 + 0.6 * below[c]) * (1 - up)) * 1.2 for c, r in enumerate(received)]


def _visible(scene, lamp, world, surface, *, size):
    """The share of a lamp that is seen from each point: of four places on it, one for each pixel of 2x2, then mixed."""
    height, width = surface.shape
    odd_row, odd_column = jnp.arange(height)[:, None] % 2, jnp.arange(width)[None] % 2
    shift_x = jnp.broadcast_to((2.0 * odd_column - 1) * size, (height, width))
    shift_y = jnp.broadcast_to((2.0 * odd_row - 1) * size, (height, width))
    # From the point to the lamp's place, so that rays begin where they differ; the lamp itself is the origin of none.
    to_point = [world[0] - lamp[0] - shift_x, world[1] - lamp[1] - shift_y, world[2] - lamp[2]]
    reached = cast(scene, lamp, to_point, flats=CORNERS)[0]
    seen = jnp.where(reached > 0.995, 1.0, 0.0)
    total, weight = seen, jnp.ones_like(seen)
    for rows, columns in ((0, 1), (1, 0), (1, 1)):
        other, of_other = (jnp.roll(x, (-rows, -columns), (0, 1)) for x in (seen, surface))
        same = jnp.where(of_other == surface, 1.0, 0.0)
        total, weight = total + same * other, weight + same
    return total / weight


def _openness(scene, world, normal, surface):
    """How much of the surroundings is open: less in corners of the room, and beside and below furniture."""
    share = 1.0
    for i in range(3):
        for wall, sign in ((0.0, 1.0), (scene.room[i], -1.0)):
            gap = jnp.maximum(sign * (world[i] - wall), 0)
            own = jnp.maximum(sign * normal[i], 0) > 0.7  # a surface does not shade itself
            share = share * jnp.where(own, 1.0, 1 - 0.35 * 0.25 / (0.25 + gap))
    own = (surface - FIRST_PART) // PARTS

    def of_piece(share, piece):
        number, centre, middle, half = piece
        low, high = jnp.min(middle[:, 2] - half[:, 2]), jnp.max(middle[:, 2] + half[:, 2])
        radius = jnp.sqrt(jnp.max(half[:BOXES, 0]) * jnp.max(half[:BOXES, 1]) + 1e-6)
        to = [centre[0] - world[0], centre[1] - world[1], jnp.clip(world[2], low, high) * 0.5 + 0.25 * high - world[2]]
        square = to[0] ** 2 + to[1] ** 2 + to[2] ** 2
        facing = (to[0] * normal[0] + to[1] * normal[1] + to[2] * normal[2]) * jax.lax.rsqrt(square + 1e-6)
        occluded = jnp.clip(0.3 + facing, 0, 1) * radius**2 / (radius**2 + square)
        return share * jnp.where(own == number, 1.0, 1 - 0.6 * occluded), None

    pieces = (jnp.arange(PIECES), scene.centre, scene.middle, scene.half)
    return jax.lax.scan(of_piece, share, pieces)[0]


def _tables(scene):
    """What shading asks of a surface, each [S]: its frame, its body, its look."""
    shell = FIRST_PART - len(scene.flat_half)
    ones = jnp.ones

    def joined(of_shell, of_flats, of_parts):
        return jnp.concatenate([jnp.full((shell,), of_shell), of_flats, of_parts.reshape(-1)])

    flats, parts = scene.flat_half.shape[:1], (PIECES, PARTS)
    still = jnp.zeros(flats)
    spread = [jnp.broadcast_to(x[:, None], parts) for x in (jnp.cos(scene.yaw), jnp.sin(scene.yaw), *scene.centre.T)]
    tables = {
        "cos": joined(1.0, ones(flats), spread[0]),
        "sin": joined(0.0, still, spread[1]),
        "x": joined(0.0, still, spread[2]),
        "y": joined(0.0, still, spread[3]),
        "ellipsoid": joined(0.0, still, jnp.zeros(parts).at[:, BOXES:].set(scene.ellipsoid)),
    }
    for i in range(3):
        tables[f"middle{i}"] = joined(0.0, scene.flat_middle[:, i], scene.middle[..., i])
        tables[f"half{i}"] = joined(1.0, scene.flat_half[:, i], scene.half[..., i])
        tables[f"first{i}"], tables[f"second{i}"] = scene.colours[:, 0, i], scene.colours[:, 1, i]
    glow = jnp.zeros(scene.label.shape)
    for name, value in _GLOW.items():
        glow = jnp.where(scene.label == LABELS.index(name), value, glow)
    return tables | {"texture": scene.texture, "period": scene.period, "number": scene.number, "glow": glow}
