"""Crops, borders, and the placement of pictures in frames."""

import jax
import numpy as np
import pytest

from jaxdepth.errors import InputError
from jaxdepth.geometry import framing
from jaxdepth.geometry.camera import Intrinsics, completed, crop_intrinsics, nyu_intrinsics, rays
from jaxdepth.geometry.framing import Framing, Placement

SMALL = Framing(frame_size=(40, 56), crop_size=(32, 48), camera=nyu_intrinsics((40, 56)))


def test_the_centre_crop_of_the_paper():
    image = np.arange(240 * 320 * 3).reshape(240, 320, 3)
    assert framing.centre_corner((240, 320), crop_size=(228, 304)) == (6, 8)
    got, depth = framing.centre_crop(image, image[..., 0], crop_size=(228, 304))
    np.testing.assert_array_equal(got, image[6:234, 8:312])
    np.testing.assert_array_equal(depth, image[6:234, 8:312, 0])
    batch, _ = framing.centre_crop(np.stack([image, image]), np.zeros((2, 240, 320)), crop_size=(228, 304))
    np.testing.assert_array_equal(batch[1], got)


def test_an_odd_remainder_lies_below_and_to_the_right():
    assert framing.centre_corner((5, 6), crop_size=(2, 3)) == (1, 1)


@pytest.mark.parametrize("crop_size", [(25, 32), (24, 33), (0, 5), (5, -1)])
def test_a_crop_that_does_not_fit_is_refused(crop_size):
    with pytest.raises(InputError, match=r"crop_size=\(.*\): expected \(height, width\) within the frame's \(24, 32\)"):
        framing.centre_corner((24, 32), crop_size=crop_size)


def test_the_crops_border_is_replicated_to_the_frame():
    depth = np.random.default_rng(0).uniform(1, 9, (2, 3, 4)).astype(np.float32)
    extended = np.asarray(framing.extend_to_frame(depth, frame_size=(8, 7), crop_size=(3, 4)))
    assert extended.shape == (2, 8, 7)
    for i in range(8):
        for j in range(7):  # the crop starts at row 2 and column 1
            expected = depth[:, np.clip(i - 2, 0, 2), np.clip(j - 1, 0, 3)]
            np.testing.assert_array_equal(extended[:, i, j], expected)


def test_nyu_size_is_a_resize_of_depth_and_not_of_its_log():
    depth = np.full((1, 228, 304), 2, np.float32)
    depth[:, :, 152:] = 8  # an edge at the frame's column 160
    full = np.exp(framing.to_nyu_size(np.log(depth), frame_size=(240, 320), crop_size=(228, 304)))
    assert full.shape == (1, 480, 640)
    columns = (np.arange(640) + 0.5) / 2 - 0.5  # in the frame
    np.testing.assert_allclose(full[0, 100], np.clip(2 + 6 * (columns - 159), 2, 8), rtol=1e-5)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((40, 56), Placement(1.0, 0, 0, 40, 56)),
        ((160, 112), Placement(0.25, 0, 14, 40, 28)),  # a portrait
        ((20, 56), Placement(1.0, 10, 0, 20, 56)),
        ((10, 10), Placement(4.0, 0, 8, 40, 40)),
        ((1, 5600), Placement(0.01, 19, 0, 1, 56)),  # at least one row
    ],
)
def test_a_picture_is_scaled_to_fit_and_centred(size, expected):
    assert framing.place(size, frame_size=(40, 56)) == expected


def test_the_network_sees_the_frames_centre_crop_with_replicated_borders():
    picture = np.random.default_rng(0).integers(0, 256, (160, 112, 3), np.uint8)
    areas = picture.reshape(40, 4, 28, 4, 3).mean((1, 3))  # a quarter of the size, columns 14 to 41 of the frame
    frame = areas[:, np.clip(np.arange(56) - 14, 0, 27)]
    seen = framing.network_input(picture, SMALL)
    assert seen.shape == (1, 32, 48, 3) and seen.dtype == np.float32
    np.testing.assert_allclose(seen[0] * 255, frame[4:36, 4:52], atol=1.01)  # Pillow rounds after each axis


def test_predicted_depth_lies_where_the_picture_was():
    """A portrait gets the part of the frame that it covered, corners included, with the crop's border replicated."""
    ramp = np.broadcast_to(np.arange(1, 41, dtype=np.float32)[:, None] / 8, (40, 56))
    crop, size = ramp[4:36, 4:52], (160, 112)
    camera, _ = framing.find_camera(size, SMALL)
    assert framing.focal_ratio(size, camera, SMALL) == pytest.approx(1)
    longer = camera._replace(fx=1.5 * camera.fx, fy=1.5 * camera.fy)
    depth, farther = framing.picture_depths(np.log(np.stack([crop] * 3)), [size] * 2, [camera, longer], SMALL)
    rows = np.clip((np.arange(160) + 0.5) / 4 - 0.5, 4, 35)
    expected = np.broadcast_to(((rows + 1) / 8)[:, None], size)
    np.testing.assert_allclose(depth, expected, rtol=1e-3)
    np.testing.assert_allclose(farther, 1.5 * expected, rtol=1e-3)


def test_depth_is_clipped_to_the_range_of_evaluation():
    log_depth = np.log(np.stack([np.full((32, 48), value, np.float32) for value in (1e-5, 99)]))
    camera, _ = framing.find_camera((40, 56), SMALL)
    near, far = framing.picture_depths(log_depth, [(40, 56)] * 2, [camera] * 2, SMALL)
    assert (near == np.float32(1e-3)).all() and (far == 10).all()


def test_the_camera_is_given_or_from_exif_or_the_trainings():
    frame = Framing((240, 320), (228, 304), Intrinsics(259, 260, 162.0, 126.0))
    camera, origin = framing.find_camera((480, 640), frame)
    assert origin == "training"
    np.testing.assert_allclose(camera, (518, 520, 324.5, 252.5))  # the middle is 159.5 in the frame, and 319.5 here
    assert framing.focal_ratio((480, 640), camera, frame) == pytest.approx(1)
    camera, origin = framing.find_camera((240, 360), frame, focal_35mm=50.0)
    assert origin == "exif"
    np.testing.assert_allclose(camera, (500, 500, 179.5, 119.5))  # 360x240 pixels for 36x24 mm
    camera, origin = framing.find_camera((240, 360), frame, given=(200, 210, 3, 4), focal_35mm=50.0)
    assert (camera, origin) == (Intrinsics(200.0, 210.0, 3.0, 4.0), "given")


@pytest.mark.parametrize(("focal", "guess"), [(18.0, "millimetres?"), (40_000.0, "pixels of a larger picture?")])
def test_a_field_of_view_that_no_camera_has_is_refused(focal, guess):
    told = "degrees at 640x480 pixels: expected focal lengths in pixels of the picture .{}.$"
    with pytest.raises(InputError, match=f"^intrinsics: fx={focal:g}, .*" + told.format(guess[:-1] + ".")):
        framing.find_camera((480, 640), SMALL, given=(focal, focal, 319.5, 239.5))
    with pytest.raises(InputError, match="^config.data.folder.intrinsics: fx="):
        completed((focal,), (480, 640), "config.data.folder.intrinsics")


@pytest.mark.parametrize("focal_35mm", [4.0, 3000.0])  # a phone's own focal length, and a slip
def test_exif_that_no_camera_has_is_ignored(focal_35mm):
    camera, origin = framing.find_camera((480, 640), SMALL, focal_35mm=focal_35mm)
    assert (camera, origin) == (framing.find_camera((480, 640), SMALL)[0], "training, not exif")


@pytest.mark.parametrize("given", [(0, 1, 1, 1), (1, -1, 1, 1), (1, 1, 1), (1, 1, np.nan, 1)])
def test_other_cameras_are_refused(given):
    with pytest.raises(InputError, match=r"intrinsics=.*: expected \(f,\), \(fx, fy\) or \(fx, fy, cx, cy\)"):
        framing.find_camera((40, 56), SMALL, given=given)


@pytest.mark.parametrize("size", [(40, 100), (90, 60), (20, 30)])
def test_frame_intrinsics_keep_the_rays(size):
    """A ray is linear in the pixel, so the mean ray of the pixels under a frame pixel is its ray."""
    camera = Intrinsics(50.0, 52.0, 48.0, 21.0)
    got = framing.frame_intrinsics(camera, size=size, frame_size=(20, 30))
    pitch = min(size[0] // 20, size[1] // 30)
    top, left = (size[0] - 20 * pitch) // 2, (size[1] - 30 * pitch) // 2
    part = np.asarray(rays(crop_intrinsics(camera, top=top, left=left), (20 * pitch, 30 * pitch)), np.float64)
    expected = part.reshape(20, pitch, 30, pitch, 3).mean((1, 3))
    np.testing.assert_allclose(rays(got, (20, 30)), expected, atol=1e-6)


def test_borders_and_resize_are_differentiable():
    def loss(log_depth):
        return framing.to_nyu_size(log_depth, frame_size=(40, 56), crop_size=(32, 48)).sum()

    gradient = jax.grad(loss)(np.zeros((1, 32, 48), np.float32))
    assert np.isfinite(gradient).all() and (np.asarray(gradient) > 0).all()
