"""Uniform random numbers with names, and their mapping to ranges."""

import math
from types import SimpleNamespace

import jax


def named_uniform(key, **shapes) -> SimpleNamespace:
    """Draws uniform numbers in [0, 1) in one call and splits them into named arrays.

    One call, because each call takes about a third of a second to compile.

    Args:
      key: a jax.random key.
      **shapes: shape of each array. The arrays take the numbers in the order of their names, so a change in the middle
        changes all arrays after it.

    Returns:
      A namespace with a float32 array for each name.
    """
    numbers = jax.random.uniform(key, (sum(math.prod(shape) for shape in shapes.values()),))
    named, start = SimpleNamespace(), 0
    for name, shape in shapes.items():
        end = start + math.prod(shape)
        setattr(named, name, numbers[start:end].reshape(shape))
        start = end
    return named


def between(share, low, high):
    """Interpolates from `low` at share 0 to `high` at share 1."""
    return low + share * (high - low)
