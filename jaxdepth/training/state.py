"""The train state: everything that a step changes and a checkpoint holds."""

import functools
import math
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
from absl import logging
from flax import traverse_util

from jaxdepth.errors import InputError


class TrainState(flax.struct.PyTreeNode):
    """The state of a training.

    Attributes:
      step: int32 scalar, number of steps taken.
      params: parameters by group.
      batch_stats: normalisation statistics by group.
      opt_state: optimizer state by group.
      average: {"params", "batch_stats"}, exponential moving averages; None if the training keeps none.
    """

    step: Any
    params: Any
    batch_stats: Any
    opt_state: Any
    average: Any = None

    @property
    def variables(self):
        """{"params", "batch_stats"} for evaluation: the averages if there are any."""
        return self.average or {"params": self.params, "batch_stats": self.batch_stats}

    def items(self):
        """The two items of a checkpoint: `model`, the variables, and `optimizer`, all else that training needs."""
        training = {"opt_state": self.opt_state, "step": self.step}
        if self.average:
            training |= {"params": self.params, "batch_stats": self.batch_stats}
        return {"model": self.variables, "optimizer": training}

    def with_items(self, items):
        """Inverse of `items`, for a state of the same structure."""
        if self.average:
            return self.replace(average=items["model"], **items["optimizer"])
        return self.replace(**items["model"], **items["optimizer"])


def shapes(network, crop_size):
    """The network's variables {"params", "batch_stats"} as shapes, for images of `crop_size` (h, w)."""
    image = jax.ShapeDtypeStruct((1, *crop_size, 3), jnp.float32)
    return jax.eval_shape(functools.partial(_init, network), jax.random.key(0), image)


def create(network, optimizer, *, seed, log_depth, sharding_of, averaged=False):
    """Makes a fresh state on the devices; a pure function of its arguments.

    Args:
      network: from `models.build`.
      optimizer: from `optim.make`.
      seed: of the random parameters.
      log_depth: float32 [h, w], mean log depth image of the training crops, where the outputs start.
      sharding_of: function of an array's shape.
      averaged: whether the state holds moving averages.

    Returns:
      A TrainState.
    """
    init = functools.partial(_fresh, network, optimizer, seed, averaged)
    shapes = abstract(network, optimizer, crop_size=log_depth.shape, sharding_of=sharding_of, averaged=averaged)
    out_shardings = jax.tree.map(lambda x: x.sharding, shapes)
    return jax.jit(init, out_shardings=out_shardings)(jnp.asarray(log_depth, jnp.float32))


def abstract(network, optimizer, *, crop_size, sharding_of, averaged=False):
    """The shapes of `create`'s state, for images of `crop_size` (h, w): a TrainState of jax.ShapeDtypeStruct."""
    init = functools.partial(_fresh, network, optimizer, 0, averaged)
    fresh = jax.eval_shape(init, jax.ShapeDtypeStruct(crop_size, jnp.float32))
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding_of(x.shape)), fresh)


def init_from(state, variables):
    """Takes over the arrays of another network whose names and shapes match.

    Args:
      state: a fresh TrainState.
      variables: {"params", "batch_stats"} of the other network.

    Returns:
      The state with these arrays, and with averages that start at them.

    Raises:
      InputError: if none matches.
    """
    own = traverse_util.flatten_dict({"params": state.params, "batch_stats": state.batch_stats}, keep_empty_nodes=True)
    others = traverse_util.flatten_dict(variables)
    taken = {
        name: jax.device_put(others[name], x.sharding)
        for name, x in own.items()
        if name in others and others[name].shape == x.shape
    }
    if not taken:
        raise InputError("config.init_from: no array of that run has a name and shape of this network's")
    logging.info("init_from: took %d of %d arrays", len(taken), len(own))
    new = traverse_util.unflatten_dict(own | taken)
    average = jax.tree.map(jnp.copy, new) if state.average else None
    return state.replace(**new, average=average)


def scale_depth(network, variables, ratio, *, crop_size):
    """Variables with which a network's outputs start at `ratio` times the depth.

    The log of the ratio is added to the biases of the outputs, those that `starting_at` sets. Outputs that enter later
    layers, as scales enter a fusion, are then beyond what these layers have learned from, so the depth is met nearly.

    Args:
      network: from `models.build`.
      variables: {"params", "batch_stats"}.
      ratio: of the depths, above 0.
      crop_size: (h, w) of its input.

    Returns:
      The variables, the same ones if the ratio is 1.
    """
    if ratio == 1:
        return variables
    near, far = (network.starting_at(variables, jnp.full(crop_size, x)) for x in (0.0, math.log(ratio)))
    return jax.tree.map(lambda x, a, b: x if a is b else x + (b - a), variables, near, far)


def _init(network, key, image):
    """The network's variables; collections that it does not have are empty."""
    return {"params": {}, "batch_stats": {}, **network.init(key, image)}


def _fresh(network, optimizer, seed, averaged, log_depth):
    # The default generator's code is compiled anew for every parameter, ten times slower.
    variables = _init(network, jax.random.key(seed, impl="rbg"), jnp.zeros((1, *log_depth.shape, 3)))
    variables = network.starting_at(variables, log_depth)
    average = jax.tree.map(jnp.copy, variables) if averaged else None
    opt_state = optimizer.init(variables["params"])
    return TrainState(jnp.zeros((), jnp.int32), **variables, opt_state=opt_state, average=average)
