"""The pyramid: its outputs, what its scales pass on, and its settings."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small

from jaxdepth import models
from jaxdepth.training import gate, losses, step

MODEL = dict(name="pyramid", k=3, width=4, max_width=8, blocks=(1, 1, 1), own_width=4, own_blocks=1, dropout=0.0)
KEY = jax.random.key(0)


def network(**changes):
    return models.build(**MODEL | {"dtype": "float32"} | changes)


def test_every_output_has_the_pictures_size_and_starts_at_the_mean_depth():
    net = network()
    variables = small.fresh(net)
    for size in ((32, 48), (37, 51), (5, 7)):  # the second and third are not the one that the parameters were made for
        image = jax.random.uniform(jax.random.key(1), (2, *size, 3))
        prediction, outputs = jax.jit(net.apply)(variables, image)
        assert prediction.shape == (2, *size) and prediction.dtype == jnp.float32
        np.testing.assert_array_equal(prediction, outputs["fusion"])
        for group in net.groups:
            assert outputs[group].shape == (2, *size)
            assert float(jnp.abs(outputs[group] - 0.9).mean()) < 0.25
    assert outputs["scale3/picture2"].shape[1:3] == (2, 2)  # 5 x 7 is padded to 16 x 16


def test_a_gate_computes_its_scale_and_the_coarser_ones():
    net = network()
    variables = small.fresh(net)
    image = jax.random.uniform(jax.random.key(1), (1, *small.SIZE, 3))
    apply = jax.jit(net.apply, static_argnames="gate")
    _, outputs = apply(variables, image)
    for k in (1, 2, 3):
        prediction, named = apply(variables, image, gate=k)
        np.testing.assert_allclose(prediction, outputs[f"scale{k}"], atol=1e-6)
        assert {name.split("/")[0] for name in named} == {f"scale{i}" for i in range(k, 4)}


@pytest.mark.parametrize("stride", [2, 4, 8])
def test_the_finest_map_has_its_stride(stride):
    net = network(finest_stride=stride)
    image = jnp.zeros((1, *small.SIZE, 3))
    (_, named), _ = jax.eval_shape(net.init_with_output, KEY, image)
    coarsest = [-(-n // (4 * stride)) for n in small.SIZE]  # the picture is padded to whole pixels of it
    for k in (1, 2, 3):
        assert named[f"scale{k}/map"].shape[1:3] == tuple(n << 3 - k for n in coarsest)


def reached(net, selected):
    """The groups that a gate's loss has a gradient in."""
    variables = small.fresh(net)

    @jax.jit
    def gradients(params):
        def loss(params):
            values, _ = step.gate_losses(
                net, variables | {"params": params}, small.batch(2), selected, loss=losses.scale_invariant, key=KEY
            )
            return sum(values.values())

        return jax.grad(loss)(params)

    found = gradients(variables["params"]).items()
    return {group for group, grads in found if any(jnp.any(leaf != 0) for leaf in jax.tree.leaves(grads))}


@pytest.mark.parametrize("output", range(4))
def test_a_gates_gradient_reaches_its_group_alone(output):
    net = network()
    assert reached(net, gate.single(output, net.groups, stop_gradient=True)) == {net.groups[output]}


def test_without_stop_gradient_the_fused_loss_reaches_every_group():
    net = network()
    assert reached(net, gate.single(0, net.groups, stop_gradient=False)) == set(net.groups)


def test_every_scale_sees_the_whole_room():
    """A change in a corner of the picture moves the finest scale's depth in the opposite corner."""
    net = network()
    variables = jax.tree.map(lambda x: x + 0.05, small.fresh(net))  # a block's second normalisation starts at 0
    image = jax.random.uniform(jax.random.key(1), (1, 64, 96, 3))
    changed = image.at[:, :8, :8].set(0.0)
    predict = jax.jit(lambda x: net.apply(variables, x, gate=1)[0])
    before, after = predict(image), predict(changed)
    assert float(jnp.abs(before - after)[0, -4:, -4:].max()) > 1e-5


def test_dropout_is_for_training_alone():
    net = network(dropout=0.5)
    variables = small.fresh(net)
    variables["params"]["scale3"]["own"]["depth"]["kernel"] += 1.0
    image = jax.random.uniform(jax.random.key(1), (2, *small.SIZE, 3))

    @functools.partial(jax.jit, static_argnums=0)
    def predict(trained, key):
        apply = dict(gate=3, trained=trained, mutable=["batch_stats"], rngs={"dropout": jax.random.key(key)})
        return net.apply(variables, image, **apply)[0][0]

    np.testing.assert_array_equal(predict((), 1), predict((), 2))
    assert np.abs(predict(("scale3",), 1) - predict(("scale3",), 2)).max() > 1e-3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(k=1), "config.model.k=1: expected 2 to 6"),
        (dict(blocks=(1, 1)), r"config.model.blocks=\(1, 1\): expected k=3 numbers"),
        (dict(finest_stride=3), "config.model.finest_stride=3: expected a power of two from 2 on"),
        (dict(finest_stride=1), "config.model.finest_stride=1: expected"),
        (dict(dropout=1.0), "config.model.dropout=1.0: expected 0 <= dropout < 1"),
    ],
)
def test_bad_settings_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        small.fresh(network(**changes))


def test_an_unknown_gate_is_refused():
    with pytest.raises(ValueError, match="gate=4: expected 0"):
        network().init(KEY, jnp.zeros((1, 8, 8, 3)), gate=4)
