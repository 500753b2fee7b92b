"""Rooms as a folder of pictures and depths, by a camera with a longer focal length."""

import numpy as np
import pytest
from PIL import Image

from jaxdepth import rooms
from jaxdepth.data.sources.folder import open_folder
from jaxdepth.errors import InputError
from jaxdepth.geometry.camera import nyu_intrinsics, rays
from jaxdepth.prepare import rooms_folder

SIZE = (20, 30)
LARGE = (30, 45)


@pytest.fixture(autouse=True)
def numbered_pixels(monkeypatch):
    """Of room n, the depth in row i and column j is 1000 + 100 n + 50 i + j millimetres."""

    def frames(seed, start, count, *, size):
        room, row, column = np.ogrid[start : start + count, : size[0], : size[1]]
        depth = np.float32((1000 + 100 * room + 50 * row + column) / 1000)
        return {"image": np.full((count, *size, 3), 80, np.uint8), "depth": depth}

    monkeypatch.setattr(rooms, "frames", frames)


def test_a_folder_is_the_middle_of_larger_frames_and_can_be_opened(tmp_path):
    camera = rooms_folder.write(tmp_path / "a", count=10, zoom=1.5, size=SIZE)
    with Image.open(tmp_path / "a/depths/0009.png") as file:
        depth = np.asarray(file)
    expected = 1900 + 50 * np.arange(5, 25)[:, None] + np.arange(7, 37)
    np.testing.assert_array_equal(depth, expected)
    np.testing.assert_allclose(
        rays(camera, SIZE), rays(nyu_intrinsics(LARGE), LARGE)[5:25, 7:37], atol=1e-6
    )  # so each pixel's depth is that of its own ray
    assert camera.fx == pytest.approx(1.5 * nyu_intrinsics(SIZE).fx)
    frames = open_folder(tmp_path / "a", frame_size=SIZE, intrinsics=camera, cache_dir=tmp_path / "cache")
    assert len(frames) == 10 and frames.intrinsics == pytest.approx(camera)
    np.testing.assert_allclose(frames.depths[9], expected / 1000)


def test_what_is_there_is_kept_and_numbers_out_of_range_are_refused(tmp_path):
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(FileExistsError, match="expected a new or empty folder"):
        rooms_folder.write(tmp_path, count=1, zoom=1.5)
    for options, told in ((dict(count=0, zoom=1.5), "count=0: expected 1"), (dict(count=1, zoom=0.9), "zoom=0.9: exp")):
        with pytest.raises(InputError, match=told):
            rooms_folder.write(tmp_path / "new", **options)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]
