"""Properties of every camera, augmentation and step, on cases drawn by hypothesis."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxdepth.data.batches import augment, order, tfdata_augment
from jaxdepth.geometry.camera import Intrinsics, back_project, crop_intrinsics, resize_intrinsics

settings.register_profile("jaxdepth", deadline=None, max_examples=40, derandomize=True)
settings.load_profile("jaxdepth")

floats = functools.partial(st.floats, allow_subnormal=False)  # tensorflow makes the processor flush them to zero

sizes = st.tuples(st.integers(1, 900), st.integers(1, 900))
cameras = st.builds(
    Intrinsics,
    fx=floats(20, 2000),
    fy=floats(20, 2000),
    cx=floats(-50, 900),
    cy=floats(-50, 900),
)


@given(cameras, sizes, sizes, sizes)
def test_resizing_twice_is_resizing_once(camera, first, second, third):
    twice = resize_intrinsics(camera, from_size=first, to_size=second)
    twice = resize_intrinsics(twice, from_size=second, to_size=third)
    once = resize_intrinsics(camera, from_size=first, to_size=third)
    np.testing.assert_allclose(twice, once, rtol=1e-9, atol=1e-6)


@given(cameras, sizes, sizes, floats(-100, 900), floats(-100, 900))
def test_a_point_keeps_its_ray_when_the_image_is_resized(camera, before, after, x, y):
    resized = resize_intrinsics(camera, from_size=before, to_size=after)
    new_x = (x + 0.5) * after[1] / before[1] - 0.5
    new_y = (y + 0.5) * after[0] / before[0] - 0.5
    ray = (x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy
    new_ray = (new_x - resized.cx) / resized.fx, (new_y - resized.cy) / resized.fy
    np.testing.assert_allclose(new_ray, ray, rtol=1e-7, atol=1e-7)


@given(cameras, sizes, sizes, floats(-50, 50), floats(-50, 50))
def test_cropping_and_resizing_commute(camera, before, after, top, left):
    scale_y, scale_x = after[0] / before[0], after[1] / before[1]
    cropped = crop_intrinsics(camera, top=top, left=left)
    resized = resize_intrinsics(camera, from_size=before, to_size=after)
    np.testing.assert_allclose(
        resize_intrinsics(cropped, from_size=before, to_size=after),
        crop_intrinsics(resized, top=top * scale_y, left=left * scale_x),
        rtol=1e-9,
        atol=1e-6,
    )


@given(cameras, st.integers(0, 2**32 - 1))
def test_points_project_to_their_pixels(camera, seed):
    depth = np.random.default_rng(seed).uniform(0.3, 20, (6, 8)).astype(np.float32)
    points = np.asarray(back_project(depth, camera), np.float64)
    x = points[..., 0] / points[..., 2] * camera.fx + camera.cx
    y = points[..., 1] / points[..., 2] * camera.fy + camera.cy
    rows, columns = np.mgrid[:6, :8]
    np.testing.assert_allclose(x, columns, atol=2e-3)
    np.testing.assert_allclose(y, rows, atol=2e-3)
    np.testing.assert_array_equal(points[..., 2], depth)


FRAME, CROP = (13, 18), (9, 14)
views = st.fixed_dictionaries(
    {
        "scale": floats(0.3, 3.0),
        "angle": floats(-math.pi, math.pi),
        "offset": st.tuples(floats(-30, 30), floats(-30, 30)),
        "mirror": st.booleans(),
    }
)


@functools.partial(jax.jit, static_argnames="crop_size")
def compiled_transform(image, depth, scale, angle, offset, mirror, crop_size=CROP):
    view = dict(scale=scale, angle=angle, offset=offset, mirror=mirror)
    return augment.transform(image, depth, crop_size=crop_size, **view)


def by_jax(image, depth, view):
    view = view | {"offset": jnp.array(view["offset"])}
    return tuple(map(np.asarray, compiled_transform(image, depth, **view)))


def by_tensorflow(image, depth, view):
    view = view | {name: np.float32(view[name]) for name in ("scale", "angle", "offset")}
    return tuple(part.numpy() for part in tfdata_augment.transform(image, depth, crop_size=CROP, **view))


def frame(seed):
    rng = np.random.default_rng(seed)
    depth = rng.uniform(0.5, 10, FRAME).astype(np.float32)
    depth[rng.uniform(size=FRAME) < 0.2] = 0
    return rng.integers(40, 200, (*FRAME, 3), np.uint8), depth


@pytest.mark.parametrize("transform", [by_jax, by_tensorflow])
@given(view=views, seed=st.integers(0, 1000))
def test_no_depth_and_no_colour_is_invented(transform, view, seed):
    image, depth = frame(seed)
    picture, seen = transform(image, depth, view)
    assert picture.shape == (*CROP, 3) and seen.shape == CROP
    assert 40 / 255 - 1e-5 <= picture.min() and picture.max() <= 199 / 255 + 1e-5
    allowed = np.sort(np.append(depth.ravel() / np.float32(view["scale"]), 0))
    nearest = allowed[np.clip(np.searchsorted(allowed, seen.ravel()), 1, len(allowed) - 1) - np.array([[0], [1]])]
    assert (np.abs(nearest - seen.ravel()).min(0) <= 1e-5 * seen.ravel()).all()


@pytest.mark.parametrize("transform", [by_jax, by_tensorflow])
@given(view=views)
def test_a_pixel_and_its_depth_come_from_the_same_point(transform, view):
    """Colours that encode the depth do so in the crop too, and every pixel inside the frame has depth."""
    rows, columns = np.mgrid[: FRAME[0], : FRAME[1]].astype(np.float32)
    depth = 1 + 0.1 * rows + 0.2 * columns
    image = np.stack([8 * rows, 8 * columns, 0 * rows], -1).astype(np.uint8)
    picture, seen = transform(image, depth, view)
    told = 1 + 0.1 * picture[..., 0] * 255 / 8 + 0.2 * picture[..., 1] * 255 / 8
    inside = seen > 0
    np.testing.assert_allclose(told[inside], seen[inside] * view["scale"], atol=0.16)  # half a pixel in each direction
    reach = math.hypot(*CROP) / view["scale"] + 2 * math.hypot(*view["offset"])  # across the crop, at most
    if reach < min(FRAME) - 2:
        assert inside.all() and np.ptp(seen) > 0


@pytest.mark.parametrize("transform", [by_jax, by_tensorflow])
@given(seed=st.integers(0, 1000))
def test_the_identity_is_the_centre_crop(transform, seed):
    image, depth = frame(seed)
    picture, seen = transform(image, depth, {"scale": 1.0, "angle": 0.0, "offset": (0.0, 0.0), "mirror": False})
    np.testing.assert_allclose(picture, image[2:11, 2:16] / 255, atol=1e-5)
    np.testing.assert_array_equal(seen, depth[2:11, 2:16])


@pytest.mark.parametrize("transform", [by_jax, by_tensorflow])
@given(view=views, seed=st.integers(0, 1000))
def test_mirroring_is_mirroring_the_frame(transform, view, seed):
    image, depth = frame(seed)
    # The nearest pixel of a point midway between two pixels is ambiguous: avoid such points.
    view = view | {"scale": 1.0137 * view["scale"], "offset": tuple(x + 0.0731 for x in view["offset"])}
    there = transform(image, depth, view | {"mirror": True})
    of_mirrored = transform(image[:, ::-1], depth[:, ::-1], view | {"mirror": False})
    np.testing.assert_allclose(there[0], of_mirrored[0], atol=2e-3)
    assert (np.abs(there[1] - of_mirrored[1]) > 1e-4).mean() <= 0.02


@given(step=st.integers(0, 2**31 - 1), count=st.integers(2, 4000), batch_size=st.integers(1, 64))
def test_epoch_and_rank_are_exact(step, count, batch_size):
    epoch, rank = order.locate(step, count=count, batch_size=batch_size)
    expected = [divmod(step * batch_size + i, count) for i in range(batch_size)]
    assert [(int(e), int(r)) for e, r in zip(epoch, rank, strict=True)] == [(e % 2**32, r) for e, r in expected]
