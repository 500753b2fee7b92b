"""The train gate: what a step learns from, what it leaves alone bit for bit, and what it costs."""

import collections

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small

from jaxdepth.training import gate, losses, step

KEY = jax.random.key(0)  # of dropout, of which there is none
GROUPS = ("fusion", "scale1", "scale2", "scale3")


def single(output, stop_gradient=True):
    return gate.single(output, GROUPS, stop_gradient=stop_gradient)


@pytest.mark.parametrize("output", range(4))
def test_gradients_outside_the_gated_group_are_exactly_zero(output):
    net = small.network()
    variables = jax.jit(net.init)(jax.random.key(0), jnp.zeros((1, *small.SIZE, 3)))
    batch = small.batch(2)

    @jax.jit
    def gradients(params):
        def loss(params):
            values, _ = step.gate_losses(
                net, variables | {"params": params}, batch, single(output), loss=losses.scale_invariant, key=KEY
            )
            return sum(values.values())

        return jax.grad(loss)(params)

    grads = gradients(variables["params"])
    for group in GROUPS:
        norm = max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(grads[group]))
        assert (norm > 0) == (group == GROUPS[output]), (group, norm)


@pytest.mark.parametrize(
    ("selected", "trained"),
    [
        (single(0), {"fusion"}),
        (single(0, stop_gradient=False), set(GROUPS)),
        (single(1), {"scale1"}),
        (single(3), {"scale3"}),
        (gate.joint(GROUPS, (1.0, 1.0, 1.0, 1.0), stop_gradient=True), set(GROUPS)),
        (gate.joint(GROUPS, (1.0, 0.0, 1.0, 0.0), stop_gradient=True), {"fusion", "scale2"}),
    ],
)
def test_a_step_changes_its_groups_and_no_bit_of_the_others(selected, trained):
    net = small.network()
    state, train_step, _ = small.shared_trainer(net)
    for i in range(2):  # moments, counts and statistics are away from their start
        state, _ = train_step(state, small.batch(seed=i), gate.joint(GROUPS, (1.0,) * 4, stop_gradient=True))
    parts = ("params", "batch_stats", "opt_state")
    before = {part: {group: small.bits(getattr(state, part)[group]) for group in GROUPS} for part in parts}
    state, _ = train_step(state, small.batch(seed=7), selected)
    for part in parts:
        for group in GROUPS:
            same = small.bits(getattr(state, part)[group]) == before[part][group]
            assert same == (group not in trained), (part, group)
    assert int(state.step) == 3


def test_joint_with_stop_gradient_gives_each_group_the_gradient_of_its_own_gate():
    net = small.network()
    one, train_step, _ = small.shared_trainer(net)
    two, _, _ = small.shared_trainer(net)
    one, joint_values = train_step(one, small.batch(), gate.joint(GROUPS, (1.0,) * 4, stop_gradient=True))
    two, values = train_step(two, small.batch(), single(2))
    assert float(joint_values["loss/scale2"]) == pytest.approx(float(values["loss/scale2"]), rel=1e-6)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5), one.params["scale2"], two.params["scale2"])
    assert float(joint_values["total_loss"]) == pytest.approx(
        sum(float(joint_values[f"loss/{g}"]) for g in GROUPS), rel=1e-6
    )


def test_weights_multiply_the_losses_of_a_joint_step():
    state, train_step, _ = small.shared_trainer(small.network())
    _, values = train_step(state, small.batch(), gate.joint(GROUPS, (2.0, 0.0, 0.5, 1.0), stop_gradient=True))
    expected = 2 * values["loss/fusion"] + 0.5 * values["loss/scale2"] + values["loss/scale3"]
    assert float(values["total_loss"]) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize(
    "output", [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)]
)
def test_a_step_at_gate_k_costs_what_its_branch_costs(output):
    """FLOPs of the compiled forward and backward pass, against the branch's module by itself."""
    net = small.network(width=16, max_width=64, blocks=(2, 2, 2))
    variables = jax.eval_shape(net.init, jax.random.key(0), jnp.zeros((1, *small.SIZE, 3)))
    batch = small.batch(2)
    group = GROUPS[output]

    def gated(trained, variables, batch):
        params = {**variables["params"], **trained}
        values, stats = step.gate_losses(
            net, variables | {"params": params}, batch, single(output), loss=losses.scale_invariant, key=KEY
        )
        return values[group], stats

    def branch(trained, variables, batch):
        halved = 2 ** (output - 1)
        picture = batch["image"].reshape(2, small.SIZE[0] // halved, halved, small.SIZE[1] // halved, halved, 3)

        def own_scale(net, picture):
            return getattr(net, group)(picture, train=True)

        (depth, _, _), stats = net.apply(
            {"params": {**variables["params"], **trained}, "batch_stats": variables["batch_stats"]},
            picture.mean((2, 4)),
            method=own_scale,
            mutable=["batch_stats"],
        )
        return losses.scale_invariant(depth, batch["depth"], lam=0.5).mean(), stats

    def flops(function):
        arguments = {group: variables["params"][group]}, variables, batch
        return jax.jit(jax.grad(function, has_aux=True)).lower(*arguments).compile().cost_analysis()["flops"]

    assert flops(gated) == pytest.approx(flops(branch), rel=0.1)


def gates(name, steps=12, weights=(), seed=0):
    at = gate.schedule(name, GROUPS, steps=steps, seed=seed, weights=weights, stop_gradient=True)
    return [tuple(output for output, _ in at(step).losses) for step in range(steps)]


def test_schedules():
    assert gates("joint") == [(0, 1, 2, 3)] * 12
    assert gates("cycle") == [(1,), (2,), (3,), (0,)] * 3
    assert gates("coarse_to_fine") == [(3,)] * 3 + [(2,)] * 3 + [(1,)] * 3 + [(0,)] * 3


def test_random_gates_follow_their_weights_and_the_seed():
    drawn = gates("random", steps=4000, weights=(1, 0, 1, 2))
    count = collections.Counter(drawn)
    assert count[(1,)] == 0
    assert [count[(i,)] / 4000 for i in (0, 2, 3)] == pytest.approx([0.25, 0.25, 0.5], abs=0.03)
    assert drawn == gates("random", steps=4000, weights=(1, 0, 1, 2))
    assert drawn != gates("random", steps=4000, weights=(1, 0, 1, 2), seed=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(name="zigzag"), r"config.gate.name='zigzag': expected one of joint, cycle, coarse_to_fine, random"),
        (dict(weights=(1, 2)), r"config.gate.weights=\(1, 2\): expected 4"),
        (dict(weights=(1, 2, 3, -1)), "config.gate.weights"),
        (dict(weights=(0, 0, 0, 0)), "config.gate.weights"),
        (dict(name="cycle", weights=(1, 1, 1, 4)), "for 'cycle', whose gates take turns"),
    ],
)
def test_bad_schedules_are_refused(change, message):
    arguments = dict(name="joint", groups=GROUPS, steps=9, seed=0, weights=(), stop_gradient=True) | change
    with pytest.raises(ValueError, match=message):
        gate.schedule(**arguments)


def test_an_unknown_gate_is_refused():
    with pytest.raises(ValueError, match="gate=4: expected 0 to 3"):
        single(4)
    with pytest.raises(ValueError, match="gate=4"):
        small.network().init(jax.random.key(0), jnp.zeros((1, 8, 8, 3)), gate=4)
