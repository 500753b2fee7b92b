"""Encoded depth maps, decoded by independent code."""

import io
import sys

import jax
import numpy as np
import pytest
from PIL import Image

from jaxdepth import rooms
from jaxdepth.errors import InputError
from jaxdepth.geometry.camera import Intrinsics, nyu_intrinsics
from jaxdepth.output import encode
from jaxdepth.rooms.scene import CORNERS

VERTEX = np.dtype([(name, "<f4") for name in "xyz"] + [(name, "u1") for name in ("red", "green", "blue")])


def encoded(kind, depth, pixels=None, intrinsics=None):
    return b"".join(encode.encode(kind, depth, pixels, intrinsics))


def read_ply(data):
    header, _, body = data.partition(b"end_header\n")
    lines = header.decode().splitlines()
    assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
    assert "comment metres in the camera's frame: x right, y down, z forward" in lines
    properties = [f"property {'float' if kind == 'f' else 'uchar'} {name}" for name, kind in zip(
        VERTEX.names, "fffuuu", strict=True)]  # fmt: skip
    assert lines[-6:] == properties
    vertices = np.frombuffer(body, VERTEX)
    assert f"element vertex {len(vertices)}" in lines
    return vertices


def plane(points):
    """Least-squares plane of points [N, 3]: its normal, and the greatest distance of a point."""
    centred = points - points.mean(0)
    normal = np.linalg.svd(centred, full_matrices=False)[2][-1]
    return normal, np.abs(centred @ normal).max()


@pytest.mark.slow
def test_walls_of_a_rendered_room_are_flat_and_at_right_angles():
    """So depth, intrinsics and pixel centres agree. Walls share a label; they are told apart in world coordinates."""
    size = (120, 160)
    checked = 0
    draw_scene = jax.jit(rooms.draw_scene)
    scenes = [(index, draw_scene(3, index)) for index in range(12)]
    rectangular = [(index, scene) for index, scene in scenes if not np.any(scene.flat_half[:CORNERS])]
    for index, scene in rectangular[:4]:
        frame = {name: np.asarray(value) for name, value in rooms.render(3, index, size=size).items()}
        vertices = read_ply(encoded("ply", frame["depth"], frame["image"], nyu_intrinsics(size)))
        np.testing.assert_array_equal(vertices["green"].reshape(size), frame["image"][..., 1])
        points = np.stack([vertices[name] for name in "xyz"], -1).astype(np.float64)
        world = points @ np.asarray(scene.rotation, np.float64).T + np.asarray(scene.position, np.float64)
        room, label = np.asarray(scene.room, np.float64), frame["label"].ravel()
        walls = label == rooms.LABELS.index("wall")
        sides = [label == rooms.LABELS.index("floor"), label == rooms.LABELS.index("ceiling")]
        nearest = np.abs(np.stack([world[:, 0], world[:, 0] - room[0], world[:, 1], world[:, 1] - room[1]], -1)).argmin(
            -1
        )
        sides += [walls & (nearest == i) for i in range(4)]
        axes = [2, 2, 0, 0, 1, 1]
        planes = [(axis, *plane(points[side])) for axis, side in zip(axes, sides, strict=True) if side.sum() > 300]
        assert max(flaw for *_, flaw in planes) < 1e-3  # metres
        for i, (axis, normal, _) in enumerate(planes):
            for other_axis, other, _ in planes[:i]:
                if axis != other_axis:
                    angle = np.degrees(np.arccos(abs(normal @ other)))
                    assert abs(angle - 90) < 0.05
                    checked += 1
    assert checked >= 4


def test_npy_is_exact_and_png_is_in_millimetres():
    depth = np.float32([[0.0004, 1.2344], [70.0, 9.9996]])
    np.testing.assert_array_equal(np.load(io.BytesIO(encoded("npy", depth))), depth)
    picture = Image.open(io.BytesIO(encoded("png", depth)))
    assert picture.mode.startswith("I;16")
    np.testing.assert_array_equal(np.asarray(picture), [[0, 1234], [65535, 10000]])


def test_a_point_cloud_leaves_out_pixels_without_depth():
    depth = np.float32([[2.0, 0.0], [0.0, 4.0]])
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    vertices = read_ply(encoded("ply", depth, pixels, Intrinsics(fx=2.0, fy=4.0, cx=0.5, cy=0.5)))
    assert vertices.tolist() == [(-0.5, -0.25, 2.0, 0, 1, 2), (1.0, 0.5, 4.0, 9, 10, 11)]


def test_every_format_is_encoded_by_its_name():
    depth, pixels = np.float32([[1.0, 2.0], [3.0, 4.0]]), np.zeros((2, 2, 3), np.uint8)
    pictures = dict.fromkeys(("png", "color", "normals"), b"\x89PNG")
    starts = {"npy": b"\x93NUMPY", "ply": b"ply\n", "glb": b"glTF", "rrd": b"RRF2", **pictures}
    assert set(starts) == set(encode.FORMATS)
    for kind, start in starts.items():
        assert encoded(kind, depth, pixels, Intrinsics(1.0, 1.0, 0.5, 0.5)).startswith(start)


def test_formats_are_checked_before_the_work(monkeypatch):
    encode.check(encode.FORMATS)
    with pytest.raises(InputError, match="formats='jpg': expected some of npy, png, color, normals, ply, glb, rrd"):
        encode.check(["npy", "jpg"])
    monkeypatch.setitem(sys.modules, "trimesh", None)
    with pytest.raises(InputError, match="formats=glb needs the extra mesh"):
        encode.check(["npy", "glb"])


def test_normals_are_colours_x_right_y_up_z_back(monkeypatch):
    """A wall ahead, a floor, a wall at the right, and pixels near a hole; the same in blocks of rows."""
    camera, rows = Intrinsics(4.0, 4.0, 5.5, 5.5), np.arange(12)
    ahead = np.full((12, 12), 2.0)
    ahead[2, 3] = 0
    below = np.broadcast_to(4 * 1.5 / np.maximum(rows - 5.5, 0.1)[:, None], (12, 12))
    for depth, row, column, expected in (
        (ahead, 9, 6, (128, 128, 255)),
        (ahead, 3, 2, (128, 128, 128)),
        (below, 11, 6, (128, 255, 128)),
        (below.T, 6, 11, (1, 128, 128)),
    ):
        data = encoded("normals", depth, None, camera)
        picture = np.asarray(Image.open(io.BytesIO(data)))
        assert picture.shape == (12, 12, 3) and tuple(picture[row, column]) == expected
        with monkeypatch.context() as patch:
            patch.setattr(encode, "_NORMALS_BLOCK", 36)
            assert encoded("normals", depth, None, camera) == data
