"""Built-in synthetic rooms: images with exact depth and labels, ray-cast in JAX.

A frame is a pure function of (seed, index): a room of random plan with furniture, doors, windows, pictures, lamps and
daylight, seen through NYU Depth V2's camera at eye height. Depth and labels are exact; light and textures are only
plausible. Lengths are metres, angles radians.

`draw.py` draws a scene, in parts: `plan.py`, `placement.py` with the tables of `furniture.py`, `flat_objects.py`,
`surfaces.py`, `light.py`. `cast.py` and `shade.py` render it, with the textures of `texture.py`; `bodies.py` says what
rays may meet. `sensor.py` simulates a depth camera.
"""

from collections import deque
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from jaxdepth.geometry.camera import nyu_intrinsics, rays
from jaxdepth.rooms.bodies import in_view
from jaxdepth.rooms.cast import cast
from jaxdepth.rooms.draw import draw_scene
from jaxdepth.rooms.labels import LABELS as LABELS
from jaxdepth.rooms.pixels import to_image
from jaxdepth.rooms.scene import Scene
from jaxdepth.rooms.sensor import sense
from jaxdepth.rooms.shade import shade

_GAMMA = 0.75
_FINE = 200  # rows; smaller images are shaded at twice the size and averaged
_IN_FLIGHT = 8  # frames that `frames` renders ahead


@partial(jax.jit, static_argnames=("size", "sensor", "exact_depth"))
def render(
    seed, index, *, size: tuple[int, int] = (240, 320), sensor: bool = False, exact_depth: bool = False
) -> dict[str, jax.Array]:
    """Renders frame `index` of `seed`.

    Args:
      seed: integer from 0 to 2^31 - 1, or traced.
      index: integer from 0 to 2^31 - 1, or traced.
      size: (height, width). The camera is `nyu_intrinsics(size)`.
      sensor: whether to simulate a depth camera, see `jaxdepth.rooms.sensor`.
      exact_depth: whether the depth remains exact under a sensor, which then changes the image only.

    Returns:
      A dict of
        image: uint8 [H, W, 3].
        depth: float32 [H, W], metres along z, within .5 and 10; 0 where a sensor does not measure it.
        label: int32 [H, W], indices in LABELS, never 0.
    """
    scene = _drawn(seed, index)
    frame = view(scene, size=size)
    if not sensor:
        return frame
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed, impl="threefry2x32"), index), 1 << 30)
    seen = sense(frame, key, intrinsics=nyu_intrinsics(size))
    return {**seen, "depth": frame["depth"]} if exact_depth else seen


def _drawn(seed, index):
    """The scene of a frame, drawn before its pixels.

    XLA on a CPU would draw what a kernel needs of the scene again in each pixel, but computes a conditional once.
    """
    draw = partial(draw_scene, seed, index)
    none = jax.tree.map(lambda shape: jnp.zeros(shape.shape, shape.dtype), jax.eval_shape(draw))
    return jax.lax.cond(jnp.asarray(index) >= 0, draw, lambda: none)


def frames(
    seed: int,
    start: int,
    count: int,
    *,
    size: tuple[int, int] = (240, 320),
    sensor: bool = False,
) -> dict[str, np.ndarray]:
    """Renders frames start, ..., start + count - 1 of `seed`.

    Args:
      seed: integer from 0 to 2^31 - 1.
      start: index of the first frame.
      count: number of frames, 0 or more.
      size: as in `render`.
      sensor: as in `render`.

    Returns:
      The arrays of `render`, bitwise, stacked to numpy arrays [count, ...].

    Raises:
      ValueError: if `count` is negative.
    """
    if count < 0:
        raise ValueError(f"count={count}: expected 0 or more frames")
    one = partial(render, size=size, sensor=sensor)
    shapes = jax.eval_shape(one, seed, start)
    stacked = {name: np.empty((count, *shape.shape), shape.dtype) for name, shape in shapes.items()}
    # One compiled frame at a time: a batch would be another program, with other last bits, and is slower on a CPU. Some
    # frames are in flight, so that dispatch and copy of one do not wait for another.
    in_flight = deque()
    for i in range(count):
        in_flight.append((i, one(seed, start + i)))
        if len(in_flight) >= _IN_FLIGHT:
            _store(stacked, *in_flight.popleft())
    for i, frame in in_flight:
        _store(stacked, i, frame)
    return stacked


def _store(stacked, i, frame):
    for name, value in frame.items():
        stacked[name][i] = value


def view(scene: Scene, *, size: tuple[int, int]) -> dict[str, jax.Array]:
    """Renders a scene, which may be made or changed by hand.

    Args:
      scene: the scene.
      size: (height, width).

    Returns:
      As `render` without a sensor.
    """
    hit, directions = _hit(scene, size)
    if size[0] < _FINE:  # edges as smooth as in a photo that was resized
        fine = tuple(2 * n for n in size)
        fine_hit, fine_directions = _hit(scene, fine)
        colour = shade(scene, fine_directions, fine_hit, focal=nyu_intrinsics(fine).fy)
        colour = [plane.reshape(size[0], 2, size[1], 2).mean((1, 3)) for plane in colour]
    else:
        colour = shade(scene, directions, hit, focal=nyu_intrinsics(size).fy)
    return {"image": _develop(colour, scene), "depth": hit[0], "label": scene.label[hit[1]]}


def _hit(scene, size):
    """What `cast` returns for the camera's rays, and the directions of these rays in the world as three planes."""
    x, y = jnp.moveaxis(rays(nyu_intrinsics(size), size)[..., :2], -1, 0)
    # By planes, for speed, and without a matrix product, which some accelerators round. A ray has z = 1 in the camera
    # frame, so a distance in units of its length is depth. In a loop, as otherwise XLA on a CPU computes the directions
    # again in each kernel that needs them.
    directions = list(jax.lax.map(lambda row: row[0] * x + row[1] * y + row[2], scene.rotation))
    bodies = in_view(scene, (x[0, 0], x[0, -1]), (y[0, 0], y[-1, 0]))
    return cast(scene, scene.position, directions, bodies), directions


def _develop(colour, scene):
    """The image, uint8 [H, W, 3], of linear colour, three planes [H, W]: exposure, tone curve and contrast."""
    # Exposed for the logarithmic mean (Reinhard 2002): a window does not make the room dark.
    level = jnp.exp(jnp.mean(jnp.log(sum(colour) / 3 + 1e-4)))
    shown = [(1 - jnp.exp(-plane * (scene.exposure / level))) ** _GAMMA for plane in colour]
    grey = sum(shown) / 3
    steeper = (scene.contrast - 1) * (grey - jnp.mean(grey))
    return to_image([255 * jnp.clip(plane + steeper, 0, 1) for plane in shown])
