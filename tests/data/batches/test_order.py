"""The order of examples: every epoch a permutation, exact at every step."""

import functools

import jax
import numpy as np
import pytest

from jaxdepth.data.batches import order

compiled = jax.jit(order.draw_examples, static_argnames=("count", "batch_size"))


def draw(step, *, count=11, batch_size=4, seed=0):
    """Indices and keys of a step's examples, as numpy."""
    index, keys = compiled(step, count=count, batch_size=batch_size, seed=seed)
    return np.asarray(index), np.asarray(jax.random.key_data(keys))


@pytest.mark.parametrize("count", [1, 2, 11, 700])
def test_each_epoch_is_a_different_permutation(count):
    index, keys = draw(0, count=count, batch_size=3 * count)
    epochs = index.reshape(3, count)
    np.testing.assert_array_equal(np.sort(epochs), np.tile(np.arange(count), (3, 1)))
    assert len(np.unique(keys, axis=0)) == 3 * count
    if count > 5:
        assert len({tuple(epoch) for epoch in epochs}) == 3
        assert tuple(draw(0, count=count, batch_size=3 * count, seed=1)[0]) != tuple(index)


def test_examples_do_not_depend_on_the_batch_size():
    whole = draw(0, batch_size=24)
    parts = zip(*[draw(step, batch_size=4) for step in range(6)], strict=True)
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(a, np.concatenate(b))


def test_every_order_is_equally_likely():
    orders = draw(0, count=4, batch_size=4 * 2400)[0].reshape(-1, 4)
    counts = np.unique(orders, axis=0, return_counts=True)[1]
    assert len(counts) == 24
    assert ((counts - 100) ** 2 / 100).sum() < 49.7  # the chance of more is 1 in 1000

    orders = draw(0, count=700, batch_size=30 * 700)[0].reshape(30, 700).astype(float)
    assert abs(np.corrcoef(np.concatenate([orders, np.arange(700.0)[None]])) - np.eye(31)).max() < 0.17
    assert abs(np.diff(orders)).mean() == pytest.approx(701 / 3, abs=5)


@pytest.mark.parametrize("batch_size, count", [(1, 1), (8, 700), (4095, 47000), (4096, 47001), (4096, 2**30 - 1)])
def test_epoch_and_rank_are_exact_beyond_32_bits(batch_size, count):
    steps = [0, 1, 5, 2**19, 10**7, 2**31 - 1]
    locate = jax.vmap(functools.partial(order.locate, count=count, batch_size=batch_size))
    epochs, ranks = locate(np.array(steps, np.int32))
    for step, epoch, rank in zip(steps, epochs, ranks, strict=True):
        expected = [divmod(step * batch_size + i, count) for i in range(batch_size)]
        assert [(e % 2**32, r) for e, r in expected] == list(zip(epoch.tolist(), rank.tolist(), strict=True))
