"""The floor as a network: it answers every picture with the mean depth image of the training frames."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp


class MeanDepth(nn.Module):
    """A network without parameters; its one statistic is the stored picture, group `stored`.

    A network that has learned to look beats it. It goes through the same training, checkpoint and evaluation as the
    others, of which it changes nothing.

    Attributes:
      mean_log_depth: log metres [H, W] of the training crops.
      dtype, blocked_gradient: of no effect here, as nothing is computed.
    """

    mean_log_depth: Any = 0.0
    dtype: Any = jnp.float32
    blocked_gradient: bool = False

    groups = ("stored",)

    @nn.compact
    def __call__(self, image, *, gate=0, trained=(), stop_gradient=True):
        """Picture [B, H, W, 3] -> the stored log depth [B, H, W]. Raises ValueError for a gate other than 0."""
        del trained, stop_gradient  # it learns nothing
        if gate != 0:
            raise ValueError(f"gate={gate}: expected 0")
        size = image.shape[1:3]
        start = jnp.asarray(self.mean_log_depth, jnp.float32)
        stored = self.variable(
            "batch_stats", "stored", jnp.broadcast_to, start if start.ndim else start[None, None], size
        )
        depth = jnp.broadcast_to(stored.value[None], image.shape[:3])
        return depth, {"stored": depth}
