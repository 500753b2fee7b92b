"""The compiled train step: devices, masks, and that it learns."""

import math

import jax
import numpy as np
import pytest
import small

from jaxdepth.models import conv
from jaxdepth.training import gate, losses, sharding, state, step

ALL = ((".*", 1.0, 1.0, "constant"),)
JOINT = gate.joint(("fusion", "scale1", "scale2", "scale3"), (1.0,) * 4, stop_gradient=True)


def run(devices, steps=3, **changes):
    state, train_step, _ = small.shared_trainer(small.network(**changes), devices=devices)
    for i in range(steps):
        state, values = train_step(state, small.batch(seed=i), JOINT)
    return jax.device_get((state.params, state.batch_stats)), jax.device_get(values)


def test_one_device_and_four_agree():
    (one, values1), (four, values4) = run(1), run(4)
    assert float(values1["total_loss"]) == pytest.approx(float(values4["total_loss"]), rel=1e-5)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(four), strict=True):
        assert np.linalg.norm(a - b) <= 1e-5 * np.linalg.norm(a) + 1e-6


def test_the_blocked_gradient_gives_the_step_of_xlas():
    net = small.network(k=2, blocks=(1, 1), width=32, max_width=64)  # wide enough for blocks, in both of their forms
    joint = gate.joint(net.groups, (1.0,) * 3, stop_gradient=True)
    state1, step1, _ = small.trainer(net)
    state2, step2, _ = small.trainer(net)
    with conv.xla_gradients():
        _, plain = step1(state1, small.batch(2), joint)
    _, blocked = step2(state2, small.batch(2), joint)
    for name, value in plain.items():
        assert float(blocked[name]) == pytest.approx(float(value), rel=1e-4), name


@pytest.mark.parametrize("devices", [1, 4])
def test_microbatches_give_the_step_of_the_batch(devices):
    """For a network without batch normalisation, whose microbatches are independent; one image has no depth."""
    net = small.eigens("eigen", dropout=0.0)
    batch = small.batch(8, size=small.EIGENS_SIZE)
    batch["depth"][2] = 0
    results = []
    for accumulate in (1, 2):
        state, train_step, _ = small.trainer(
            net, devices=devices, rules=ALL, size=small.EIGENS_SIZE, accumulate=accumulate
        )
        state, values = train_step(state, batch, gate.joint(net.groups, (1.0, 1.0), stop_gradient=True))
        results.append((jax.device_get(state.params), values))
    (whole, values), (parts, values_of_parts) = results
    for name in values:
        assert float(values[name]) == pytest.approx(float(values_of_parts[name]), rel=1e-5), name
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(parts), strict=True):
        assert np.linalg.norm(a - b) <= 1e-4 * np.linalg.norm(a) + 1e-6


def test_each_microbatch_moves_the_statistics_once():
    state, train_step, _ = small.trainer(small.network(), accumulate=2)
    batch = small.batch(16)
    of_parts = train_step(state, batch, JOINT)[0].batch_stats
    fresh, statistics, _ = small.shared_trainer(small.network())
    for name in ("mean", "var"):
        expected = np.full(4, float(name == "var"))
        for part in (batch["image"][0::2], batch["image"][1::2]):
            only = {"image": part, "depth": batch["depth"][:8]}
            moved, _ = statistics(jax.tree.map(jax.numpy.copy, fresh), only, JOINT)
            seen = moved.batch_stats["scale1"]["stem_norm1"][name]
            expected = 0.9 * expected + (np.asarray(seen) - 0.9 * float(name == "var"))
        np.testing.assert_allclose(of_parts["scale1"]["stem_norm1"][name], expected, rtol=1e-4, atol=1e-6)


def test_each_microbatch_has_its_own_dropout():
    def drawn(trained, statistics, batch, key):
        u = jax.random.uniform(key)
        return (u, ({}, statistics)), u**2

    (mean, _), mean_square = step._accumulated(drawn, 4)({}, {}, small.batch(8), jax.random.key(0))
    assert float(mean_square - mean**2) > 0.01


@pytest.mark.slow
def test_rematerialisation_gives_the_same_step():
    batch, results = small.batch(8), []
    for rematerialise in (False, True):
        state, train_step, _ = small.trainer(small.network(width=16), rematerialise=rematerialise)
        state, values = train_step(state, batch, JOINT)
        results.append(({"params": state.params, "stats": state.batch_stats}, values))
    (kept, values), (again, values_again) = results
    assert float(values["total_loss"]) == pytest.approx(float(values_again["total_loss"]), rel=1e-6)
    for a, b in zip(jax.tree.leaves(kept), jax.tree.leaves(again), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_rematerialisation_keeps_less_for_the_backward_pass():
    net, batch = small.network(width=16, max_width=64), small.batch(8)
    variables = state.shapes(net, small.SIZE)

    def loss(params, stats):
        variables = {"params": params, "batch_stats": stats}
        return sum(
            step.gate_losses(net, variables, batch, JOINT, loss=losses.scale_invariant, key=jax.random.key(0))[
                0
            ].values()
        )

    def kept(loss):
        residuals = jax.eval_shape(
            lambda *arguments: jax.vjp(loss, *arguments)[1], variables["params"], variables["batch_stats"]
        )
        return sum(math.prod(x.shape) for x in jax.tree.leaves(residuals))

    assert kept(jax.checkpoint(loss, policy=step._keep_products)) < 0.5 * kept(loss)


def test_images_without_depth_change_nothing_but_the_statistics():
    batch = small.batch(4)
    batch["depth"][:] = 0
    state, train_step, _ = small.trainer(small.network(), weight_decay=0.0)
    before = small.bits(state.params)
    state, values = train_step(state, batch, JOINT)
    assert float(values["total_loss"]) == 0.0
    assert small.bits(state.params) == before


def test_a_step_that_is_not_finite_changes_nothing_but_its_number():
    bad = small.batch()
    bad["image"][2, 7, 7] = np.nan
    state, train_step, _ = small.shared_trainer(small.network(), ema_decay=0.3)
    state, values = train_step(state, small.batch(), JOINT)
    assert values["is_finite"]
    before = small.bits(state)
    state, values = train_step(state, bad, JOINT)
    assert not values["is_finite"] and int(state.step) == 2
    assert {name for name, x in small.bits(state).items() if x != before[name]} == {".step"}
    state, values = train_step(state, small.batch(), JOINT)
    assert values["is_finite"] and small.bits(state.params) != before


def test_a_bfloat16_network_overfits_a_batch():
    state, train_step, _ = small.trainer(small.network(dtype="bfloat16"), rules=ALL, weight_decay=0.0)
    rows, columns = np.meshgrid(*(np.linspace(0, 1, n) for n in small.SIZE), indexing="ij")
    depth = np.exp(np.stack([rows, columns])).astype(np.float32)
    batch = {"image": np.stack([depth / 3] * 3, -1), "depth": depth}
    losses = []
    for _ in range(60):
        state, values = train_step(state, batch, JOINT)
        losses.append(float(values["loss/fusion"]))
    assert losses[-1] < 0.1 * losses[0]


def test_a_batch_that_the_devices_do_not_divide_is_refused():
    mesh = sharding.make_mesh(jax.devices()[:4])
    with pytest.raises(ValueError, match="config.batch_size=6: expected a multiple of the 4 devices"):
        sharding.check_batch_size(6, mesh)
    sharding.check_batch_size(8, mesh)
    with pytest.raises(
        ValueError, match="batch_size=8: expected a multiple of the 4 devices times config.accumulate=4"
    ):
        sharding.check_batch_size(8, mesh, accumulate=4)


def test_averages_follow_what_is_trained_and_nothing_else():
    """Their decay grows from 1/10; where a gate leaves a group out they keep every bit."""
    net = small.network()
    state, train_step, _ = small.shared_trainer(net, ema_decay=0.3)
    first = jax.device_get(state.average)
    state, _ = train_step(state, small.batch(), JOINT)
    expected = jax.tree.map(lambda old, new: 0.1 * old + 0.9 * new, first, jax.device_get(raw(state)))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), state.average, expected)
    for i in range(4):
        before = jax.device_get(state.average)
        state, _ = train_step(state, small.batch(seed=i), gate.single(2, net.groups, stop_gradient=True))
    kept = 0.3  # less than 5 / 14
    expected = jax.tree.map(lambda old, new: kept * old + (1 - kept) * new, before, jax.device_get(raw(state)))
    for name, groups in jax.device_get(state.average).items():
        for group, tree in groups.items():
            if group == "scale2":
                jax.tree.map(
                    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), tree, expected[name][group]
                )
            else:
                assert small.bits(tree) == small.bits(before[name][group]), group
    assert small.bits(state.variables) == small.bits(state.average)


def test_the_average_of_a_phase_holds_nothing_from_before_it():
    """A group that a late phase trains begins its average as one that is trained from the first step on."""
    net = small.network()
    state, train_step, _ = small.trainer(net, ema_decay=0.998, spans={"scale1": (500, 1000)})
    state = state.replace(step=state.step + 500)
    before = jax.device_get(state.average)["params"]["scale1"]
    state, _ = train_step(state, small.batch(), gate.single(1, net.groups, stop_gradient=True))
    expected = jax.tree.map(lambda old, new: 0.1 * old + 0.9 * new, before, jax.device_get(state.params["scale1"]))
    average = jax.device_get(state.average)["params"]["scale1"]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), average, expected)


def raw(state):
    return {"params": state.params, "batch_stats": state.batch_stats}
