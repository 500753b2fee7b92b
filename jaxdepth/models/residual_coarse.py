"""Model 2 of the paper (section 5.2): a residual coarse part before Eigen's fully connected layers and fine part."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from jaxdepth.models.eigen import Fine, coarse_then_fine, convolution, fine_grid, fully_connected_map, scaled
from jaxdepth.models.layers import ResidualBlock, batch_norm, max_pool

_STAGES = ((128, 2), (256, 3), (256, 2))  # channels and residual blocks at 27x37, 13x18, 6x8 (for 228x304)


class ResidualCoarse(nn.Module):
    """Eigen's network with 15 convolutions in place of five in the coarse part; groups `coarse` and `fine`.

    The convolutions that the paper adds are residual blocks with batch normalisation, without which so deep a part does
    not train from scratch; the sizes between them, the two fully connected layers and the fine part are Eigen's.
    Attributes as in `jaxdepth.models.eigen`.
    """

    width: float
    dropout: float
    mean_log_depth: Any = 0.0
    dtype: Any = jnp.float32
    blocked_gradient: bool = False

    groups = ("fine", "coarse")

    def setup(self):
        compute = dict(dtype=self.dtype, blocked_gradient=self.blocked_gradient)
        head = dict(dropout=self.dropout, mean_log_depth=self.mean_log_depth)
        self.coarse = Coarse(width=self.width, head=head, **compute)
        self.fine = Fine(width=self.width, mean_log_depth=self.mean_log_depth, **compute)

    def __call__(self, image, *, gate=0, trained=(), stop_gradient=True):
        """The log depth that a gate selects, see `coarse_then_fine`."""
        return coarse_then_fine(self, fine_grid(image), image, gate=gate, trained=trained, stop_gradient=stop_gradient)


class Coarse(nn.Module):
    """A strided convolution, three stages of residual blocks, and the two fully connected layers.

    `head` holds the arguments dropout and mean_log_depth of `fully_connected_map`.
    """

    width: float
    head: dict
    dtype: Any
    blocked_gradient: bool

    @nn.compact
    def __call__(self, x, grid, *, train):
        """Standardised picture [B, H, W, 3] -> raw map [B, h, w, 1] on `grid`, and the layers by name."""
        x = convolution(self, "stem", scaled(64, self.width), 11, 4, 2, use_bias=False)(x)
        x = max_pool(nn.relu(batch_norm(train=train, dtype=self.dtype, name="stem_norm")(x)), 3)
        layers = {"stem": x}
        for stage, (features, blocks) in enumerate(_STAGES, start=1):
            for i in range(blocks):
                block = ResidualBlock(
                    scaled(features, self.width),
                    dtype=self.dtype,
                    blocked_gradient=self.blocked_gradient,
                    name=f"stage{stage}_block{i + 1}",
                )
                x = block(x, train=train)
            if stage < len(_STAGES):
                x = max_pool(x, 3)
            layers[f"stage{stage}"] = x
        return fully_connected_map(x, grid, layers, width=self.width, train=train, dtype=self.dtype, **self.head)
