"""models.conv: the blocked gradients against XLA's, float64 numpy, and across devices."""

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxdepth.models import layers, winograd
from jaxdepth.models.conv import Conv, conv, xla_gradients

SAME3 = ((1, 1), (1, 1))


def random_case(*shapes, dtype=jnp.float32):
    generator = np.random.default_rng(0)
    return [jnp.asarray(generator.standard_normal(shape, np.float32).astype(dtype)) for shape in shapes]


@functools.partial(jax.jit, static_argnames=("strides", "padding"))
def both_forms(x, kernel, *, strides, padding):
    """The output, and the gradients of a weighted sum of it by x and by the kernel: blocked, and XLA's."""

    def run(function):
        y, pull = jax.vjp(functools.partial(function, strides=strides, padding=padding), x, kernel)
        return y, *pull(jnp.arange(y.size, dtype=y.dtype).reshape(y.shape) % 7 - 3)

    return run(conv), run(xla_conv)


def xla_conv(x, kernel, *, strides=(1, 1), padding=SAME3):
    return jax.lax.conv_general_dilated(x, kernel, strides, padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def assert_close(actual, expected, *, tolerance=1e-5):
    for a, b in zip(actual, expected, strict=True):
        assert a.shape == b.shape
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        assert np.abs(a - b).max() <= tolerance * np.abs(b).max()


def numpy_gradients(x, kernel, g, *, stride, pad):
    """Gradients of sum(conv(x, kernel) * g) by x and the kernel, in float64, one kernel element at a time."""
    x, kernel, g = (np.asarray(a, np.float64) for a in (x, kernel, g))
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    x_gradient, kernel_gradient = np.zeros_like(padded), np.zeros_like(kernel)
    for i, j in np.ndindex(*kernel.shape[:2]):
        window = np.s_[:, i : i + stride * g.shape[1] : stride, j : j + stride * g.shape[2] : stride]
        kernel_gradient[i, j] = np.einsum("byxc,byxd->cd", padded[window], g)
        x_gradient[window] += g @ kernel[i, j].T
    return x_gradient[:, pad : pad + x.shape[1], pad : pad + x.shape[2]], kernel_gradient


@pytest.mark.parametrize(
    ("x_shape", "kernel_shape", "strides", "padding"),
    [
        ((2, 37, 41, 3), (3, 3, 3, 32), (1, 1), SAME3),  # shifts of x only, several blocks, a padded last one
        ((2, 37, 41, 64), (3, 3, 64, 33), (1, 1), SAME3),  # shifts of x and g
        ((2, 8, 10, 5), (5, 5, 5, 32), (1, 1), ((2, 2), (2, 2))),
        ((1, 57, 40, 64), (5, 5, 64, 32), (1, 1), ((2, 2), (2, 2))),
        ((2, 31, 33, 6), (1, 1, 6, 40), (1, 1), ((0, 0), (0, 0))),
        ((2, 31, 33, 64), (1, 1, 64, 40), (1, 1), ((1, 0), (0, 2))),
        ((1, 1, 1, 64), (3, 3, 64, 32), (1, 1), SAME3),  # smaller than the kernel
        ((2, 2, 3, 64), (3, 3, 64, 32), (1, 1), SAME3),
        ((2, 7, 2, 5), (3, 5, 5, 32), (1, 1), ((0, 2), (3, 1))),
        ((2, 7, 5, 5), (3, 3, 5, 2), (1, 1), SAME3),  # few features: XLA's gradient
        ((2, 22, 33, 3), (3, 5, 3, 32), (1, 1), ((0, 2), (3, 1))),
        ((2, 22, 33, 64), (3, 3, 64, 32), (1, 1), ((3, 3), (0, 4))),  # more padding than the kernel reaches
        ((2, 21, 33, 16), (4, 4, 16, 32), (2, 2), SAME3),
        ((2, 22, 34, 5), (2, 2, 5, 32), (2, 2), ((0, 0), (0, 0))),
        ((2, 22, 33, 3), (3, 3, 3, 32), (2, 2), SAME3),
        ((1, 58, 76, 3), (11, 11, 3, 32), (4, 4), ((2, 2), (2, 2))),
        ((2, 22, 33, 8), (4, 3, 8, 32), (2, 1), ((1, 2), (0, 1))),
    ],
)
def test_blocked_equals_xla(x_shape, kernel_shape, strides, padding):
    x, kernel = random_case(x_shape, kernel_shape)
    blocked, xla = both_forms(x, kernel, strides=strides, padding=padding)
    assert_close(blocked, xla)


@functools.partial(jax.jit, static_argnames=("stride", "pad"))
def blocked_gradients(x, kernel, g, *, stride, pad):
    form = functools.partial(conv, strides=(stride, stride), padding=((pad, pad),) * 2)
    return jax.vjp(form, x, kernel)[1](g)


@pytest.mark.parametrize(("channels", "size", "stride"), [(4, 3, 1), (64, 3, 1), (4, 4, 2), (16, 4, 2)])
def test_gradients_match_float64(channels, size, stride):
    x, kernel = random_case((3, 24, 26, channels), (size, size, channels, 32))
    pad = (size - stride) // 2
    (g,) = random_case((3, 24 // stride, 26 // stride, 32))
    actual = blocked_gradients(x, kernel, g, stride=stride, pad=pad)
    assert_close(actual, numpy_gradients(x, kernel, g, stride=stride, pad=pad))


def test_kernel_gradient_is_blocked():
    x, kernel = random_case((2, 40, 40, 8), (3, 3, 8, 32))

    def loops(features):
        gradient = jax.jit(jax.grad(lambda kernel: conv(x, kernel).sum()))
        return gradient.lower(kernel[..., :features]).as_text().count("stablehlo.while")

    assert loops(32) == 1
    assert loops(8) == 0  # too few features to gain
    with xla_gradients():
        assert loops(32) == 0


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_other_platforms_get_the_gradients_of_xla(platform):
    x, kernel = random_case((2, 40, 40, 8), (4, 4, 8, 32))

    def program(function):
        loss = lambda x, kernel: function(x, kernel, strides=(2, 2), padding=SAME3).sum()  # noqa: E731
        traced = jax.jit(jax.grad(loss, (0, 1))).trace(x, kernel)
        return traced.lower(lowering_platforms=(platform,)).as_text()

    assert program(conv).count("stablehlo.convolution") == program(xla_conv).count("stablehlo.convolution")
    assert "stablehlo.while" not in program(conv)


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
@pytest.mark.parametrize(("channels", "features", "size"), [(64, 1, 5), (256, 256, 3)])
def test_other_platforms_get_the_forward_pass_of_xla(platform, channels, features, size):
    x, kernel = random_case((1, 32, 32, channels), (size, size, channels, features))

    def program(platform):
        traced = jax.jit(functools.partial(conv, padding=((size // 2,) * 2,) * 2)).trace(x, kernel)
        return traced.lower(lowering_platforms=(platform,)).as_text()

    assert program("cpu").count("stablehlo.dot_general") > 0  # the other form
    assert program(platform).count("stablehlo.convolution") == 1
    assert program(platform).count("stablehlo.dot_general") == 0


@pytest.mark.parametrize("channels", [8, 64])
def test_bfloat16_sums_in_float32(channels):
    x, kernel = random_case((2, 48, 40, channels), (3, 3, channels, 32), dtype=jnp.bfloat16)
    (g,) = random_case((2, 48, 40, 32), dtype=jnp.bfloat16)
    actual = blocked_gradients(x, kernel, g, stride=1, pad=1)[1]
    assert actual.dtype == jnp.bfloat16
    _, expected = numpy_gradients(x, kernel, g, stride=1, pad=1)
    # One rounding to bfloat16 (2^-9 relative); a bfloat16 sum of 3840 terms would lose more.
    np.testing.assert_allclose(np.asarray(actual, np.float64), expected, rtol=2**-8, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize(("channels", "size", "stride"), [(8, 3, 1), (64, 3, 1), (8, 4, 2)])
def test_sharded_batch_equals_one_device(channels, size, stride):
    devices = jax.devices()[:4]
    sharding = NamedSharding(Mesh(np.array(devices), ("batch",)), PartitionSpec("batch"))
    x, kernel = random_case((2 * len(devices), 38, 30, channels), (size, size, channels, 32))
    pad = (size - stride) // 2

    def gradients(x, kernel):
        def loss(x, kernel):
            y = conv(x, kernel, strides=(stride, stride), padding=((pad, pad),) * 2)
            return jnp.square(y).mean()

        return jax.grad(loss, (0, 1))(x, kernel)

    expected = jax.jit(gradients)(x, kernel)
    spread = jax.device_put(x, sharding)
    replicated = jax.device_put(kernel, NamedSharding(sharding.mesh, PartitionSpec()))
    step = jax.jit(gradients, out_shardings=(sharding, replicated.sharding)).lower(spread, replicated).compile()
    assert_close(step(spread, replicated), expected)
    assert "all-gather" not in step.as_text() and "all-to-all" not in step.as_text()


def test_checkpoint_and_eager():
    x, kernel = random_case((2, 9, 11, 6), (3, 3, 6, 32))
    loss = lambda x, k: jnp.sum(jnp.sin(conv(x, k)))  # noqa: E731
    expected = jax.grad(lambda x, k: jnp.sum(jnp.sin(xla_conv(x, k))), (0, 1))(x, kernel)
    assert_close(jax.grad(loss, (0, 1))(x, kernel), expected)
    assert_close(jax.jit(jax.grad(jax.checkpoint(loss), (0, 1)))(x, kernel), expected)


def test_module_parameters_and_types():
    module = Conv(32, use_bias=True, dtype=jnp.bfloat16)
    x = jnp.ones((1, 6, 8, 3))
    params = jax.jit(module.init)(jax.random.key(0), x)["params"]
    assert {name: (p.shape, p.dtype) for name, p in params.items()} == {
        "kernel": ((3, 3, 3, 32), jnp.float32),
        "bias": ((32,), jnp.float32),
    }
    assert module.apply({"params": params}, x).dtype == jnp.bfloat16
    gradients = jax.jit(jax.grad(lambda p: module.apply({"params": p}, x).astype(jnp.float32).sum()))(params)
    assert {g.dtype for g in jax.tree.leaves(gradients)} == {jnp.dtype("float32")}
    np.testing.assert_allclose(gradients["bias"], np.full(32, 48.0))
    assert list(jax.eval_shape(Conv(2).init, jax.random.key(0), x)["params"]) == ["kernel"]


def test_module_initial_variance():
    params = jax.jit(Conv(256).init)(jax.random.key(0), jnp.zeros((1, 4, 4, 64)))["params"]
    np.testing.assert_allclose(params["kernel"].std(), np.sqrt(2 / (9 * 64)), rtol=0.02)


@pytest.mark.parametrize(("kernel_size", "stride"), [(1, 1), (3, 1), (5, 1), (2, 2), (4, 2)])
def test_module_is_centre_aligned(kernel_size, stride):
    """A symmetric kernel of sum 1 maps a row ramp to the ramp at the output pixels' centres."""
    centres = jnp.arange(16) + 0.5
    x = jnp.broadcast_to(centres.reshape(1, 16, 1, 1), (1, 16, 12, 1))
    kernel = jnp.full((kernel_size, kernel_size, 1, 1), 1 / kernel_size**2)
    y = Conv(1, kernel_size=kernel_size, stride=stride).apply({"params": {"kernel": kernel}}, x)
    assert y.shape == (1, 16 // stride, 12 // stride, 1)
    inside = np.s_[2:-2]
    np.testing.assert_allclose(y[0, inside, 4, 0], ((np.arange(16 // stride) + 0.5) * stride)[inside], rtol=1e-6)


@pytest.mark.parametrize(("kernel_size", "stride"), [(3, 2), (1, 2), (4, 1), (2, 1)])
def test_module_rejects_what_is_not_centre_aligned(kernel_size, stride):
    with pytest.raises(ValueError, match=f"kernel_size={kernel_size} with stride={stride}: expected {stride}, "):
        Conv(4, kernel_size=kernel_size, stride=stride).init(jax.random.key(0), jnp.ones((1, 8, 8, 3)))


class Normalised(nn.Module):
    """A convolution and its normalisation with statistics as given."""

    dtype: Any
    folded: bool

    @nn.compact
    def __call__(self, x):
        convolution = Conv(5, 3, name="conv", dtype=self.dtype)
        if self.folded:
            return layers.normalised(convolution, x, train=False, name="norm")
        return layers.batch_norm(train=False, dtype=self.dtype, name="norm")(convolution(x))


@pytest.mark.parametrize(("dtype", "tolerance"), [(jnp.float32, 1e-5), (jnp.bfloat16, 0)])
def test_a_normalisation_with_stored_statistics_folds_into_the_kernel(dtype, tolerance):
    x = jax.random.normal(jax.random.key(0), (2, 7, 9, 4))
    variables = Normalised(dtype, folded=True).init(jax.random.key(1), x)
    leaves, structure = jax.tree.flatten(variables)
    keys = jax.random.split(jax.random.key(2), len(leaves))
    leaves = [jax.random.uniform(k, leaf.shape, minval=0.2, maxval=2.0) for k, leaf in zip(keys, leaves, strict=True)]
    variables = jax.tree.unflatten(structure, leaves)
    folded, plain = (Normalised(dtype, folded).apply(variables, x) for folded in (True, False))
    assert folded.dtype == plain.dtype == dtype
    np.testing.assert_allclose(folded, plain, rtol=tolerance, atol=10 * tolerance)


@pytest.mark.parametrize("size", [(5, 7), (33, 40)])
@pytest.mark.parametrize("kernel_size", [3, 5])
def test_one_feature_is_the_sum_of_shifted_taps(size, kernel_size):
    x = jax.random.normal(jax.random.key(0), (2, *size, 6))
    kernel = jax.random.normal(jax.random.key(1), (kernel_size, kernel_size, 6, 1))
    padding = ((kernel_size // 2,) * 2,) * 2
    found = jax.jit(functools.partial(conv, padding=padding))(x, kernel)
    with xla_gradients():
        expected = jax.jit(functools.partial(conv, padding=padding))(x, kernel)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("size", "padding"), [((6, 8), SAME3), ((5, 7), SAME3), ((5, 6), ((0, 0), (0, 2))), ((3, 4), ((0, 1), (2, 0)))]
)
def test_winograds_algorithm_is_the_convolution(size, padding):
    x, kernel = random_case((2, *size, 6), (3, 3, 6, 5))
    found = jax.jit(functools.partial(winograd.conv, padding=padding))(x, kernel)
    np.testing.assert_allclose(found, xla_conv(x, kernel, padding=padding), rtol=1e-4, atol=1e-4)


def test_wide_layers_use_winograds_algorithm_and_keep_their_gradients():
    x, kernel = random_case((4, 16, 16, 256), (3, 3, 256, 256))
    program = jax.jit(conv).lower(x, kernel).as_text()
    assert program.count("stablehlo.dot_general") == 16
    for found, expected in zip(*both_forms(x, kernel, strides=(1, 1), padding=SAME3), strict=True):
        scale = float(jnp.abs(expected).max())
        np.testing.assert_allclose(found / scale, expected / scale, atol=1e-5)
