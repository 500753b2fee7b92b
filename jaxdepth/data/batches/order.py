"""Which example stands where in a training: a pure function of (seed, step), whatever the number of devices."""

import functools

import jax
import jax.numpy as jnp

_ROUNDS = 32  # of the shuffle


def draw_examples(step, *, count, seed, batch_size):
    """The examples of a global step.

    Args:
      step: int32 scalar, not negative; may be traced.
      count: number of frames, below 2^30.
      seed: of order and augmentation; modulo 2^32.
      batch_size: images of all devices together.

    Returns:
      Frame indices uint32 [B] in range(count), and the keys of their augmentation [B].
    """
    epoch, rank = locate(step, count=count, batch_size=batch_size)
    # Dropout uses the keys (seed, step); this one is none of them.
    key = jax.random.fold_in(jax.random.key(seed, impl="threefry2x32"), 1 << 31)
    order, augmentation = jax.random.split(key)
    fold_in = jax.vmap(jax.random.fold_in, (None, 0))
    index = jax.vmap(functools.partial(_shuffle, count=count))(fold_in(order, epoch), rank)
    return index, jax.vmap(jax.random.fold_in)(fold_in(augmentation, epoch), rank)


def locate(step, *, count, batch_size):
    """The epoch of each example of a global step, and its rank there.

    Example g = step * B + i of the training has rank g % n in the order of epoch g // n, with n = `count`. Exact even
    where g exceeds 32 bits, for n < 2^30 and every int32 step; epochs count modulo 2^32.

    Args:
      step: int32 scalar.
      count: number of frames.
      batch_size: images of all devices together.

    Returns:
      Two uint32 [B].
    """
    step = jnp.asarray(step, jnp.uint32)
    epoch = rank = jnp.uint32(0)
    for bit in f"{batch_size:b}":  # step * B = epoch * n + rank, by Horner's rule in the bits of B
        rank = 2 * rank + int(bit) * (step % count)
        epoch = 2 * epoch + int(bit) * (step // count) + rank // count
        rank = rank % count
    rank = rank + jnp.arange(batch_size, dtype=jnp.uint32)
    return epoch + rank // count, rank % count


def _shuffle(key, rank, *, count):
    """One element of a random permutation of range(count), without computing the rest: a swap-or-not shuffle.

    In each round the elements pair up, i with pivot - i, and a random bit decides whether the two swap (Hoang, Morris,
    Rogaway 2012). On a CPU, sorting random numbers takes longer than augmenting a small batch from some thousands of
    frames on.
    """
    pivots, salts = jax.random.bits(key, (2, _ROUNDS))

    def swap(rank, round_):
        pivot, salt = round_
        partner = (pivot % count + count - rank) % count
        h = (jnp.maximum(rank, partner) ^ salt) * jnp.uint32(0x9E3779B1)
        h = (h ^ (h >> 15)) * jnp.uint32(0x2C1B3C6D)
        h = (h ^ (h >> 13)) * jnp.uint32(0x297A2D39)
        return jnp.where(h >> 31 == 1, partner, rank), None

    return jax.lax.scan(swap, rank, (pivots, salts))[0]
