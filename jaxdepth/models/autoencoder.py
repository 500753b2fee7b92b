"""Model 1 of the paper (section 5.1): Eigen's coarse part, and an auto-encoder in place of the fine part."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from jaxdepth.models.conv import Conv
from jaxdepth.models.eigen import Coarse, coarse_then_fine, scaled
from jaxdepth.models.layers import DepthHead, batch_norm, continue_border, double, max_pool, picture_grid

_BOTTLENECK = 31  # channels beside the coarse map
_ENCODER = ((16, 16), (32, 32), (64, 64, _BOTTLENECK))  # channels of each layer; a block ends in a pooling
_DECODER = ((64, 32), (32, 16), (16, 16))  # a block begins with a resizing


class AutoEncoder(nn.Module):
    """Three encoder blocks to an eighth of the picture, the coarse map beside them, three decoder blocks; no skips.

    228x304 becomes 114x152, 57x76 and 28x38; there 31 channels are concatenated with the coarse map, so that the 64
    channels of Eigen's fine part no longer cover it. Groups `autoencoder` (gate 0) and `coarse` (gate 1).

    The paper names neither normalisation nor how the coarse map is taught. Here every convolution of the blocks is
    followed by batch normalisation, and the coarse map has a loss of its own; it starts at the mean depth image, the
    final depth at the mean depth.
    Attributes as in `jaxdepth.models.eigen`; `width` leaves the 31 + 1 channels as they are.
    """

    width: float
    dropout: float
    mean_log_depth: Any = 0.0
    dtype: Any = jnp.float32
    blocked_gradient: bool = False

    groups = ("autoencoder", "coarse")

    def setup(self):
        compute = dict(dtype=self.dtype, blocked_gradient=self.blocked_gradient)
        head = dict(dropout=self.dropout, mean_log_depth=self.mean_log_depth)
        self.coarse = Coarse(width=self.width, local_response_normalisation=False, head=head, **compute)
        self.autoencoder = EncoderDecoder(width=self.width, mean_log_depth=self.mean_log_depth, **compute)

    def __call__(self, image, *, gate=0, trained=(), stop_gradient=True):
        """The log depth that a gate selects, see `coarse_then_fine`."""
        grid = encoder_grids(image)[-1]
        return coarse_then_fine(self, grid, image, gate=gate, trained=trained, stop_gradient=stop_gradient)


def encoder_grids(picture):
    """The Grids of the picture and after each encoder block."""
    grids = [picture_grid(picture)]
    for _ in _ENCODER:
        grids.append(grids[-1].window(2, stride=2))
    return grids


class EncoderDecoder(nn.Module):
    """The auto-encoder that takes the place of Eigen's fine part."""

    width: float
    mean_log_depth: Any
    dtype: Any
    blocked_gradient: bool

    @nn.compact
    def __call__(self, picture, coarse, *, train):
        """Standardised picture [B, H, W, 3], raw map [B, h, w, 1] -> log depth [B, H, W], the layers by name."""

        def convolve(x, features, name):
            x = Conv(features, dtype=self.dtype, blocked_gradient=self.blocked_gradient, name=name)(x)
            return nn.relu(batch_norm(train=train, dtype=self.dtype, name=f"{name}_norm")(x))

        grids, layers, x = encoder_grids(picture), {}, picture
        for block, channels in enumerate(_ENCODER, start=1):
            for i, features in enumerate(channels, start=1):
                features = features if features == _BOTTLENECK else scaled(features, self.width)
                x = convolve(x, features, f"encoder{block}_{i}")
            x = layers[f"encoder{block}"] = max_pool(x, 2)
        x = layers["joined"] = jnp.concatenate([x, coarse.astype(self.dtype)], -1)
        for block, channels in enumerate(_DECODER, start=1):
            height, width = grids[-1 - block][:2]
            x = continue_border(
                double(x), (height, width)
            )  # 57 rows, of which the pooling left one out, come back as 56
            for i, features in enumerate(channels, start=1):
                x = convolve(x, scaled(features, self.width), f"decoder{block}_{i}")
            layers[f"decoder{block}"] = x
        head = DepthHead("bilinear", 1, 1, self.mean_log_depth, self.blocked_gradient, name="head")
        depth, _ = head(x)
        return depth, layers
