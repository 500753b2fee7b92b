"""A scene: all that a frame shows, as arrays of fixed size."""

from typing import NamedTuple

import jax

from jaxdepth.rooms import flat_objects
from jaxdepth.rooms.parts import PARTS

CLEARANCE = 0.64  # metres around the camera without a surface: depth is above .5 m even in the frame's corners
PIECES = 12  # the most pieces of furniture
CORNERS = 2  # the most blocks that cut corners off the plan
FLATS = CORNERS + flat_objects.COUNT  # boxes along the world's axes: first the corner blocks, then the flat objects

# Surfaces by number. Flat i is surface FIRST_FLAT + i. Part j of piece i is surface FIRST_PART + i * PARTS + j.
FLOOR, CEILING, WALL, FIRST_FLAT = range(4)
FIRST_PART = FIRST_FLAT + FLATS
SURFACES = FIRST_PART + PIECES * PARTS


class Scene(NamedTuple):
    """A room, what it contains, its light and the camera. Lengths are metres, angles radians.

    P = PIECES, Q = PARTS, F = FLATS, S = SURFACES. The world's z axis points up, and the floor spans [0, width] x
    [0, length] at z = 0. A piece of furniture has a frame of its own: the world's, turned by `yaw` about the vertical
    through `centre`. Its parts are boxes, then round parts. A part or a flat that a room does not have has half size 0.
    """

    room: jax.Array  # [3] width, length, height
    centre: jax.Array  # [P, 2] of the pieces
    yaw: jax.Array  # [P]
    middle: jax.Array  # [P, Q, 3] of the parts, in the piece's frame
    half: jax.Array  # [P, Q, 3] half sizes of the parts
    ellipsoid: jax.Array  # [P, ROUNDS] 1 for an ellipsoid, 0 for a cylinder
    flat_middle: jax.Array  # [F, 3]
    flat_half: jax.Array  # [F, 3]
    label: jax.Array  # [S] int32
    texture: jax.Array  # [S] int32, values of Texture
    period: jax.Array  # [S] size of the texture
    number: jax.Array  # [S] int32, a random number; surfaces of one texture differ by it
    colours: jax.Array  # [S, 2, 3] the two colours of the texture, linear in [0, 1]
    position: jax.Array  # [3] of the camera
    rotation: jax.Array  # [3, 3] camera to world; columns are right, down, forward
    lights: jax.Array  # [3, 3] positions: two lamps and the window
    powers: jax.Array  # [3] 0 for a light that is off
    tints: jax.Array  # [3, 3] colours of the lights
    window_normal: jax.Array  # [2] direction of the window's light
    ambient: jax.Array  # [] light from all directions
    exposure: jax.Array  # [] mean brightness of the image before its tone curve
    white: jax.Array  # [3] white balance, a factor for each channel
    contrast: jax.Array  # [] factor for differences of brightness in the image
