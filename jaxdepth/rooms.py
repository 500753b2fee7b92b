"""Built-in synthetic rooms: pictures with exact depth and labels, ray-cast in jax.

A frame is a pure function of (seed, index): a box-shaped room, furniture of boxes that stand on its floor, textures of
a metric size, one or two lamps at the ceiling, and NYU Depth V2's camera at eye height. Depth and labels are exact,
light and textures only plausible. The world has z up; the room's floor spans [0, width] x [0, length] at z = 0. All
lengths are metres, all angles radians.
"""

from collections import deque
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from jaxdepth.geometry import NYU_INTRINSICS, Intrinsics, rays, resize_intrinsics

LABELS = ("unlabelled", "floor", "ceiling", "wall", "bed", "desk", "cabinet", "box")
MAX_BOXES = 10
CLEARANCE = 0.7  # free space around the camera, so that depth is above .5 m up to the frame's corners

FLOOR, CEILING, WALL, FIRST_BOX = 0, 1, 2, 3  # surfaces; box i is surface FIRST_BOX + i

# Least and greatest width, length and height of each kind of furniture: the labels from "bed" on, in their order.
_SMALLEST = np.array([[1.0, 1.9, 0.4], [1.0, 0.5, 0.65], [0.5, 0.35, 0.9], [0.25, 0.25, 0.2]], np.float32)
_LARGEST = np.array([[1.9, 2.2, 0.65], [1.8, 0.9, 0.85], [1.8, 0.65, 2.2], [0.7, 0.7, 0.7]], np.float32)


def camera_intrinsics(size: tuple[int, int]) -> Intrinsics:
    """Intrinsics of frames of `size` (height, width): NYU Depth V2's, resized."""
    return resize_intrinsics(NYU_INTRINSICS, from_size=(480, 640), to_size=size)


class Scene(NamedTuple):
    """What one frame shows. N = MAX_BOXES boxes; S = FIRST_BOX + N surfaces, one for all walls."""

    room: jax.Array  # [3] width, length, height
    box_centre: jax.Array  # [N, 2] on the floor
    box_half: jax.Array  # [N, 3] half of width, length, height; 0 for a box that is absent
    box_yaw: jax.Array  # [N]
    box_label: jax.Array  # [N] int32
    position: jax.Array  # [3] of the camera
    rotation: jax.Array  # [3, 3] camera to world: columns are right, down, forward
    lights: jax.Array  # [2, 3]
    powers: jax.Array  # [2] the first is the main light, the second may be 0
    tint: jax.Array  # [3] colour of the light
    ambient: jax.Array  # []
    exposure: jax.Array  # [] mean of the picture before its tone curve
    colours: jax.Array  # [S, 2, 3] the two colours of each texture, linear, in [0, 1]
    pattern: jax.Array  # [S] int32: 0 checks, 1 stripes, 2 smooth noise
    period: jax.Array  # [S] size of the texture's pattern


def _between(share, low, high):
    """From `low` at share 0 to `high` at share 1, for three values of one shape."""
    return low + share * (high - low)


def _furniture(key, room, camera):
    """The first boxes on the floor, of twice as many drawn, that meet neither an earlier one nor the camera."""
    # One draw for all: each draw costs a third of a second to compile.
    draws = jax.random.uniform(key, (9, 2 * MAX_BOXES))
    kind = jnp.floor(draws[0] * len(_SMALLEST)).astype(jnp.int32)
    half = _between(draws[1:4].T, jnp.asarray(_SMALLEST)[kind], jnp.asarray(_LARGEST)[kind]) / 2
    place, turn, which_wall = draws[4:6].T, draws[6], draws[7]
    at_wall = draws[8] < 0.67  # with its back to a wall, as most furniture stands

    yaw = 2 * jnp.pi * jnp.where(at_wall, jnp.floor(4 * turn) / 4, turn)
    cos, sin = jnp.abs(jnp.cos(yaw)), jnp.abs(jnp.sin(yaw))
    extent = jnp.stack([cos * half[:, 0] + sin * half[:, 1], sin * half[:, 0] + cos * half[:, 1]], axis=1)
    back = at_wall[:, None] & (jnp.stack([sin, cos], axis=1) > 0.5)  # the axis that points to the wall
    place = jnp.where(back, jnp.round(which_wall)[:, None], place)
    centre = extent + place * (room[None, :2] - 2 * extent)

    gap = jnp.abs(centre[:, None] - centre[None]) - extent[:, None] - extent[None]  # [2 N, 2 N, 2]
    meets = jnp.all(gap < 0.05, axis=-1)
    to_camera = jnp.maximum(jnp.abs(camera[None, :2] - centre) - extent, 0)
    free = jnp.sum(to_camera**2, axis=1) > (1.5 * CLEARANCE) ** 2

    def place_next(i, stands):
        return stands.at[i].set(free[i] & ~jnp.any(meets[i] & stands))

    stands = jax.lax.fori_loop(0, 2 * MAX_BOXES, place_next, jnp.zeros_like(free))
    first = jnp.argsort(~stands, stable=True)[:MAX_BOXES]
    return centre[first], jnp.where(stands[:, None], half, 0.0)[first], yaw[first], kind[first] + LABELS.index("bed")


def _camera_rotation(heading, pitch, roll):
    forward = jnp.stack([jnp.cos(pitch) * jnp.cos(heading), jnp.cos(pitch) * jnp.sin(heading), jnp.sin(pitch)])
    right = jnp.stack([jnp.sin(heading), -jnp.cos(heading), jnp.zeros_like(heading)])
    down = jnp.cross(forward, right)
    cos, sin = jnp.cos(roll), jnp.sin(roll)
    return jnp.stack([cos * right + sin * down, cos * down - sin * right, forward], axis=1)


def _surfaces(key):
    """Colours and textures: light walls, a nearly white ceiling, a darker floor, furniture of any colour."""
    level, warm, green, fade, pattern, period = jax.random.uniform(key, (6, FIRST_BOX + MAX_BOXES))

    def each(floor, ceiling, wall, box):
        return jnp.array([floor, ceiling, wall] + [box] * MAX_BOXES, jnp.float32)

    level = _between(level, each(0.15, 0.7, 0.4, 0.08), each(0.5, 0.9, 0.85, 0.75))
    # From bluish by way of grey to the browns and reds of woods and bricks, some of it greenish or violet.
    warm = each(0.7, 0.1, 0.35, 0.9) * (1.5 * warm - 0.5)
    hue = jnp.stack([jnp.minimum(warm, 0), -0.6 * jnp.abs(warm) * green, -jnp.maximum(warm, 0)], axis=1)
    base = jnp.clip(level[:, None] * (1 + hue), 0.02, 0.95)
    fade = _between(fade, each(0.2, 0.0, 0.0, 0.0), each(0.7, 0.15, 0.4, 0.8))
    colours = jnp.stack([base, base * (1 - fade)[:, None]], axis=1)
    return colours, jnp.floor(3 * pattern).astype(jnp.int32), 0.1 * 6**period  # .1 to .6 m


def scene(seed, index) -> Scene:
    """The room, the camera and the light of frame `index` of `seed` (integers from 0 to 2^31 - 1, or traced)."""
    key = jax.random.fold_in(jax.random.key(seed, impl="threefry2x32"), index)
    view_key, box_key, surface_key = jax.random.split(key, 3)
    draws = jax.random.uniform(view_key, (22,))
    # The floor's diagonal is within the range of NYU's sensor, 10 m.
    room = _between(draws[0:3], jnp.array([3.0, 3.0, 2.4]), jnp.array([6.0, 8.0, 3.2]))
    nearest = jnp.array([CLEARANCE, CLEARANCE, 1.2])
    position = _between(draws[3:6], nearest, jnp.stack([room[0] - CLEARANCE, room[1] - CLEARANCE, jnp.float32(1.7)]))
    # Looks at the farther of two points in the room, as one who wants a room in the picture.
    one, other = draws[6:8] * room[:2] - position[:2], draws[20:22] * room[:2] - position[:2]
    target = jnp.where(jnp.sum(one**2) > jnp.sum(other**2), one, other)
    pitch, roll = jnp.deg2rad(_between(draws[8:10], jnp.array([-25.0, -3.0]), jnp.array([5.0, 3.0])))
    lamps = _between(draws[10:14].reshape(2, 2), 0.2, 0.8) * room[None, :2]
    tint = _between(draws[14:17], jnp.array([0.95, 0.8, 0.6]), jnp.ones(3))
    centre, half, yaw, label = _furniture(box_key, room, position)
    colours, pattern, period = _surfaces(surface_key)
    return Scene(
        room=room,
        box_centre=centre,
        box_half=half,
        box_yaw=yaw,
        box_label=label,
        position=position,
        rotation=_camera_rotation(jnp.arctan2(target[1], target[0]), pitch, roll),
        lights=jnp.concatenate([lamps, jnp.full((2, 1), room[2] - 0.1)], axis=1),
        powers=jnp.stack([jnp.ones_like(draws[17]), jnp.maximum(_between(draws[17], -0.5, 0.8), 0)]),
        tint=tint,
        ambient=_between(draws[18], 0.03, 0.12),
        exposure=_between(draws[19], 0.15, 0.45),
        colours=colours,
        pattern=pattern,
        period=period,
    )


def _turn(x, y, cos, sin):
    """World to a frame turned by an angle about the vertical."""
    return cos * x + sin * y, cos * y - sin * x


def _reciprocal(x):
    """1 / x, finite at 0, where it has the sign that `_cast` takes 0 to have: not positive."""
    return 1 / jnp.where(jnp.abs(x) < 1e-7, jnp.where(x > 0, 1e-7, -1e-7), x)


def _cast(scene, origin, directions):
    """First surface on the rays from `origin` [3], inside the room and outside its boxes.

    `directions` are three planes [H, W], of any length. Returns [H, W] each: the distance in units of the direction's
    length, the number of the surface, and the axis of its normal in the frame of its box (the room's: the world's).
    """
    dx, dy, dz = directions
    exits = [
        (jnp.where(d > 0, size, 0.0) - o) * _reciprocal(d)
        for d, size, o in zip(directions, scene.room, origin, strict=True)
    ]
    distance = jnp.minimum(jnp.minimum(exits[0], exits[1]), exits[2])
    axis = jnp.where(distance == exits[2], 2, jnp.where(distance == exits[1], 1, 0))
    surface = jnp.where(axis == 2, jnp.where(dz > 0, CEILING, FLOOR), WALL)

    def nearer(hit, box):
        number, centre, half, yaw = box
        cos, sin = jnp.cos(yaw), jnp.sin(yaw)
        ox, oy = _turn(origin[0] - centre[0], origin[1] - centre[1], cos, sin)
        local = (*_turn(dx, dy, cos, sin), dz)
        # Between near and far the ray lies between the two faces of an axis. A box of size 0 has no such interval.
        inverse = [_reciprocal(d) for d in local]
        middle = [-o * r for o, r in zip((ox, oy, origin[2] - half[2]), inverse, strict=True)]
        near = [m - h * jnp.abs(r) for m, h, r in zip(middle, half, inverse, strict=True)]
        far = [m + h * jnp.abs(r) for m, h, r in zip(middle, half, inverse, strict=True)]
        first = jnp.maximum(jnp.maximum(near[0], near[1]), near[2])
        last = jnp.minimum(jnp.minimum(far[0], far[1]), far[2])
        new = (first < last) & (first > 0) & (first < hit[0])
        new_axis = jnp.where(first == near[2], 2, jnp.where(first == near[1], 1, 0))
        found = (first, number, new_axis)
        return tuple(jnp.where(new, value, old) for value, old in zip(found, hit, strict=True)), None

    boxes = (FIRST_BOX + jnp.arange(MAX_BOXES), scene.box_centre, scene.box_half, scene.box_yaw)
    return jax.lax.scan(nearer, (distance, surface, axis), boxes)[0]


def _hash(i, j):
    """A number in [0, 1) for each pair of integers."""
    h = i.astype(jnp.uint32) * jnp.uint32(0x9E3779B1) ^ j.astype(jnp.uint32) * jnp.uint32(0x85EBCA77)
    h = (h ^ (h >> 15)) * jnp.uint32(0x2C1B3C6D)
    h = (h ^ (h >> 13)) * jnp.uint32(0x297A2D39)
    return (h >> 8).astype(jnp.float32) * 2.0**-24


def _value_noise(u, v):
    """Smooth noise in [0, 1] with one random value at each integer point of the plane."""
    left, top = jnp.floor(u), jnp.floor(v)
    a, b = u - left, v - top
    a, b = a * a * (3 - 2 * a), b * b * (3 - 2 * b)
    i, j = left.astype(jnp.int32), top.astype(jnp.int32)
    upper = _hash(i, j) * (1 - a) + _hash(i + 1, j) * a
    lower = _hash(i, j + 1) * (1 - a) + _hash(i + 1, j + 1) * a
    return upper * (1 - b) + lower * b


def _square_wave(x, blur):
    """A wave between -1 and 1 with half-period 1, its edges `blur` wide: blur of a pixel's size prevents aliasing."""
    triangle = 1 - 2 * jnp.abs(x * 0.5 - jnp.floor(x * 0.5) - 0.5)
    return jnp.clip((2 * triangle - 1) / blur, -1, 1)


def _shade(scene, directions, hit, focal):
    """Linear colour, three planes [H, W], of the surfaces that `_cast` found from the camera."""
    distance, surface, axis = hit
    world = [o + distance * d for o, d in zip(scene.position, directions, strict=True)]

    def of_surface(floor_and_walls, boxes):
        return jnp.concatenate([jnp.full((FIRST_BOX,), floor_and_walls, jnp.float32), boxes])[surface]

    cos, sin = of_surface(1, jnp.cos(scene.box_yaw)), of_surface(0, jnp.sin(scene.box_yaw))
    x, y = of_surface(0, scene.box_centre[:, 0]), of_surface(0, scene.box_centre[:, 1])

    def along_normal(x, y, z):
        return jnp.where(axis == 2, z, jnp.where(axis == 1, y, x))

    # The visible side of a surface is the one that faces the camera.
    side = -jnp.sign(along_normal(*_turn(directions[0], directions[1], cos, sin), directions[2]))
    light = scene.ambient
    for number, (lamp, power) in enumerate(zip(scene.lights, scene.powers, strict=True)):
        to_point = [p - o for p, o in zip(world, lamp, strict=True)]
        square = to_point[0] ** 2 + to_point[1] ** 2 + to_point[2] ** 2
        cosine = -side * along_normal(*_turn(to_point[0], to_point[1], cos, sin), to_point[2]) * jax.lax.rsqrt(square)
        received = power * jnp.maximum(cosine, 0) / (0.5 + square)
        if number == 0:  # the other light casts no shadow: each costs as much as the view itself
            received = jnp.where(_cast(scene, lamp, to_point)[0] > 0.999, received, 0.0)
        light = light + received

    local_x, local_y = _turn(world[0] - x, world[1] - y, cos, sin)
    u = jnp.where(axis == 0, local_y, local_x)
    v = jnp.where(axis == 2, local_y, world[2])
    period, pattern = scene.period[surface], scene.pattern[surface]
    pixel = distance / focal  # metres that a pixel covers
    wave = _square_wave(u / period, 2 * pixel / period)
    checks = wave * _square_wave(v / period, 2 * pixel / period)
    noise = _value_noise(u / period, v / period)
    mix = jnp.where(pattern == 2, noise, 0.5 + 0.5 * jnp.where(pattern == 0, checks, wave))
    grain_size = 0.04
    grain = (_value_noise(u / grain_size, v / grain_size) - 0.5) * jnp.minimum(1, grain_size / (2 * pixel))
    light = light * (1 + 0.25 * grain)
    first, second = scene.colours[:, 0], scene.colours[:, 1]
    return [light * scene.tint[c] * (first[:, c][surface] * (1 - mix) + second[:, c][surface] * mix) for c in range(3)]


def view(scene: Scene, *, size: tuple[int, int]) -> dict[str, jax.Array]:
    """What the camera of a scene sees, as `render` returns it; for scenes made by hand or changed."""
    intrinsics = camera_intrinsics(size)
    x, y = jnp.moveaxis(rays(intrinsics, size)[..., :2], -1, 0)
    # By planes, for speed, and without a matrix product, which some accelerators round. The camera's rays have z = 1,
    # so the distance along one in units of its direction is depth.
    directions = [row[0] * x + row[1] * y + row[2] for row in scene.rotation]
    hit = _cast(scene, scene.position, directions)
    colour = jnp.stack(_shade(scene, directions, hit, intrinsics.fy), axis=-1)
    exposed = 1 - jnp.exp(-colour * (scene.exposure / jnp.mean(colour)))
    labels = jnp.concatenate([jnp.array([1, 2, 3]), scene.box_label])  # [S]: floor, ceiling, wall, boxes
    return {
        "image": jnp.round(255 * jnp.sqrt(exposed)).astype(jnp.uint8),  # gamma 2
        "depth": hit[0],
        "label": labels[hit[1]],
    }


@partial(jax.jit, static_argnames="size")
def render(seed, index, *, size: tuple[int, int] = (240, 320)) -> dict[str, jax.Array]:
    """Frame `index` of `seed`, a pure function of both: ordinary integers from 0 to 2^31 - 1, or traced.

    Returns image uint8 [H, W, 3], depth float32 [H, W] (metres along z, every pixel within .5 and 10) and label int32
    [H, W] (positions in LABELS, 0 is not used), for size = (H, W), seen through `camera_intrinsics(size)`.
    """
    return view(scene(seed, index), size=size)


def _keep(filled, i, frame):
    for name, value in frame.items():
        filled[name][i] = value


def frames(
    seed: int, start: int, count: int, *, size: tuple[int, int] = (240, 320), show_progress: bool = False
) -> dict[str, np.ndarray]:
    """Frames start, ..., start + count - 1 of `seed` as numpy arrays [count, ...], each bitwise what `render` gives.

    Raises ValueError where `count` is negative.
    """
    if count < 0:
        raise ValueError(f"count={count}: expected 0 or more frames")
    kinds = jax.eval_shape(partial(render, size=size), seed, start)
    filled = {name: np.empty((count, *kind.shape), kind.dtype) for name, kind in kinds.items()}
    # One compiled frame at a time: a batch would be another program, whose last bits differ, and is slower on a CPU. A
    # few are under way at once, so that starting and copying one does not wait for another.
    under_way = deque()
    for i in tqdm(range(count), desc="rooms", unit="frame", disable=not show_progress):
        under_way.append((i, render(seed, start + i, size=size)))
        if len(under_way) >= 8:
            _keep(filled, *under_way.popleft())
    for i, frame in under_way:
        _keep(filled, i, frame)
    return filled
