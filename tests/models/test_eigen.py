"""Eigen's network and the parts that it shares, against float64 numpy and the published sizes."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy_eigen import (
    KITTI,
    NYU,
    SMALL,
    coarse_map,
    enlarge,
    fine_map,
    picture,
    pool,
    random_variables,
    shapes,
    standardise,
)

from jaxdepth import models
from jaxdepth.models import autoencoder, eigen, layers
from jaxdepth.models.conv import xla_gradients

IMAGE = jax.ShapeDtypeStruct((1, *NYU, 3), jnp.float32)


def network(**changes):
    arguments = dict(width=1 / 16, dropout=0.5, local_response_normalisation=False, dtype="float32")
    return models.build("eigen", **{**arguments, **changes})


@pytest.mark.parametrize("normalised", [False, True])
def test_both_outputs_equal_the_published_network_in_float64(normalised):
    net = network(local_response_normalisation=normalised)
    variables, image = random_variables(net, NYU), picture(NYU)
    params = variables["params"]
    if normalised:  # it is there to hold back features of this size
        params["coarse"]["conv1"]["kernel"] *= 100
        params["coarse"]["full6"]["kernel"] /= 100
    prediction, outputs = jax.jit(net.apply)(variables, image)

    x = standardise(image)
    coarse = coarse_map(x, params["coarse"], (55, 74), normalised=normalised)
    fine = fine_map(x, params["fine"], coarse)
    for actual, raw in ((outputs["coarse"], coarse), (prediction, fine)):
        expected = 0.4572 * enlarge(raw[..., 0], NYU, first=5, stride=4)
        assert actual.dtype == jnp.float32 and expected.std() > 0.1
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-4)
    np.testing.assert_array_equal(prediction, outputs["fine"])
    if normalised:
        without = coarse_map(x, params["coarse"], (55, 74))
        assert np.abs(without - coarse).mean() > 0.1


def test_the_layers_have_the_published_sizes_and_number_of_parameters():
    net = network(width=1)
    variables = shapes(net, NYU)
    prediction, outputs = jax.eval_shape(net.apply, variables, picture(NYU))
    assert prediction.shape == (2, *NYU)
    assert {name: x.shape[1:] for name, x in outputs.items()} == {
        "coarse/conv1": (27, 37, 96),
        "coarse/conv2": (13, 18, 256),
        "coarse/conv3": (13, 18, 384),
        "coarse/conv4": (13, 18, 384),
        "coarse/conv5": (6, 8, 256),
        "coarse/full6": (4096,),
        "coarse/map": (55, 74, 1),
        "coarse": NYU,
        "fine/conv1": (55, 74, 63),
        "fine/joined": (55, 74, 64),
        "fine/conv3": (55, 74, 64),
        "fine/map": (55, 74, 1),
        "fine": NYU,
    }
    assert 70.85e6 < sum(x.size for x in jax.tree.leaves(variables)) < 70.95e6


def test_the_sizes_on_kitti_are_the_published_ones():
    net = network(width=1)
    _, outputs = jax.eval_shape(net.apply, shapes(net, KITTI), picture(KITTI))
    sizes = {name: x.shape[1:3] for name, x in outputs.items()}
    assert sizes["coarse/conv1"] == (20, 71)
    assert sizes["coarse/conv2"] == (9, 35)
    assert sizes["coarse/conv5"] == (4, 17)
    assert sizes["coarse/map"] == sizes["fine/map"] == (41, 142)
    assert sizes["coarse"] == sizes["fine"] == KITTI


@pytest.mark.parametrize("size", [(4, 304), (8, 304), (304, 8), (40, 40), (62, 96), (96, 62)])
def test_a_picture_that_is_too_small_is_refused(size):
    with pytest.raises(
        ValueError, match=r"config.data.crop_size is too small: no window of \d pixels fits a map of \d+x\d+"
    ):
        shapes(network(), size)


def test_the_smallest_picture_runs():
    net = network()
    assert jax.eval_shape(net.apply, shapes(net, (63, 63)), picture((63, 63)))[0].shape == (2, 63, 63)


@pytest.mark.parametrize("gate", [-1, 2])
def test_other_gates_are_refused(gate):
    with pytest.raises(ValueError, match=rf"gate={gate}: expected 0 \(fine\) or 1 \(coarse\)"):
        jax.eval_shape(functools.partial(network().init, gate=gate), jax.random.key(0), IMAGE)


def eigen_grid(image):
    return eigen.fine_grid(image), 5, 4


def autoencoder_grid(image):
    return autoencoder.encoder_grids(image)[-1], 3.5, 8


@pytest.mark.parametrize("size", [NYU, KITTI])
@pytest.mark.parametrize("make", [eigen_grid, autoencoder_grid])
def test_maps_and_pictures_agree_where_a_map_pixel_is_centred(make, size):
    """A ramp over the picture, given at the map's centres, comes back as the ramp, flat beyond the outermost ones."""
    grid, first, stride = make(jnp.zeros((1, *size, 3)))
    assert grid == (*grid[:2], stride, first)
    centres = [first + stride * np.arange(n) for n in grid[:2]]
    assert all(n - stride <= c[-1] + first < n + stride for n, c in zip(size, centres, strict=True))
    slope = (0.013, -0.007)

    def ramp(rows, columns):
        return slope[0] * np.asarray(rows)[:, None] + slope[1] * np.asarray(columns)[None]

    on_map = ramp(*centres).astype(np.float32)
    flat_beyond = [np.clip(np.arange(n), c[0], c[-1]) for n, c in zip(size, centres, strict=True)]
    enlarged = jax.jit(lambda x: grid.upsample(x, size))(on_map[None])
    np.testing.assert_allclose(enlarged[0], ramp(*flat_beyond), rtol=0, atol=2e-6)
    picture_ramp = ramp(*map(np.arange, size)).astype(np.float32)
    np.testing.assert_allclose(jax.jit(grid.read)(picture_ramp), on_map, rtol=0, atol=2e-6)


def test_a_window_that_does_not_fit_on_a_grid_is_refused():
    grid = layers.Grid(2, 30, 1, 0.0)
    assert grid.window(2, stride=2) == (1, 15, 2, 0.5)
    with pytest.raises(ValueError, match="no window of 3 pixels fits a map of 2x30"):
        grid.window(3, stride=2)


def test_sampling_interpolates_between_pixels_and_continues_the_border():
    x = np.random.default_rng(0).standard_normal((2, 4, 5, 3)).astype(np.float32)
    sampled = jax.jit(layers.sample)(x, np.float32([-3, 1.25, 9]), np.float32([4, 2.5]))
    rows = np.stack([x[:, 0], 0.75 * x[:, 1] + 0.25 * x[:, 2], x[:, 3]], 1)
    expected = np.stack([rows[:, :, 4], 0.5 * rows[:, :, 2] + 0.5 * rows[:, :, 3]], 2)
    np.testing.assert_allclose(sampled, expected, atol=1e-6)


@pytest.mark.parametrize("pixels", [(3, 8), (10, 13)])
@pytest.mark.parametrize("size", [2, 3])
def test_max_pooling_is_the_maximum_of_each_window(size, pixels):
    x = np.random.default_rng(0).standard_normal((2, *pixels, 3)).astype(np.float32)
    np.testing.assert_array_equal(jax.jit(layers.max_pool, static_argnums=1)(x, size), pool(x, size))


@pytest.mark.parametrize("pixels", [(1, 2), (5, 8)])
def test_doubling_is_bilinear_interpolation(pixels):
    x = np.random.default_rng(0).standard_normal((2, *pixels, 3)).astype(np.float32)
    resize = functools.partial(jax.image.resize, shape=(2, 2 * pixels[0], 2 * pixels[1], 3), method="bilinear")
    np.testing.assert_allclose(jax.jit(layers.double)(x), jax.jit(resize)(x), atol=1e-6)


@functools.cache
def outputs_and_gradient(**changes):
    """Both outputs with all layers, and the gradient of a weighted sum of the two by the parameters, as numpy."""
    net = network(width=0.5)  # all layers but those of 31 and 1 channels have the 32 that blocked gradients take
    variables, image = random_variables(net, SMALL), picture(SMALL)
    weight = np.random.default_rng(2).standard_normal((2, 2, *SMALL)).astype(np.float32)

    def total(params):
        _, outputs = net.clone(**changes).apply({"params": params}, image, stop_gradient=False)
        return (weight * jnp.stack([outputs["coarse"], outputs["fine"]])).sum(), outputs

    (_, outputs), gradient = jax.jit(jax.value_and_grad(total, has_aux=True))(variables["params"])
    return jax.tree.map(np.asarray, (outputs, gradient))


def largest_difference(actual, expected):
    """In units of the largest expected value of the same array."""
    differences = jax.tree.map(lambda a, b: np.abs(a.astype(b.dtype) - b).max() / np.abs(b).max(), actual, expected)
    return max(jax.tree.leaves(differences))


def test_blocked_gradients_equal_xlas():
    blocked, gradient = outputs_and_gradient()
    with xla_gradients():
        plain, plain_gradient = outputs_and_gradient.__wrapped__()
    assert largest_difference(blocked, plain) < 1e-4
    assert largest_difference(gradient, plain_gradient) < 1e-4
    same = jax.tree.map(np.array_equal, gradient, plain_gradient)
    assert not same["coarse"]["conv3"]["kernel"]  # computed in another way, it rounds differently


def test_bfloat16_computes_near_float32_with_the_same_float32_parameters():
    half, half_gradient = outputs_and_gradient(dtype=jnp.bfloat16)
    full, gradient = outputs_and_gradient()
    for name, x in half.items():
        is_map = name.split("/")[-1] in ("coarse", "fine", "map")
        assert x.dtype == (jnp.float32 if is_map else jnp.bfloat16), name
    assert 1e-5 < largest_difference(half, full) < 0.05
    distance = jax.tree.map(lambda a, b: np.linalg.norm(a - b) / np.linalg.norm(b), half_gradient, gradient)
    assert max(jax.tree.leaves(distance)) < 0.3
    assert {x.dtype for x in jax.tree.leaves(shapes(network(dtype="bfloat16"), SMALL))} == {jnp.dtype("float32")}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(width=0.0), "config.model.width=0.0: expected a factor above 0"),
        (dict(dropout=1.0), "config.model.dropout=1.0: expected 0 <= dropout < 1"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        shapes(network(**changes), SMALL)
