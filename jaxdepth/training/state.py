"""The train state: all that a checkpoint holds, and all that a step changes."""

import functools
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
from absl import logging
from flax import traverse_util


class TrainState(flax.struct.PyTreeNode):
    """Global step (int32 scalar), parameters, normalisation statistics and optimizer state, each by group.

    `average` holds moving averages {"params", "batch_stats"} of the parameters and statistics; None: there are none.
    """

    step: Any
    params: Any
    batch_stats: Any
    opt_state: Any
    average: Any = None

    @property
    def variables(self):
        """What the network is applied to once trained: {"params", "batch_stats"}, averages where there are."""
        return self.average or {"params": self.params, "batch_stats": self.batch_stats}

    def items(self):
        """The two items of a checkpoint: `model`, the variables, and `optimizer`, what training needs beside them."""
        training = {"opt_state": self.opt_state, "step": self.step}
        if self.average:
            training |= {"params": self.params, "batch_stats": self.batch_stats}
        return {"model": self.variables, "optimizer": training}

    def with_items(self, items):
        """The state that gave `items`; this one has its structure."""
        if self.average:
            return self.replace(average=items["model"], **items["optimizer"])
        return self.replace(**items["model"], **items["optimizer"])


def shapes(network, crop_size):
    """The network's variables as shapes: {"params": ..., "batch_stats": ...}."""
    picture = jax.ShapeDtypeStruct((1, *crop_size, 3), jnp.float32)
    return jax.eval_shape(functools.partial(_init, network), jax.random.key(0), picture)


def create(network, optimizer, *, seed, crop_size, sharding, averaged=False):
    """A fresh TrainState, made on the devices in the given sharding; a pure function of the seed.

    `averaged`: whether it holds moving averages of its parameters and statistics.
    """

    def init():
        # The default generator's code is compiled anew for every parameter, ten times as slowly.
        variables = _init(network, jax.random.key(seed, impl="rbg"), jnp.zeros((1, *crop_size, 3)))
        average = jax.tree.map(jnp.copy, variables) if averaged else None
        opt_state = optimizer.init(variables["params"])
        return TrainState(jnp.zeros((), jnp.int32), **variables, opt_state=opt_state, average=average)

    return jax.jit(init, out_shardings=sharding)()


def starting_from(state, variables):
    """The fresh `state` with those of `variables` {"params", "batch_stats"} that have a name and a shape of its own."""
    mine = traverse_util.flatten_dict({"params": state.params, "batch_stats": state.batch_stats})
    theirs = traverse_util.flatten_dict(variables)
    taken = {name: theirs[name] for name, x in mine.items() if name in theirs and theirs[name].shape == x.shape}
    if not taken:
        raise ValueError("config.initial: none of that run's weights has a name and shape of this network's")
    logging.info("%d of %d arrays from the initial run", len(taken), len(mine))
    new = traverse_util.unflatten_dict(mine | taken)
    average = jax.tree.map(jnp.copy, new) if state.average else None
    return state.replace(**new, average=average)


def _init(network, key, picture):
    """The network's variables; a collection that it does not have is empty."""
    return {"params": {}, "batch_stats": {}, **network.init(key, picture)}
