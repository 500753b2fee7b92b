"""The train state: all that a checkpoint holds, and all that a step changes."""

import functools
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp


class TrainState(flax.struct.PyTreeNode):
    """Global step (int32 scalar), parameters, normalisation statistics and optimizer state, each by group."""

    step: Any
    params: Any
    batch_stats: Any
    opt_state: Any

    @property
    def variables(self):
        """What the network is applied to: {"params", "batch_stats"}."""
        return {"params": self.params, "batch_stats": self.batch_stats}


def shapes(network, crop_size):
    """The network's variables as shapes: {"params": ..., "batch_stats": ...}."""
    picture = jax.ShapeDtypeStruct((1, *crop_size, 3), jnp.float32)
    return jax.eval_shape(functools.partial(_init, network), jax.random.key(0), picture)


def create(network, optimizer, *, seed, crop_size, sharding):
    """A fresh TrainState, made on the devices in the given sharding; a pure function of the seed."""

    def init():
        # The default generator's code is compiled anew for every parameter, ten times as slowly.
        variables = _init(network, jax.random.key(seed, impl="rbg"), jnp.zeros((1, *crop_size, 3)))
        params = variables["params"]
        return TrainState(jnp.zeros((), jnp.int32), params, variables["batch_stats"], optimizer.init(params))

    return jax.jit(init, out_shardings=sharding)()


def _init(network, key, picture):
    """The network's variables; a collection that it does not have is empty."""
    return {"params": {}, "batch_stats": {}, **network.init(key, picture)}
