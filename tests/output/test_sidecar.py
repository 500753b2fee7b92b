"""The JSON sidecar: every key, against values written out by hand."""

import json
import pathlib

import numpy as np
import pytest

from jaxdepth.geometry.camera import Intrinsics
from jaxdepth.geometry.framing import Framing, Placement
from jaxdepth.output import sidecar

ARGUMENTS = dict(
    picture=pathlib.Path("photos/a.jpg"),
    depth=np.float32([[0.5, 1.5, 2.0], [3.0, 4.0, 9.0]]),
    clipped_to=(0.001, 10.0),
    network="pyramid",
    step=1234,
    trained_on="official training frames of NYU Depth V2",
    intrinsics=Intrinsics(fx=50.0, fy=51.0, cx=1.0, cy=0.5),
    intrinsics_from="training",
    training_camera="NYU's camera",
    placement=Placement(scale=80.0, top=40, left=0, height=160, width=240),
    framing=Framing((240, 320), (228, 304), Intrinsics(259.4, 259.7, 162.0, 126.1)),
    focal_ratio=1.25,
    workdir=None,
    files=["a.npy", "a.png"],
)


def test_every_key_in_order():
    described = sidecar.describe(**ARGUMENTS)
    expected = {
        "picture": "photos/a.jpg",
        "height": 2,
        "width": 3,
        "unit": "metres along z (png: millimetres)",
        "range": [0.5, 9.0],
        "clipped_to": [0.001, 10.0],
        "share_clipped": [0.0, 0.0],
        "network": "pyramid",
        "step": 1234,
        "trained_on": "official training frames of NYU Depth V2",
        "intrinsics": {"fx": 50.0, "fy": 51.0, "cx": 1.0, "cy": 0.5},
        "intrinsics_from": "assumed: NYU's camera",
        "pixel_centres": "at whole numbers, from 0",
        "network_input": "resized to 160x240, border continued to 240x320, its centre 228x304 (rows x columns)",
        "depth_factor": 1.25,
        "workdir": None,
        "files": ["a.npy", "a.png"],
        "files_of_earlier_runs": [],
    }
    assert json.loads(json.dumps(described)) == expected
    assert list(described) == list(expected)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("given", "given"),
        ("exif", "EXIF: focal length on 35 mm film, principal point in the middle"),
        ("training, not exif", "assumed: NYU's camera; EXIF's focal length is no camera's"),
    ],
)
def test_known_cameras_are_not_assumed(source, text):
    described = sidecar.describe(**ARGUMENTS | {"intrinsics_from": source, "workdir": pathlib.Path("runs/a")})
    assert described["intrinsics_from"] == text and described["workdir"] == "runs/a"


def test_the_share_of_clipped_depth_is_told_for_each_end():
    depth = np.clip(np.float32([[1e-5, 10.0, 20.0], [1.0, 2.0, 10.0]]), np.float32(1e-3), np.float32(10))
    assert sidecar.describe(**ARGUMENTS | {"depth": depth})["share_clipped"] == [round(1 / 6, 4), 0.5]


def test_a_sidecar_of_an_earlier_version_tells_its_files(tmp_path):
    described = sidecar.describe(**ARGUMENTS)
    for name in ("share_clipped", "files_of_earlier_runs"):
        described.pop(name)
    (tmp_path / "a.json").write_text(json.dumps(described))
    for name in ("a.npy", "a.ply"):
        (tmp_path / name).touch()
    files = [tmp_path / f"a.{kind}" for kind in ("npy", "png", "ply")]  # a.png is listed and gone
    assert sidecar.foreign(tmp_path / "a.json", files) == [tmp_path / "a.ply"]
    assert sidecar.ours(tmp_path / "a.json", files) == [tmp_path / "a.npy"]


@pytest.mark.parametrize("content", ["", "{", "[]", "3", '{"files": ["a.npy"]}', "[" * 100_000, b"\xff"])
def test_other_json_is_no_sidecar(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    (tmp_path / "a.npy").touch()
    assert sidecar.foreign(tmp_path / "a.json", [tmp_path / "a.npy"]) == [tmp_path / "a.json", tmp_path / "a.npy"]
