"""The train state: what a run takes from an earlier one, and what a checkpoint holds."""

import jax
import numpy as np
import pytest
import small

from jaxdepth import models
from jaxdepth.training import state


def test_a_run_begins_with_the_arrays_that_fit_of_another():
    source, _, _ = small.trainer(small.network())
    target, _, _ = small.trainer(small.network(fusion_blocks=2, width=4), averaged=True)
    source = source.replace(params=jax.tree.map(lambda x: x + 1.0, source.params))
    started = state.starting_from(target, source.variables)
    assert small.bits(started.params["scale1"]) == small.bits(source.params["scale1"])
    assert small.bits(started.params["fusion"]["block1"]) == small.bits(source.params["fusion"]["block1"])
    assert small.bits(started.params["fusion"]["block2"]) == small.bits(target.params["fusion"]["block2"])
    assert small.bits(started.variables["params"]) == small.bits(started.params)  # the averages begin there too
    assert int(started.step) == 0


def test_a_run_that_has_nothing_in_common_is_refused():
    source, _, _ = small.trainer(small.network())
    with pytest.raises(ValueError, match="config.initial: none of that run's weights"):
        state.starting_from(source, {"params": {"other": {"kernel": np.zeros(3)}}, "batch_stats": {}})


def test_a_mirrored_prediction_turns_with_the_picture():
    net = small.network()
    variables, image = small.trainer(net)[0].variables, small.batch(2)["image"]
    plain = models.outputs(net, variables, image, mirrored=False)
    both = models.outputs(net, variables, image, mirrored=True)
    turned = models.outputs(net, variables, image[:, :, ::-1], mirrored=True)
    for group in net.groups:
        np.testing.assert_allclose(both[group], turned[group][:, :, ::-1], atol=1e-5)
    assert np.abs(np.asarray(plain["scale3"] - both["scale3"])).max() > 1e-5
