"""Meshes as GLB, loaded by trimesh: a rendered room against its plan, and small cases by hand."""

import io
import json
import struct
import sys

import jax
import numpy as np
import pytest
import trimesh

from jaxdepth import rooms
from jaxdepth.errors import InputError
from jaxdepth.geometry.camera import Intrinsics, nyu_intrinsics
from jaxdepth.output import encode, mesh
from jaxdepth.rooms.scene import CORNERS

SEED = 3
CAMERA = Intrinsics(fx=2.0, fy=4.0, cx=1.0, cy=0.5)


def load(data):
    """The only mesh of a GLB, and its transform."""
    scene = trimesh.load(io.BytesIO(data), file_type="glb", process=False)
    (name,) = scene.graph.nodes_geometry
    transform, geometry = scene.graph[name]
    return scene.geometry[geometry], transform


def plane(points):
    """Least-squares plane of points [N, 3]: its normal towards the origin, distance and greatest residual."""
    middle = points.mean(axis=0)
    normal = np.linalg.svd(points - middle, full_matrices=False)[2][-1]
    normal = -normal * np.sign(normal @ middle)
    return normal, -normal @ middle, np.abs((points - middle) @ normal).max()


@pytest.mark.parametrize("size", [(24, 32), pytest.param((480, 640), marks=pytest.mark.slow)])
@pytest.mark.parametrize("index", [18, 35, 41])
def test_a_rendered_room_is_upright_in_metres_flat_and_at_right_angles(index, size):
    """Floor, ceiling and three walls of rectangular rooms, against the plan that they were rendered from."""
    scene = jax.jit(rooms.draw_scene)(SEED, index)
    assert not np.any(scene.flat_half[:CORNERS])
    frame = {name: np.asarray(value) for name, value in rooms.render(SEED, index, size=size).items()}
    found, transform = load(mesh.glb(frame["depth"], frame["image"], nyu_intrinsics(size)))
    np.testing.assert_array_equal(transform, np.eye(4))
    rotation, position, room = (np.asarray(part, np.float64) for part in (scene.rotation, scene.position, scene.room))
    vertices = np.asarray(found.vertices)
    # The texture's place says which pixel a vertex is; there is the label. trimesh counts v from below.
    columns, rows = np.round(found.visual.uv * [1, -1] * size[::-1] + [-0.5, size[0] - 0.5]).astype(int).T
    label = frame["label"][rows, columns]
    world = vertices * [1, -1, -1] @ rotation.T + position
    ends = np.stack([world[:, 0], room[0] - world[:, 0], world[:, 1], room[1] - world[:, 1]], axis=-1)
    is_wall, nearest = label == rooms.LABELS.index("wall"), np.abs(ends).argmin(axis=1)
    sides = {name: label == rooms.LABELS.index(name) for name in ("floor", "ceiling")}
    sides |= {i: is_wall & (nearest == i) for i in range(4)}
    height, width, length = position[2], position[0], position[1]
    distances = dict(
        zip(sides, [height, room[2] - height, width, room[0] - width, length, room[1] - length], strict=True)
    )
    up = (rotation.T @ [0, 0, 1]) * [1, -1, -1]
    axes = {"floor": "z", "ceiling": "z", 0: "x", 1: "x", 2: "y", 3: "y"}
    planes = {name: plane(vertices[side]) for name, side in sides.items() if side.sum() > 12}
    assert {"floor", "ceiling"} <= planes.keys() and len(planes) >= 5
    for name, (normal, distance, residual) in planes.items():
        assert residual < 0.01 * distance
        assert distance == pytest.approx(distances[name], rel=0.01)
        for other, (its, *_) in planes.items():
            assert abs(normal @ its) == pytest.approx(float(axes[name] == axes[other]), abs=0.01)
    assert planes["floor"][0][1] > 0.8 and planes["ceiling"][0][1] < -0.8  # towards the camera; y is up
    np.testing.assert_allclose(planes["floor"][0], up, atol=0.01)
    assert vertices[sides["floor"], 1].max() < 0 and (vertices[:, 2] < 0).all()


def test_a_mesh_by_hand():
    """Two triangles; the third column has no depth. x right, y up, z back, and the photo is right way up."""
    depth = np.float32([[2.0, 2.0, 0.0], [2.0, 2.0, 0.0]])
    pixels = np.zeros((2, 3, 3), np.uint8)
    pixels[0], pixels[1] = 250, 20
    data = mesh.glb(depth, pixels, CAMERA)
    found, _ = load(data)
    np.testing.assert_allclose(found.vertices, [(-1, 0.25, -2), (0, 0.25, -2), (-1, -0.25, -2), (0, -0.25, -2)])
    assert sorted(map(sorted, found.faces.tolist())) == [[0, 1, 2], [1, 2, 3]]
    assert (found.face_normals[:, 2] > 0.9).all()  # fronts are towards the camera
    texture = found.visual.material.baseColorTexture
    assert texture.size == (3, 2) and texture.format == "JPEG"
    np.testing.assert_allclose(np.asarray(texture)[:, 0, 0], [250, 20], atol=4)
    length, kind = struct.unpack("<I4s", data[12:20])
    assert kind == b"JSON"
    tree = json.loads(data[20 : 20 + length])
    accessor = tree["meshes"][0]["primitives"][0]["attributes"]["TEXCOORD_0"]
    view = tree["bufferViews"][tree["accessors"][accessor]["bufferView"]]
    start = 28 + length + view["byteOffset"]
    uv = np.frombuffer(data[start : start + view["byteLength"]], "<f4").reshape(-1, 2)
    np.testing.assert_allclose(uv, [(1 / 6, 1 / 4), (1 / 2, 1 / 4), (1 / 6, 3 / 4), (1 / 2, 3 / 4)])  # from above
    assert tree["materials"][0]["extensions"] == {"KHR_materials_unlit": {}}


def test_the_edge_is_passed_on():
    depth = np.float32([[2.0, 2.0, 9.0, 9.0]] * 2)
    counts = [
        len(load(b"".join(encode.encode("glb", depth, np.zeros((2, 4, 3), np.uint8), CAMERA, edge=edge)))[0].faces)
        for edge in (0, 20)
    ]
    assert counts == [6, 4]


def test_a_large_photo_becomes_a_smaller_texture():
    found, _ = load(mesh.glb(np.ones((5, 5000)), np.zeros((5, 5000, 3), np.uint8), CAMERA))
    assert found.visual.material.baseColorTexture.size == (4096, 4)


def test_without_a_triangle_there_is_no_mesh():
    with pytest.raises(InputError, match="5x1 pixels give no triangle for a mesh: expected 2x2 or more with depth"):
        mesh.glb(np.ones((1, 5)), np.zeros((1, 5, 3), np.uint8), CAMERA)


def test_without_trimesh_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "trimesh", None)
    with pytest.raises(InputError, match=r"formats=glb needs the extra mesh: pip install 'jaxdepth\[mesh\]'"):
        mesh.glb(np.ones((2, 2)), np.zeros((2, 2, 3), np.uint8), CAMERA)
