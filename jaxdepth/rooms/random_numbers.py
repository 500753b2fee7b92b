"""Uniform random numbers with names, and their mapping to ranges."""

import math
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np


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


def normal_planes(key, shape, *, axis):
    """The numbers of `jax.random.normal(key, shape)`, in a tenth of the time on a CPU, plane by plane.

    jax runs threefry as a loop over rounds there, each of which goes through the memory; here each plane is one loop
    over its pixels.

    Args:
      key: a jax.random key of threefry.
      shape: of three axes.
      axis: along which the planes lie: 0 or 2.

    Returns:
      The planes, stacked along the first axis: `jnp.moveaxis(jax.random.normal(key, shape), axis, 0)`.
    """
    planes, size = shape[axis], (*shape[:axis], *shape[axis + 1 :])
    pixel = jax.lax.iota(jnp.uint32, math.prod(size)).reshape(size)
    plane = jax.lax.iota(jnp.uint32, planes)
    first, step = (plane * math.prod(size), 1) if axis == 0 else (plane, planes)
    return jax.lax.map(lambda start: _normal(_threefry(jax.random.key_data(key), start + step * pixel)), first)


def _threefry(key, count):
    """The random bits that jax gives the elements with these numbers in an array."""
    keys = *key, key[0] ^ key[1] ^ jnp.uint32(0x1BD11BDA)
    x, y = jnp.broadcast_to(keys[0], count.shape), count + keys[1]
    for i in range(5):
        for turn in ((13, 15, 26, 6), (17, 29, 16, 24))[i % 2]:
            x = x + y
            y = x ^ (y << turn | y >> 32 - turn)
        x, y = x + keys[(i + 1) % 3], y + keys[(i + 2) % 3] + jnp.uint32(i + 1)
    return x ^ y


def _normal(bits):
    """The normal numbers that jax makes of random bits."""
    share = jax.lax.bitcast_convert_type(bits >> 9 | jnp.uint32(0x3F800000), jnp.float32) - 1
    low = np.nextafter(np.float32(-1), np.float32(0))
    return np.float32(np.sqrt(2)) * jax.lax.erf_inv(jnp.maximum(low, share * (1 - low) + low))
