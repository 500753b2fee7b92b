"""Which bodies of a scene some rays may meet, so that `cast` can leave out the others."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxdepth.rooms.cast import turn
from jaxdepth.rooms.scene import CORNERS


class Bodies(NamedTuple):
    """Some of a scene's bodies."""

    flats: jax.Array  # bool [F]
    parts: jax.Array  # bool [P, Q]


def present(scene) -> Bodies:
    """The bodies that the room has."""
    return Bodies(jnp.max(scene.flat_half, axis=-1) > 0, jnp.max(scene.half, axis=-1) > 0)


def opaque(scene) -> Bodies:
    """The bodies that throw a shadow: all but the flat objects."""
    there = present(scene)
    return there._replace(flats=there.flats.at[CORNERS:].set(False))


def in_view(scene, across, down) -> Bodies:
    """The bodies that the camera may see: those whose bounding sphere reaches into its pyramid of view.

    Args:
      scene: a Scene.
      across: least and greatest x of the rays (x, y, 1) in the camera's frame.
      down: least and greatest y.
    """
    there = present(scene)
    cos, sin = jnp.cos(scene.yaw)[:, None], jnp.sin(scene.yaw)[:, None]
    x, y = turn(scene.middle[..., 0], scene.middle[..., 1], cos, -sin)
    middle = jnp.stack([x + scene.centre[:, :1], y + scene.centre[:, 1:], scene.middle[..., 2]], axis=-1)

    def seen(middle, half):
        to = [middle[..., i] - scene.position[i] for i in range(3)]
        x, y, z = (sum(to[i] * scene.rotation[i, k] for i in range(3)) for k in range(3))
        radius = jnp.sqrt(jnp.sum(half**2, axis=-1)) + 0.01  # one centimetre for rounding
        inside = True
        for place, (low, high) in ((x, across), (y, down)):
            for bound, sign in ((low, 1), (high, -1)):
                inside &= sign * (place - bound * z) > -radius * jnp.sqrt(1 + bound**2)
        return inside

    flats = there.flats & seen(scene.flat_middle, scene.flat_half)
    return Bodies(flats, there.parts & seen(middle, scene.half))
