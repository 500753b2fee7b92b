"""The furniture of a room: which pieces it has, where they stand, and the small things on them."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdepth.rooms.furniture import KINDS, TABLES
from jaxdepth.rooms.labels import label_index
from jaxdepth.rooms.parts import BOXES, PARTS, Paint
from jaxdepth.rooms.plan import Corners
from jaxdepth.rooms.random_numbers import between, named_uniform
from jaxdepth.rooms.scene import CLEARANCE, PIECES
from jaxdepth.rooms.texture import Texture

_CANDIDATES = 3 * PIECES
_THING_SLOTS = np.array([BOXES - 1, *range(BOXES, PARTS)])  # small things fill these where the piece has no part there


class Furniture(NamedTuple):
    """The pieces of a room; P = PIECES, Q = PARTS. A part that is absent has half size 0."""

    count: jax.Array  # [] pieces that are there; they come first
    centre: jax.Array  # [P, 2]
    yaw: jax.Array  # [P]
    middle: jax.Array  # [P, Q, 3]
    half: jax.Array  # [P, Q, 3]
    ellipsoid: jax.Array  # [P, ROUNDS] 1 for an ellipsoid, 0 for a cylinder
    label: jax.Array  # [P, Q]
    texture: jax.Array  # [P, Q]
    paint: jax.Array  # [P, Q] values of Paint


class _Pieces(NamedTuple):
    """N pieces and where they stand."""

    kind: jax.Array  # [N] indices in KINDS
    extent: jax.Array  # [N, 3] half width, half depth, height
    centre: jax.Array  # [N, 2]
    yaw: jax.Array  # [N]
    reach: jax.Array  # [N, 2] half sizes along the world's x and y


class _Parts(NamedTuple):
    """The parts of P pieces."""

    bounds: jax.Array  # [P, Q, 3, 2] from and to, metres in the piece's frame
    present: jax.Array  # [P, Q]
    ellipsoid: jax.Array  # [P, Q]
    label: jax.Array  # [P, Q]
    texture: jax.Array  # [P, Q]
    paint: jax.Array  # [P, Q]


def draw_furniture(key, room, camera, corners: Corners) -> Furniture:
    """Draws the furniture of a room.

    Args:
      key: a jax.random key.
      room: [3], its size.
      camera: [3], position.
      corners: blocks that cut corners off the plan.
    """
    numbers = named_uniform(
        key,
        kind=(_CANDIDATES,),
        size=(3, _CANDIDATES),
        position=(2, _CANDIDATES),
        turn=(_CANDIDATES,),
        at_wall=(_CANDIDATES,),
        things=(len(_THING_SLOTS), 6, _CANDIDATES),
    )
    candidates = _candidates(numbers, room)
    stands = _standing(candidates, room, camera, corners)
    chosen = jnp.argsort(~stands, stable=True)[:PIECES]
    pieces, stands = jax.tree.map(lambda values: values[chosen], (candidates, stands))
    parts = _with_things(_parts(pieces), pieces, numbers.things[..., chosen])
    present = parts.present & stands[:, None]
    return Furniture(
        count=jnp.sum(stands),
        centre=pieces.centre,
        yaw=pieces.yaw,
        middle=jnp.mean(parts.bounds, axis=-1),
        half=jnp.where(present[..., None], (parts.bounds[..., 1] - parts.bounds[..., 0]) / 2, 0.0),
        ellipsoid=parts.ellipsoid[:, BOXES:].astype(jnp.float32),
        label=parts.label,
        texture=parts.texture,
        paint=parts.paint,
    )


def _candidates(numbers, room):
    """Pieces anywhere in the room, regardless of each other: with the back to a wall, or turned by any angle."""
    kind = jnp.floor(numbers.kind * len(KINDS)).astype(jnp.int32)
    size = between(numbers.size.T, jnp.asarray(TABLES.least)[kind], jnp.asarray(TABLES.greatest)[kind])
    extent = size * jnp.array([[0.5, 0.5, 1.0]])
    at_wall = numbers.at_wall < jnp.asarray(TABLES.at_wall)[kind]
    quarter = jnp.floor(4 * numbers.turn).astype(jnp.int32)
    yaw = jnp.where(at_wall, quarter * (jnp.pi / 2), 2 * jnp.pi * numbers.turn)
    cos, sin = jnp.cos(yaw), jnp.sin(yaw)
    reach_x = jnp.abs(cos) * extent[:, 0] + jnp.abs(sin) * extent[:, 1]
    reach_y = jnp.abs(sin) * extent[:, 0] + jnp.abs(cos) * extent[:, 1]
    reach = jnp.stack([reach_x, reach_y], 1) + 0.025  # some parts stand out a little
    # The back is at the upper end of the piece's y axis. Share 0 puts a piece at the lower end of the room, share 1 at
    # the upper one.
    back = jnp.stack([-sin, cos], 1)
    to_wall = at_wall[:, None] & (jnp.abs(back) > 0.5)
    share = jnp.where(to_wall, (back > 0).astype(jnp.float32), numbers.position.T)
    return _Pieces(kind, extent, reach + share * (room[None, :2] - 2 * reach), yaw, reach)


def _standing(pieces, room, camera, corners):
    """Which candidates stand, bool [N]: those that fit in and touch no corner block, no earlier piece, no camera."""
    centre, reach = pieces.centre, pieces.reach
    gap = jnp.abs(centre[:, None] - centre[None]) - reach[:, None] - reach[None]  # [N, N, 2]
    meets = jnp.all(gap < 0.03, axis=-1)
    to_camera = jnp.maximum(jnp.abs(camera[None, :2] - centre) - reach, 0)
    free = jnp.sum(to_camera**2, axis=1) > CLEARANCE**2
    corner_gap = jnp.abs(centre[:, None] - corners.middle[None, :, :2]) - reach[:, None] - corners.half[None, :, :2]
    free &= ~jnp.any(jnp.all(corner_gap < 0, axis=-1) & (corners.half[None, :, 0] > 0), axis=1)
    free &= jnp.all(2 * reach < room[None, :2], axis=1)

    def add(i, stands):
        return stands.at[i].set(free[i] & ~jnp.any(meets[i] & stands))

    return jax.lax.fori_loop(0, len(free), add, jnp.zeros_like(free))


def _parts(pieces):
    """The parts of pieces of furniture, from the tables of their kinds."""
    relative, metres, present, ellipsoid, label, texture, paint = (
        jnp.asarray(table)[pieces.kind]
        for table in (
            *(TABLES.relative, TABLES.metres, TABLES.present, TABLES.ellipsoid),
            *(TABLES.label, TABLES.texture, TABLES.paint),
        )
    )
    bounds = relative * pieces.extent[:, None, :, None] + metres
    return _Parts(bounds, present, ellipsoid, label, texture, paint)


def _with_things(parts, pieces, numbers):
    """Adds small things on top of pieces that hold things.

    Args:
      parts: of the pieces.
      pieces: P pieces.
      numbers: [slots, 6, P], uniform: x, y, half width, half depth, height, and whether there is a thing.
    """
    bounds, chance = _thing_bounds(pieces.extent, numbers[:, :2], numbers[:, 2:5]), numbers[:, 5].T
    holds_things = jnp.asarray(TABLES.holds_things)[pieces.kind]
    added = ~parts.present[:, _THING_SLOTS] & holds_things[:, None] & (chance < 0.7)

    def fill(values, things):
        where = added.reshape(*added.shape, *[1] * (values.ndim - 2))
        return values.at[:, _THING_SLOTS].set(jnp.where(where, things, values[:, _THING_SLOTS]))

    return _Parts(
        bounds=fill(parts.bounds, bounds),
        present=fill(parts.present, True),
        ellipsoid=fill(parts.ellipsoid, chance < 0.2),
        label=fill(parts.label, label_index("other prop")),
        texture=fill(parts.texture, Texture.ART),
        paint=fill(parts.paint, Paint.OWN),
    )


def _thing_bounds(extent, spot, size):
    """Bounds of small things on top of pieces, [P, slots, 3, 2].

    Args:
      extent: [P, 3], of the pieces.
      spot: [slots, 2, P], uniform: x and y.
      size: [slots, 3, P], uniform: half width, half depth, height.
    """
    size = between(size**2, 0.025, jnp.array([0.16, 0.12, 0.3])[None, :, None])
    spot = (2 * spot - 1) * (extent.T[None, :2] - jnp.max(size[:, :2], axis=1, keepdims=True))
    is_round = jnp.array(_THING_SLOTS >= BOXES)[:, None]
    size = size.at[:, 1].set(jnp.where(is_round, size[:, 0], size[:, 1]))
    (x, y), (half_x, half_y, height) = spot.swapaxes(0, 1), size.swapaxes(0, 1)
    bottom = jnp.broadcast_to(extent[:, 2], x.shape)
    low = jnp.stack([x - half_x, y - half_y, bottom], axis=-1)
    high = jnp.stack([x + half_x, y + half_y, bottom + height], axis=-1)
    return jnp.stack([low, high], axis=-1).swapaxes(0, 1)
