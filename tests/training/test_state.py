"""The train state: what a run takes over from an earlier one, and what a checkpoint holds."""

import jax
import numpy as np
import pytest
import small

from jaxdepth import models
from jaxdepth.training import checkpoint, gate, state


def test_init_from_takes_the_arrays_that_fit():
    source, _, _ = small.shared_trainer(small.network())
    target, _, _ = small.trainer(small.network(fusion_blocks=2, width=4), ema_decay=0.5)
    source = source.replace(params=jax.tree.map(lambda x: x + 1.0, source.params))
    started = state.init_from(target, source.variables)
    assert small.bits(started.params["scale1"]) == small.bits(source.params["scale1"])
    assert small.bits(started.params["fusion"]["block1"]) == small.bits(source.params["fusion"]["block1"])
    assert small.bits(started.params["fusion"]["block2"]) == small.bits(target.params["fusion"]["block2"])
    assert small.bits(started.variables["params"]) == small.bits(started.params)  # the averages start there too
    assert int(started.step) == 0


def test_init_from_refuses_a_run_with_nothing_in_common():
    source, _, _ = small.shared_trainer(small.network())
    with pytest.raises(ValueError, match="config.init_from: no array of that run"):
        state.init_from(source, {"params": {"other": {"kernel": np.zeros(3)}}, "batch_stats": {}})


def test_flip_tta_is_equivariant_to_mirroring():
    net = small.network()
    variables, image = small.shared_trainer(net)[0].variables, small.batch(2)["image"]
    plain = models.outputs(net, variables, image, flip_tta=False)
    both = models.outputs(net, variables, image, flip_tta=True)
    turned = models.outputs(net, variables, image[:, :, ::-1], flip_tta=True)
    for group in net.groups:
        np.testing.assert_allclose(both[group], turned[group][:, :, ::-1], atol=1e-5)
    assert np.abs(np.asarray(plain["scale3"] - both["scale3"])).max() > 1e-5


def test_init_from_with_averages_keeps_a_network_without_statistics_restorable(tmp_path):
    """Eigen's network has no batch_stats: they have to stay an empty dict, or no checkpoint restores."""
    net = small.eigens("eigen")
    rules = ((".*", 1.0, 1.0, "constant"),)
    fresh, train_step, _ = small.trainer(net, rules=rules, size=small.EIGENS_SIZE, ema_decay=0.5)
    started = state.init_from(fresh, jax.tree.map(lambda x: x + 1.0, fresh.variables))
    assert started.batch_stats == {} and started.average["batch_stats"] == {}
    both = gate.joint(net.groups, (1.0, 1.0), stop_gradient=True)
    stepped, _ = train_step(started, small.batch(4, size=small.EIGENS_SIZE), both)
    before = small.bits(stepped)
    with checkpoint.Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(stepped)
    options = {"ema_decay": 0.5, "optim.rules": rules}
    shapes = small.setup_of(net, size=small.EIGENS_SIZE, **options).abstract_state()
    assert small.bits(checkpoint.restore_last(tmp_path, shapes)) == before


def test_the_abstract_state_has_the_shapes_of_a_fresh_one():
    net = small.network()
    made = small.setup_of(net, ema_decay=0.5, **{"optim.rules": small.RULES})
    fresh, shapes = made.create_state(small.log_depth()), made.abstract_state()
    assert jax.tree.structure(fresh) == jax.tree.structure(shapes)
    for array, shape in zip(jax.tree.leaves(fresh), jax.tree.leaves(shapes), strict=True):
        assert (array.shape, array.dtype, array.sharding) == (shape.shape, shape.dtype, shape.sharding)
