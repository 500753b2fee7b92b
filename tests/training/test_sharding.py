"""Large parameters divided over devices."""

import jax
import numpy as np
import pytest
import small

from jaxdepth.errors import InputError
from jaxdepth.training import checkpoint, gate, sharding

RULES = ((".*", 1.0, 1.0, "constant"),)


def trained(devices, model_parallel, *, steps=3):
    net = small.eigens("eigen", dropout=0.0)
    both = gate.joint(net.groups, (1.0, 1.0), stop_gradient=True)
    options = dict(rules=RULES, size=small.EIGENS_SIZE)
    state, step, _ = small.trainer(net, devices=devices, model_parallel=model_parallel, **options)
    for i in range(steps):
        state, values = step(state, small.batch(4, seed=i, size=small.EIGENS_SIZE), both)
    return state, values


def test_divided_fully_connected_layers_train_as_whole_ones(tmp_path, monkeypatch):
    """Two copies of two devices each, against one device."""
    whole, values = trained(1, 1)
    monkeypatch.setattr(sharding, "_LARGE", 1000)
    divided, values_divided = trained(4, 2)
    spec = jax.sharding.PartitionSpec(None, "model")
    large = {
        jax.tree_util.keystr(path): x
        for path, x in jax.tree_util.tree_leaves_with_path(divided)
        if x.ndim == 2 and x.size >= 1000
    }
    assert len(large) >= 6  # two layers, and two moments of each
    for x in large.values():
        assert x.sharding.spec == spec and x.addressable_shards[0].data.shape == (x.shape[0], x.shape[1] // 2)
    assert float(values["total_loss"]) == pytest.approx(float(values_divided["total_loss"]), rel=1e-5)
    for a, b in zip(jax.tree.leaves(whole.params), jax.tree.leaves(divided.params), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)

    with checkpoint.Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(divided)
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), whole)
    assert small.bits(checkpoint.restore_last(tmp_path, shapes)) == small.bits(divided)


def test_a_number_that_does_not_divide_the_devices_is_refused():
    with pytest.raises(InputError, match="config.model_parallel=3: expected a divisor of the 4 devices"):
        sharding.make_mesh(model_parallel=3)
    with pytest.raises(InputError, match="config.batch_size=3: expected a multiple of the 2 copies of the network"):
        sharding.check_batch_size(3, sharding.make_mesh(model_parallel=2))
