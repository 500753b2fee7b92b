"""What one frame shows, drawn from a seed: the room, what stands and hangs in it, its light, and the camera."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdepth.rooms import furniture
from jaxdepth.rooms.furniture import BOXES, LABELS, ROUNDS, TABLES

CLEARANCE = 0.64  # free space around the camera, so that depth is above .5 m up to the frame's corners
PIECES = 12  # of furniture
PARTS = BOXES + ROUNDS
CORNERS, HANGING = 2, 14  # blocks that cut corners off the plan; what is flat on walls, a rug, a lamp at the ceiling
FLATS = CORNERS + HANGING
FLOOR, CEILING, WALL, FIRST_FLAT = 0, 1, 2, 3  # surfaces; flat i is surface FIRST_FLAT + i
FIRST_PART = FIRST_FLAT + FLATS  # part j of piece i is surface FIRST_PART + i * PARTS + j
SURFACES = FIRST_PART + PIECES * PARTS

# What hangs on the walls: label, texture, least and greatest width, height, and height of its middle above the floor.
_HANGING = (
    ("door", furniture.PLAIN, (0.8, 2.0, 1.0), (0.95, 2.1, 1.0)),
    ("window", furniture.PANES, (0.9, 0.9, 1.4), (2.0, 1.4, 1.6)),
    ("window", furniture.PANES, (0.8, 0.9, 1.4), (1.6, 1.4, 1.6)),
    ("picture", furniture.ART, (0.3, 0.3, 1.4), (0.9, 0.7, 1.7)),
    ("picture", furniture.ART, (0.3, 0.3, 1.4), (1.2, 0.8, 1.7)),
    ("picture", furniture.ART, (0.2, 0.3, 1.4), (0.6, 0.6, 1.7)),
    ("whiteboard", furniture.PLAIN, (0.9, 0.6, 1.3), (1.8, 1.1, 1.6)),
    ("curtain", furniture.CLOTH, (0.5, 1.9, 1.1), (1.2, 2.2, 1.2)),
    ("blinds", furniture.STRIPES, (0.9, 0.9, 1.4), (2.0, 1.5, 1.6)),
    ("mirror", furniture.PLAIN, (0.5, 0.6, 1.3), (1.2, 1.1, 1.6)),
    ("picture", furniture.ART, (0.2, 0.2, 1.3), (0.7, 0.9, 1.8)),
    ("paper", furniture.PLAIN, (0.2, 0.3, 1.0), (0.9, 0.9, 1.7)),
)
_WINDOW = 1  # the place of the window that light comes from
# The probabilities of these, of the rug and of the lamp.
_SHOWN = (0.7, 0.8, 0.4, 0.8, 0.7, 0.5, 0.2, 0.4, 0.3, 0.2, 0.6, 0.5, 0.5, 0.6)
# What is of one brightness wherever it stands.
_BRIGHTNESS = {"refrigerator": 0.8, "pillow": 0.7, "whiteboard": 0.9, "door": 0.6, "window": 1.0, "television": 0.03}
_BRIGHTNESS |= {"bathtub": 0.9, "toilet": 0.9, "paper": 0.9}


class Scene(NamedTuple):
    """P = PIECES, Q = PARTS of each (boxes, then rounds), F = FLATS, S = SURFACES; metres, radians.

    The world has z up; the room's floor spans [0, width] x [0, length] at z = 0. A piece has a frame of its own, turned
    by `yaw` about the vertical through `centre`; a flat is a box along the world's axes. What is absent has half
    size 0.
    """

    room: jax.Array  # [3] width, length, height
    centre: jax.Array  # [P, 2]
    yaw: jax.Array  # [P]
    middle: jax.Array  # [P, Q, 3] of the parts, in the piece's frame
    half: jax.Array  # [P, Q, 3]
    ellipsoid: jax.Array  # [P, ROUNDS] 1, or 0 for a cylinder
    flat_middle: jax.Array  # [F, 3]
    flat_half: jax.Array  # [F, 3]
    label: jax.Array  # [S] int32
    texture: jax.Array  # [S] int32
    period: jax.Array  # [S] metres
    number: jax.Array  # [S] int32, by which the textures of two scenes differ
    colours: jax.Array  # [S, 2, 3] linear, in [0, 1]
    position: jax.Array  # [3] of the camera
    rotation: jax.Array  # [3, 3] camera to world: columns are right, down, forward
    lights: jax.Array  # [3, 3] two lamps and a window
    powers: jax.Array  # [3] 0: off
    tints: jax.Array  # [3, 3] colours of the lights
    window_normal: jax.Array  # [2] into the room
    ambient: jax.Array  # []
    exposure: jax.Array  # [] mean of the picture before its tone curve
    white: jax.Array  # [3] gains of the channels
    contrast: jax.Array  # [] factor of the picture's differences in brightness


def draw_scene(seed, index) -> Scene:
    """The scene of frame `index` of `seed` (integers from 0 to 2^31 - 1, or traced)."""
    key = jax.random.fold_in(jax.random.key(seed, impl="threefry2x32"), index)
    view_key, piece_key, flat_key, surface_key, light_key = jax.random.split(key, 5)
    draws = jax.random.uniform(view_key, (24,))
    # Long and often narrow, seen mostly from near a wall, for depths such as NYU's (`prepare_data.py compare`). The
    # floor's diagonal is within the range of its sensor, 10 m.
    room = _between(draws[0:3] ** jnp.array([2.5, 0.6, 1.0]), jnp.array([2.2, 3.2, 2.4]), jnp.array([6.0, 8.0, 3.2]))
    nearest = jnp.array([CLEARANCE, CLEARANCE, 0.9])
    share = jnp.append((1 - jnp.cos(jnp.pi * draws[3:5])) / 2, draws[5])
    position = _between(share, nearest, jnp.stack([room[0] - CLEARANCE, room[1] - CLEARANCE, jnp.float32(1.7)]))
    one, other = draws[6:8] * room[:2] - position[:2], draws[20:22] * room[:2] - position[:2]
    target = jnp.where(jnp.sum(one**2) > jnp.sum(other**2), one, other)
    pitch, roll = jnp.deg2rad(_between(draws[8:10], jnp.array([-28.0, -4.0]), jnp.array([4.0, 4.0])))
    corner_middle, corner_half = _corners(draws[10:16], room, position)
    light = jax.random.uniform(light_key, (20,))
    lamps = _between(light[0:4].reshape(2, 2), 0.2, 0.8) * room[None, :2]
    hanging_middle, hanging_half, label, texture, normal = _hanging(flat_key, room, lamps[0])
    pieces = _pieces(piece_key, room, position, corner_middle, corner_half)
    # Looks at the farther of two pieces of furniture, as one who wants them in the picture, or else into the room.
    chosen = jnp.floor(draws[16:18] * jnp.maximum(pieces["count"], 1)).astype(jnp.int32)
    towards = pieces["centre"][chosen] + _between(draws[18:20], -0.5, 0.5)[None] - position[None, :2]
    towards = jnp.where(jnp.sum(towards[0] ** 2) > jnp.sum(towards[1] ** 2), towards[0], towards[1])
    target = jnp.where((draws[22] < 0.3) & (pieces["count"] > 0), towards, target)
    flat_middle = jnp.concatenate([corner_middle, hanging_middle])
    flat_half = jnp.concatenate([corner_half, hanging_half])
    window = CORNERS + _WINDOW
    lamps = jnp.concatenate([lamps, jnp.full((2, 1), room[2] - 0.15)], axis=1)
    behind = jnp.append(flat_middle[window, :2] + 0.15 * normal, flat_middle[window, 2])
    day = (light[4] < 0.6) & (jnp.max(flat_half[window]) > 0)
    second = jnp.maximum(_between(light[6], -0.5, 0.8), 0)
    powers = jnp.stack(
        [jnp.where(day & (light[5] < 0.4), 0.0, 1.0), second, jnp.where(day, _between(light[7], 1.0, 4.0), 0)]
    )
    warm, cool = (
        _between(light[8:11], jnp.array([0.95, 0.75, 0.5]), jnp.array([1.0, 0.97, 0.92])),
        jnp.array([0.85, 0.95, 1.0]),
    )
    label, texture, period, number, colours = _surfaces(surface_key, label, texture, pieces)
    return Scene(
        room=room,
        centre=pieces["centre"],
        yaw=pieces["yaw"],
        middle=pieces["middle"],
        half=pieces["half"],
        ellipsoid=pieces["ellipsoid"],
        flat_middle=flat_middle,
        flat_half=flat_half,
        label=label,
        texture=texture,
        period=period,
        number=number,
        colours=colours,
        position=position,
        rotation=_camera_rotation(jnp.arctan2(target[1], target[0]), pitch, roll),
        lights=jnp.concatenate([lamps, behind[None]]),
        powers=powers,
        tints=jnp.stack([warm, warm, cool]),
        window_normal=normal,
        ambient=_between(light[11], 0.03, 0.12),
        exposure=_between(light[12], 0.18, 0.6),
        white=_between(light[13:16], 0.85, 1.15)
        * _between(light[16], jnp.array([0.9, 1.0, 1.15]), jnp.array([1.15, 1.0, 0.8])),
        contrast=_between(light[17], 1.2, 2.0),
    )


def _between(share, low, high):
    """From `low` at share 0 to `high` at share 1, for three values of one shape."""
    return low + share * (high - low)


def _camera_rotation(heading, pitch, roll):
    forward = jnp.stack([jnp.cos(pitch) * jnp.cos(heading), jnp.cos(pitch) * jnp.sin(heading), jnp.sin(pitch)])
    right = jnp.stack([jnp.sin(heading), -jnp.cos(heading), jnp.zeros_like(heading)])
    down = jnp.cross(forward, right)
    cos, sin = jnp.cos(roll), jnp.sin(roll)
    return jnp.stack([cos * right + sin * down, cos * down - sin * right, forward], axis=1)


def _corners(draws, room, position):
    """Middles and half sizes of the blocks that make the plan an L, a T, or leave it a rectangle.

    The first takes the corner that is farthest from the camera, the second its neighbour along the width.
    """
    far = (position[:2] < room[:2] / 2).astype(jnp.float32)  # 1: the corner at the upper end
    gone = jnp.where(far > 0, room[:2] - position[:2], position[:2]) - CLEARANCE
    shares = jnp.stack([draws[0:2], draws[2:4]])
    size = jnp.clip(jnp.minimum(_between(shares, 0.08, 0.4) * room[None, :2], gone[None]), 0.0, None)
    size = jnp.where((draws[4:6] < jnp.array([0.5, 0.25]))[:, None], size, 0.0)
    side = jnp.stack([far, jnp.stack([1 - far[0], far[1]])])
    # The neighbour is nearer to the camera along the width: it stays narrow enough to leave that clear.
    room_beside = jnp.where(far[0] > 0, position[0], room[0] - position[0]) - CLEARANCE
    size = size.at[1, 0].set(jnp.clip(jnp.minimum(size[1, 0], room_beside), 0.0, None))
    present = jnp.min(size, axis=1, keepdims=True) > 0.05
    half = jnp.where(present, jnp.concatenate([size, jnp.full((CORNERS, 1), room[2])], axis=1) / 2, 0.0)
    middle = jnp.concatenate(
        [side * room[None, :2] + (1 - 2 * side) * half[:, :2], jnp.full((CORNERS, 1), room[2] / 2)], 1
    )
    return middle, half


def _hanging(key, room, lamp):
    """Door, windows, pictures and so on, each on a third of a wall of its own; a rug; a lamp at the ceiling."""
    count = len(_HANGING)
    draws = jax.random.uniform(key, (6, HANGING))
    cells = jnp.argsort(jax.random.uniform(jax.random.fold_in(key, 1), (12,)))[:count]
    wall, third = cells // 3, cells % 3  # walls: low x, high x, low y, high y
    along_x = wall >= 2
    side = jnp.where(along_x, room[0], room[1]) / 3
    low, high = (np.array([entry[i] for entry in _HANGING], np.float32) for i in (2, 3))
    size = _between(draws[:3, :count].T, jnp.asarray(low), jnp.asarray(high))
    wide = jnp.minimum(size[:, 0], 0.92 * side)
    along = third * side + wide / 2 + draws[3, :count] * (side - wide)
    thick = jnp.where(jnp.array([entry[0] == "curtain" for entry in _HANGING]), 0.06, 0.02)
    upper = (wall % 2) == 1
    depth = jnp.where(along_x, room[1], room[0])
    across = jnp.where(upper, depth - thick, thick)
    x, y = jnp.where(along_x, along, across), jnp.where(along_x, across, along)
    middle = jnp.stack([x, y, jnp.minimum(size[:, 2], room[2] - size[:, 1] / 2 - 0.05)], 1)
    half = jnp.stack([jnp.where(along_x, wide / 2, thick), jnp.where(along_x, thick, wide / 2), size[:, 1] / 2], 1)
    rug_half = jnp.append(_between(draws[:2, count], 0.5, 1.2), 0.008)
    rug_middle = jnp.append(_between(draws[3:5, count], 0.35, 0.65) * room[:2], 0.008)
    lamp_middle, lamp_half = jnp.append(lamp, room[2] - 0.04), jnp.array([0.2, 0.2, 0.04])
    middle = jnp.concatenate([middle, rug_middle[None], lamp_middle[None]])
    half = jnp.concatenate([half, rug_half[None], lamp_half[None]])
    half = jnp.where((draws[5] < jnp.array(_SHOWN))[:, None], half, 0.0)
    inward = jnp.where(upper, -1.0, 1.0)[_WINDOW]
    normal = jnp.where(along_x[_WINDOW], jnp.stack([0.0 * inward, inward]), jnp.stack([inward, 0.0 * inward]))
    label = [LABELS.index(entry[0]) for entry in _HANGING] + [LABELS.index("floor mat"), LABELS.index("lamp")]
    texture = [entry[1] for entry in _HANGING] + [furniture.ART, furniture.PLAIN]
    return middle, half, np.array(label), np.array(texture), normal


def _pieces(key, room, camera, corner_middle, corner_half):
    """The first pieces of furniture, of three times as many drawn, that meet no earlier one, no corner, no camera.

    A dict of their count, centre [P, 2], yaw [P], middle, half [P, Q, 3], ellipsoid [P, ROUNDS], and of each part
    label, texture and colour [P, Q].
    """
    # One draw for all: each draw costs a third of a second to compile.
    count = 3 * PIECES
    draws = jax.random.uniform(key, (8 + 6 * (1 + ROUNDS), count))
    kind = jnp.floor(draws[0] * len(furniture.KINDS)).astype(jnp.int32)
    extent = _between(draws[1:4].T, jnp.asarray(TABLES.least)[kind], jnp.asarray(TABLES.greatest)[kind])
    extent = extent * jnp.array([[0.5, 0.5, 1.0]])  # half width, half depth, height
    place, turn = draws[4:6].T, draws[6]
    at_wall = draws[7] < jnp.asarray(TABLES.at_wall)[kind]
    # Its back, at +y, to the wall: turned by quarters; else by any angle.
    quarter = jnp.floor(4 * turn).astype(jnp.int32)
    yaw = jnp.where(at_wall, quarter * (jnp.pi / 2), 2 * jnp.pi * turn)
    cos, sin = jnp.cos(yaw), jnp.sin(yaw)
    reach = jnp.stack(
        [
            jnp.abs(cos) * extent[:, 0] + jnp.abs(sin) * extent[:, 1],
            jnp.abs(sin) * extent[:, 0] + jnp.abs(cos) * extent[:, 1],
        ],
        1,
    )
    reach = reach + 0.025  # what stands out a little
    back = jnp.stack([-sin, cos], 1)  # where +y points to
    against = at_wall[:, None] & (jnp.abs(back) > 0.5)
    place = jnp.where(against, (back > 0).astype(jnp.float32), place)
    centre = reach + place * (room[None, :2] - 2 * reach)

    gap = jnp.abs(centre[:, None] - centre[None]) - reach[:, None] - reach[None]  # [3 P, 3 P, 2]
    meets = jnp.all(gap < 0.03, axis=-1)
    to_camera = jnp.maximum(jnp.abs(camera[None, :2] - centre) - reach, 0)
    free = jnp.sum(to_camera**2, axis=1) > CLEARANCE**2
    corner_gap = jnp.abs(centre[:, None] - corner_middle[None, :, :2]) - reach[:, None] - corner_half[None, :, :2]
    free &= ~jnp.any(jnp.all(corner_gap < 0, axis=-1) & (corner_half[None, :, 0] > 0), axis=1)
    free &= jnp.all(2 * reach < room[None, :2], axis=1)

    def place_next(i, stands):
        return stands.at[i].set(free[i] & ~jnp.any(meets[i] & stands))

    stands = jax.lax.fori_loop(0, count, place_next, jnp.zeros_like(free))
    first = jnp.argsort(~stands, stable=True)[:PIECES]
    kind, extent, stands = kind[first], extent[first], stands[first]

    bounds = jnp.asarray(TABLES.bounds)[kind]  # [P, Q, 3, 2]
    bounds = bounds.real * extent[:, None, :, None] + bounds.imag
    present = jnp.asarray(TABLES.present)[kind]
    ellipsoid, label, texture, colour = (
        jnp.asarray(table)[kind] for table in (TABLES.ellipsoid, TABLES.label, TABLES.texture, TABLES.colour)
    )
    # What lies about on it takes the places of parts that its kind does not have.
    top = jnp.asarray(TABLES.top)[kind]
    top = top.real * extent[:, 2] + top.imag
    slots = np.array([BOXES - 1, *range(BOXES, PARTS)])
    clutter = draws[8:].reshape(1 + ROUNDS, 6, count)[:, :, first]  # [slots, 6, P]
    size = _between(clutter[:, 2:5] ** 2, 0.025, jnp.array([0.16, 0.12, 0.3])[None, :, None])  # half, half, height
    spot = (2 * clutter[:, :2] - 1) * (extent.T[None, :2] - jnp.max(size[:, :2], axis=1, keepdims=True))
    round_slot = jnp.array(slots >= BOXES)[:, None]
    size = size.at[:, 1].set(jnp.where(round_slot, size[:, 0], size[:, 1]))
    low = jnp.stack([spot[:, 0] - size[:, 0], spot[:, 1] - size[:, 1], jnp.broadcast_to(top, spot[:, 0].shape)], -1)
    high = jnp.stack([spot[:, 0] + size[:, 0], spot[:, 1] + size[:, 1], top[None] + size[:, 2]], -1)
    free_slot = ~present[:, slots] & (top > 0)[:, None] & (clutter[:, 5].T < 0.7)
    lies = jnp.stack([low, high], -1).swapaxes(0, 1)  # [P, slots, 3, 2]
    bounds = bounds.at[:, slots].set(jnp.where(free_slot[..., None, None], lies, bounds[:, slots]))
    ellipsoid = ellipsoid.at[:, slots].set(jnp.where(free_slot, clutter[:, 5].T < 0.2, ellipsoid[:, slots]))
    label = label.at[:, slots].set(jnp.where(free_slot, LABELS.index("other prop"), label[:, slots]))
    texture = texture.at[:, slots].set(jnp.where(free_slot, furniture.ART, texture[:, slots]))
    colour = colour.at[:, slots].set(jnp.where(free_slot, furniture.FREE, colour[:, slots]))
    present = present.at[:, slots].set(present[:, slots] | free_slot) & stands[:, None]
    return {
        "count": jnp.sum(stands),
        "centre": centre[first],
        "yaw": yaw[first],
        "middle": jnp.mean(bounds, axis=-1),
        "half": jnp.where(present[..., None], (bounds[..., 1] - bounds[..., 0]) / 2, 0.0),
        "ellipsoid": ellipsoid[:, BOXES:].astype(jnp.float32),
        "label": label,
        "texture": texture,
        "colour": colour,
    }


def _surfaces(key, flat_label, flat_texture, pieces):
    """Label, texture, its size, its number and the two colours of each surface, [S] and [S, 2, 3]."""
    shell = np.array([LABELS.index(name) for name in ("floor", "ceiling", "wall", *["wall"] * CORNERS)])
    label = jnp.concatenate([jnp.asarray(np.concatenate([shell, flat_label])), pieces["label"].reshape(-1)])
    draws = jax.random.uniform(key, (12, SURFACES))
    level, warm, green, fade, choice, period, painted, strong, *any_hue, number = draws

    # The parts of a piece have its colours, BODY and OTHER; the parts of the room the same wall.
    piece, part = np.divmod(np.arange(PIECES * PARTS), PARTS)
    own = FIRST_PART + piece * PARTS
    colour = pieces["colour"].reshape(-1)
    taken = jnp.where(colour == furniture.FREE, FIRST_PART + piece * PARTS + part, own + colour)
    source = jnp.concatenate(
        [jnp.array([FLOOR, CEILING, WALL] + [WALL] * CORNERS), FIRST_FLAT + CORNERS + jnp.arange(HANGING), taken]
    )

    rest = jnp.arange(SURFACES) >= FIRST_FLAT
    least = jnp.array([0.12, 0.75, 0.45])
    most = jnp.array([0.5, 0.95, 0.9])
    low = jnp.where(rest, 0.06, jnp.zeros(SURFACES).at[:3].set(least))
    high = jnp.where(rest, 0.8, jnp.ones(SURFACES).at[:3].set(most))
    level = _between(level, low, high)
    # From bluish by way of grey to the browns and reds of woods and bricks, some of it greenish or violet.
    warm = jnp.where(rest, 0.8, jnp.zeros(SURFACES).at[:3].set(jnp.array([0.7, 0.08, 0.45]))) * (1.5 * warm - 0.5)
    hue = jnp.stack([jnp.minimum(warm, 0), -0.6 * jnp.abs(warm) * green, -jnp.maximum(warm, 0)], axis=1)
    hue = jnp.where((painted < 0.25)[:, None], -0.9 * strong[:, None] * jnp.stack(any_hue, axis=1), hue)
    base = jnp.clip(level[:, None] * (1 + hue), 0.02, 0.95)
    base = base[source]
    bright = jnp.zeros(SURFACES)
    for name, value in _BRIGHTNESS.items():
        bright = jnp.where(label == LABELS.index(name), value, bright)
    base = jnp.where(bright[:, None] > 0, bright[:, None] * (0.85 + 0.15 * base), base)
    texture = jnp.concatenate(
        [jnp.asarray(np.concatenate([np.zeros(3 + CORNERS, int), flat_texture])), pieces["texture"].reshape(-1)]
    )
    # Wood is brown, or painted.
    brown = jnp.array([0.45, 0.26, 0.12])[None] * (0.35 + 1.2 * level[source])[:, None]
    base = jnp.where(((texture == furniture.WOOD) & (choice[source] < 0.65))[:, None], brown, base)
    floors = jnp.array([furniture.WOOD, furniture.TILES, furniture.CLOTH])[
        jnp.floor(3 * choice[FLOOR]).astype(jnp.int32)
    ]
    walls = jnp.where(
        choice[WALL] < 0.7, furniture.PLAIN, jnp.where(choice[WALL] < 0.9, furniture.STRIPES, furniture.TILES)
    )
    shell = jnp.array([FLOOR, CEILING, WALL, *range(FIRST_FLAT, FIRST_FLAT + CORNERS)])
    texture = texture.at[shell].set(
        jnp.stack([floors, jnp.full_like(floors, furniture.PLAIN), walls, *[walls] * CORNERS])
    )
    base = jnp.where((jnp.arange(SURFACES) == FLOOR)[:, None] & (texture == furniture.WOOD)[:, None], brown, base)
    fade = jnp.where(
        rest,
        _between(fade, 0.1, 0.7),
        jnp.zeros(SURFACES).at[:3].set(_between(fade[:3], jnp.array([0.2, 0, 0.03]), jnp.array([0.6, 0.1, 0.25]))),
    )
    base = jnp.where(
        (texture == furniture.LEAVES)[:, None], jnp.array([[0.1, 0.3, 0.06]]) * (0.6 + level[source])[:, None], base
    )
    second = base * (1 - fade[source])[:, None]
    mixed = (texture == furniture.ART) | (texture == furniture.BOOKS)
    second = jnp.where(mixed[:, None], jnp.roll(base, 7, 0), second)
    colours = jnp.stack([base, second], axis=1)
    number = jnp.floor(1024 * number).astype(jnp.int32)
    return label.astype(jnp.int32), texture.astype(jnp.int32), (0.1 * 6**period)[source], number, colours
