"""The k-scale network: its outputs, what each scale sees, and its settings."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small

from configs import kscale as config_file
from jaxdepth import models
from jaxdepth.training import state


@pytest.mark.parametrize("upscaling", ["bilinear", "up_convolution"])
def test_every_output_has_the_pictures_size_and_starts_at_the_mean_depth(upscaling):
    net = small.network(upscaling=upscaling)
    variables = small.fresh(net)
    for size in ((32, 48), (37, 51), (5, 7)):
        image = jax.random.uniform(jax.random.key(1), (2, *size, 3))
        prediction, outputs = jax.jit(net.apply)(variables, image)
        assert prediction.shape == (2, *size) and prediction.dtype == jnp.float32
        np.testing.assert_array_equal(prediction, outputs["fusion"])
        for group in net.groups:
            assert outputs[group].shape == (2, *size)
            assert float(jnp.abs(outputs[group] - 0.9).mean()) < 0.25
    assert outputs["scale3/block2"].shape[1:3] == (1, 1)  # 5 x 7 is padded to 8 x 8


def test_a_picture_whose_last_scale_has_an_odd_size():
    net = small.network(k=2, finest_stride=1)
    prediction, _ = jax.jit(lambda image: net.init_with_output(jax.random.key(0, impl="rbg"), image))(
        jnp.zeros((1, 21, 30, 3))
    )[0]
    assert prediction.shape == (1, 21, 30)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("upscaling", ["bilinear", "up_convolution"])
def test_k_alone_says_how_many_scales_there_are(k, upscaling):
    net = small.network(k=k, upscaling=upscaling, width=2, max_width=4, blocks=(1, 1, 1, 1, 1))
    variables = jax.eval_shape(net.init, jax.random.key(0), jnp.zeros((1, 37, 51, 3)))
    assert net.groups == ("fusion", "scale1", "scale2", "scale3", "scale4", "scale5")[: k + 1]
    assert set(variables["params"]) == set(net.groups)
    outputs = jax.eval_shape(net.apply, variables, jnp.zeros((2, 37, 51, 3)))[1]
    assert {name: outputs[name].shape for name in net.groups} == dict.fromkeys(net.groups, (2, 37, 51))
    # Every scale works at half the size of the one before, on a picture that is padded to fit the coarsest.
    sizes = [outputs[f"scale{i}/block1"].shape[1] for i in range(1, k + 1)]
    assert all(larger == 2 * smaller for larger, smaller in zip(sizes, sizes[1:], strict=False))
    assert sizes[-1] == -(-37 // (2 * 2 ** (k - 1)))
    learned = [name for name in variables["params"]["scale1"]["head"] if name.startswith("to_")]
    assert bool(learned) == (upscaling == "up_convolution")


def test_a_gate_selects_the_scale_that_gate_0_also_computes():
    net = small.network()
    variables = small.fresh(net)
    image = jax.random.uniform(jax.random.key(1), (1, *small.SIZE, 3))
    apply = jax.jit(net.apply, static_argnames="gate")
    _, outputs = apply(variables, image)
    for gate in (1, 2, 3):
        prediction, named = apply(variables, image, gate=gate)
        np.testing.assert_allclose(prediction, outputs[f"scale{gate}"], atol=1e-6)
        assert {name.split("/")[0] for name in named} == {f"scale{gate}"}
        assert {f"scale{gate}/stem", f"scale{gate}/block1", f"scale{gate}/map"} <= set(named)


def test_every_scale_sees_the_picture_of_the_one_before_at_half_the_size():
    """A pattern that the mean of 2x2 pixels wipes out reaches scale 1 and no other."""
    net = small.network()
    variables = small.fresh(net)
    grey = jnp.full((1, *small.SIZE, 3), 0.5)
    rows, columns = jnp.meshgrid(*map(jnp.arange, small.SIZE), indexing="ij")
    checks = grey + (0.4 * (-1.0) ** (rows + columns))[None, :, :, None]
    apply = jax.jit(net.apply)
    (_, plain), (_, patterned) = apply(variables, grey), apply(variables, checks)
    difference = {name: float(jnp.abs(plain[name] - patterned[name]).max()) for name in ("scale1", "scale2", "scale3")}
    assert difference["scale1"] > 1e-4
    assert difference["scale2"] < 1e-5 and difference["scale3"] < 1e-5


@pytest.mark.slow
def test_the_default_coarsest_scale_sees_the_whole_width_of_the_picture():
    """The pixels that move the middle of its map span all 304 columns, with stored statistics."""
    config = config_file.get_config().model.to_dict()
    net = models.build(**config)
    size = (64, 304)
    image = jax.random.uniform(jax.random.key(1), (1, *size, 3))
    variables = small.fresh(net, size)
    # The second normalisation of a block starts at scale 0, which would hide the block's convolutions.
    variables = jax.tree.map(lambda x: x + 0.5, variables)

    def middle(image):
        return net.apply(variables, image, gate=net.k)[0][0, size[0] // 2, size[1] // 2]

    reach = np.flatnonzero(np.asarray(jnp.abs(jax.jit(jax.grad(middle))(image)[0]).max((0, 2))))
    assert reach[0] == 0 and reach[-1] == 303


def test_the_concatenation_joins_features_only_as_an_option():
    maps, features = (state.shapes(small.network(features=on), small.SIZE)["params"]["fusion"] for on in (False, True))
    assert "lateral1" not in maps and {"lateral1", "lateral2", "lateral3"} <= set(features)
    assert maps["block1"]["conv1"]["kernel"].shape[2] == 3  # the K = 3 depth maps


def test_bfloat16_computes_near_float32_with_the_same_float32_parameters():
    image = jax.random.uniform(jax.random.key(1), (1, *small.SIZE, 3))
    full, half = small.network(), small.network(dtype="bfloat16")
    variables = small.fresh(half)
    assert {x.dtype for x in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    jax.tree.map(np.testing.assert_array_equal, variables, small.fresh(full))
    prediction, outputs = jax.jit(half.apply)(variables, image)
    assert prediction.dtype == jnp.float32 and outputs["fusion/block1"].dtype == jnp.bfloat16
    np.testing.assert_allclose(prediction, jax.jit(full.apply)(variables, image)[0], atol=0.05)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            dict(name="unet"),
            "config.model.name='unet': expected one of eigen, autoencoder, residual_coarse, kscale, pyramid, ",
        ),
        (dict(dtype="float16"), "config.model.dtype='float16': expected one of float32, bfloat16"),
        (dict(k=0), "config.model.k=0: expected 1 to 6"),
        (dict(blocks=(1, 1)), r"config.model.blocks=\(1, 1\): expected k=3 numbers"),
        (dict(finest_stride=3), "config.model.finest_stride=3: expected a power of two"),
        (dict(upscaling="nearest"), "config.model.upscaling='nearest': expected one of bilinear, up_convolution"),
        (dict(depth=3), "config.model of kscale.*depth"),
    ],
)
def test_bad_settings_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        small.fresh(small.network(**changes))
