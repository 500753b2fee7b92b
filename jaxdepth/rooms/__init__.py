"""Built-in synthetic rooms: pictures with exact depth and labels, ray-cast in jax.

A frame is a pure function of (seed, index): a room of varied plan with furniture, doors, windows and pictures, lamps
and daylight, seen through NYU Depth V2's camera at eye height. Depth and labels are exact, light and textures only
plausible. All lengths are metres, all angles radians.
"""

from collections import deque
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from jaxdepth.geometry.camera import NYU_INTRINSICS, Intrinsics, rays, resize_intrinsics
from jaxdepth.rooms.cast import cast
from jaxdepth.rooms.furniture import LABELS as LABELS
from jaxdepth.rooms.scene import Scene, draw_scene
from jaxdepth.rooms.sensor import sense
from jaxdepth.rooms.shade import shade

_GAMMA = 0.75
_FINE = 200  # rows; smaller pictures are rendered at twice the size


def camera_intrinsics(size: tuple[int, int]) -> Intrinsics:
    """Intrinsics of frames of `size` (height, width): NYU Depth V2's, resized."""
    return resize_intrinsics(NYU_INTRINSICS, from_size=(480, 640), to_size=size)


def view(scene: Scene, *, size: tuple[int, int]) -> dict[str, jax.Array]:
    """What the camera of a scene sees, as `render` returns it; for scenes made by hand or changed."""
    hit, directions = _hit(scene, size)
    if size[0] < _FINE:  # edges as smooth as those of a photo that was scaled down
        fine = tuple(2 * n for n in size)
        fine_hit, fine_directions = _hit(scene, fine)
        planes = shade(scene, fine_directions, fine_hit, focal=camera_intrinsics(fine).fy)
        planes = [plane.reshape(size[0], 2, size[1], 2).mean((1, 3)) for plane in planes]
    else:
        planes = shade(scene, directions, hit, focal=camera_intrinsics(size).fy)
    # Exposed for the logarithmic mean (Reinhard 2002): a window does not leave the room dark.
    level = jnp.exp(jnp.mean(jnp.log(sum(planes) / 3 + 1e-4)))
    shown = [(1 - jnp.exp(-plane * (scene.exposure / level))) ** _GAMMA for plane in planes]
    grey = sum(shown) / 3
    steeper = (scene.contrast - 1) * (grey - jnp.mean(grey))
    image = jnp.stack([jnp.round(255 * jnp.clip(plane + steeper, 0, 1)).astype(jnp.uint8) for plane in shown], axis=-1)
    return {
        "image": image,
        "depth": hit[0],
        "label": scene.label[hit[1]],
    }


def _hit(scene, size):
    """What `cast` finds from the camera of a picture of `size`, and the directions in which it looked."""
    x, y = jnp.moveaxis(rays(camera_intrinsics(size), size)[..., :2], -1, 0)
    # By planes, for speed, and without a matrix product, which some accelerators round. The camera's rays have z = 1,
    # so the distance along one in units of its direction is depth.
    directions = [row[0] * x + row[1] * y + row[2] for row in scene.rotation]
    return cast(scene, scene.position, directions), directions


@partial(jax.jit, static_argnames=("size", "sensor"))
def render(seed, index, *, size: tuple[int, int] = (240, 320), sensor: bool = False) -> dict[str, jax.Array]:
    """Frame `index` of `seed`, a pure function of both: ordinary integers from 0 to 2^31 - 1, or traced.

    Returns image uint8 [H, W, 3], depth float32 [H, W] (metres along z, every pixel within .5 and 10) and label int32
    [H, W] (places in LABELS, 0 is not used), for size = (H, W), seen through `camera_intrinsics(size)`.
    `sensor`: as a sensor would have given it, see `jaxdepth.rooms.sensor`; depth 0 is then not measured.
    """
    frame = view(draw_scene(seed, index), size=size)
    if not sensor:
        return frame
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed, impl="threefry2x32"), index), 1 << 30)
    return sense(frame, key, intrinsics=camera_intrinsics(size))


def _keep(filled, i, frame):
    for name, value in frame.items():
        filled[name][i] = value


def frames(
    seed: int,
    start: int,
    count: int,
    *,
    size: tuple[int, int] = (240, 320),
    sensor: bool = False,
) -> dict[str, np.ndarray]:
    """Frames start, ..., start + count - 1 of `seed` as numpy arrays [count, ...], each bitwise what `render` gives.

    Raises ValueError where `count` is negative.
    """
    if count < 0:
        raise ValueError(f"count={count}: expected 0 or more frames")
    one = partial(render, size=size, sensor=sensor)
    kinds = jax.eval_shape(one, seed, start)
    filled = {name: np.empty((count, *kind.shape), kind.dtype) for name, kind in kinds.items()}
    # One compiled frame at a time: a batch would be another program, whose last bits differ, and is slower on a CPU. A
    # few are under way at once, so that starting and copying one does not wait for another.
    under_way = deque()
    for i in range(count):
        under_way.append((i, one(seed, start + i)))
        if len(under_way) >= 8:
            _keep(filled, *under_way.popleft())
    for i, frame in under_way:
        _keep(filled, i, frame)
    return filled
