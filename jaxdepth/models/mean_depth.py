"""The baseline as a network: the mean depth image of the training frames, whatever the picture."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from jaxdepth.errors import InputError
from jaxdepth.models.layers import with_leaf


class MeanDepth(nn.Module):
    """A network without parameters, whose one statistic is the stored log depth image, group `stored`.

    It runs through the same training, checkpoints and evaluation as the other networks.

    Attributes:
      dtype: unused, as nothing is computed.
    """

    dtype: Any = jnp.float32

    groups = ("stored",)

    @nn.compact
    def __call__(self, image, *, gate=0, trained=(), stop_gradient=True):
        """Maps an image [B, H, W, 3] to the stored log depth [B, H, W].

        Raises:
          InputError: for a gate other than 0.
        """
        del trained, stop_gradient
        if gate != 0:
            raise InputError(f"gate={gate}: expected 0")
        stored = self.variable("batch_stats", "stored", jnp.zeros, image.shape[1:3])
        depth = jnp.broadcast_to(stored.value[None], image.shape[:3])
        return depth, {"stored": depth}

    def starting_at(self, variables, log_depth):
        """The variables with the log depth image [H, W] as the stored one."""
        return with_leaf(variables, "batch_stats/stored", jnp.asarray(log_depth, jnp.float32))
