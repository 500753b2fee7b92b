"""Model 2 of the paper (section 5.2): a residual coarse part before Eigen's fully connected layers and fine part."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from jaxdepth.models import eigen
from jaxdepth.models.layers import ResidualBlock, max_pool, normalised

_STAGES = ((128, 2), (256, 3), (256, 2))  # channels and residual blocks at 27x37, 13x18, 6x8 (for 228x304)


class ResidualCoarse(nn.Module):
    """Eigen's network with 15 convolutions instead of five in the coarse part: groups `fine` and `coarse`.

    The paper's additional convolutions are residual blocks with batch normalisation, without which a part this deep
    does not train from scratch. The map sizes, the two fully connected layers and the fine part are Eigen's.

    Attributes:
      width: factor of all channel and unit counts.
      dropout: dropout rate of the first fully connected layer.
      dtype: compute dtype of all layers but those that output the maps.
    """

    width: float
    dropout: float
    dtype: Any = jnp.float32

    groups = ("fine", "coarse")

    def setup(self):
        self.coarse = Coarse(self.width, self.dropout, self.dtype)
        self.fine = eigen.Fine(self.width, self.dtype)

    def __call__(self, image, *, gate=0, trained=(), stop_gradient=True):
        """See `eigen.coarse_then_fine`."""
        options = dict(gate=gate, trained=trained, stop_gradient=stop_gradient)
        return eigen.coarse_then_fine(self, eigen.fine_grid(image), image, **options)

    def starting_at(self, variables, log_depth):
        """See `Eigen.starting_at`."""
        variables = eigen.start_coarse(variables, eigen.fine_grid(log_depth[None]), log_depth)
        return eigen.start_fine(variables, log_depth)


class Coarse(nn.Module):
    """A strided convolution, three stages of residual blocks, and the two fully connected layers."""

    width: float
    dropout: float
    dtype: Any

    @nn.compact
    def __call__(self, x, grid, *, train):
        """Maps a standardised image [B, H, W, 3] to a raw map [B, h, w, 1] on `grid`, and the layers by name."""
        stem = eigen.convolution("stem", eigen.scaled(64, self.width), 11, 4, 2, dtype=self.dtype, use_bias=False)
        x = max_pool(nn.relu(normalised(stem, x, train=train, name="stem_norm")), 3)
        layers = {"stem": x}
        for stage, (features, blocks) in enumerate(_STAGES, start=1):
            features = eigen.scaled(features, self.width)
            for i in range(blocks):
                x = ResidualBlock(features, dtype=self.dtype, name=f"stage{stage}_block{i + 1}")(x, train=train)
            if stage < len(_STAGES):
                x = max_pool(x, 3)
            layers[f"stage{stage}"] = x
        head = dict(width=self.width, dropout=self.dropout, dtype=self.dtype)
        return eigen.fully_connected_map(x, grid, layers, train=train, **head)
