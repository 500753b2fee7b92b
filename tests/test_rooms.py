"""The rooms: depth and labels against a brute-force float64 ray caster, planes, shadows, purity and ranges."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdepth import rooms
from jaxdepth.geometry import back_project

SIZE = (48, 64)
SEED, COUNT = 7, 12
FLOOR, CEILING, WALL = (rooms.LABELS.index(name) for name in ("floor", "ceiling", "wall"))


@pytest.fixture(scope="module")
def made():
    return rooms.frames(SEED, 0, COUNT, size=SIZE)


@pytest.fixture(scope="module")
def drawn():
    """400 scenes without their pictures."""
    return jax.jit(jax.vmap(rooms.scene, in_axes=(None, 0)))(SEED, jnp.arange(400))


@pytest.fixture(scope="module")
def scenes(drawn):
    """The same in float64."""
    return jax.tree.map(lambda a: np.asarray(a, np.float64), drawn)


def take(scenes, i):
    return jax.tree.map(lambda a: a[i], scenes)


def rectangles(scene):
    """Every face of the room and of its boxes: (centre, two half edges, label)."""
    width, length, height = scene.room
    middle = scene.room / 2
    solids = [(middle, np.eye(3) * middle, None)]
    for centre, half, yaw, label in zip(scene.box_centre, scene.box_half, scene.box_yaw, scene.box_label, strict=True):
        if half.max() > 0:
            turned = np.array([[np.cos(yaw), np.sin(yaw), 0], [-np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
            solids.append((np.array([*centre, half[2]]), turned * half[:, None], int(label)))
    for centre, edges, label in solids:
        for axis in range(3):
            for sign in (-1, 1):
                of_room = WALL if axis < 2 else CEILING if sign > 0 else FLOOR
                across, along = np.delete(edges, axis, axis=0)
                yield centre + sign * edges[axis], across, along, label or of_room


def brute_force(scene, size):
    """Depth along z and label by the intersection of each ray with each face, float64."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    sy, sx = size[0] / 480, size[1] / 640  # NYU's camera, in the pixels of the frame
    x = (columns - ((324.5824 + 0.5) * sx - 0.5)) / (518.8579 * sx)
    y = (rows - ((252.7362 + 0.5) * sy - 0.5)) / (519.4696 * sy)
    directions = np.stack([x, y, np.ones_like(x)], axis=-1) @ scene.rotation.T
    depth, labels = np.full(size, np.inf), np.zeros(size, int)
    for centre, across, along, label in rectangles(scene):
        normal = np.cross(across, along)
        t = (centre - scene.position) @ normal / (directions @ normal)
        offset = scene.position + t[..., None] * directions - centre
        inside = (np.abs(offset @ across) <= across @ across) & (np.abs(offset @ along) <= along @ along)
        new = inside & (t > 0) & (t < depth)
        depth, labels = np.where(new, t, depth), np.where(new, label, labels)
    return depth, labels


def test_depth_and_label_against_brute_force(made, scenes):
    agree = []
    for i in range(COUNT):
        depth, label = brute_force(take(scenes, i), SIZE)
        agree.append((np.abs(made["depth"][i] - depth) < 1e-4) & (made["label"][i] == label))
    # A ray that meets an edge may fall on either side of it in float32.
    assert np.mean(agree) > 0.9995
    assert len(np.unique(made["label"])) == len(rooms.LABELS) - 1, "some kind of surface is never seen"


def plane(points):
    """Normal and largest distance from the best plane through points [n, 3], float64."""
    centred = points - points.mean(axis=0)
    normal = np.linalg.svd(centred, full_matrices=False)[2][2]
    return normal, np.abs(centred @ normal).max()


def test_floor_is_a_plane_below_the_camera_and_walls_stand_on_it(made, scenes):
    points = np.asarray(back_project(made["depth"], rooms.camera_intrinsics(SIZE)), np.float64)
    bends = []
    for i in range(COUNT):
        floor = points[i][made["label"][i] == FLOOR]
        if len(floor) < 300:
            continue
        normal, residual = plane(floor)
        assert residual < 1e-3
        eye_height = np.abs(floor.mean(axis=0) @ normal)
        np.testing.assert_allclose(eye_height, take(scenes, i).position[2], atol=1e-3)
        # Neighbouring pixels of one wall span directions of which one at least is vertical: the wall's own normal, from
        # the cross product of both, is horizontal.
        wall = made["label"][i] == WALL
        one_wall = wall[:-2, :-2] & wall[2:, :-2] & wall[:-2, 2:]
        normals = np.cross(points[i][2:, :-2] - points[i][:-2, :-2], points[i][:-2, 2:] - points[i][:-2, :-2])
        normals = normals[one_wall] / np.linalg.norm(normals[one_wall], axis=-1, keepdims=True)
        assert np.median(np.abs(normals @ normal)) < 1e-3
        # The measure tells depth along z from ray length: that would bend the floor.
        length = np.linalg.norm(floor, axis=1, keepdims=True)
        bends.append(plane(floor * length / floor[:, 2:])[1])
    assert len(bends) >= COUNT // 3 and min(bends) > 0.01


def test_a_frame_depends_on_seed_and_index_alone(made):
    later = rooms.frames(SEED, 3, 2, size=SIZE)
    single = rooms.render(SEED, 4, size=SIZE)
    for name in ("image", "depth", "label"):
        np.testing.assert_array_equal(later[name], made[name][3:5])
        np.testing.assert_array_equal(single[name], made[name][4])
    other = rooms.frames(SEED + 1, 0, 1, size=SIZE)
    assert np.mean(other["depth"][0] == made["depth"][0]) < 0.01
    assert all(np.mean(made["depth"][0] == made["depth"][i]) < 0.01 for i in range(1, COUNT))


def test_dtypes_shapes_and_ranges(made):
    assert {name: (a.dtype, a.shape) for name, a in made.items()} == {
        "image": (np.uint8, (COUNT, *SIZE, 3)),
        "depth": (np.float32, (COUNT, *SIZE)),
        "label": (np.int32, (COUNT, *SIZE)),
    }
    assert made["depth"].min() > 0.5 and made["depth"].max() < 10
    assert 2.2 < np.median(made["depth"]) < 3.6
    assert made["label"].min() >= 1 and made["label"].max() < len(rooms.LABELS)


def test_pictures_are_exposed_and_have_contrast(made):
    image = made["image"].astype(float)
    assert np.all((image.mean(axis=(1, 2, 3)) > 50) & (image.mean(axis=(1, 2, 3)) < 200))
    assert np.all(image.std(axis=(1, 2, 3)) > 5)
    assert np.mean((made["image"] == 255) | (made["image"] < 5)) < 0.01


def test_no_frames_and_a_negative_count():
    assert rooms.frames(SEED, 0, 0, size=SIZE)["depth"].shape == (0, *SIZE)
    with pytest.raises(ValueError, match="count=-1: expected 0 or more frames"):
        rooms.frames(SEED, 0, -1, size=SIZE)


def test_progress_is_shown_if_asked(capsys):
    rooms.frames(SEED, 0, 1, size=SIZE)
    assert capsys.readouterr().err == ""
    rooms.frames(SEED, 0, 1, size=SIZE, show_progress=True)
    assert "rooms: 100%" in capsys.readouterr().err


def test_seed_and_index_may_be_traced():
    traced = jax.eval_shape(jax.vmap(lambda s, i: rooms.render(s, i, size=SIZE)), jnp.arange(3), jnp.arange(3))
    assert traced["depth"].shape == (3, *SIZE)


def test_cameras_stand_free_and_look_into_the_room(scenes):
    assert np.all(scenes.room >= [3, 3, 2.4]) and np.all(scenes.room <= [6, 8, 3.2])
    x, y, eye = scenes.position.T
    assert 1.2 <= eye.min() and eye.max() <= 1.7
    for value, side in ((x, scenes.room[:, 0]), (y, scenes.room[:, 1])):
        assert np.all((value > 0.69) & (side - value > 0.69))
    turn = scenes.rotation
    np.testing.assert_allclose(turn @ turn.transpose(0, 2, 1), np.broadcast_to(np.eye(3), turn.shape), atol=1e-6)
    np.testing.assert_allclose(np.linalg.det(turn), 1, atol=1e-6)
    pitch = np.rad2deg(np.arcsin(turn[:, 2, 2]))
    assert -25.01 < pitch.min() < -20 and 0 < pitch.max() < 5.01
    assert np.all(turn[:, 2, 1] < -0.9), "the camera's y axis points down"
    assert np.all((scenes.lights > 0) & (scenes.lights < scenes.room[:, None]))


def test_furniture_stands_in_the_room_apart(scenes):
    counts = []
    for i in range(60):
        one = take(scenes, i)
        stands = one.box_half[:, 0] > 0
        counts.append(stands.sum())
        signs = np.array([(a, b) for a in (-1, 1) for b in (-1, 1)])
        # The footprint by a grid of points in each box, in world coordinates.
        grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, 9)] * 2), axis=-1).reshape(-1, 2)
        cos, sin = np.cos(one.box_yaw), np.sin(one.box_yaw)
        to_world = np.stack([np.stack([cos, -sin], axis=-1), np.stack([sin, cos], axis=-1)], axis=-2)
        local = np.concatenate([grid, signs])[None] * one.box_half[:, None, :2]
        world = local @ to_world.transpose(0, 2, 1) + one.box_centre[:, None]
        for box in np.flatnonzero(stands):
            assert np.all((world[box] > -1e-5) & (world[box] < one.room[:2] + 1e-5))
            assert 2 * one.box_half[box, 2] < one.lights[0, 2], "a lamp inside a box would light nothing"
            assert np.linalg.norm(world[box] - one.position[:2], axis=1).min() > 0.7
            for other in np.flatnonzero(stands):
                if other != box:
                    back = (world[box] - one.box_centre[other]) @ to_world[other]
                    assert not np.any(np.all(np.abs(back) < one.box_half[other, :2], axis=1))
    assert min(counts) < max(counts) and 4 < np.mean(counts) <= rooms.MAX_BOXES


def room_by_hand(scene, *, box_half):
    """A plain grey room of 4 x 6 x 3 m seen along y; one box in the middle, one lamp behind it on the left."""
    first = jnp.arange(rooms.MAX_BOXES) == 0
    return scene._replace(
        room=jnp.array([4.0, 6.0, 3.0]),
        box_centre=jnp.broadcast_to(jnp.array([2.0, 4.5]), (rooms.MAX_BOXES, 2)),
        box_half=first[:, None] * jnp.array([box_half]),
        box_yaw=jnp.zeros(rooms.MAX_BOXES),
        position=jnp.array([2.0, 0.5, 1.2]),
        rotation=jnp.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]]),
        lights=jnp.array([[1.0, 5.5, 2.9]] * 2),
        powers=jnp.array([1.0, 0]),
        ambient=jnp.float32(0.01),
        colours=jnp.full((rooms.FIRST_BOX + rooms.MAX_BOXES, 2, 3), 0.5),
    )


def test_a_room_by_hand_and_its_shadow(drawn):
    size, half = (96, 128), (0.5, 0.25, 0.5)
    view = jax.jit(lambda scene: rooms.view(scene, size=size))
    bare, with_box = (view(room_by_hand(take(drawn, 0), box_half=h)) for h in ((0.0, 0.0, 0.0), half))
    # Focal lengths 103.8 and 103.9, centre at column 64.52 and row 50.15. The far wall is 5.5 m away along z in every
    # pixel that shows it: 2 m are 37.7 pixels to each side.
    np.testing.assert_allclose(bare["depth"][50, 27:103], 5.5, atol=1e-5)
    # The box's front is 3.75 m away: half a metre is 13.8 pixels to each side; its top is .2 m or 5.5 pixels below the
    # centre, its foot 1.2 m or 33.2 pixels.
    front = np.abs(np.asarray(with_box["depth"]) - 3.75) < 1e-5
    expected = np.zeros(size, bool)
    expected[56:84, 51:79] = True
    np.testing.assert_array_equal(front & (np.asarray(with_box["label"]) > WALL), expected)

    # Where the floor shows in both, the box darkens exactly the points whose way to the lamp leads through it.
    floor = (np.asarray(bare["label"]) == FLOOR) & (np.asarray(with_box["label"]) == FLOOR)
    camera = np.asarray(back_project(bare["depth"], rooms.camera_intrinsics(size)), np.float64)
    points = np.stack([2 + camera[..., 0], 0.5 + camera[..., 2], 1.2 - camera[..., 1]], axis=-1)[floor]
    np.testing.assert_allclose(points[:, 2], 0, atol=1e-5)
    way = points[:, None] + np.linspace(0, 1, 401)[:, None] * (np.array([1.0, 5.5, 2.9]) - points)[:, None]

    def through(grown):
        return np.any(np.all(np.abs(way - [2, 4.5, 0.5]) < np.array(half) + grown, axis=-1), axis=1)

    shown = [np.asarray(frame["image"], np.float64)[floor].mean(axis=-1) / 255 for frame in (bare, with_box)]
    ratio = np.log1p(-(shown[1] ** 2)) / np.log1p(-(shown[0] ** 2))  # of the light, before the tone curve
    lit, shadow = ~through(0.02), through(-0.02)
    assert lit.sum() > 200 and shadow.sum() > 50
    level = np.median(ratio[lit])  # the exposure of the picture as a whole
    np.testing.assert_allclose(ratio[lit] / level, 1, atol=0.1)
    assert np.all(ratio[shadow] / level < 0.6)


def test_rays_along_an_axis_meet_the_wall_ahead(drawn):
    # The other components are 0 or next to it: neither divides by 0 nor puts a wall behind the camera before it.
    scene = room_by_hand(take(drawn, 0), box_half=(0.0, 0.0, 0.0))
    small = jnp.array([[0.0, -0.0, 1e-9, -1e-9]])
    distance, surface, axis = rooms._cast(scene, scene.position, (small, jnp.ones_like(small), small))
    np.testing.assert_allclose(distance, 5.5)
    assert np.all(surface == rooms.WALL) and np.all(axis == 1)
