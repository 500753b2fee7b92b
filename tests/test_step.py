"""The compiled train step: devices, masks, and that it learns."""

import jax
import numpy as np
import pytest
import small

from jaxdepth import gate, sharding

JOINT = gate.joint(("fusion", "scale1", "scale2", "scale3"), (1.0,) * 4, stop_gradient=True)


def run(devices, steps=3, **changes):
    state, train_step, _ = small.trainer(small.network(**changes), devices=devices)
    for i in range(steps):
        state, values = train_step(state, small.batch(seed=i), JOINT)
    return jax.device_get((state.params, state.batch_stats)), jax.device_get(values)


def test_one_device_and_four_agree():
    (one, values1), (four, values4) = run(1), run(4)
    assert float(values1["total_loss"]) == pytest.approx(float(values4["total_loss"]), rel=1e-5)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(four), strict=True):
        assert np.linalg.norm(a - b) <= 1e-5 * np.linalg.norm(a) + 1e-6


def test_the_cpu_gradient_gives_the_plain_forms_step():
    state1, step1, _ = small.trainer(small.network(width=32, max_width=64))
    state2, step2, _ = small.trainer(small.network(width=32, max_width=64).clone(blocked_gradient=True))
    _, plain = step1(state1, small.batch(2), JOINT)
    _, blocked = step2(state2, small.batch(2), JOINT)
    for name, value in plain.items():
        assert float(blocked[name]) == pytest.approx(float(value), rel=1e-4), name


def test_images_without_depth_change_nothing_but_the_statistics():
    batch = small.batch(4)
    batch["depth"][:] = 0
    state, train_step, _ = small.trainer(small.network(), weight_decay=0.0)
    before = small.bits(state.params)
    state, values = train_step(state, batch, JOINT)
    assert float(values["total_loss"]) == 0.0
    assert small.bits(state.params) == before


def test_a_bfloat16_network_overfits_a_batch():
    state, train_step, _ = small.trainer(
        small.network(dtype="bfloat16"), rules=((".*", 1.0, 1.0, "constant"),), weight_decay=0.0
    )
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
