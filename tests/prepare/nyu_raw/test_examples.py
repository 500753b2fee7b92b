"""Training frames of a raw scene: which are chosen, what they hold, and what is counted as left out."""

import collections
import zipfile

import numpy as np
import pytest

from jaxdepth.geometry.camera import nyu_intrinsics
from jaxdepth.prepare.nyu_raw import calibration, examples, projection, recordings

CODES = np.full((480, 640), 1000, np.uint16)  # 351.3 / 92.5 = 3.798 m
CODES[:, :100] = calibration.NO_DEPTH


def ppm(level):
    return b"P6 640 480 255\n" + np.full((480, 640, 3), level, np.uint8).tobytes()


PGM = b"P5 640 480 65535\n" + CODES.astype("<u2").tobytes()


def walk(levels, *, size=(6, 8)):
    return np.stack([np.full(size, level, float) for level in levels])


def test_pictures_are_evenly_far_from_each_other():
    moving = walk([0, 10, 20, 30, 40, 50, 60, 70])
    assert examples.chosen(moving, 8)[:1] == [0] and examples.chosen(moving, 4) == [0, 2, 4, 6]  # distance 17.5
    slow_then_fast = walk([0, 2, 4, 6, 8, 50, 92, 134])
    assert examples.chosen(slow_then_fast, 3) == [0, 5, 6]  # at 0, 44.7 and 89.3 of 134
    assert examples.chosen(walk([5] * 9), 4) == [0]  # nothing moves
    noise = walk([100] * 50) + np.random.default_rng(0).normal(0, 0.3, (50, 6, 8))
    assert examples.chosen(noise, 10) == [0]
    assert examples.chosen(np.empty((0, 6, 8)), 3) == []
    assert examples.chosen(moving, 0) == []


@pytest.fixture
def recording(tmp_path):
    """Colour at 0, 1, ... 5 tenths of a second, of which one is empty and one has no depth; depth 10 ms later."""
    with zipfile.ZipFile(tmp_path / "part.zip", "w") as archive:
        for i, level in enumerate((10, 60, 110, 160, 210, 250)):
            archive.writestr(f"den_0001/r-{i / 10:.6f}-{i}.ppm", b"" if i == 3 else ppm(level))
            if i != 4:
                archive.writestr(f"den_0001/d-{i / 10 + 0.01:.6f}-{i}.pgm", PGM[:99999] if i == 5 else PGM)
    (found,) = recordings.find(tmp_path).recordings
    return found


def test_frames_hold_both_pictures_as_the_colour_camera_sees_them(recording):
    left_out = collections.Counter()
    made = list(examples.examples(recording, count=10, left_out=left_out))
    assert [example.seconds for example in made] == [0.0, 0.1, 0.2]
    assert left_out == {
        "no depth picture near in time": 1,
        "colour: an empty file": 1,
        "depth: cut off": 1,
        "too like its neighbours": 0,
    }
    for example, level in zip(made, (10, 60, 110), strict=True):
        assert example.scene == "den_0001" and example.gap == pytest.approx(0.01)
        assert example.picture.shape == (240, 320, 3) and (example.picture == level).all()
        assert example.intrinsics == nyu_intrinsics((240, 320))
        depth = projection.projected_depth(CODES)
        np.testing.assert_array_equal(example.depth, depth[1::2, 1::2])
        middle = example.depth[100:140, 150:200]
        assert (np.abs(middle[middle > 0] - 351.3 / 92.5) < 0.05).all() and (middle > 0).mean() > 0.9
    assert [example.name for example in made][0] == "r-0.000000-0"


def test_fewer_are_taken_where_fewer_are_asked_for(recording):
    left_out = collections.Counter()
    made = list(examples.examples(recording, count=3, size=(120, 160), left_out=left_out))
    assert [example.seconds for example in made] == [0.0, 0.2]  # and the one whose depth is cut off
    assert left_out["too like its neighbours"] == 1 and left_out["depth: cut off"] == 1
    assert made[1].picture.shape == (120, 160, 3) and made[1].depth.shape == (120, 160)
