"""Raw scenes of rendered rooms, seen by two cameras as far apart as the Kinect's, in the recorder's format."""

import jax
import numpy as np
import pytest
import raw_scenes
from scipy import ndimage
from test_projection import change_in_half_a_pixel, depth_camera_rays, half_step, rays_of

from jaxdepth.prepare.nyu_raw import projection, recordings, scene
from jaxdepth.prepare.nyu_raw.calibration import COLOUR, TRANSLATION
from jaxdepth.rooms.bodies import in_view
from jaxdepth.rooms.cast import cast
from jaxdepth.rooms.draw import draw_scene


@jax.jit
def distances(room, origin, directions):
    """Distances along rays of the colour camera's frame, in units of the rays, from a point in that frame."""
    position = room.position + room.rotation @ origin
    along = [sum(row[k] * directions[..., k] for k in range(3)) for row in room.rotation]
    return cast(room, position, along, in_view(room, (-2.0, 2.0), (-2.0, 2.0)))[0]


@pytest.mark.parametrize("seed", [1, 4])
def test_projected_depth_is_that_of_the_colour_camera(seed, tmp_path):
    room = draw_scene(seed, 0)
    from_depth = np.asarray(distances(room, np.float32(TRANSLATION), np.float32(depth_camera_rays())), np.float64)
    expected = np.asarray(distances(room, np.zeros(3, np.float32), np.float32(rays_of(COLOUR.intrinsics))), np.float64)
    made = {"r-1.000000-1.ppm": raw_scenes.ppm(np.zeros((480, 640, 3), np.uint8))}
    made["d-1.010000-2.pgm"] = raw_scenes.pgm(np.uint16(np.rint(1092.5 - 351.3 / from_depth)))
    raw_scenes.write_folder(tmp_path, "room_0001", made)
    (recording,) = recordings.find(tmp_path).recordings
    with recording.opened() as read:
        found = projection.projected_depth(scene.read_depth(read("d-1.010000-2.pgm"), "d"))

    seen = found > 0
    assert seen[40:-40, 60:-60].mean() > 0.9
    # Both see a surface where the colour camera sees no edge nearby: at an edge each may see another one.
    lowest, highest = ndimage.minimum_filter(expected, 5), ndimage.maximum_filter(expected, 5)
    smooth = highest < 1.05 * lowest
    off, allowed = np.abs(found - expected), half_step(expected) + change_in_half_a_pixel(expected)
    assert (off <= allowed)[seen & smooth].mean() > 0.999
    # What shows through a nearer surface would be off by decimetres.
    assert (found - expected - allowed)[seen & smooth].max() < 0.05
    through = found > highest + half_step(highest)  # behind all that is within two pixels, at an edge
    assert through[seen].mean() < 1e-4
