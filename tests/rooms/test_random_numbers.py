"""Named uniform numbers."""

import jax
import numpy as np
import pytest

from jaxdepth.rooms.random_numbers import between, named_uniform, normal_planes


def test_names_take_the_numbers_of_one_draw_in_order():
    key = jax.random.key(5)
    numbers = np.asarray(jax.random.uniform(key, (9,)))
    named = named_uniform(key, size=(2, 3), angle=(), position=(2,))
    np.testing.assert_array_equal(named.size, numbers[:6].reshape(2, 3))
    np.testing.assert_array_equal(named.angle, numbers[6])
    np.testing.assert_array_equal(named.position, numbers[7:])
    assert set(vars(named)) == {"size", "angle", "position"}


def test_between_goes_from_low_to_high():
    np.testing.assert_allclose(between(np.array([0, 0.25, 1]), -2.0, 6.0), [-2, 0, 6])


@pytest.mark.parametrize(("shape", "axis"), [((2, 30, 40), 0), ((30, 40, 3), 2)])
def test_normal_planes_are_those_of_jax(shape, axis):
    key = jax.random.fold_in(jax.random.key(5, impl="threefry2x32"), 9)
    planes = jax.jit(normal_planes, static_argnames=("shape", "axis"))(key, shape=shape, axis=axis)
    np.testing.assert_allclose(planes, np.moveaxis(jax.random.normal(key, shape), axis, 0), rtol=1e-5, atol=1e-6)
