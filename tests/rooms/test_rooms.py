"""Built-in rooms: depth and labels against a brute-force float64 ray caster, planes, shadows, purity and ranges."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdepth import rooms
from jaxdepth.geometry.camera import back_project, nyu_intrinsics
from jaxdepth.rooms import sensor, texture
from jaxdepth.rooms.bodies import in_view, present
from jaxdepth.rooms.cast import cast
from jaxdepth.rooms.flat_objects import WALL_OBJECTS
from jaxdepth.rooms.furniture import KINDS
from jaxdepth.rooms.parts import BOXES, PARTS
from jaxdepth.rooms.pixels import to_image
from jaxdepth.rooms.scene import CLEARANCE, FIRST_FLAT, FIRST_PART, PIECES, SURFACES

SIZE = (48, 64)
SEED, COUNT = 7, 12
FLOOR, CEILING, WALL = (rooms.LABELS.index(name) for name in ("floor", "ceiling", "wall"))


@pytest.fixture(scope="module")
def made():
    return rooms.frames(SEED, 0, COUNT, size=SIZE)


@pytest.fixture(scope="module")
def drawn():
    """400 scenes."""
    return jax.jit(jax.vmap(rooms.draw_scene, in_axes=(None, 0)))(SEED, jnp.arange(400))


@pytest.fixture(scope="module")
def scenes(drawn):
    """The scenes of `drawn` in float64."""
    return jax.tree.map(lambda a: np.asarray(a, np.float64), drawn)


def take(scenes, i):
    return jax.tree.map(lambda a: a[i], scenes)


def bodies(scene):
    """Yields each body: (middle, three half edges, label, "box", "cylinder" or "ellipsoid"); the room comes first."""
    yield scene.room / 2, np.eye(3) * scene.room / 2, None, "box"
    for i, (middle, half) in enumerate(zip(scene.flat_middle, scene.flat_half, strict=True)):
        if half.max() > 0:
            yield middle, np.eye(3) * half, int(scene.label[FIRST_FLAT + i]), "box"
    for p in range(PIECES):
        cos, sin = np.cos(scene.yaw[p]), np.sin(scene.yaw[p])
        turned = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])  # rows: the piece's axes
        for q in range(PARTS):
            if scene.half[p, q].max() > 0:
                middle = scene.middle[p, q] @ turned + [*scene.centre[p], 0]
                kind = "box" if q < BOXES else "ellipsoid" if scene.ellipsoid[p, q - BOXES] else "cylinder"
                yield middle, turned * scene.half[p, q][:, None], int(scene.label[FIRST_PART + p * PARTS + q]), kind


def brute_force(scene, size):
    """Depth along z, float64, and label: boxes face by face, round bodies by small steps along each ray."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    sy, sx = size[0] / 480, size[1] / 640  # NYU's camera, in the pixels of the frame
    x = (columns - ((324.5824 + 0.5) * sx - 0.5)) / (518.8579 * sx)
    y = (rows - ((252.7362 + 0.5) * sy - 0.5)) / (519.4696 * sy)
    directions = np.stack([x, y, np.ones_like(x)], axis=-1) @ scene.rotation.T
    depth, labels = np.full(size, np.inf), np.zeros(size, int)
    for middle, edges, label, kind in bodies(scene):
        squares = np.sum(edges**2, axis=1)
        if kind == "box":
            for axis in range(3):
                for sign in (-1, 1):
                    of_room = WALL if axis < 2 else CEILING if sign > 0 else FLOOR
                    centre, (across, along) = middle + sign * edges[axis], np.delete(edges, axis, axis=0)
                    normal = np.cross(across, along)
                    t = (centre - scene.position) @ normal / (directions @ normal)
                    offset = scene.position + t[..., None] * directions - centre
                    inside = (np.abs(offset @ across) <= across @ across) & (np.abs(offset @ along) <= along @ along)
                    new = inside & (t > 0) & (t < depth)
                    depth, labels = np.where(new, t, depth), np.where(new, label or of_room, labels)
        else:
            start, way = (scene.position - middle) @ edges.T / squares, directions @ edges.T / squares
            for t in np.arange(0.3, 9, 0.004):
                at = start + t * way
                radius = np.sum(at**2, axis=-1) if kind == "ellipsoid" else np.sum(at[..., :2] ** 2, axis=-1)
                new = (radius < 1) & (np.abs(at[..., 2]) < 1) & (t < depth)
                depth, labels = np.where(new, t, depth), np.where(new, label, labels)
    return depth, labels


def test_depth_and_label_against_brute_force(made, scenes):
    agree, rounds = [], 0
    for i in range(COUNT // 2):
        depth, label = brute_force(take(scenes, i), SIZE)
        agree.append((np.abs(made["depth"][i] - depth) < 0.005) & (made["label"][i] == label))
        rounds += sum(kind != "box" for *_, kind in bodies(take(scenes, i)))
    # At an edge, float32 may put a ray on the other side, and two faces may coincide.
    assert np.mean(agree) > 0.998
    assert rounds > COUNT // 2


def test_every_class_of_the_tables_is_seen():
    frames = rooms.frames(SEED, 0, 200, size=(24, 32))
    seen = {rooms.LABELS[i] for i in np.unique(frames["label"])}
    furniture = {kind.label for kind in KINDS} | {part.label for kind in KINDS for part in kind.parts if part.label}
    drawn = {"floor", "ceiling", "wall", "floor mat"} | {thing.label for thing in WALL_OBJECTS} | furniture
    assert drawn <= seen


def plane(points):
    """Least-squares plane through points [N, 3]: its normal, and the largest distance of a point from it."""
    centred = points - points.mean(axis=0)
    normal = np.linalg.svd(centred, full_matrices=False)[2][2]
    return normal, np.abs(centred @ normal).max()


def test_floor_is_a_plane_below_the_camera_and_walls_stand_on_it(made, scenes):
    points = np.asarray(back_project(made["depth"], nyu_intrinsics(SIZE)), np.float64)
    bends = []
    for i in range(COUNT):
        floor = points[i][made["label"][i] == FLOOR]
        if len(floor) < 300:
            continue
        normal, residual = plane(floor)
        assert residual < 1e-3
        eye_height = np.abs(floor.mean(axis=0) @ normal)
        np.testing.assert_allclose(eye_height, take(scenes, i).position[2], atol=1e-3)
        # The normal of a wall, from the cross product of the differences to two neighbouring pixels, is horizontal.
        wall = made["label"][i] == WALL
        one_wall = wall[:-2, :-2] & wall[2:, :-2] & wall[:-2, 2:]
        normals = np.cross(points[i][2:, :-2] - points[i][:-2, :-2], points[i][:-2, 2:] - points[i][:-2, :-2])
        normals = normals[one_wall] / np.linalg.norm(normals[one_wall], axis=-1, keepdims=True)
        assert np.median(np.abs(normals @ normal)) < 1e-3
        # The test can tell depth along z from ray length, which would bend the floor.
        length = np.linalg.norm(floor, axis=1, keepdims=True)
        bends.append(plane(floor * length / floor[:, 2:])[1])
    assert len(bends) >= COUNT // 3 and min(bends) > 0.01


def test_a_frame_depends_only_on_seed_and_index(made):
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


def test_images_are_exposed_and_have_contrast(made):
    image = made["image"].astype(float)
    assert np.all((image.mean(axis=(1, 2, 3)) > 50) & (image.mean(axis=(1, 2, 3)) < 200))
    assert np.all(image.std(axis=(1, 2, 3)) > 5)
    glowing = np.isin(made["label"], [rooms.LABELS.index(name) for name in ("window", "lamp")])
    assert np.mean((made["image"] == 255) | (made["image"] < 5), where=~glowing[..., None]) < 0.15


def test_the_frames_of_a_seed_stay_what_they_are():
    """Results in configs/results were measured on these frames; compilers may change last bits."""
    exact, seen = (rooms.frames(SEED, 0, 4, size=(24, 32), sensor=sensor) for sensor in (False, True))
    np.testing.assert_allclose(exact["depth"].mean((1, 2)), [2.4499, 1.8097, 2.2083, 3.0896], atol=0.001)
    np.testing.assert_allclose(seen["depth"].mean((1, 2)), [2.0451, 1.7786, 2.1496, 3.0333], atol=0.01)
    colours = {
        "exact": [[92.91, 76.0, 59.15], [133.21, 111.49, 116.27], [149.61, 134.98, 79.94], [82.33, 82.05, 66.9]],
        "seen": [[86.81, 71.1, 55.24], [114.73, 96.15, 100.57], [139.26, 125.15, 76.23], [77.98, 77.7, 63.39]],
    }
    for name, frames in (("exact", exact), ("seen", seen)):
        np.testing.assert_allclose(frames["image"].mean((1, 2)), colours[name], atol=0.1)
    assert exact["label"].sum() == 4008 + 2243 + 3329 + 4438


def test_bodies_out_of_view_are_left_out_and_nothing_else(drawn):
    intrinsics = nyu_intrinsics(SIZE)
    x = (np.arange(SIZE[1]) - intrinsics.cx) / intrinsics.fx
    y = (np.arange(SIZE[0]) - intrinsics.cy) / intrinsics.fy
    in_sight = jax.jit(lambda scene: in_view(scene, x[[0, -1]], y[[0, -1]]))

    @jax.jit
    def see(scene, wanted):
        across, down = np.meshgrid(x, y)
        directions = [row[0] * across + row[1] * down + row[2] for row in scene.rotation]
        return cast(scene, scene.position, directions, wanted)

    kept = there = 0
    for i in range(40):
        scene = take(drawn, i)
        some, every = in_sight(scene), present(scene)
        for a, b in zip(see(scene, some), see(scene, every), strict=True):
            np.testing.assert_array_equal(a, b)
        kept, there = kept + int(some.parts.sum()), there + int(every.parts.sum())
    assert kept < 0.7 * there


def test_an_image_has_its_planes_in_order():
    planes = np.random.default_rng(0).uniform(0, 255, (3, 5, 7)).astype(np.float32)
    image = jax.jit(to_image)(list(planes))
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, np.round(planes).transpose(1, 2, 0))


def test_batches_of_rooms_have_no_branches():
    """Many rooms at once on an accelerator: a branch for each room would be a loop over the rooms."""
    many = jax.jit(jax.vmap(lambda i: rooms.render(0, i, size=SIZE, sensor=True))).lower(jnp.arange(4)).as_text()
    assert "stablehlo.case" not in many and "stablehlo.if" not in many


@pytest.mark.slow
def test_small_images_have_smooth_edges(drawn, monkeypatch):
    def seen():
        view = jax.jit(functools.partial(rooms.view, size=(48, 64)))
        return [view(take(drawn, i)) for i in range(8)]

    smooth = seen()
    monkeypatch.setattr(rooms, "_FINE", 0)
    plain = seen()
    for a, b in zip(smooth, plain, strict=True):
        np.testing.assert_allclose(a["depth"], b["depth"], rtol=1e-4)  # two programs, which XLA may fuse differently
    smooth, plain = (np.stack([np.float64(frame["image"]) for frame in frames]) for frames in (smooth, plain))
    assert abs(smooth.mean() - plain.mean()) < 5
    assert np.abs(np.diff(smooth, axis=2)).mean() < 0.9 * np.abs(np.diff(plain, axis=2)).mean()


def test_some_surfaces_have_patches_of_their_own():
    across, along = (jnp.asarray(a, jnp.float32) for a in np.meshgrid(np.linspace(0, 4, 64), np.linspace(0, 2.5, 40)))
    look = jax.jit(functools.partial(texture.patches, across, along, pixel=0.01))
    covers = []
    for number in range(100):
        cover, colour = look(number=jnp.full(across.shape, number))
        colour = np.stack(colour)
        assert set(np.unique(cover)) <= {0, 1} and 0 <= colour.min() and colour.max() <= 1
        covers.append(np.asarray(cover))
    shares = np.array([cover.mean() for cover in covers])
    assert 0.2 < np.mean(shares == 0) < 0.6 and shares.max() > 0.2
    assert len({cover.tobytes() for cover in covers}) > 50
    # Patches of a few pixels are left out.
    far, _ = texture.patches(across, along, pixel=1.0, number=jnp.full(across.shape, int(shares.argmax())))
    assert not np.any(far)


def test_zero_frames_and_a_negative_count():
    assert rooms.frames(SEED, 0, 0, size=SIZE)["depth"].shape == (0, *SIZE)
    with pytest.raises(ValueError, match="count=-1: expected 0 or more frames"):
        rooms.frames(SEED, 0, -1, size=SIZE)


def test_seed_and_index_may_be_traced():
    traced = jax.eval_shape(jax.vmap(lambda s, i: rooms.render(s, i, size=SIZE)), jnp.arange(3), jnp.arange(3))
    assert traced["depth"].shape == (3, *SIZE)


def test_cameras_have_clearance_and_look_into_the_room(scenes):
    assert np.all(scenes.room >= [2.2, 3.2, 2.4]) and np.all(scenes.room <= [6, 8, 3.2])
    x, y, eye = scenes.position.T
    assert 0.9 <= eye.min() and eye.max() <= 1.7
    for value, side in ((x, scenes.room[:, 0]), (y, scenes.room[:, 1])):
        assert np.all((value > 0.63) & (side - value > 0.63))
    turn = scenes.rotation
    np.testing.assert_allclose(turn @ turn.transpose(0, 2, 1), np.broadcast_to(np.eye(3), turn.shape), atol=1e-6)
    np.testing.assert_allclose(np.linalg.det(turn), 1, atol=1e-6)
    pitch = np.rad2deg(np.arcsin(turn[:, 2, 2]))
    assert -28.01 < pitch.min() < -20 and 0 < pitch.max() < 4.01
    assert np.all(turn[:, 2, 1] < -0.85), "the camera's y axis points down"
    for i in range(len(scenes.room)):
        one = take(scenes, i)
        outside = np.maximum(np.abs(one.position[:2] - one.flat_middle[:2, :2]) - one.flat_half[:2, :2], 0)
        for gap, half in zip(outside, one.flat_half[:2], strict=True):  # the corner blocks
            assert half[0] == 0 or gap.max() > 0.63


def footprint(scene, piece):
    """Least and greatest x and y of a piece in the world, [2, 2]; None if it is absent."""
    there = scene.half[piece].max(axis=1) > 0
    signs = np.array([(a, b) for a in (-1, 1) for b in (-1, 1)])
    corners = scene.middle[piece, there][:, None, :2] + signs[None] * scene.half[piece, there][:, None, :2]
    cos, sin = np.cos(scene.yaw[piece]), np.sin(scene.yaw[piece])
    world = corners.reshape(-1, 2) @ np.array([[cos, sin], [-sin, cos]]) + scene.centre[piece]
    return np.stack([world.min(0), world.max(0)]) if there.any() else None


def test_furniture_is_inside_the_room_and_apart(scenes):
    counts = []
    for i in range(100):
        one = take(scenes, i)
        footprints = [found for found in (footprint(one, p) for p in range(PIECES)) if found is not None]
        counts.append(len(footprints))
        for n, (low, high) in enumerate(footprints):
            assert np.all(low > -0.03) and np.all(high < one.room[:2] + 0.03)
            to_camera = np.maximum(np.maximum(low - one.position[:2], one.position[:2] - high), 0)
            assert np.linalg.norm(to_camera) > CLEARANCE
            for other_low, other_high in footprints[:n]:
                assert np.any((low > other_high - 0.03) | (high < other_low + 0.03))
        assert np.all(one.half >= 0) and (one.middle[..., 2] + one.half[..., 2]).max() < 2.4
    assert min(counts) < max(counts) and 5 < np.mean(counts) <= PIECES


def room_by_hand(scene, *, box_half):
    """A plain grey room of 4 x 6 x 3 m, seen along y, with a box in the middle and a lamp behind it on the left."""
    nothing = jax.tree.map(jnp.zeros_like, scene)
    middle, half = nothing.middle, nothing.half
    return scene._replace(
        room=jnp.array([4.0, 6.0, 3.0]),
        centre=jnp.broadcast_to(jnp.array([2.0, 4.5]), (PIECES, 2)),
        yaw=jnp.zeros(PIECES),
        middle=middle.at[0, 0].set(jnp.array([0.0, 0.0, box_half[2]])),
        half=half.at[0, 0].set(jnp.array(box_half)),
        flat_half=nothing.flat_half,
        position=jnp.array([2.0, 0.5, 1.2]),
        rotation=jnp.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]]),
        lights=jnp.array([[1.0, 5.5, 2.9]] * 3),
        powers=jnp.array([1.0, 0, 0]),
        ambient=jnp.float32(0.01),
        contrast=jnp.float32(1.0),
        label=jnp.where(jnp.arange(SURFACES) < FIRST_PART, scene.label, rooms.LABELS.index("box")),
        texture=jnp.zeros(SURFACES, jnp.int32),
        colours=jnp.full((SURFACES, 2, 3), 0.5),
    )


def test_a_room_by_hand_and_its_shadow(drawn):
    size, half = (96, 128), (0.5, 0.25, 0.5)
    view = jax.jit(lambda scene: rooms.view(scene, size=size))
    bare, with_box = (view(room_by_hand(take(drawn, 0), box_half=h)) for h in ((0.0, 0.0, 0.0), half))
    # Focal lengths are 103.8 and 103.9 pixels, the centre is at column 64.52 and row 50.15. The far wall is 5.5 m away
    # along z; its half width of 2 m is 37.7 pixels.
    np.testing.assert_allclose(bare["depth"][50, 27:103], 5.5, atol=1e-5)
    # The box's front is 3.75 m away. Its half width of .5 m is 13.8 pixels; its top is .2 m or 5.5 pixels below the
    # centre, its bottom 1.2 m or 33.2 pixels.
    front = np.abs(np.asarray(with_box["depth"]) - 3.75) < 1e-5
    expected = np.zeros(size, bool)
    expected[56:84, 51:79] = True
    np.testing.assert_array_equal(front & (np.asarray(with_box["label"]) == rooms.LABELS.index("box")), expected)

    # Points on the floor are darker where the box is between them and the lamp, which is .24 m wide.
    floor = (np.asarray(bare["label"]) == FLOOR) & (np.asarray(with_box["label"]) == FLOOR)
    camera = np.asarray(back_project(bare["depth"], nyu_intrinsics(size)), np.float64)
    points = np.stack([2 + camera[..., 0], 0.5 + camera[..., 2], 1.2 - camera[..., 1]], axis=-1)[floor]
    np.testing.assert_allclose(points[:, 2], 0, atol=1e-5)

    def through(grown):
        found = []
        for x, y in ((-0.12, -0.12), (-0.12, 0.12), (0.12, -0.12), (0.12, 0.12)):
            lamp = np.array([1.0 + x, 5.5 + y, 2.9])
            way = points[:, None] + np.linspace(0, 1, 401)[:, None] * (lamp - points)[:, None]
            found.append(np.any(np.all(np.abs(way - [2, 4.5, 0.5]) < np.array(half) + grown, axis=-1), axis=1))
        return np.array(found)

    shown = [np.asarray(frame["image"], np.float64)[floor].mean(axis=-1) / 255 for frame in (bare, with_box)]
    ratio = np.log1p(-(shown[1] ** 2)) / np.log1p(-(shown[0] ** 2))  # of the light, before the tone curve
    lit, shadow = ~through(0.1).any(0), through(-0.02).all(0)
    assert lit.sum() > 200 and shadow.sum() > 50
    level = np.median(ratio[lit])  # ratio of the exposures
    assert np.mean(np.abs(ratio[lit] / level - 1) < 0.12) > 0.98
    assert np.mean(ratio[shadow] / level < 0.6) > 0.98
    soft = ~lit & ~shadow
    assert np.mean((ratio[soft] / level > 0.45) & (ratio[soft] / level < 0.9)) > 0.1, "no half shadow"


def test_rays_along_an_axis_hit_the_wall_ahead(drawn):
    # The other components are 0 or nearly 0. They must not divide by 0, or bring the wall behind the camera forward.
    scene = room_by_hand(take(drawn, 0), box_half=(0.0, 0.0, 0.0))
    small = jnp.array([[0.0, -0.0, 1e-9, -1e-9]])
    distance, surface, axis = cast(scene, scene.position, (small, jnp.ones_like(small), small), present(scene))
    np.testing.assert_allclose(distance, 5.5)
    assert np.all(scene.label[surface] == WALL) and np.all(axis == 1)


def test_the_sensor_quantises_shadows_and_blurs():
    """A board at 1 m before a wall at 4 m."""
    size = (96, 128)
    depth = jnp.full(size, 4.0).at[:, 40:80].set(1.0)
    frame = {"image": jnp.full((*size, 3), 128, jnp.uint8), "depth": depth, "label": jnp.ones(size, jnp.int32)}
    intrinsics = nyu_intrinsics(size)
    seen = jax.jit(lambda key: sensor.sense(frame, key, intrinsics=intrinsics))(jax.random.key(3))
    found = np.asarray(seen["depth"], np.float64)
    # The board's shadow covers .075 m x 103.8 pixels x (1 - 1/4) = 5.8 pixels of the wall, on its left.
    holes = (found == 0).mean(axis=0)
    assert np.all(holes[35:40] == 1) and holes[:34].max() < 0.1 and holes[40:].max() < 0.1
    for true, columns in ((1.0, slice(42, 78)), (4.0, slice(85, 125))):
        measured = found[:, columns][found[:, columns] > 0]
        disparity = 580 * 0.075 * 8 / measured
        np.testing.assert_allclose(disparity, np.round(disparity), atol=1e-3)
        assert abs(measured.mean() - true) < 0.01 * true
        sigma = 0.0012 + 0.0019 * (true - 0.4) ** 2
        step = true**2 / 348
        assert 0.8 * sigma < measured.std() < 1.2 * np.hypot(sigma, step)
    assert np.asarray(seen["image"]).std() > 0.5 and np.asarray(seen["image"]).mean() < 128
    assert np.array_equal(seen["label"], frame["label"])


def test_depth_may_remain_exact_under_the_sensor():
    exact, seen, both = (
        rooms.render(0, 5, size=(24, 32), **options)
        for options in ({}, {"sensor": True}, {"sensor": True, "exact_depth": True})
    )
    assert np.array_equal(both["image"], seen["image"]) and not np.array_equal(both["image"], exact["image"])
    np.testing.assert_allclose(both["depth"], exact["depth"], rtol=1e-4)  # two programs
    assert not np.allclose(both["depth"], seen["depth"], rtol=1e-4)
