"""Learning rates by name and by the global step."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import small

from jaxdepth.training import gate, optim

GROUPS = ("fusion", "scale1", "scale2", "scale3")
ARGUMENTS = dict(
    learning_rate=0.1, spans={"a": (0, 100), "b": (0, 100)}, warmup_steps=0, weight_decay=0.01, clip_norm=1.0
)
NAMES = ("scale1/conv/kernel", "scale1/conv/bias", "fusion/head/kernel")


def first_move(optimizer, params, group, step):
    """How far SGD without weight decay moves a fresh group at a step, for a gradient of norm 1: the learning rate."""
    grads = {group: jax.tree.map(lambda x: jnp.full_like(x, x.size**-0.5), params[group])}
    updates, _ = optimizer.update(grads, optimizer.init(params), params, step=step)
    return float(optax.tree.norm(updates))


def test_it_is_an_optax_transformation():
    params = {"a": {"kernel": jnp.ones((2, 2))}, "b": {"kernel": jnp.ones((2, 2))}}
    optimizer = optim.make(params, name="adamw", rules=((".*", 1.0, 1.0, "constant"),), **ARGUMENTS)
    assert isinstance(optimizer, optax.GradientTransformationExtraArgs)
    chained = optax.chain(optimizer, optax.scale(2.0))
    grads = {"a": {"kernel": jnp.full((2, 2), 0.5)}}
    single, _ = optimizer.update(grads, optimizer.init(params), params, step=3)
    double, _ = chained.update(grads, chained.init(params), params, step=3)
    np.testing.assert_allclose(double["a"]["kernel"], 2 * single["a"]["kernel"], rtol=1e-6)


def test_the_first_rule_that_matches_wins():
    matched = optim.match_rules(
        NAMES, ((".*/bias", 2.0, 1.0, "constant"), ("scale1/.*", 1.0, 1.0, "constant"), (".*", 3.0, 1.0, "cosine"))
    )
    assert matched == dict(zip(NAMES, (1, 0, 2), strict=True))


def test_a_name_without_a_rule_and_a_rule_without_a_name_are_errors():
    with pytest.raises(ValueError, match="no rule for fusion/head/kernel"):
        optim.match_rules(NAMES, (("scale1/.*", 1.0, 1.0, "constant"),))
    with pytest.raises(ValueError, match="'scale7/.*' matches no parameter"):
        optim.match_rules(NAMES, ((".*", 1.0, 1.0, "constant"), ("scale7/.*", 1.0, 1.0, "constant")))
    with pytest.raises(ValueError, match="schedule 'linear': expected one of constant, cosine"):
        optim.learning_rate_schedule("linear", 1.0, span=(0, 9), warmup_steps=0)


def test_schedules_by_hand():
    cosine = optim.learning_rate_schedule("cosine", 2.0, span=(0, 110), warmup_steps=10)
    assert [float(cosine(s)) for s in (0, 5, 10, 60, 110)] == pytest.approx(
        [2 / 11, 2 * 6 / 11, 2.0, 1.0, 0.0], abs=1e-6
    )
    constant = optim.learning_rate_schedule("constant", 2.0, span=(0, 110), warmup_steps=0)
    assert float(constant(0)) == float(constant(109)) == 2.0


def test_a_group_of_one_phase_has_its_warm_up_and_decay_in_it():
    """Ten steps, two phases of six and four: the second group's schedule begins at step 6 and ends at 10."""
    groups = ("fine", "coarse")
    at = gate.schedule("coarse_to_fine", groups, steps=10, seed=0, weights=(1.5, 2.0), stop_gradient=True)
    spans = gate.spans("coarse_to_fine", at, groups, steps=10)
    assert spans == {"coarse": (0, 6), "fine": (6, 10)}
    params = {group: {"kernel": jnp.ones((2, 2))} for group in groups}
    rules = ((".*", 1.0, 1.0, "cosine"),)
    settings = ARGUMENTS | {"spans": spans, "warmup_steps": 1, "weight_decay": 0.0}
    optimizer = optim.make(params, name="sgd", rules=rules, **settings)
    fine = [first_move(optimizer, params, "fine", step) for step in range(6, 10)]
    assert fine == pytest.approx([0.05, 0.1, 0.075, 0.025], rel=1e-5)
    cycle = gate.schedule("cycle", groups, steps=10, seed=0, weights=(), stop_gradient=True)
    assert gate.spans("cycle", cycle, groups, steps=10) == {"coarse": (0, 10), "fine": (0, 10)}


def test_sgd_is_momentum_with_the_weight_decay_in_the_gradient():
    """Two steps by hand, the weight decay of kernels only and scaled by their rule."""
    params = {"a": {"kernel": jnp.full((2, 1), 2.0), "bias": jnp.full((1,), 2.0)}}
    arguments = ARGUMENTS | {"spans": {"a": (0, 100)}, "weight_decay": 0.5, "clip_norm": 100.0}
    optimizer = optim.make(params, name="sgd", rules=((".*", 1.0, 0.1, "constant"),), **arguments)
    state, kernel, bias, kernel_speed, bias_speed = optimizer.init(params), 2.0, 2.0, 0.0, 0.0
    for at, g in enumerate((3.0, -1.0)):
        grads = {"a": {"kernel": jnp.full((2, 1), g), "bias": jnp.full((1,), g)}}
        updates, state = optimizer.update(grads, state, params, step=jnp.array(at))
        params = optax.apply_updates(params, updates)
        kernel_speed = 0.9 * kernel_speed + g + 0.05 * kernel
        bias_speed = 0.9 * bias_speed + g
        kernel, bias = kernel - 0.1 * kernel_speed, bias - 0.1 * bias_speed
    np.testing.assert_allclose(params["a"]["kernel"], [[kernel], [kernel]], rtol=1e-6)
    np.testing.assert_allclose(params["a"]["bias"], [bias], rtol=1e-6)


def test_an_update_is_adamw_of_each_group_by_hand():
    """Two steps of one group in float64, clipped by its own norm, at the learning rate of the global step."""
    rng = np.random.default_rng(0)
    kernel, bias = rng.normal(size=(3, 2)), rng.normal(size=(2,))
    params = {"a": {"kernel": jnp.array(kernel), "bias": jnp.array(bias)}, "b": {"kernel": jnp.ones((1, 1))}}
    rules = (("a/.*", 0.5, 0.5, "cosine"), ("b/.*", 1.0, 1.0, "constant"))
    optimizer = optim.make(params, name="adamw", rules=rules, **ARGUMENTS)
    state = optimizer.init(params)
    moments = {name: (0.0, 0.0) for name in ("kernel", "bias")}
    expected = {"kernel": kernel, "bias": bias}
    for count, at in enumerate((10, 40), 1):
        grads = {"kernel": rng.normal(size=(3, 2)) * 3, "bias": rng.normal(size=(2,))}
        updates, state = optimizer.update({"a": jax.tree.map(jnp.array, grads)}, state, params, step=jnp.array(at))
        assert list(updates) == ["a"], "groups without gradients get no update"
        params["a"] = optax.apply_updates(params["a"], updates["a"])
        norm = np.sqrt(sum((g**2).sum() for g in grads.values()))
        rate = 0.05 * (1 + np.cos(np.pi * at / 100)) / 2
        for name, g in grads.items():
            g = g / max(norm, 1.0)
            m, v = 0.9 * moments[name][0] + 0.1 * g, 0.999 * moments[name][1] + 0.001 * g**2
            moments[name] = m, v
            direction = (m / (1 - 0.9**count)) / (np.sqrt(v / (1 - 0.999**count)) + 1e-8)
            decay = 0.005 * expected[name] if name == "kernel" else 0.0
            expected[name] = expected[name] - rate * (direction + decay)
    for name, value in expected.items():
        np.testing.assert_allclose(params["a"][name], value, rtol=2e-5)
    assert float(params["b"]["kernel"][0, 0]) == 1.0


def test_under_cycle_every_learning_rate_follows_the_global_step():
    """Each group is trained every fourth step; the size of Adam's first move shows the rate that it was given."""
    rules = tuple((f"{group}/.*", 1.0, 1.0, "cosine") for group in GROUPS)
    state, train_step, _ = small.trainer(small.network(), rules=rules, weight_decay=0.0, warmup_steps=0)
    at = gate.schedule("cycle", GROUPS, steps=20, seed=0, weights=(), stop_gradient=True)
    for step in range(4):
        before = jax.device_get(state.params)
        state, _ = train_step(state, small.batch(seed=step), at(step))
        (group,) = at(step).trained
        moved = max(
            float(np.abs(a - b).max())
            for a, b in zip(*map(jax.tree.leaves, (before[group], state.params[group])), strict=True)
        )
        rate = 0.01 * (1 + np.cos(np.pi * step / 20)) / 2
        assert moved == pytest.approx(rate, rel=1e-3)
