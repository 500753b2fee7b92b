"""Draws the scene of a frame from its seed and index."""

import jax
import jax.numpy as jnp

from jaxdepth.rooms import light, plan
from jaxdepth.rooms.flat_objects import draw_flat_objects
from jaxdepth.rooms.placement import draw_furniture
from jaxdepth.rooms.scene import Scene
from jaxdepth.rooms.surfaces import draw_surfaces


def draw_scene(seed, index) -> Scene:
    """Draws a scene.

    Args:
      seed: integer from 0 to 2^31 - 1, or traced.
      index: of the frame; integer from 0 to 2^31 - 1, or traced.
    """
    key = jax.random.fold_in(jax.random.key(seed, impl="threefry2x32"), index)
    view_key, furniture_key, flat_key, surface_key, light_key = jax.random.split(key, 5)
    view_numbers, light_numbers = plan.view_numbers(view_key), light.light_numbers(light_key)

    room = plan.room_size(view_numbers)
    position = plan.camera_position(view_numbers, room)
    corners = plan.corner_blocks(view_numbers, room, position)
    lamps = light.lamp_spots(light_numbers, room)
    flat_objects = draw_flat_objects(flat_key, room, lamps[0])
    furniture = draw_furniture(furniture_key, room, position, corners)

    return Scene(
        room=room,
        centre=furniture.centre,
        yaw=furniture.yaw,
        middle=furniture.middle,
        half=furniture.half,
        ellipsoid=furniture.ellipsoid,
        flat_middle=jnp.concatenate([corners.middle, flat_objects.middle]),
        flat_half=jnp.concatenate([corners.half, flat_objects.half]),
        position=position,
        rotation=plan.camera_rotation(view_numbers, room, position, furniture),
        window_normal=flat_objects.window_normal,
        **draw_surfaces(surface_key, furniture)._asdict(),
        **light.draw_light(light_numbers, room, lamps, flat_objects)._asdict(),
        **light.draw_exposure(light_numbers)._asdict(),
    )
