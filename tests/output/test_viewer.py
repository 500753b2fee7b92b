"""Recordings for Rerun's viewer, read back by its reader."""

import shutil
import sys

import numpy as np
import pytest
from rerun.chunk import RrdReader

from jaxdepth.errors import InputError
from jaxdepth.geometry import surface
from jaxdepth.geometry.camera import Intrinsics
from jaxdepth.output import encode, viewer

CAMERA = Intrinsics(fx=10.0, fy=12.0, cx=3.0, cy=2.0)
PIXELS = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
DEPTH = np.float32(np.random.default_rng(1).uniform(2.0, 2.1, (6, 8)))
DEPTH[:, 6:] = 9.0  # behind a jump
DEPTH[0, 0] = 0.0


def recorded(path):
    """{entity: {component: its values}} of a recording."""
    found = {}
    for chunk in RrdReader(path).stream().collect().stream():
        batch = chunk.to_record_batch()
        assert chunk.is_static and batch.num_rows == 1
        columns = zip(batch.schema.names, batch.columns, strict=True)
        found[chunk.entity_path] = {name.split(":")[-1]: column[0] for name, column in columns}
    return found


def values(component, dtype=np.float32):
    return np.array(component.as_py(), dtype).ravel()


def image(entity, dtype, shape):
    (form,) = entity["format"].as_py()
    assert (form["height"], form["width"]) == shape[:2]
    return np.frombuffer(bytes(entity["buffer"].as_py()[0]), dtype).reshape(shape)


def test_a_recording_holds_picture_depth_and_points(tmp_path):
    path = tmp_path / "a.rrd"
    path.write_bytes(viewer.rrd(DEPTH, PIXELS, CAMERA, name="one/a b.jpg"))
    found = recorded(path)
    assert set(found) == {"/__properties", "/", "/camera", "/camera/picture", "/camera/depth", "/points"}
    assert found["/__properties"]["name"].as_py() == ["one/a b.jpg"]
    np.testing.assert_array_equal(image(found["/camera/picture"], np.uint8, (6, 8, 3)), PIXELS)
    np.testing.assert_array_equal(image(found["/camera/depth"], np.float32, (6, 8)), DEPTH)
    assert values(found["/camera/depth"]["meter"]) == [1.0]
    np.testing.assert_allclose(
        values(found["/camera"]["image_from_camera"]).reshape(3, 3).T,
        [[10, 0, 3.5], [0, 12, 2.5], [0, 0, 1]],  # Rerun's pixel 0 has its centre at .5
    )
    assert values(found["/camera"]["resolution"]).tolist() == [8, 6]
    points = values(found["/points"]["positions"]).reshape(-1, 3)
    pixels = np.round(points[:, :2] / points[:, 2:] * CAMERA[:2] + CAMERA[2:]).astype(int)[:, ::-1]
    assert sorted(map(tuple, pixels.tolist())) == [(i, j) for i in range(6) for j in range(8) if (i, j) != (0, 0)]
    np.testing.assert_allclose(points[:, 2], DEPTH[tuple(pixels.T)])
    colours = values(found["/points"]["colors"], np.uint32)
    expected = PIXELS[tuple(pixels.T)].astype(np.uint32) @ np.uint32([1 << 24, 1 << 16, 1 << 8]) + 255
    np.testing.assert_array_equal(colours, expected)
    reader = RrdReader(path)
    assert [entry.application_id for entry in reader.recordings() + reader.blueprints()] == ["jaxdepth"] * 2


def test_points_between_two_surfaces_are_left_out(tmp_path):
    depth = DEPTH.copy()
    depth[:, 5] = 5.0  # a column of flying pixels
    (tmp_path / "a.rrd").write_bytes(b"".join(encode.encode("rrd", depth, PIXELS, CAMERA, edge=20)))
    z = values(recorded(tmp_path / "a.rrd")["/points"]["positions"]).reshape(-1, 3)[:, 2]
    assert 5.0 not in z and 9.0 in z and len(z) == 41


def test_a_large_picture_is_thinned_with_its_camera(tmp_path, monkeypatch):
    monkeypatch.setitem(surface.pixel_grid.__kwdefaults__, "most", 12)
    (tmp_path / "a.rrd").write_bytes(viewer.rrd(DEPTH, PIXELS, CAMERA))
    found = recorded(tmp_path / "a.rrd")
    np.testing.assert_array_equal(image(found["/camera/depth"], np.float32, (3, 4)), DEPTH[::2, ::2])
    np.testing.assert_array_equal(image(found["/camera/picture"], np.uint8, (3, 4, 3)), PIXELS[::2, ::2])
    matrix = values(found["/camera"]["image_from_camera"]).reshape(3, 3).T
    np.testing.assert_allclose(matrix, [[5, 0, 2], [0, 6, 1.5], [0, 0, 1]])


def test_the_viewer_needs_its_extra_and_a_display(monkeypatch):
    monkeypatch.setattr(viewer, "_is_open", lambda: False)
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match="the viewer needs a display: write files with --formats=rrd"):
        viewer.start()
    monkeypatch.setitem(sys.modules, "rerun", None)
    for act in (viewer.start, lambda: viewer.rrd(DEPTH, PIXELS, CAMERA), lambda: encode.check(["npy", "rrd"])):
        with pytest.raises(InputError, match=r"need the extra viewer: pip install 'jaxdepth\[viewer\]'"):
            act()


def test_a_viewer_that_ends_at_once_is_told(monkeypatch):
    monkeypatch.setattr(viewer, "_is_open", lambda: False)
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(InputError, match="the viewer does not open: `python -m rerun` tells why"):
        viewer.start()
